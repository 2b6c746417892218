/**
 * The coupling solver: asks every node's rule what it ties, and closes the ties over the whole graph. What comes out is
 * a partition of all indexes of all tensors into sets that must be cut together, and for each set whether something
 * forbids it.
 */
import { isConstant } from "../graph/constant-values.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { describe } from "../graph/graph.ts";
import { constantOf, type Shapes } from "../graph/shapes.ts";
import { ruleFor } from "../ops/index.ts";
import type { Port, Ties } from "../ops/rule.ts";
import { nodeId, type Place, Places } from "./places.ts";
import { type SharedAxis, sharedAxes, sharedReason } from "./shared-weights.ts";
import { tableNodes } from "./tables.ts";
import { UnionFind } from "./union-find.ts";

/** A place that a node reads in a contraction; gates stand here. */
export interface AbsorbedAxis {
  readonly node: string;
  readonly slot: number;
  readonly place: Place;
}

/** An output axis whose indexes a layer makes from its weights. */
export interface ProducedAxis {
  readonly node: Node;
  readonly place: Place;
}

/** Why a set may not be cut. */
export interface Reason {
  /** `ReduceMean "mean1" averages over this axis` */
  readonly text: string;
  /** The same for all nodes of the operator: `ReduceMean averages over this axis`. */
  readonly cause: string;
  /** It is an operator that nothing is known of. */
  readonly isUnknown?: boolean;
}

export interface Solution {
  readonly places: Places;
  /** By index: the set's representative, which is one of its indexes. */
  readonly setOf: Int32Array;
  /** The same with each use of shared weights by itself: a set of {@link setOf} is one of these, or several. */
  readonly partOf: Int32Array;
  /** Why a part may not be cut, each cause once; empty: it may. Of the parts of a set none may, or all. */
  frozen(part: number): readonly Reason[];
  readonly absorbed: readonly AbsorbedAxis[];
  readonly produced: readonly ProducedAxis[];
}

export interface TieOptions {
  /** Whether each use of shared weights is cut by itself, which makes a copy of them where uses differ; default false. */
  readonly untie?: boolean | undefined;
  /** Which of the free axes of a change of shape carries the units: the outermost (heads), or the innermost (their dimensions); default the outermost. */
  readonly carries?: "outermost" | "innermost" | undefined;
}

/**
 * Solves the graph's ties. A change of shape that several axes could carry units through is first left open, to see which
 * of its axes are frozen for other reasons; then all is solved again with the first or last axis that is free.
 */
export function solve(
  graph: Graph,
  shapes: Shapes,
  opset: number,
  { untie = false, carries = "outermost" }: TieOptions = {},
): Solution {
  const places = new Places(graph, shapes);
  const shared = untie ? [] : sharedAxes(graph, places);
  const close = (carrier: Carrier): Solution => closeTies({ graph, shapes, opset, places, shared, untie }, carrier);
  const open = close(() => ({}));
  const reasonsOf = (place: Place | undefined): readonly Reason[] => {
    const found: Reason[] = [];
    for (let i = 0; i < (place?.length ?? 0); i++) {
      const reasons = open.frozen(open.partOf[(place as Place).start + i] as number);
      if (reasons.length === 0) return [];
      found.push(...reasons);
    }
    return found;
  };
  return close((pairs) => {
    const isFree = (pair: readonly (Place | undefined)[]): boolean =>
      pair.every((place) => place && reasonsOf(place).length === 0);
    const carrier = carries === "outermost" ? pairs.findIndex(isFree) : pairs.findLastIndex(isFree);
    if (carrier >= 0) return { carrier };
    // an operator without a rule is what stands in the way: with one, its axis could carry the units
    return {
      carrier,
      obstacle: pairs
        .flat()
        .flatMap(reasonsOf)
        .find(({ isUnknown }) => isUnknown),
    };
  });
}

function because(node: Node, what: string): Reason {
  return { text: `${describe(node)}${what}`, cause: `${node.opType}${what}` };
}

