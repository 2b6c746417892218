/**
 * Units and groups: what can be removed, where its slices lie, where its output is read, and what is frozen and why.
 */
import type { Node } from "../graph/graph.ts";
import type { Branch } from "./branches.ts";
import type { Place, PlaceKey } from "./places.ts";

/**
 * What a unit is of. `head dimension`: one number of every head of a layer, of queries and keys or of values. `width`: of a residual
 * stream under a normalisation, such as a transformer's. `block`: no group is of it; with it, a group whose readers stand inside a residual
 * branch can go whole, and the branch with it; without its own kind only so.
 */
export const UNIT_KINDS = ["neuron", "channel", "head", "head dimension", "hidden unit", "width", "block"] as const;
export type UnitKind = (typeof UNIT_KINDS)[number];

/** Kinds that are removed unless others are asked for. */
export const USUAL_KINDS: readonly UnitKind[] = ["neuron", "channel", "head", "head dimension", "hidden unit"];

/** A place that holds slices of units. */
export interface OwnedPlace extends Place {
  /** By index along the axis: the unit's number over all groups, or -1 where the index belongs to none. */
  readonly owners: Int32Array;
}

/** Where units' outputs are read by an operator that sums over them. A gate here multiplies each unit by its gain. */
export interface Sink {
  /** Id of the reading node (its first output). */
  readonly node: string;
  readonly slot: number;
  /** The value that is read. */
  readonly value: string;
  readonly axis: number;
  /** As in {@link OwnedPlace}. */
  readonly owners: Int32Array;
}

/** All (tensor, axis, indexes) places that must be cut together for each of its units. */
export interface Group {
  readonly id: string;
  readonly kind: UnitKind;
  /** Number of units. */
  readonly size: number;
  /** Number over all groups of this group's unit 0. */
  readonly first: number;
  /** The layer that makes the units: the node's name, or its first output where it has none. */
  readonly layer: string;
  readonly root: Node;
  /** Where its units' slices lie. */
  readonly places: readonly OwnedPlace[];
  /** Where its units are read. */
  readonly sinks: readonly Sink[];
  /** Where blocks are asked for, and all of it can go: the branches that go with it. */
  readonly branches?: readonly Branch[] | undefined;
  /** Whether units of its kind are not asked for, so that all of it goes or none. */
  readonly isWhole?: boolean | undefined;
  /** Numbers of the groups inside these, itself among them. */
  readonly inside?: readonly number[] | undefined;
}

/** Units of a layer that cannot be removed. */
export interface Frozen {
  /** The layer's output. */
  readonly value: string;
  readonly axis: number;
  /** How many of its indexes are frozen for this reason. */
  readonly size: number;
  /** The first of the reasons in the graph's order. */
  readonly reason: string;
  /** All reasons without the nodes' names, the same for all nodes of one operator. All must go before the units can. */
  readonly causes: readonly string[];
  readonly layer: string;
}

/** Everything there is to cut in one model. Units are numbered over all groups: group by group, then by index. */
export interface Units {
  readonly groups: readonly Group[];
  readonly frozen: readonly Frozen[];
  /** Units over all groups. */
  readonly count: number;
  /** All places that hold slices of units. */
  readonly places: ReadonlyMap<PlaceKey, OwnedPlace>;
  /** All places that hold slices of frozen units; owners are numbers of {@link frozen}. */
  readonly frozenPlaces: ReadonlyMap<PlaceKey, OwnedPlace>;
}

/** The group that a unit's number falls into. */
export function groupOf(units: Units, unit: number): Group {
  const group = units.groups.findLast((candidate) => candidate.first <= unit);
  if (!group || unit >= units.count || unit < 0) throw new RangeError(`unit ${unit}: expected 0 to ${units.count - 1}`);
  return group;
}

/** Some units of one group, ascending. */
export interface Part {
  readonly group: Group;
  readonly units: readonly number[];
}

/** The given units (ascending), one part for each of the groups that has any. */
export function partsByGroup(groups: readonly Group[], some: readonly number[]): Part[] {
  let at = 0;
  return groups.flatMap((group): Part[] => {
    while (at < some.length && (some[at] as number) < group.first) at++;
    const from = at;
    while (at < some.length && (some[at] as number) < group.first + group.size) at++;
    return at > from ? [{ group, units: some.slice(from, at) }] : [];
  });
}
