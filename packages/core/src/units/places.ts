/**
 * Places: every (tensor, axis) of a graph, with a number for each index along the axis. The solver joins these numbers;
 * a set of joined numbers is what must be cut together.
 *
 * A value is one place per axis. An initializer (or table) is one place per axis *and use*. Uses of a layer's weights are joined later
 * (`shared-weights.ts`); those of other parameters, such as biases that are equal by chance, are not: surgery cuts the tensor
 * once if they agree and makes a second copy if not.
 */
import type { Graph, Node } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import { hasPlacePerUse } from "./tables.ts";

/** One axis of one tensor. */
export interface Place {
  /** Name of the value or initializer. */
  readonly value: string;
  /** For initializers and tables: which use. */
  readonly use?: { readonly node: string; readonly slot: number };
  readonly axis: number;
  readonly length: number;
  /** Number of index 0 in the solver's count. */
  readonly start: number;
}

/** How the places of a value, or of one use of an initializer, are found: see {@link placeKey}. */
export type PlaceKey = string;

/** The key of a value's place (`slot` left out) or of a use of an initializer. Nodes are known by their first output. */
export function placeKey(value: string, axis: number, use?: { node: string; slot: number }): PlaceKey {
  return use ? `${value}@${axis}@${use.node}@${use.slot}` : `${value}@${axis}`;
}

/** The key of a place. */
export function keyOf(place: Place): PlaceKey {
  return placeKey(place.value, place.axis, place.use);
}

/** The places of one use of an initializer, by axis. */
export interface UsePlaces {
  readonly node: Node;
  readonly slot: number;
  readonly places: readonly Place[];
}

/** All places of a graph, by axis for each value and each use of an initializer. */
export class Places {
  readonly all: readonly Place[];
  /** How many indexes there are in all. */
  readonly total: number;
  readonly #ofValues = new Map<string, readonly Place[]>();
  readonly #ofUses = new Map<Node, readonly (readonly Place[] | undefined)[]>(); // by slot
  readonly #usesOf = new Map<string, UsePlaces[]>(); // by initializer

  constructor(graph: Graph, shapes: Shapes) {
    const all: Place[] = [];
    let start = 0;
    const placesOf = (value: string, use?: { node: string; slot: number }): readonly Place[] => {
      const dims = shapes.get(value)?.dims ?? [];
      const own = dims.map((length, axis): Place => {
        const place = { value, axis, length, start, ...(use && { use }) };
        start += length;
        return place;
      });
      all.push(...own);
      return own;
    };
    for (const { name } of graph.feeds) this.#ofValues.set(name, placesOf(name));
    for (const node of graph.nodes) {
      const id = nodeId(node);
      const uses = node.inputs.map((name, slot) => {
        if (!hasPlacePerUse(graph, name)) return undefined;
        const own = placesOf(name, { node: id, slot });
        const known = this.#usesOf.get(name);
        if (known) known.push({ node, slot, places: own });
        else this.#usesOf.set(name, [{ node, slot, places: own }]);
        return own;
      });
      this.#ofUses.set(node, uses);
      for (const name of node.outputs) if (name !== "") this.#ofValues.set(name, placesOf(name));
    }
    this.all = all;
    this.total = start;
  }

  /** The places of a value that is computed or fed, by axis. */
  ofValue(name: string): readonly Place[] {
    return this.#ofValues.get(name) ?? [];
  }

  /** The uses of an initializer, in the order of the nodes. */
  usesOf(name: string): readonly UsePlaces[] {
    return this.#usesOf.get(name) ?? [];
  }

  /** The places of what a node reads, by axis: of the value, or of this use of the initializer. */
  ofInput(node: Node, slot: number): readonly Place[] {
    return this.#ofUses.get(node)?.[slot] ?? this.ofValue(node.inputs[slot] as string);
  }
}

/** What identifies a node across rewriting: its first named output. */
export function nodeId(node: { outputs: readonly string[] }): string {
  return node.outputs.find((name) => name !== "") as string;
}
