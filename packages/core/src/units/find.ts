/** From the solver's sets to named groups: which sets are units, how they are grouped, numbered and called. */
import type { FusedNodes } from "../graph/fused.ts";
import type { Graph, Node } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import { isRecurrent } from "../graph/zero-states.ts";
import { type Branch, branchesOf, goneWith } from "./branches.ts";
import { keyOf, nodeId, type Place, type PlaceKey } from "./places.ts";
import { isResidual } from "./residual.ts";
import { type Reason, type Solution, solve, type TieOptions } from "./solve.ts";
import {
  type Frozen,
  type Group,
  type OwnedPlace,
  type Sink,
  type UnitKind,
  type Units,
  USUAL_KINDS,
} from "./units.ts";

/** A candidate set: made by some layer, not yet known to be removable. */
interface Candidate {
  readonly representative: number;
  readonly root: Node;
  readonly rootPlace: Place;
  readonly places: Place[];
  /** Ids of all layers that make it. */
  readonly makers: Set<string>;
}

/** Candidates that make up a group. */
interface Draft {
  readonly kind: UnitKind;
  readonly candidates: readonly Candidate[];
}

export interface UnitOptions extends TieOptions {
  /** Kinds of units that may be removed; default `USUAL_KINDS`. */
  readonly kinds?: readonly UnitKind[] | undefined;
  /** Means over units that the graph takes as sums; default none. */
  readonly means?: FusedNodes | undefined;
}

/**
 * Finds all removable units of a graph.
 *
 * A set is a unit if a layer makes it, an operator that sums over it reads it, and nothing freezes it. Units that lie in
 * exactly the same places form a group; groups are in the order of their root layers, units in the order of the root's
 * output axis.
 */
export function findUnits(graph: Graph, shapes: Shapes, opset: number, options: UnitOptions = {}): Units {
  const { kinds = USUAL_KINDS, means = new Map() } = options;
  const carries = kinds.includes("head") || !kinds.includes("head dimension") ? "outermost" : "innermost";
  const solution = solve(graph, shapes, opset, { ...options, carries });
  const { partOf, setOf } = solution;
  const absorbed = new Set(solution.absorbed.map(({ place }) => place));
  const drafts = new Map<string, Candidate[]>();
  const unreadSets = new Set<number>();
  for (const candidate of findCandidates(solution, setOf)) {
    if (solution.frozen(partOf[candidate.representative] as number).length > 0) continue;
    if (!candidate.places.some((place) => absorbed.has(place))) {
      unreadSets.add(candidate.representative);
      continue;
    }
    const key = [candidate.rootPlace, ...candidate.places].map(({ start }) => start).join();
    const draft = drafts.get(key);
    if (draft) draft.push(candidate);
    else drafts.set(key, [candidate]);
  }
  const all = [...drafts.values()].map((candidates): Draft => {
    return { kind: kindOf(graph, solution, candidates, means), candidates };
  });
  const branches = kinds.includes("block")
    ? assemble(graph, solution, all).groups.map((group) => branchesOf(graph, shapes, group))
    : [];
  const isKept = ({ kind }: Draft, at: number): boolean => kinds.includes(kind) || branches[at] !== undefined;
  const unasked = new Map<number, Reason>();
  for (const [at, draft] of all.entries()) {
    if (isKept(draft, at)) continue;
    for (const { representative } of draft.candidates) unasked.set(representative, notAmong(draft.kind));
  }
  const found = assemble(graph, solution, all.filter(isKept));
  const own = branches.filter((_, at) => isKept(all[at] as Draft, at));
  const groups = found.groups.map((group, at) => withBranches(graph, group, own[at], found.groups, kinds));
  return { ...found, groups, ...findFrozen(solution, unreadSets, unasked) };
}

/** A group with the branches that go with all of it. */
function withBranches(
  graph: Graph,
  group: Group,
  branches: readonly Branch[] | undefined,
  groups: readonly Group[],
  kinds: readonly UnitKind[],
): Group {
  if (!branches) return group;
  const inside = goneWith(graph, branches, groups);
  return { ...group, branches, inside, ...(!kinds.includes(group.kind) && { isWhole: true }) };
}

const notAmong = (kind: UnitKind): Reason => {
  const text = `units of kind ${kind} are removed only where they are asked for (--kinds)`;
  return { text, cause: text };
};

/** Layers' units that cannot be removed. What shares weights with them is listed by itself, with its own reason. */
function findFrozen(
  solution: Solution,
  unreadSets: ReadonlySet<number>,
  unasked: ReadonlyMap<number, Reason>,
): Pick<Units, "frozen" | "frozenPlaces"> {
  const { partOf, setOf } = solution;
  const frozen = new Map<string, Frozen>();
  const frozenParts = new Map<number, string>(); // keys of `frozen` by part
  for (const { representative, root, rootPlace } of findCandidates(solution, partOf)) {
    const reasons = solution.frozen(representative);
    const set = setOf[representative] as number;
    const reason = reasons[0] ?? (unreadSets.has(set) ? unread : unasked.get(set));
    if (reason === undefined) continue;
    const { value, axis } = rootPlace;
    const causes = reasons.length > 0 ? reasons.map(({ cause }) => cause) : [reason.cause];
    const key = `${value} ${axis} ${reason.text} ${causes.join("|")}`;
    const size = (frozen.get(key)?.size ?? 0) + 1;
    frozen.set(key, { value, axis, size, reason: reason.text, causes, layer: layerName(root) });
    frozenParts.set(representative, key);
  }
  const numbers = new Map([...frozen.keys()].map((key, number) => [key, number]));
  // what an operator without a rule gives on is frozen for the same reason as what it takes in
  const byReason = new Map([...frozen.values()].map(({ reason }, number) => [reason, number]));
  const frozenOf = new Int32Array(solution.places.total).fill(NOBODY); // by part
  for (const [part, key] of frozenParts) frozenOf[part] = numbers.get(key) as number;
  for (const { place } of solution.absorbed) {
    for (let i = place.start; i < place.start + place.length; i++) {
      const part = partOf[i] as number;
      if (frozenOf[part] === NOBODY) frozenOf[part] = byReason.get(solution.frozen(part)[0]?.text ?? "") ?? NOBODY;
    }
  }
  return { frozen: [...frozen.values()], frozenPlaces: ownedPlaces(solution, partOf, frozenOf) };
}

