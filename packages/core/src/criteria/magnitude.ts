import { sizeOf, type Tensor } from "../graph/tensor.ts";
import type { Criterion, ScoringContext } from "./criterion.ts";

/** L2 norm of the weights that make the unit (all layers of its group; biases left out). Li et al. 2017 use the L1. */
export const magnitude: Criterion = {
  name: "magnitude",
  inErrorUnits: false,
  needsData: false,
  score: (context) => norms(context).map(Math.sqrt),
};

/** By unit: sum of squares of its slices in the weight matrices (rank 2 and more) of the layers that make it. */
function norms({ prunable, state }: ScoringContext): Float64Array {
  const { units, model } = prunable;
  const sums = new Float64Array(units.count);
  for (const group of units.groups) {
    const consumers = new Set(group.sinks.map((sink) => sink.node));
    for (const place of group.places) {
      const tensor = model.graph.initializers.get(place.value);
      if (!tensor || tensor.dims.length < 2 || !place.use || consumers.has(place.use.node)) continue;
      const own = place.owners.map((unit) => (unit >= group.first && unit < group.first + group.size ? unit : -1));
      addSquares(tensor, place.axis, own, sums);
    }
  }
  return sums.map((sum, unit) => (state.removed[unit] ? 0 : sum));
}

function addSquares(tensor: Tensor, axis: number, owners: Int32Array, sums: Float64Array): void {
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const numbers = tensor.numbers;
  for (let at = 0; at < numbers.length; at++) {
    const unit = owners[Math.floor(at / inner) % owners.length] as number;
    if (unit >= 0) sums[unit] = (sums[unit] as number) + (numbers[at] as number) ** 2;
  }
}
