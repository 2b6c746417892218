/** What is left of a model after some removals — shapes, parameters, MACs — counted without cutting anything. */
import type { Model } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import type { PlaceKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { OwnedPlace } from "../units/units.ts";
import { followersOf } from "./follows.ts";
import type { RemovedUnits } from "./kept.ts";
import { packedParameters } from "./packed-parameters.ts";
import { SizeCounter } from "./size-counter.ts";
import { type Size, sizeOfModel } from "./size-of-model.ts";

export { type Size, sizeOfModel };

/** Shapes of all values of the model without the removed units; integers that change with them are no constants. */
export function cutShapes(prunable: Prunable, removed: RemovedUnits): Shapes {
  const { shapes, units } = prunable;
  const result = new Map(shapes);
  const follows = followersOf(prunable, removed);
  for (const [name, { constant, ...shape }] of shapes) if (constant && follows(name)) result.set(name, shape);
  for (const place of units.places.values()) {
    if (place.use) continue;
    let kept = 0;
    for (const owner of place.owners) if (owner < 0 || !removed[owner]) kept++;
    const shape = result.get(place.value);
    if (!shape || kept === place.length) continue;
    result.set(place.value, { ...shape, dims: shape.dims.map((dim, axis) => (axis === place.axis ? kept : dim)) });
  }
  return result;
}

/** Parameters and MACs of the file of a model that was cut from a prunable one, counted on its own tensors. */
export function sizeOfFile(prunable: Prunable, removed: RemovedUnits, model: Model): Size {
  const size = sizeOfModel(model, cutShapes(prunable, removed));
  return { ...size, parameters: size.parameters + packedParameters(prunable, removed) };
}

/** Parameters and MACs of the model without the removed units. */
export function sizeAfter(prunable: Prunable, removed: RemovedUnits): Size {
  const size = sizeWithout(prunable, prunable.units.places, removed);
  return { ...size, parameters: size.parameters + packedParameters(prunable, removed) };
}

/**
 * Parameters and MACs without the removed owners of the given places: units, or what is frozen (as if it were not). An
 * operator that cannot be cut depends on its removed indexes as a whole.
 */
export function sizeWithout(prunable: Countable, places: ReadonlyMap<PlaceKey, OwnedPlace>, removed: Uint8Array): Size {
  return counterOf(prunable, places, removed.length).sizeWithout(removed);
}

type Countable = Pick<Prunable, "model" | "shapes">;

/** By what is counted and whose places these are; they are asked after every removal. */
const counters = new WeakMap<Countable, Map<ReadonlyMap<PlaceKey, OwnedPlace>, SizeCounter>>();

function counterOf(prunable: Countable, places: ReadonlyMap<PlaceKey, OwnedPlace>, owners: number): SizeCounter {
  const own = counters.get(prunable) ?? new Map<ReadonlyMap<PlaceKey, OwnedPlace>, SizeCounter>();
  counters.set(prunable, own);
  const counter = own.get(places) ?? new SizeCounter(prunable, places, owners);
  own.set(places, counter);
  return counter;
}

/** Multiply-accumulates for one sample of each node without the removed units, by the node's id. */
export function macsByNode(prunable: Prunable, removed: RemovedUnits): ReadonlyMap<string, number> {
  return counterOf(prunable, prunable.units.places, removed.length).macsByNode(removed);
}
