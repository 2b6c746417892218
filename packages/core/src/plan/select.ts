/** Which units may be removed at all: by name patterns, and by what must be left in each group. */
import { ShrinkError } from "../errors.ts";
import { isEmptied } from "../surgery/bypass.ts";
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
   * The final width of every touched group is a multiple of this. Widths are counted in channels of the layer, so a unit that
   * is several of them (a head, tied channels of a grouped convolution) counts as many. A group whose width is no multiple goes
   * down to the next one, or stays untouched. Default: `block`.
   */
  readonly align?: number | undefined;
  /**
   * Channels that the runtime computes at once; default 1. Units go in whole blocks, so that widths end where the runtime is
   * fast; channels of few blocks go in halves of one, of fewer than two in halves, quarters, ..., few neurons one by one.
   */
  readonly block?: number | undefined;
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
  readonly #selection: Widths;
  readonly #known = new Map<Group, { readonly removed: RemovedUnits; readonly part: Part }>();

  constructor(groups: readonly Group[], selection: Widths = {}) {
    this.#groups = groups;
    this.#selection = selection;
  }

  /**
   * All units that are left of each admitted group that keeps `minKeep` without its next move. The part of a group that has
   * not changed is the same object.
   */
  without(removed: RemovedUnits): Part[] {
    return this.#groups.flatMap((group): Part[] => {
      const part = this.#left(group, removed.subarray(group.first, group.first + group.size));
      const { length } = part.units;
      return moveSize(group, length, this.#selection) > 0 ? [part] : [];
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

/** All that may go by names, group sizes and widths. */
export function mostRemoved(units: Units, selection: Selection): RemovedUnits {
  const removed: RemovedUnits = new Uint8Array(units.count);
  for (const group of selectGroups(units, selection)) {
    removed.fill(1, group.first, group.first + group.size - leastWidth(group, selection));
    for (const unit of unitsInside(units, group, removed)) removed[unit] = 1;
  }
  return removed;
}

/** Units that are left in a branch that goes with its group; none where some of the group stay. */
export function unitsInside(units: Units, group: Group, removed: RemovedUnits): number[] {
  if (!isEmptied(group, removed)) return [];
  const all = (group.inside ?? []).flatMap((number) => {
    const { first = 0, size = 0 } = units.groups[number] ?? {};
    return Array.from({ length: size }, (_, index) => first + index);
  });
  return all.filter((unit) => !removed[unit]);
}

/** Why no further unit may go where `rest` units are left, in words. */
export function noneLeft(rest: number, { minKeep = 1, only, skip, ...widths }: Selection): string {
  if (rest === 0) return "no more removable units";
  const limits = [
    ...(minKeep > 0 ? [`--min-keep ${minKeep} for each group`] : []),
    ...(only || skip ? ["names"] : []),
    ...(goInBlocks(widths) ? ["widths"] : []),
  ];
  return `no more removable units: ${rest} stay by ${limits.join(", ") || "one of each group of channels or heads"}`;
}

function leastOf({ kind, branches }: Group, { minKeep = 1 }: Selection): number {
  if (branches) return 0;
  return kind === "neuron" ? minKeep : Math.max(1, minKeep);
}

/** What a selection says of widths. */
type Widths = Pick<Selection, "minKeep" | "align" | "block">;

/** Layers of fewer neurons than so many blocks lose them one by one: products of matrices hardly depend on blocks. */
const FEW_NEURONS = 4;

/** Layers of fewer channels than so many blocks lose them in halves of one. */
const FEW_BLOCKS = 4;

/** A wide group is emptied in no more moves than about this. */
const MOVES = 48;

/**
 * How many units of a group go together where `left` are left: so many that its width ends as a multiple, and in wide groups
 * several blocks. 0: none may go.
 */
export function moveSize(group: Group, left: number, widths: Widths): number {
  if (group.isWhole) return left;
  const step = stepOf(group, widths);
  const most = left - leastWidth(group, widths);
  const smallest = left % step || step;
  if (smallest > most) return 0;
  const more = step > 1 ? step * Math.max(0, Math.floor(group.size / MOVES / step) - 1) : 0;
  return smallest + more <= most ? smallest + more : smallest;
}

/** Units of a group that widths are counted in. */
export function stepOf(group: Group, { align, block = 1 }: Widths): number {
  if ((align ?? block) === 1) return 1;
  const channels = channelsPerUnit(group);
  let whole = align ?? block;
  if (align === undefined && group.kind === "neuron" && group.size < FEW_NEURONS * whole) return 1;
  if (align === undefined && whole > 1 && group.size * channels < FEW_BLOCKS * whole) whole /= 2;
  if (align === undefined) while (whole > 1 && group.size * channels < 2 * whole) whole /= 2;
  return whole / greatestCommonDivisor(whole, channels);
}

/** Units that stay in any case. */
export function leastWidth(group: Group, widths: Widths): number {
  const step = stepOf(group, widths);
  return Math.min(group.size, step * Math.ceil(leastOf(group, widths) / step));
}

/** Whether units go in blocks of several. */
export function goInBlocks({ align, block = 1 }: Widths): boolean {
  return (align ?? block) > 1;
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
