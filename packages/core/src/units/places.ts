/**
 * Places: every (tensor, axis) of a graph, with a number for each index along the axis. The solver joins these numbers;
 * a set of joined numbers is what must be cut together.
 *
 * A value is one place per axis. An initializer is one place per axis *and use*, so that two layers that happen to share
 * a tensor are not tied by it: surgery cuts the tensor once if the uses agree and makes a second copy if not.
 */
import type { Graph } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";

/** One axis of one tensor. */
export interface Place {
  /** Name of the value or initializer. */
  readonly value: string;
  /** For initializers: which use. */
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

/** All places of a graph. */
export class Places {
  readonly all: readonly Place[];
  /** How many indexes there are in all. */
  readonly total: number;
  readonly #byKey = new Map<PlaceKey, Place>();

  constructor(graph: Graph, shapes: Shapes) {
    const all: Place[] = [];
    let start = 0;
    const add = (value: string, use?: { node: string; slot: number }): void => {
      const dims = shapes.get(value)?.dims ?? [];
      for (let axis = 0; axis < dims.length; axis++) {
        const key = placeKey(value, axis, use);
        if (this.#byKey.has(key)) continue;
        const place: Place = { value, axis, length: dims[axis] as number, start, ...(use && { use }) };
        start += place.length;
        all.push(place);
        this.#byKey.set(key, place);
      }
    };
    for (const input of graph.feeds) add(input.name);
    for (const node of graph.nodes) {
      const id = nodeId(node);
      node.inputs.forEach((name, slot) => {
        if (graph.initializers.has(name)) add(name, { node: id, slot });
      });
      for (const name of node.outputs) if (name !== "") add(name);
    }
    this.all = all;
    this.total = start;
  }

  get(key: PlaceKey): Place | undefined {
    return this.#byKey.get(key);
  }

  /** The place of axis `axis` of a node's input. */
  ofInput(
    graph: Graph,
    node: { inputs: readonly string[]; outputs: readonly string[] },
    slot: number,
    axis: number,
  ): Place | undefined {
    const name = node.inputs[slot] as string;
    const use = graph.initializers.has(name) ? { node: nodeId(node), slot } : undefined;
    return this.#byKey.get(placeKey(name, axis, use));
  }
}

/** What identifies a node across rewriting: its first named output. */
export function nodeId(node: { outputs: readonly string[] }): string {
  return node.outputs.find((name) => name !== "") as string;
}
