/** Which units may be removed at all: by name patterns, and by what must be left in each group. */
import { ShrinkError } from "../errors.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
import type { Group, Units } from "../units/units.ts";

export interface Selection {
  /** Glob patterns of group ids or layers; only these are touched. Default: all. */
  readonly only?: readonly string[];
  /** Glob patterns of group ids or layers that are left alone. */
  readonly skip?: readonly string[];
  /** Units that stay in every group; default 1. */
  readonly minKeep?: number;
}

/** The groups that a selection admits. Throws an `option` error if a pattern of `only` matches nothing. */
export function selectGroups(units: Units, { only, skip = [] }: Selection): Group[] {
  const matches = (group: Group, pattern: string): boolean =>
    globMatches(pattern, group.id) || globMatches(pattern, group.layer);
  for (const pattern of [...(only ?? []), ...skip]) {
    if (!units.groups.some((group) => matches(group, pattern))) {
      const names = units.groups.map((group) => group.id).join(", ");
      throw new ShrinkError(
        "option",
        `pattern "${pattern}": matches no group, expected one of ${names || "none: nothing is removable"}`,
      );
    }
  }
  return units.groups.filter(
    (group) =>
      (!only || only.some((pattern) => matches(group, pattern))) && !skip.some((pattern) => matches(group, pattern)),
  );
}

/** Units that may still be removed: of an admitted group that has more than `minKeep` left. Ascending. */
export function removable(groups: readonly Group[], removed: RemovedUnits, minKeep = 1): number[] {
  return groups.flatMap((group) => {
    const left: number[] = [];
    for (let unit = group.first; unit < group.first + group.size; unit++) if (!removed[unit]) left.push(unit);
    return left.length > minKeep ? left : [];
  });
}

/** `*` matches any run of characters, `?` one; everything else itself. */
function globMatches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(text);
}
