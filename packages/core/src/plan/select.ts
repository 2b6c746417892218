/** Which units may be removed at all: by name patterns, and by what must be left in each group. */
import { ShrinkError } from "../errors.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import type { Group, Part, Units } from "../units/units.ts";

export interface Selection {
  /** Glob patterns of group ids or layers; only these are touched. Default: all. */
  readonly only?: readonly string[];
  /** Glob patterns of group ids or layers that are left alone. */
  readonly skip?: readonly string[];
  /** Units that stay in every group; default 1. Of channels and heads one stays in any case: runtimes refuse widths of 0. */
  readonly minKeep?: number;
  /**
   * The final width of every touched group is a multiple of this; default 1. Widths are counted in channels of the layer, so
   * a unit that is several of them (a head, tied channels of a grouped convolution) counts as many. A group whose width is
   * no multiple goes down to the next one, or stays untouched. The group whose next block of units has the lowest mean score
   * is opened, and goes on to lose its worst unit, ranked again each time, until its width is a multiple.
   */
  readonly align?: number;
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

/** Units that may still be removed. Groups that have not changed since the last question are not looked through again. */
export class Candidates {
  readonly #groups: readonly Group[];
  readonly #selection: Pick<Selection, "minKeep" | "align">;
  readonly #known = new Map<Group, { readonly removed: RemovedUnits; readonly part: Part }>();

  constructor(groups: readonly Group[], selection: Pick<Selection, "minKeep" | "align"> = {}) {
    this.#groups = groups;
    this.#selection = selection;
  }

  /**
   * All units that are left of each admitted group that keeps `minKeep` without its next block. The part of a group that has
   * not changed is the same object.
   */
  without(removed: RemovedUnits): Part[] {
    const { align = 1 } = this.#selection;
    return this.#groups.flatMap((group): Part[] => {
      const part = this.#left(group, removed.subarray(group.first, group.first + group.size));
      const { length } = part.units;
      return length - blockSize(group, length, align) >= leastOf(group, this.#selection) ? [part] : [];
    });
  }

  #left(group: Group, removed: RemovedUnits): Part {
    const known = this.#known.get(group);
    if (known && isSame(known.removed, removed)) return known.part;
    const units: number[] = [];
    for (const [index, gone] of removed.entries()) if (!gone) units.push(group.first + index);
    const part = { group, units };
    this.#known.set(group, { removed: removed.slice(), part });
    return part;
  }
}

function isSame(a: RemovedUnits, b: RemovedUnits): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** All that may go by names and group sizes; widths are not looked at. */
export function mostRemoved(units: Units, selection: Selection): RemovedUnits {
  const removed: RemovedUnits = new Uint8Array(units.count);
  for (const group of selectGroups(units, selection)) {
    removed.fill(1, group.first, group.first + Math.max(0, group.size - leastOf(group, selection)));
  }
  return removed;
}

/** Why no further unit may go where `rest` units are left, in words. */
export function noneLeft(rest: number, { minKeep = 1, only, skip, align = 1 }: Selection): string {
  if (rest === 0) return "no more removable units";
  const limits = [
    ...(minKeep > 0 ? [`--min-keep ${minKeep} for each group`] : []),
    ...(only || skip ? ["names"] : []),
    ...(align > 1 ? ["widths"] : []),
  ];
  return `no more removable units: ${rest} stay by ${limits.join(", ") || "one of each group of channels or heads"}`;
}

function leastOf({ kind }: Group, { minKeep = 1 }: Selection): number {
  return kind === "neuron" ? minKeep : Math.max(1, minKeep);
}

/** How many units of a group must go before the next group's turn: so many that a multiple of `align` channels is left. */
export function blockSize(group: Group, left: number, align: number): number {
  if (align === 1) return 1;
  const step = align / greatestCommonDivisor(align, channelsPerUnit(group));
  return left % step || step;
}

/** Indexes of one unit along the output of the group's layer. */
function channelsPerUnit({ root, places, first }: Group): number {
  const own = places.find((place) => !place.use && place.value === root.outputs[0]);
  return own?.owners.filter((unit) => unit === first).length || 1;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** `*` matches any run of characters, `?` one; everything else itself. */
function globMatches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(text);
}