/** Decides between pairs of places that could carry units; see {@link Ties.carrier}. */
type Carrier = (pairs: readonly (readonly (Place | undefined)[])[]) => {
  readonly carrier?: number;
  /** Why no pair can. */
  readonly obstacle?: Reason | undefined;
};

interface TieRequest {
  readonly graph: Graph;
  readonly shapes: Shapes;
  readonly opset: number;
  readonly places: Places;
  readonly shared: readonly SharedAxis[];
  readonly untie: boolean;
}

/** Asks every rule and closes its ties. */
function closeTies({ graph, shapes, opset, places, shared, untie }: TieRequest, carrier: Carrier): Solution {
  const sets = new UnionFind(places.total);
  const forbidden: { readonly place: Place; readonly reason: Reason }[] = [];
  const absorbed: AbsorbedAxis[] = [];
  const produced: ProducedAxis[] = [];

  const freeze = (place: Place, reason: Reason): void => {
    forbidden.push({ place, reason });
  };
  const freezeValue = (name: string, reason: Reason): void => {
    for (const place of places.ofValue(name)) freeze(place, reason);
    // what is read by its name stays whole: other uses get a copy of their own, or stay whole too
    if (!untie) for (const use of places.usesOf(name)) for (const place of use.places) freeze(place, reason);
  };

  for (const input of graph.feeds) {
    freezeValue(input.name, { text: `input "${input.name}" of the model`, cause: "inputs of the model" });
  }
  for (const output of graph.outputs) {
    freezeValue(output.name, { text: `output "${output.name}" of the model`, cause: "outputs of the model" });
  }
  const tables = tableNodes(graph);
  for (const node of graph.nodes) {
    if (!tables.has(node)) askRule(node);
    else
      for (const slot of node.inputs.keys()) {
        for (const place of places.ofInput(node, slot)) freeze(place, because(node, " computes a constant from it"));
      }
  }

  const partOf = sets.representatives();
  const reasons = new Reasons(places.total);
  for (const { place, reason } of forbidden) reasons.add(place, partOf, reason);
  spread(shared, partOf, reasons);
  for (const { uses } of shared) {
    const [first, ...others] = uses;
    for (let i = 0; i < (first?.place.length ?? 0); i++) {
      for (const { place } of others) sets.union((first as SharedUse).place.start + i, place.start + i);
    }
  }
  return { places, partOf, setOf: sets.representatives(), frozen: (part) => reasons.of(part), absorbed, produced };

  function askRule(node: Node): void {
    const id = nodeId(node);
    const outputs = node.outputs.map((name) => places.ofValue(name));
    const mentioned = new Set<Place>();
    const at = (port: Port, axis: number): Place | undefined => {
      const own = port.side === "input" ? places.ofInput(node, port.slot) : outputs[port.slot];
      const place = own?.[axis];
      if (place) mentioned.add(place);
      return place;
    };
    const port = (side: "input" | "output", slot: number): Port | undefined => {
      const name = (side === "input" ? node.inputs : node.outputs)[slot];
      const dims = name ? shapes.get(name)?.dims : undefined;
      return dims && { side, slot, dims };
    };
    const ties: Ties = {
      node,
      opset,
      X: (slot) => port("input", slot),
      Y: (slot = 0) => port("output", slot),
      constant: (slot) => constantOf(graph, shapes, node.inputs[slot]),
      isWeight(slot) {
        const name = node.inputs[slot] ?? "";
        return isConstant(graph, name) || constantOf(graph, shapes, name) !== undefined;
      },
      tie(a, axisA, b, axisB, map = (j) => j) {
        const [pa, pb] = [at(a, axisA), at(b, axisB)];
        if (!pa || !pb) return;
        for (let j = 0; j < pb.length; j++) {
          const i = map(j);
          if (i >= 0) sets.union(pa.start + i, pb.start + j);
        }
      },
      pass(p, axis) {
        at(p, axis);
      },
      carrier(pairs) {
        const found = pairs.map(([a, axisA, b, axisB]) => [at(a, axisA), at(b, axisB)]);
        const { carrier: chosen, obstacle } = carrier(found);
        if (chosen === undefined) return undefined;
        if (obstacle) {
          for (const place of found.flat()) if (place) freeze(place, obstacle);
          return chosen;
        }
        const free = new Set(found[chosen] ?? []);
        for (const place of found.flat()) if (place && !free.has(place)) mentioned.delete(place);
        return chosen;
      },
      absorb(slot, axis) {
        const place = at({ side: "input", slot, dims: [] }, axis);
        if (place) absorbed.push({ node: id, slot, place });
      },
      produce(axis, output = 0) {
        const place = outputs[output]?.[axis];
        if (place) produced.push({ node, place });
      },
      freeze(p, axis, reason) {
        const place = at(p, axis);
        if (place) freeze(place, because(node, ` ${reason}`));
      },
    };
    const rule = ruleFor(node);
    rule?.ties?.(ties);
    if (!rule?.ties) produceUnknown(node);
    const reason: Reason = rule?.ties
      ? because(node, " mixes the indexes of this axis")
      : { ...because(node, ": operator without a rule"), isUnknown: true };
    for (const own of [...node.inputs.map((_, slot) => places.ofInput(node, slot)), ...outputs]) {
      for (const place of own) if (!mentioned.has(place)) freeze(place, reason);
    }
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === "graph") {
        for (const name of attribute.value) freezeValue(name, because(node, " reads it inside its body"));
      }
    }
  }

  /** What an operator without a rule makes from weights is listed as frozen: the last axis of its first output. */
  function produceUnknown(node: Node): void {
    const hasWeights = node.inputs.some((name) => (graph.initializers.get(name)?.dims.length ?? 0) > 1);
    const name = node.outputs.find((output) => output !== "");
    const place = name && places.ofValue(name).at(-1);
    if (hasWeights && place) produced.push({ node, place });
  }
}