const unread: Reason = { text: "no operator sums over it", cause: "no operator sums over them" };

/** The owner of an index that belongs to none. */
const NOBODY = -1;

/** All places with an index that somebody owns; `setOf`: set by index, `ownerOf`: owner by set. */
function ownedPlaces({ places }: Solution, setOf: Int32Array, ownerOf: Int32Array): ReadonlyMap<PlaceKey, OwnedPlace> {
  const owned = new Map<PlaceKey, OwnedPlace>();
  for (const place of places.all) {
    const owners = new Int32Array(place.length);
    let isOwned = false;
    for (let i = 0; i < place.length; i++) {
      const owner = ownerOf[setOf[place.start + i] as number] as number;
      owners[i] = owner;
      isOwned ||= owner !== NOBODY;
    }
    if (isOwned) owned.set(keyOf(place), { ...place, owners });
  }
  return owned;
}

/** The sets that layers make; `setOf`: set by index. */
function findCandidates({ places, produced }: Solution, setOf: Int32Array): Candidate[] {
  const candidates: Candidate[] = [];
  const numberOf = new Int32Array(places.total).fill(NOBODY); // by set
  for (const { node, place } of produced) {
    for (let i = 0; i < place.length; i++) {
      const representative = setOf[place.start + i] as number;
      candidates[numberOf[representative] as number]?.makers.add(nodeId(node));
      if (numberOf[representative] !== NOBODY) continue;
      numberOf[representative] = candidates.length;
      candidates.push({ representative, root: node, rootPlace: place, places: [], makers: new Set([nodeId(node)]) });
    }
  }
  for (const place of places.all) {
    for (let i = 0; i < place.length; i++) {
      const candidate = candidates[numberOf[setOf[place.start + i] as number] as number];
      if (candidate && candidate.places.at(-1) !== place) candidate.places.push(place);
    }
  }
  return candidates;
}

function assemble(
  graph: Graph,
  solution: Solution,
  drafts: readonly Draft[],
): Pick<Units, "groups" | "count" | "places"> {
  const unitOf = new Int32Array(solution.places.total).fill(NOBODY); // by set
  let count = 0;
  for (const { candidates } of drafts) for (const { representative } of candidates) unitOf[representative] = count++;
  const owned = ownedPlaces(solution, solution.setOf, unitOf);
  const inputs = new Map(graph.nodes.map((node) => [nodeId(node), node.inputs]));
  const names = new Map<string, number>();
  let first = 0;
  const groups = drafts.map(({ kind, candidates }): Group => {
    const { root, places } = candidates[0] as Candidate;
    const layer = layerName(root);
    const twin = names.get(layer) ?? 0;
    names.set(layer, twin + 1);
    const group: Group = {
      id: twin === 0 ? layer : `${layer}.${twin + 1}`,
      kind,
      size: candidates.length,
      first,
      layer,
      root,
      places: places.map((place) => owned.get(keyOf(place)) as OwnedPlace),
      sinks: sinksOf(inputs, solution, places, owned),
    };
    first += candidates.length;
    return group;
  });
  return { groups, count, places: owned };
}

function sinksOf(
  inputs: ReadonlyMap<string, readonly string[]>,
  { absorbed }: Solution,
  places: readonly Place[],
  owned: ReadonlyMap<PlaceKey, OwnedPlace>,
): Sink[] {
  const own = new Set(places);
  return absorbed.flatMap(({ node, slot, place }) => {
    const value = inputs.get(node)?.[slot];
    if (!own.has(place) || value === undefined) return [];
    return [{ node, slot, value, axis: place.axis, owners: (owned.get(keyOf(place)) as OwnedPlace).owners }];
  });
}

/** A dense layer's unit that spans several outputs is a head, or the same dimension of all heads; a convolution's is a channel. */
function kindOf(graph: Graph, { absorbed, setOf }: Solution, draft: readonly Candidate[], means: FusedNodes): UnitKind {
  const { root, rootPlace, places, makers } = draft[0] as Candidate;
  if (means.size > 0) {
    const own = new Set(places);
    const readers = absorbed.filter(({ place }) => own.has(place)).map(({ node }) => node);
    const isAveraged = [...means.values()].some(({ parts }) => readers.some((reader) => parts.includes(reader)));
    if (isAveraged && isResidual(graph, readers, makers)) return "width";
  }
  if (root.opType.startsWith("Conv")) return "channel";
  if (isRecurrent(root)) return "hidden unit";
  const sets = new Set(draft.map(({ representative }) => representative));
  const indexes: number[] = [];
  for (let i = 0; i < rootPlace.length; i++) if (sets.has(setOf[rootPlace.start + i] as number)) indexes.push(i);
  if (indexes.length <= draft.length || indexes.length % draft.length > 0) return "neuron";
  const [first = 0, second = 0] = indexes.map((i) => setOf[rootPlace.start + i]);
  return first === second ? "head" : "head dimension";
}

function layerName(node: Node): string {
  return node.name || nodeId(node);
}
