/**
 * Recognises a dense tail: from a group's only consumer to the error it is a chain of dense layers and element-wise
 * functions that the WebAssembly loops know. Anything else stays with the general tail graph.
 */
import { floatAttribute, intAttribute, normalAxis } from "../../graph/attributes.ts";
import type { Graph, Node } from "../../graph/graph.ts";
import { transpose } from "../../graph/tensor.ts";
import { nodeId } from "../../units/places.ts";
import type { Group } from "../../units/units.ts";
import type { Evaluator } from "../evaluator.ts";
import type { State } from "../state.ts";

export type Activation = "sigmoid" | "tanh" | "relu" | "softmax";

/** A dense layer of the chain and what follows it: x[N, rows] -> sums[N, columns] -> activations one after another. */
export interface Layer {
  /** The value it reads. */
  readonly input: string;
  /** weights[rows, columns] row-major. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
  readonly rows: number;
  readonly columns: number;
  readonly activations: readonly Activation[];
}

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  Sigmoid: "sigmoid",
  Tanh: "tanh",
  Relu: "relu",
  Softmax: "softmax",
};

/** The group's tail as a chain of dense layers, from its consumer on; undefined where it is anything else. */
export function denseTail(evaluator: Evaluator, state: State, group: Group): Layer[] | undefined {
  const { graph } = state.model;
  const [sink] = group.sinks;
  const [term] = evaluator.terms;
  const isOne = term && evaluator.terms.length === 1 && term.bound.loop && (term.layout.axis ?? 0) === 0;
  if (!sink || group.sinks.length > 1 || sink.slot !== 0 || !isOne || evaluator.type !== "float32") return undefined;
  const consumer = graph.nodes.find((node) => nodeId(node) === sink.node) as Node;
  const first = layerAt(graph, state, consumer);
  if (!first || sink.axis !== 1 || repeats(sink.owners)) return undefined;
  const layers: (Layer & { activations: Activation[] })[] = [{ ...first.layer, activations: [] }];
  let value = first.output;
  while (value !== term.value) {
    const next = onlyReader(graph, value);
    if (!next || next.inputs[0] !== value) return undefined;
    const activation = next.domain === "" ? ACTIVATIONS[next.opType] : undefined;
    const dense = layerAt(graph, state, next);
    if (next.opType === "Identity" || next.opType === "Dropout") value = next.outputs[0] as string;
    else if (activation) {
      if (activation === "softmax" && !overLastOfTwo(next, state)) return undefined;
      layers.at(-1)?.activations.push(activation);
      value = next.outputs[0] as string;
    } else if (dense) {
      layers.push({ ...dense.layer, activations: [] });
      value = dense.output;
    } else return undefined;
  }
  const inner = layers.slice(0, -1).flatMap(({ activations }) => activations);
  return state.shapes.get(value)?.dims.length === 2 && !inner.includes("softmax") ? layers : undefined;
}

/** With the value that holds its sums, after a bias that a node of its own adds. A Gemm, or a MatMul with or without an Add after it, on rows of samples with constant float32 weights. */
function layerAt(
  graph: Graph,
  state: State,
  node: Node,
): { layer: Omit<Layer, "activations">; output: string } | undefined {
  if (node.domain !== "" || (node.opType !== "Gemm" && node.opType !== "MatMul")) return undefined;
  const stored = graph.initializers.get(node.inputs[1] as string);
  const { dims = [] } = state.shapes.get(node.inputs[0] as string) ?? {};
  if (stored?.type !== "float32" || stored.dims.length !== 2 || dims.length !== 2) return undefined;
  const gemm = node.opType === "Gemm";
  if (
    gemm &&
    (intAttribute(node, "transA", 0) || floatAttribute(node, "alpha", 1) !== 1 || floatAttribute(node, "beta", 1) !== 1)
  ) {
    return undefined;
  }
  const weights = gemm && intAttribute(node, "transB", 0) ? transpose(stored, [1, 0]) : stored;
  const [rows, columns] = weights.dims as [number, number];
  let output = node.outputs[0] as string;
  let biasName = node.inputs[2] ?? "";
  if (!gemm) {
    const next = onlyReader(graph, output);
    if (next?.opType === "Add") {
      const other = next.inputs.find((name) => name !== output) ?? "";
      if (graph.initializers.has(other)) [output, biasName] = [next.outputs[0] as string, other];
    }
  }
  const bias = spreadBias(graph, biasName, columns);
  const layer = { input: node.inputs[0] as string, weights: weights.data as Float32Array, rows, columns };
  return bias && { layer: { ...layer, bias }, output };
}

/** A bias of one number per column, from whatever broadcasts to that; undefined if it does not. */
function spreadBias(graph: Graph, name: string, columns: number): Float32Array | undefined {
  if (name === "") return new Float32Array(columns);
  const tensor = graph.initializers.get(name);
  if (tensor?.type !== "float32" || (tensor.size !== 1 && tensor.size !== columns)) return undefined;
  if (tensor.size !== 1 && tensor.dims.at(-1) !== columns) return undefined;
  const data = tensor.data as Float32Array;
  return tensor.size === columns ? data : new Float32Array(columns).fill(data[0] as number);
}

function onlyReader(graph: Graph, value: string): Node | undefined {
  const { uses = [], isOutput = false } = graph.value(value) ?? {};
  return uses.length === 1 && !isOutput ? uses[0]?.node : undefined;
}

function overLastOfTwo(node: Node, state: State): boolean {
  const { dims = [] } = state.shapes.get(node.outputs[0] as string) ?? {};
  return dims.length === 2 && normalAxis(intAttribute(node, "axis", 1), 2) === 1;
}

function repeats(owners: Int32Array): boolean {
  const own = owners.filter((unit) => unit >= 0);
  return new Set(own).size < own.length;
}
