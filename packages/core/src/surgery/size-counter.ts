/**
 * Counts parameters and MACs after any removal, fast enough to be asked after each of ten thousand. Owners that have as
 * many indexes in every place as each other are one class, so that the length of an axis follows from how many of each
 * class are gone, and only nodes of classes whose number has changed since the last question are counted anew.
 */
import type { Node } from "../graph/graph.ts";
import { isFloat, sizeOf } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import { nodeId, type PlaceKey, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { OwnedPlace } from "../units/units.ts";
import { keptIndexes } from "./kept.ts";
import { ownerClasses, type Share } from "./owner-classes.ts";

export interface Size {
  /** Elements of all floating-point initializers; one that is cut in two ways counts twice, as it is stored twice. */
  readonly parameters: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
}

interface Axis {
  readonly length: number;
  readonly shares: readonly Share[];
}

/** A node with all that its size hangs on. */
interface Counted {
  readonly node: Node;
  /** Axes by slot; none where a shape is not known. */
  readonly inputs: readonly (readonly Axis[])[];
  readonly outputs: readonly (readonly Axis[])[];
  /** Slots of values, and of real initializers that no other input reads. */
  readonly values: readonly number[];
  readonly weights: readonly number[];
  /** Real initializers that others read too. */
  readonly shared: readonly { readonly slot: number; readonly name: string; readonly keys: readonly PlaceKey[] }[];
  /** Classes with an index in any of the axes. */
  readonly classes: ReadonlySet<number>;
}

const NOTHING: Size = { parameters: 0, macs: 0 };

export class SizeCounter {
  readonly #places: ReadonlyMap<PlaceKey, OwnedPlace>;
  /** Class by owner. */
  readonly #classes: Int32Array;
  readonly #nodes: readonly Counted[];
  /** Those that share an initializer. */
  readonly #sharing: readonly Counted[];
  /** The others by their classes. */
  readonly #ofClass: readonly (readonly Counted[])[];
  /** What was counted last: removed owners by class, the size of each node that shares nothing, and of these together. */
  #gone: Int32Array;
  readonly #sizes = new Map<Counted, Size>();
  #sum: Size = NOTHING;

  /** @param owners number of owners; those of the places are 0 to `owners - 1` */
  constructor(prunable: Pick<Prunable, "model" | "shapes">, places: ReadonlyMap<PlaceKey, OwnedPlace>, owners: number) {
    const { classes, shares } = ownerClasses(places, owners);
    this.#places = places;
    this.#classes = classes;
    this.#nodes = countedNodes(prunable, shares);
    this.#sharing = this.#nodes.filter(({ shared }) => shared.length > 0);
    const ofClass: Counted[][] = Array.from(
      { length: this.#classes.reduce((most, one) => Math.max(most, one), 0) + 1 },
      () => [],
    );
    this.#gone = new Int32Array(ofClass.length);
    for (const counted of this.#nodes) {
      if (counted.shared.length > 0) continue;
      for (const own of counted.classes) ofClass[own]?.push(counted);
      this.#note(counted);
    }
    this.#ofClass = ofClass;
  }

  /** Parameters and MACs without the owners whose `removed` is 1. */
  sizeWithout(removed: Uint8Array): Size {
    const before = this.#gone;
    this.#gone = this.#goneWithout(removed);
    const stale = new Set<Counted>();
    this.#ofClass.forEach((nodes, own) => {
      if (before[own] !== this.#gone[own]) for (const counted of nodes) stale.add(counted);
    });
    for (const counted of stale) this.#note(counted);
    let { parameters, macs } = this.#sum;
    const shared = new Map<string, number>(); // elements, by initializer and way of cutting
    for (const counted of this.#sharing) {
      const own = sizeOfNode(counted, this.#gone);
      if (!own) continue;
      parameters += own.parameters;
      macs += own.macs;
      for (const { slot, name, keys } of counted.shared) {
        const way = keys.map((key) => keptIndexes(this.#places, key, removed) ?? "all").join("|");
        shared.set(`${name} ${way}`, sizeOf(dimsWithout(counted.inputs[slot], this.#gone)));
      }
    }
    for (const elements of shared.values()) parameters += elements;
    return { parameters, macs };
  }

  /** MACs of each node without them, by the node's id. */
  macsByNode(removed: Uint8Array): Map<string, number> {
    const gone = this.#goneWithout(removed);
    const macs = new Map<string, number>();
    for (const counted of this.#nodes) {
      const own = sizeOfNode(counted, gone);
      if (own) macs.set(nodeId(counted.node), own.macs);
    }
    return macs;
  }

  #goneWithout(removed: Uint8Array): Int32Array {
    const gone = new Int32Array(this.#ofClass.length);
    for (let owner = 0; owner < removed.length; owner++) {
      if (!removed[owner]) continue;
      const own = this.#classes[owner] as number;
      gone[own] = (gone[own] as number) + 1;
    }
    return gone;
  }

  /** Counts a node anew. */
  #note(counted: Counted): void {
    const before = this.#sizes.get(counted) ?? NOTHING;
    const now = sizeOfNode(counted, this.#gone) ?? NOTHING;
    this.#sizes.set(counted, now);
    this.#sum = {
      parameters: this.#sum.parameters - before.parameters + now.parameters,
      macs: this.#sum.macs - before.macs + now.macs,
    };
  }
}

/** Without initializers that others read too; undefined for an operator that cannot be cut and would have to be. */
function sizeOfNode({ node, inputs, outputs, values, weights }: Counted, gone: Int32Array): Size | undefined {
  const rule = ruleFor(node);
  const isCut = (axes: readonly Axis[] = []): boolean =>
    axes.some(({ shares }) => shares.some(({ owners }) => gone[owners]));
  if (!rule?.ties && (values.some((slot) => isCut(inputs[slot])) || outputs.some(isCut))) return undefined;
  const dims = (slot: number): readonly number[] => dimsWithout(inputs[slot], gone);
  const outDims = (slot = 0): readonly number[] => dimsWithout(outputs[slot], gone);
  return {
    parameters: weights.reduce((sum, slot) => sum + sizeOf(dims(slot)), 0),
    macs: rule?.macs?.({ node, dims, outDims }) ?? 0,
  };
}

function dimsWithout(axes: readonly Axis[] = [], gone: Int32Array): number[] {
  return axes.map(({ length, shares }) => {
    let left = length;
    for (const { owners, indexes } of shares) left -= (gone[owners] as number) * indexes;
    return left;
  });
}

function countedNodes(
  { model: { graph }, shapes }: Pick<Prunable, "model" | "shapes">,
  shares: ReadonlyMap<PlaceKey, readonly Share[]>,
): Counted[] {
  const { initializers } = graph;
  const reads = new Map<string, number>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) if (initializers.has(name)) reads.set(name, (reads.get(name) ?? 0) + 1);
  }
  return graph.nodes.map((node): Counted => {
    const use = nodeId(node);
    const classes = new Set<number>();
    const axesOf = (dims: readonly number[] = [], keyOf: (axis: number) => PlaceKey): readonly Axis[] =>
      dims.map((length, axis) => {
        const own = shares.get(keyOf(axis)) ?? [];
        for (const { owners } of own) classes.add(owners);
        return { length, shares: own };
      });
    const keyAt = (slot: number, axis: number): PlaceKey =>
      placeKey(node.inputs[slot] as string, axis, { node: use, slot });
    const slots = [...node.inputs.keys()];
    const isReal = (slot: number): boolean => {
      const tensor = initializers.get(node.inputs[slot] as string);
      return tensor !== undefined && isFloat(tensor.type);
    };
    const isShared = (slot: number): boolean => (reads.get(node.inputs[slot] as string) ?? 0) > 1;
    return {
      node,
      inputs: node.inputs.map((name, slot) => {
        const tensor = initializers.get(name);
        if (tensor) return axesOf(tensor.dims, (axis) => keyAt(slot, axis));
        return axesOf(shapes.get(name)?.dims, (axis) => placeKey(name, axis));
      }),
      outputs: node.outputs.map((name) => axesOf(shapes.get(name)?.dims, (axis) => placeKey(name, axis))),
      values: slots.filter((slot) => !initializers.has(node.inputs[slot] as string)),
      weights: slots.filter((slot) => isReal(slot) && !isShared(slot)),
      shared: slots
        .filter((slot) => isReal(slot) && isShared(slot))
        .map((slot) => {
          const name = node.inputs[slot] as string;
          return { slot, name, keys: (initializers.get(name)?.dims ?? []).map((_, axis) => keyAt(slot, axis)) };
        }),
      classes,
    };
  });
}
