/**
 * Counts parameters and MACs after any removal, fast enough to be asked after each of ten thousand. What no place
 * touches is counted once. Owners that have as many indexes in every place as each other are one class, so that the
 * length of an axis follows from how many of each class are gone.
 */
import type { Node } from "../graph/graph.ts";
import { dimsOf } from "../graph/shapes.ts";
import { isFloat, sizeOf } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import { nodeId, type PlaceKey, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { OwnedPlace } from "../units/units.ts";
import { keptIndexes } from "./cut.ts";

export interface Size {
  /** Elements of all floating-point initializers; one that is cut in two ways counts twice, as it is stored twice. */
  readonly parameters: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
}

/** How many indexes of a place each owner of a class has. */
interface Share {
  readonly owners: number;
  readonly indexes: number;
}

export class SizeCounter {
  readonly #prunable: Pick<Prunable, "model" | "shapes">;
  readonly #places: ReadonlyMap<PlaceKey, OwnedPlace>;
  /** Class by owner. */
  readonly #classes: Int32Array;
  readonly #classCount: number;
  readonly #shares: ReadonlyMap<PlaceKey, readonly Share[]>;
  /** How many inputs of nodes read an initializer. */
  readonly #reads: ReadonlyMap<string, number>;
  /** Nodes with a place, or that share an initializer. */
  readonly #touched: readonly Node[];
  /** Of all other nodes. */
  readonly #rest: Size;

  /** @param owners number of owners; those of the places are 0 to `owners - 1` */
  constructor(prunable: Pick<Prunable, "model" | "shapes">, places: ReadonlyMap<PlaceKey, OwnedPlace>, owners: number) {
    this.#prunable = prunable;
    this.#places = places;
    const counts = new Map([...places].map(([key, place]) => [key, indexesByOwner(place)]));
    this.#classes = classesOf([...counts.values()], owners);
    this.#classCount = this.#classes.reduce((most, one) => Math.max(most, one + 1), 0);
    this.#shares = new Map([...counts].map(([key, indexes]) => [key, sharesOf(indexes, this.#classes)]));
    const { graph } = prunable.model;
    const reads = new Map<string, number>();
    for (const node of graph.nodes) {
      for (const name of node.inputs) if (graph.initializers.has(name)) reads.set(name, (reads.get(name) ?? 0) + 1);
    }
    this.#reads = reads;
    const touched = graph.nodes.filter((node) => this.#isTouched(node));
    const isTouched = new Set(touched);
    this.#touched = touched;
    this.#rest = this.#count(
      graph.nodes.filter((node) => !isTouched.has(node)),
      new Uint8Array(owners),
    );
  }

  /** Parameters and MACs without the owners whose `removed` is 1. */
  sizeWithout(removed: Uint8Array): Size {
    const { parameters, macs } = this.#count(this.#touched, removed);
    return { parameters: parameters + this.#rest.parameters, macs: macs + this.#rest.macs };
  }

  /** MACs of each node without them, by the node's id. */
  macsByNode(removed: Uint8Array): Map<string, number> {
    const result = new Map<string, number>();
    this.#count(this.#prunable.model.graph.nodes, removed, (node, macs) => result.set(nodeId(node), macs));
    return result;
  }

  #isTouched(node: Node): boolean {
    const use = nodeId(node);
    const { shapes } = this.#prunable;
    const { initializers } = this.#prunable.model.graph;
    const hasPlace = (name: string, slot?: number): boolean => {
      const dims = initializers.get(name)?.dims ?? shapes.get(name)?.dims ?? [];
      const at = slot !== undefined && initializers.has(name) ? { node: use, slot } : undefined;
      return dims.some((_, axis) => this.#places.has(placeKey(name, axis, at)));
    };
    if (node.outputs.some((name) => hasPlace(name)) || node.inputs.some(hasPlace)) return true;
    return node.inputs.some((name) => (this.#reads.get(name) ?? 0) > 1);
  }

  #count(nodes: readonly Node[], removed: Uint8Array, visit?: (node: Node, macs: number) => void): Size {
    const { shapes } = this.#prunable;
    const { initializers } = this.#prunable.model.graph;
    const gone = new Int32Array(this.#classCount);
    this.#classes.forEach((own, owner) => {
      if (removed[owner]) gone[own] = (gone[own] as number) + 1;
    });
    const left = (key: PlaceKey, length: number): number => {
      let kept = length;
      for (const { owners, indexes } of this.#shares.get(key) ?? []) kept -= (gone[owners] as number) * indexes;
      return kept;
    };
    const known = new Map<string, readonly number[]>();
    const valueDims = (name: string): readonly number[] => {
      let dims = known.get(name);
      if (!dims) {
        dims = dimsOf(shapes, name).map((dim, axis) => left(placeKey(name, axis), dim));
        known.set(name, dims);
      }
      return dims;
    };
    const isCut = (name: string): boolean =>
      !initializers.has(name) &&
      shapes.has(name) &&
      valueDims(name).some((dim, axis) => dim !== dimsOf(shapes, name)[axis]);
    const shared = new Map<string, number>(); // elements, by initializer and way of cutting
    let [parameters, macs] = [0, 0];
    for (const node of nodes) {
      const use = nodeId(node);
      const rule = ruleFor(node);
      if (!rule?.ties && [...node.inputs, ...node.outputs].some(isCut)) continue;
      const dims = node.inputs.map((name, slot): readonly number[] => {
        const tensor = initializers.get(name);
        if (!tensor) return shapes.has(name) ? valueDims(name) : [];
        const keys = tensor.dims.map((_, axis) => placeKey(name, axis, { node: use, slot }));
        const own = tensor.dims.map((dim, axis) => left(keys[axis] as PlaceKey, dim));
        if (!isFloat(tensor.type)) return own;
        if (this.#reads.get(name) === 1) parameters += sizeOf(own);
        else {
          const way = keys.map((key) => keptIndexes(this.#places, key, removed) ?? "all").join("|");
          shared.set(`${name} ${way}`, sizeOf(own));
        }
        return own;
      });
      const outDims = (index = 0): readonly number[] => valueDims(node.outputs[index] as string);
      const own = rule?.macs?.({ node, dims: (slot) => dims[slot] ?? [], outDims }) ?? 0;
      visit?.(node, own);
      macs += own;
    }
    for (const elements of shared.values()) parameters += elements;
    return { parameters, macs };
  }
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
