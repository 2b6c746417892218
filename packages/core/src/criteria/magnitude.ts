import { opsetOf } from "../graph/builder.ts";
import type { Graph } from "../graph/graph.ts";
import { sizeOf } from "../graph/tensor.ts";
import { nodeId } from "../units/places.ts";
import type { Criterion, ScoringContext } from "./criterion.ts";
import { type LayerWeights, layerWeights } from "./layer-weights.ts";
import { channelOf, scalesBehind } from "./scales.ts";
import { type WeightAxes, weightAxes } from "./weight-axes.ts";

/**
 * L2 norm of the weights that make the unit (all layers of its group; biases left out). Li et al. 2017 use the L1. Weights
 * count as if a BatchNormalization directly behind their layer were folded into them.
 */
export const magnitude: Criterion = {
  name: "magnitude",
  inErrorUnits: false,
  needsData: false,
  score: (context) => norms(context).map(Math.sqrt),
};

/** By unit: sum of squares of its slices in the weight matrices (rank 2 and more) of the layers that make it. */
function norms({ prunable, state }: ScoringContext): Float64Array {
  const { units, model, shapes } = prunable;
  const { graph } = model;
  const sums = new Float64Array(units.count);
  const byId = new Map(graph.nodes.map((node) => [nodeId(node), node]));
  for (const group of units.groups) {
    for (const { value, use, axis, owners } of group.places) {
      const tensor = graph.initializers.get(value);
      const holder = byId.get(use?.node ?? "");
      if (!tensor || tensor.dims.length < 2 || !use || !holder) continue;
      const weights = layerWeights(graph, holder, use.slot, tensor);
      const axes = weightAxes(weights.node, graph, shapes, opsetOf(model));
      if (axes.isContracted(weights.slot, axis)) continue; // this is where the layer reads the units
      const own = owners.map((unit) => (unit >= group.first && unit < group.first + group.size ? unit : -1));
      addSquares(weights, axis, own, scaleOf(graph, weights, axes), sums);
    }
  }
  return sums.map((sum, unit) => (state.removed[unit] ? 0 : sum));
}

/** The factor of each element of a layer's weights, by its place in the tensor: that of the normalisation behind it. */
function scaleOf(graph: Graph, weights: LayerWeights, axes: WeightAxes): (at: number) => number {
  const scales = scalesBehind(graph, weights.node);
  const channel = scales && channelOf(weights, axes);
  return channel ? (at) => scales[channel(at)] as number : () => 1;
}

function addSquares(
  { dims, numbers }: LayerWeights,
  axis: number,
  owners: Int32Array,
  scale: (at: number) => number,
  sums: Float64Array,
): void {
  const inner = sizeOf(dims.slice(axis + 1));
  for (let at = 0; at < numbers.length; at++) {
    const unit = owners[Math.floor(at / inner) % owners.length] as number;
    if (unit >= 0) sums[unit] = (sums[unit] as number) + ((numbers[at] as number) * scale(at)) ** 2;
  }
}
