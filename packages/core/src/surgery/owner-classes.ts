/**
 * Owners that have as many indexes in every place as each other are one class: the length of every axis then follows from
 * how many of each class are gone.
 */
import type { PlaceKey } from "../units/places.ts";
import type { OwnedPlace } from "../units/units.ts";

/** How many indexes of a place each owner of a class has. */
export interface Share {
  readonly owners: number;
  readonly indexes: number;
}

/** The class of each of the owners 0 to `owners - 1`, and what classes have of the places. */
export function ownerClasses(
  places: ReadonlyMap<PlaceKey, OwnedPlace>,
  owners: number,
): { readonly classes: Int32Array; readonly shares: ReadonlyMap<PlaceKey, readonly Share[]> } {
  const counts = new Map([...places].map(([key, place]) => [key, indexesByOwner(place)]));
  const classes = classesOf([...counts.values()], owners);
  return { classes, shares: new Map([...counts].map(([key, indexes]) => [key, sharesOf(indexes, classes)])) };
}

/** How many indexes of the place each of its owners has. */
function indexesByOwner({ owners }: OwnedPlace): ReadonlyMap<number, number> {
  const indexes = new Map<number, number>();
  for (const owner of owners) if (owner >= 0) indexes.set(owner, (indexes.get(owner) ?? 0) + 1);
  return indexes;
}

/** Splits the owners until those of one class have equally many indexes in every place. */
function classesOf(places: readonly ReadonlyMap<number, number>[], owners: number): Int32Array {
  const classes = new Int32Array(owners);
  let count = 1;
  for (const indexes of places) {
    const split = new Map<number, Map<number, number>>(); // new class by old one and number of indexes
    for (const [owner, number] of indexes) {
      const old = classes[owner] as number;
      const parts = split.get(old) ?? new Map<number, number>();
      split.set(old, parts);
      const own = parts.get(number) ?? count++;
      parts.set(number, own);
      classes[owner] = own;
    }
  }
  return classes;
}

function sharesOf(indexes: ReadonlyMap<number, number>, classes: Int32Array): Share[] {
  const shares = new Map<number, number>(); // indexes by class
  for (const [owner, number] of indexes) shares.set(classes[owner] as number, number);
  return Array.from(shares, ([owners, number]) => ({ owners, indexes: number }));
}
