/** What is left of weights that one node reads. */
import type { KeptOf } from "../graph/packed-weights.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { hasPlacePerUse } from "../units/tables.ts";
import { keptIndexes, type RemovedUnits } from "./kept.ts";

/** Indexes that are left along the axes of weights, by their names. */
export function keptIn({ model: { graph }, units }: Prunable, removed: RemovedUnits): KeptOf {
  return (weight, axis) => {
    const [reader] = graph.value(weight)?.uses ?? [];
    const use = reader && hasPlacePerUse(graph, weight) ? { node: nodeId(reader.node), slot: reader.slot } : undefined;
    return keptIndexes(units.places, placeKey(weight, axis, use), removed);
  };
}
