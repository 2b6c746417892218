/**
 * Consumers: the layers of weights that can be fitted again in closed form, and a model in which each of them has weights
 * and a bias of its own to change.
 */
import { opsetOf } from "../graph/builder.ts";
import { describe, type Graph, type Model, type Node } from "../graph/graph.ts";
import type { Shapes, ValueShape } from "../graph/shapes.ts";
import { allocate, Tensor } from "../graph/tensor.ts";
import type { State } from "../measure/state.ts";
import { regressionOf } from "../ops/regression.ts";
import type { Regression } from "../ops/rule.ts";
import type { Unfitted } from "../results.ts";
import { keptIndexes, type RemovedUnits } from "../surgery/kept.ts";
import { findUnits } from "../units/find.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";

/** A layer whose outputs are features * weights + bias. */
export interface Consumer {
  /** The node that holds the weights. */
  readonly node: Node;
  /** The value it reads. */
  readonly input: string;
  /** Its outputs, bias included. */
  readonly output: string;
  /** Initializers that no other node reads. */
  readonly weights: string;
  readonly bias: string;
}

/** A prunable model whose consumers can be fitted. Computes the same as the one that it was made from. */
export interface Fittable {
  readonly prunable: Prunable;
  /** In topological order. */
  readonly consumers: readonly Consumer[];
  /** Biases, all 0, that were added; see {@link withoutIdleBiases}. */
  readonly added: ReadonlySet<string>;
}

/** Finds the consumers of a model and gives each its own weights and bias. */
export function fittable({ model, shapes }: Prunable): Fittable {
  const draft = new Draft(model.graph, shapes);
  const consumers = model.graph.nodes.flatMap((node) => {
    const stored = model.graph.initializers.get(node.inputs[1] ?? "");
    const isReal = stored?.type === "float32" || stored?.type === "float64";
    const regression = isReal ? regressionOf(node, model, shapes) : undefined;
    return regression ? [draft.consumer(node, regression)] : [];
  });
  const { graph, shapes: allShapes } = draft.result();
  const units = findUnits(graph, allShapes, opsetOf(model));
  return { prunable: { model: { ...model, graph }, shapes: allShapes, units }, consumers, added: draft.added };
}

/** Layers with more features than this get a bias alone: their least squares would take too long. */
export const MOST_FEATURES = 4096;

/** Layers of weights that read units of which some are gone, and that are not fitted again, with the reason in words. */
export function unfitted({ prunable, consumers }: Fittable, removed: RemovedUnits): Unfitted[] {
  const { units, model } = prunable;
  const { initializers } = model.graph;
  const known = new Map(consumers.map((consumer) => [nodeId(consumer.node), consumer]));
  const reasons = new Map<string, Unfitted>();
  for (const { first, size, sinks } of units.groups) {
    if (!removed.subarray(first, first + size).includes(1)) continue;
    for (const { node: id } of sinks) {
      const node = model.graph.nodes.find((one) => nodeId(one) === id) as Node;
      const tensor = node.inputs.map((name) => initializers.get(name)).find((one) => (one?.dims.length ?? 0) > 1);
      if (!tensor) continue; // reads units, but has no weights
      const consumer = known.get(id);
      const features = tensor.size / (consumer ? (initializers.get(consumer.bias)?.size ?? 1) : 1);
      if (consumer && features <= MOST_FEATURES) continue;
      const reason = consumer
        ? `${features} features are too many for least squares: only its bias is fitted`
        : `${describe(node)}: weights of this operator and form are not fitted`;
      reasons.set(id, { layer: node.name || id, reason });
    }
  }
  return [...reasons.values()];
}

/** Outputs of a consumer that are left, by their number in the intact layer; undefined: all. */
export function keptOutputs(
  { units, model }: Prunable,
  { bias }: Consumer,
  { removed }: State,
): readonly number[] | undefined {
  const holder = model.graph.value(bias)?.uses[0];
  const axis = (model.graph.initializers.get(bias)?.dims.length ?? 1) - 1;
  if (!holder) return undefined;
  return keptIndexes(units.places, placeKey(bias, axis, { node: nodeId(holder.node), slot: holder.slot }), removed);
}

