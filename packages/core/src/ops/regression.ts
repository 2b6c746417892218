/** Layers of weights as regressions of their outputs on what they read. */
import { type Batching, isBatched } from "../graph/batching.ts";
import { type GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Model, Node } from "../graph/graph.ts";
import { dimsOf, type Shapes } from "../graph/shapes.ts";
import { nodeId } from "../units/places.ts";
import { ruleFor } from "./index.ts";
import type { Regression } from "./rule.ts";

/** A layer as it runs in a model. */
export interface SampledRegression extends Regression {
  /** The sample axis of its input and output; the features and outputs that are built have it first. */
  readonly sampleAxis: number;
}

/**
 * The node as a regression, at the shapes of some stage of pruning; undefined where it is none. Features and outputs come sample
 * by sample, wherever the model has its sample axis.
 */
export function regressionOf(
  node: Node,
  model: Model,
  shapes: Shapes,
  batching: Batching,
): SampledRegression | undefined {
  const { graph } = model;
  const input = node.inputs[0] as string;
  if (graph.initializers.has(input)) return undefined;
  const axis = isBatched(batching) ? shapes.get(input)?.batchAxis : 0;
  if (axis === undefined || (axis > 0 && shapes.get(nodeId(node))?.batchAxis !== axis)) return undefined;
  const ordered = <Item>(items: readonly Item[]): readonly Item[] =>
    axis === 0 ? items : [items[axis] as Item, ...items.filter((_, at) => at !== axis)];
  const dims = (slot: number): readonly number[] => {
    const weights = graph.initializers.get(node.inputs[slot] as string)?.dims;
    if (weights) return weights;
    const own = dimsOf(shapes, node.inputs[slot] as string);
    return slot === 0 ? ordered(own) : own;
  };
  const outDims = (): readonly number[] => ordered(dimsOf(shapes, nodeId(node)));
  const found = ruleFor(node)?.regression?.({ node, opset: opsetOf(model), dims, outDims });
  if (!found) return undefined;
  if (axis === 0) return { ...found, sampleAxis: 0 };
  if (node.opType !== "MatMul") return undefined; // others know their axes by number
  const first = (b: GraphBuilder, value: string): string =>
    b.op("Transpose", [value], { perm: ordered(dimsOf(shapes, input).map((_, at) => at)) });
  return {
    ...found,
    sampleAxis: axis,
    features: (b, value, positions) => found.features(b, first(b, value), positions),
    outputs: (b, value, positions) => found.outputs(b, first(b, value), positions),
  };
}