type SharedUse = SharedAxis["uses"][number];

/** Freezes every part that shares weights with a frozen one. */
function spread(shared: readonly SharedAxis[], partOf: Int32Array, reasons: Reasons): void {
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false;
    for (const { name, uses } of shared) {
      const partAt = ({ place }: SharedUse, i: number): number => partOf[place.start + i] as number;
      for (let i = 0; i < (uses[0]?.place.length ?? 0); i++) {
        const frozen = uses.find((use) => reasons.of(partAt(use, i)).length > 0);
        if (!frozen) continue;
        const reason = sharedReason(name, frozen.node, reasons.of(partAt(frozen, i))[0] as Reason);
        for (const use of uses) {
          if (reasons.of(partAt(use, i)).length > 0) continue;
          reasons.addTo(partAt(use, i), reason);
          hasChanged = true;
        }
      }
    }
  }
}

/** Why parts may not be cut. All parts of a place mostly have the same reasons, so lists of them are shared. */
class Reasons {
  readonly #lists: (readonly Reason[])[] = [[]];
  /** List by part. */
  readonly #listOf: Int32Array;

  constructor(total: number) {
    this.#listOf = new Int32Array(total);
  }

  of(part: number): readonly Reason[] {
    return this.#lists[this.#listOf[part] as number] as readonly Reason[];
  }

  /** Adds a reason to all parts with an index of the place. */
  add(place: Place, partOf: Int32Array, reason: Reason): void {
    const longer = new Map<number, number>(); // the list with the reason added, by list
    for (let i = 0; i < place.length; i++) this.#add(partOf[place.start + i] as number, reason, longer);
  }

  addTo(part: number, reason: Reason): void {
    this.#add(part, reason, new Map());
  }

  #add(part: number, reason: Reason, longer: Map<number, number>): void {
    const list = this.#listOf[part] as number;
    const known = this.#lists[list] as readonly Reason[];
    const isKnown = known.some(({ cause }) => cause === reason.cause);
    const next = longer.get(list) ?? (isKnown ? list : this.#lists.push([...known, reason]) - 1);
    longer.set(list, next);
    this.#listOf[part] = next;
  }
}