/** The model without added biases that are still 0. */
export function withoutIdleBiases(model: Model, added: ReadonlySet<string>): Model {
  const { graph } = model;
  const isZero = (name: string): boolean => !Array.from(graph.initializers.get(name)?.numbers ?? []).some(Boolean);
  const idle = new Set([...added].filter(isZero));
  if (idle.size === 0) return model;
  const adds = graph.nodes.filter((node) => node.opType === "Add" && idle.has(node.inputs[1] as string));
  const sums = new Map(adds.map(({ inputs, outputs }) => [inputs[0] as string, outputs[0] as string]));
  const nodes = graph.nodes.flatMap((node) => {
    if (adds.includes(node)) return [];
    const sum = sums.get(nodeId(node));
    const isIdle = idle.has(node.inputs[2] ?? "");
    if (sum === undefined && !isIdle) return [node];
    const inputs = isIdle ? node.inputs.slice(0, 2) : node.inputs;
    return [{ ...node, inputs, outputs: sum === undefined ? node.outputs : [sum] }];
  });
  const initializers = new Map([...graph.initializers].filter(([name]) => !idle.has(name)));
  return { ...model, graph: graph.with({ nodes, initializers }) };
}

/** A graph in the making: gives consumers initializers of their own. */
class Draft {
  readonly added = new Set<string>();
  readonly #graph: Graph;
  readonly #initializers: Map<string, Tensor>;
  readonly #shapes: Map<string, ValueShape>;
  /** What stands in place of a node, by its first output. */
  readonly #nodes = new Map<string, readonly Node[]>();

  constructor(graph: Graph, shapes: Shapes) {
    this.#graph = graph;
    this.#initializers = new Map(graph.initializers);
    this.#shapes = new Map(shapes);
  }

  consumer(node: Node, { outputsFirst, biasSlot }: Regression): Consumer {
    const [id, input] = [nodeId(node), node.inputs[0] as string];
    const weights = this.#own(node.inputs[1] as string, id);
    const { type, dims } = this.#initializers.get(weights) as Tensor;
    const outputs = dims[outputsFirst ? 0 : dims.length - 1] as number;
    const given = biasSlot === undefined ? undefined : node.inputs[biasSlot];
    if (biasSlot !== undefined && (!given || this.#initializers.has(given))) {
      const bias = given ? this.#own(given, id) : this.#zeros(id, type, outputs);
      const own = { ...node, inputs: [input, weights, bias] };
      this.#nodes.set(id, [own]);
      return { node: own, input, output: id, weights, bias };
    }
    const inputs = [input, weights, ...node.inputs.slice(2)];
    const reader = this.#biasReader(id, outputs);
    if (reader) {
      const own = { ...node, inputs };
      const bias = this.#own(reader.bias, nodeId(reader.node));
      this.#nodes.set(id, [own]).set(nodeId(reader.node), [{ ...reader.node, inputs: [id, bias] }]);
      return { node: own, input, output: nodeId(reader.node), weights, bias };
    }
    const bias = this.#zeros(id, type, outputs);
    const product = this.#fresh(`${id}/product`);
    const own = { ...node, name: node.name || id, inputs, outputs: [product] };
    const add = { name: bias, opType: "Add", domain: "", inputs: [product, bias], outputs: [id], attributes: {} };
    this.#nodes.set(id, [own, add]);
    const shape = this.#shapes.get(id);
    if (shape) this.#shapes.set(product, shape);
    return { node: own, input, output: id, weights, bias };
  }

  /** The Add that reads nothing but the value and one number for each of its outputs. */
  #biasReader(value: string, outputs: number): { node: Node; bias: string } | undefined {
    const { uses = [], isOutput } = this.#graph.value(value) ?? {};
    const node = uses[0]?.node;
    if (uses.length !== 1 || isOutput || node?.opType !== "Add" || node.domain !== "") return undefined;
    const bias = node.inputs.find((name) => name !== value) ?? "";
    const tensor = this.#initializers.get(bias);
    return tensor && tensor.size === outputs && tensor.dims.at(-1) === outputs ? { node, bias } : undefined;
  }

  /** The initializer's name, or that of a copy where others read it too. */
  #own(name: string, id: string): string {
    const value = this.#graph.value(name);
    if (value?.uses.length === 1 && !value.isOutput) return name;
    return this.#store(`${name}/${id}`, this.#initializers.get(name) as Tensor);
  }

  #zeros(id: string, type: Tensor["type"], length: number): string {
    const name = this.#store(`${id}/bias`, new Tensor(type, [length], allocate(type, length)));
    this.added.add(name);
    return name;
  }

  #store(hint: string, tensor: Tensor): string {
    const name = this.#fresh(hint);
    this.#initializers.set(name, tensor);
    this.#shapes.set(name, { type: tensor.type, dims: tensor.dims });
    return name;
  }

  #fresh(hint: string): string {
    let name = hint;
    for (let copy = 2; this.#graph.value(name) || this.#initializers.has(name); copy++) name = `${hint}.${copy}`;
    return name;
  }

  result(): { graph: Graph; shapes: Shapes } {
    const nodes = this.#graph.nodes.flatMap((node) => this.#nodes.get(nodeId(node)) ?? [node]);
    return { graph: this.#graph.with({ nodes, initializers: this.#initializers }), shapes: this.#shapes };
  }
}
