/** What is gone, and what stays along an axis. */
import type { PlaceKey } from "../units/places.ts";
import type { Units } from "../units/units.ts";

/** Units that are gone: `removed[unit]` is 1, counted over all groups. */
export type RemovedUnits = Uint8Array;

/** Indexes that stay along a place's axis, ascending; undefined where all do. */
export function keptIndexes(
  places: Units["places"],
  key: PlaceKey,
  removed: RemovedUnits,
): readonly number[] | undefined {
  const place = places.get(key);
  if (!place?.owners.some((unit) => unit >= 0 && removed[unit])) return undefined;
  const kept: number[] = [];
  place.owners.forEach((unit, index) => {
    if (unit < 0 || !removed[unit]) kept.push(index);
  });
  return kept;
}
