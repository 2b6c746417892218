/**
 * The tests' oracle: ONNX graphs evaluated by plain loops in float64, independent of onnxruntime and of the project's
 * own operator rules. Slow and simple on purpose. Standard operators of opsets 7 to 22.
 *
 * Real numbers are float64 whatever the graph states, so a Cast between floating types changes nothing.
 */
import { describe, type Model, type Node, readsOf } from "../../src/graph/graph.ts";
import { isFloat, Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { fromTensor, type NumArray } from "./reference/array.ts";
import { Call, type Operator } from "./reference/call.ts";
import { constants } from "./reference/constants.ts";
import { convolution } from "./reference/convolution.ts";
import { elementwise } from "./reference/elementwise.ts";
import { gathering } from "./reference/gathering.ts";
import { linear } from "./reference/linear.ts";
import { movement } from "./reference/movement.ts";
import { normalization } from "./reference/normalization.ts";
import { pooling } from "./reference/pooling.ts";
import { reduction } from "./reference/reduction.ts";
import { resizing } from "./reference/resizing.ts";

const operators = new Map<string, Operator>(
  [
    constants,
    convolution,
    elementwise,
    gathering,
    linear,
    movement,
    normalization,
    pooling,
    reduction,
    resizing,
  ].flatMap((family) => Object.entries(family)),
);

/**
 * The values of `fetches` (any values of the graph; default its outputs). Runs only the nodes they need. Floating
 * results are float64, others of their own type.
 */
export function evaluate(
  model: Model,
  feeds: Readonly<Record<string, Tensor>>,
  fetches: readonly string[] = model.graph.outputs.map((output) => output.name),
): Record<string, Tensor> {
  const { graph } = model;
  const opset = model.opsets.get("") ?? model.opsets.get("ai.onnx") ?? 1;
  const values = new Map<string, NumArray>();
  for (const [name, tensor] of graph.initializers) values.set(name, fromTensor(tensor));
  for (const [name, tensor] of Object.entries(feeds)) values.set(name, fromTensor(tensor));
  for (const node of neededNodes(graph.nodes, fetches, values)) {
    const inputs = node.inputs.map((name) => (name === "" ? undefined : read(values, name)));
    const results = apply(node, inputs, opset);
    node.outputs.forEach((name, slot) => {
      const result = results[slot];
      if (name !== "" && result) values.set(name, result);
    });
  }
  return Object.fromEntries(fetches.map((name) => [name, toTensor(read(values, name))]));
}

function neededNodes(nodes: readonly Node[], fetches: readonly string[], known: ReadonlyMap<string, NumArray>): Node[] {
  const wanted = new Set(fetches);
  const needed: Node[] = [];
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((name) => wanted.has(name) && !known.has(name))) continue;
    needed.push(node);
    for (const name of readsOf(node)) wanted.add(name);
  }
  return needed.reverse();
}

function apply(node: Node, inputs: readonly (NumArray | undefined)[], opset: number): readonly NumArray[] {
  const standard = node.domain === "" || node.domain === "ai.onnx";
  const operator = standard ? operators.get(node.opType) : undefined;
  if (!operator) {
    throw new Error(`reference evaluator: operator ${standard ? "" : `${node.domain}.`}${node.opType} is missing`);
  }
  try {
    const results = operator(new Call(node, inputs, opset));
    return "data" in results ? [results] : results;
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    const dims = inputs.map((input) => (input ? `[${input.dims}]` : "none")).join(", ");
    throw new Error(`${describe(node)} on ${dims}: ${message}`, { cause });
  }
}

function read(values: ReadonlyMap<string, NumArray>, name: string): NumArray {
  const value = values.get(name);
  if (!value) throw new Error(`reference evaluator: value "${name}" is neither fed nor computed`);
  return value;
}

function toTensor({ type, dims, data }: NumArray): Tensor {
  return isFloat(type) ? new Tensor("float64", dims, data) : tensorOf(type, data, dims);
}
