/** Layers of weights as regressions of their outputs on what they read. */
import { opsetOf } from "../graph/builder.ts";
import { hasFixedBatch } from "../graph/free-batch.ts";
import type { Model, Node } from "../graph/graph.ts";
import { dimsOf, type Shapes } from "../graph/shapes.ts";
import { nodeId } from "../units/places.ts";
import { ruleFor } from "./index.ts";
import type { Regression } from "./rule.ts";

/** The node as a regression, at the shapes of some stage of pruning; undefined where it is none. */
export function regressionOf(node: Node, model: Model, shapes: Shapes): Regression | undefined {
  const { graph } = model;
  const dims = (slot: number): readonly number[] =>
    graph.initializers.get(node.inputs[slot] as string)?.dims ?? dimsOf(shapes, node.inputs[slot] as string);
  const followsSamples = shapes.get(node.inputs[0] as string)?.batchAxis === 0 || hasFixedBatch(graph);
  if (!followsSamples || graph.initializers.has(node.inputs[0] as string)) return undefined;
  const outDims = (): readonly number[] => dimsOf(shapes, nodeId(node));
  return ruleFor(node)?.regression?.({ node, opset: opsetOf(model), dims, outDims });
}
