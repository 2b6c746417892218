/**
 * Counts parameters and MACs after any removal, fast enough to be asked after each of ten thousand. Owners that have as
 * many indexes in every place as each other are one class, so that the length of an axis follows from how many of each
 * class are gone, and only what has changed since the last question is counted anew. What the file then holds is the same
 * ({@link sizeOfModel}); a test keeps them equal.
 */
import { constantNodes } from "../graph/constant-values.ts";
import { type Graph, type Node, readsOf } from "../graph/graph.ts";
import type { Shapes } from "../graph/shapes.ts";
import { sizeOf } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import { macsOf } from "../ops/macs.ts";
import { nodeId, type PlaceKey, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { hasPlacePerUse } from "../units/tables.ts";
import type { OwnedPlace } from "../units/units.ts";
import { keptIndexes } from "./kept.ts";
import { ownerClasses, type Share } from "./owner-classes.ts";
import { parametersPerElement } from "./parameters.ts";
import { macsInside, type Size, sizeOfModel } from "./size-of-model.ts";

interface Axis {
  readonly length: number;
  readonly shares: readonly Share[];
}

/** Parameters in input `slot`, by element. */
interface Weights {
  readonly slot: number;
  readonly perElement: number;
}

/** A node with all that its size depends on. */
interface Counted {
  readonly node: Node;
  /** Axes by slot; none where a shape is not known. */
  readonly inputs: readonly (readonly Axis[])[];
  readonly outputs: readonly (readonly Axis[])[];
  /** Slots of values. */
  readonly values: readonly number[];
  /** Initializers that no other input reads. */
  readonly weights: readonly Weights[];
  /** Classes with an index in any of the axes. */
  readonly classes: ReadonlySet<number>;
  readonly isConstant: boolean;
  /** MACs in its bodies, which are never cut. */
  readonly inside: number;
}

/** One of the inputs that read an initializer. */
interface Use {
  readonly counted: Counted;
  readonly slot: number;
  /** Of the initializer's axes. */
  readonly keys: readonly PlaceKey[];
}

/** An initializer that several inputs read: it is stored once for each way in which they are cut. */
interface Shared {
  readonly uses: readonly Use[];
  readonly perElement: number;
  /** Elements, where something reads it as it is, by its name. */
  readonly whole: number | undefined;
}

const NOTHING: Size = { parameters: 0, macs: 0 };

export class SizeCounter {
  readonly #places: ReadonlyMap<PlaceKey, OwnedPlace>;
  /** Class by owner. */
  readonly #classes: Int32Array;
  readonly #nodes: readonly Counted[];
  /** Nodes and uses of shared initializers by the classes that change them. */
  readonly #nodesOf: readonly Set<Counted>[];
  readonly #usesOf: readonly Map<Use, Shared>[];
  /** Parameters that no node's input holds. */
  readonly #elsewhere: number;
  /** What was counted last: who was gone, of each class how many, the sizes of nodes, and how shared initializers were cut. */
  #removed: Uint8Array;
  #gone: Int32Array;
  readonly #sizes = new Map<Counted, Size>();
  /** Way of cutting, and how many elements are left; undefined where the node is gone. */
  readonly #ways = new Map<Use, { readonly way: string; readonly elements: number } | undefined>();
  readonly #stored = new Map<Shared, number>();
  #sum: Size = NOTHING;

  /** @param owners number of owners; those of the places are 0 to `owners - 1` */
  constructor(prunable: Pick<Prunable, "model" | "shapes">, places: ReadonlyMap<PlaceKey, OwnedPlace>, owners: number) {
    const { classes, shares } = ownerClasses(places, owners);
    const { nodes, shared } = countedParts(prunable, shares);
    this.#places = places;
    this.#classes = classes;
    this.#nodes = nodes;
    const count = classes.reduce((most, one) => Math.max(most, one), 0) + 1;
    this.#nodesOf = Array.from({ length: count }, () => new Set<Counted>());
    this.#usesOf = Array.from({ length: count }, () => new Map<Use, Shared>());
    this.#removed = new Uint8Array(owners);
    this.#gone = new Int32Array(count);
    for (const counted of nodes) {
      for (const own of counted.classes) this.#nodesOf[own]?.add(counted);
      this.#note(counted);
    }
    for (const one of shared) {
      for (const use of one.uses) {
        for (const own of use.counted.classes) this.#usesOf[own]?.set(use, one);
        this.#noteUse(use);
      }
      this.#noteShared(one);
    }
    this.#elsewhere = sizeOfModel(prunable.model, prunable.shapes).parameters - this.#sum.parameters;
  }

  /** Parameters and MACs without the owners whose `removed` is 1. */
  sizeWithout(removed: Uint8Array): Size {
    const before = this.#removed;
    const touched = new Set<number>(); // classes with an owner that was there and is gone, or the other way round
    for (let owner = 0; owner < removed.length; owner++) {
      if (removed[owner] !== before[owner]) touched.add(this.#classes[owner] as number);
    }
    const gone = this.#gone;
    this.#removed = removed.slice();
    this.#gone = this.#goneWithout(removed);
    const [staleNodes, staleUses] = [new Set<Counted>(), new Map<Use, Shared>()];
    for (const own of touched) {
      if (gone[own] !== this.#gone[own]) for (const counted of this.#nodesOf[own] ?? []) staleNodes.add(counted);
      for (const [use, one] of this.#usesOf[own] ?? []) staleUses.set(use, one);
    }
    for (const counted of staleNodes) this.#note(counted);
    for (const use of staleUses.keys()) this.#noteUse(use);
    for (const one of new Set(staleUses.values())) this.#noteShared(one);
    return { parameters: this.#sum.parameters + this.#elsewhere, macs: this.#sum.macs };
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
    const gone = new Int32Array(this.#nodesOf.length);
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

  /** Sees anew how a use is cut. */
  #noteUse(use: Use): void {
    const { counted, slot, keys } = use;
    const kept = keys.map((key) => keptIndexes(this.#places, key, this.#removed));
    const way = kept.every((indexes) => indexes === undefined) ? WHOLE : kept.map((own) => own ?? "all").join("|");
    const elements = sizeOf(dimsWithout(counted.inputs[slot], this.#gone));
    this.#ways.set(use, sizeOfNode(counted, this.#gone) && { way, elements });
  }

  /** Counts a shared initializer anew. */
  #noteShared(shared: Shared): void {
    const ways = new Map<string, number>(); // elements by way of cutting
    if (shared.whole !== undefined) ways.set(WHOLE, shared.whole);
    for (const use of shared.uses) {
      const cut = this.#ways.get(use);
      if (cut) ways.set(cut.way, cut.elements);
    }
    let now = 0;
    for (const elements of ways.values()) now += elements * shared.perElement;
    const before = this.#stored.get(shared) ?? 0;
    this.#stored.set(shared, now);
    this.#sum = { ...this.#sum, parameters: this.#sum.parameters - before + now };
  }
}

const WHOLE = "whole";

/** Without initializers that others read too; undefined for an operator that cannot be cut and would have to be. */
function sizeOfNode(counted: Counted, gone: Int32Array): Size | undefined {
  const { node, inputs, outputs, values, weights, isConstant, inside } = counted;
  const isCut = (axes: readonly Axis[] = []): boolean =>
    axes.some(({ shares }) => shares.some(({ owners }) => gone[owners]));
  if (!ruleFor(node)?.ties && (values.some((slot) => isCut(inputs[slot])) || outputs.some(isCut))) return undefined;
  const dims = (slot: number): readonly number[] => dimsWithout(inputs[slot], gone);
  const outDims = (slot = 0): readonly number[] => dimsWithout(outputs[slot], gone);
  return {
    parameters: weights.reduce((sum, { slot, perElement }) => sum + sizeOf(dims(slot)) * perElement, 0),
    macs: inside + (isConstant ? 0 : macsOf({ node, dims, outDims })),
  };
}

function dimsWithout(axes: readonly Axis[] = [], gone: Int32Array): number[] {
  return axes.map(({ length, shares }) => {
    let left = length;
    for (const { owners, indexes } of shares) left -= (gone[owners] as number) * indexes;
    return left;
  });
}

function countedParts(
  { model: { graph }, shapes }: Pick<Prunable, "model" | "shapes">,
  shares: ReadonlyMap<PlaceKey, readonly Share[]>,
): { readonly nodes: readonly Counted[]; readonly shared: readonly Shared[] } {
  const { initializers } = graph;
  const constant = constantNodes(graph);
  const reads = readCounts(graph);
  const isShared = (name: string): boolean => (reads.get(name) ?? 0) > 1;
  const keyAt = (node: Node, slot: number, axis: number): PlaceKey => {
    const name = node.inputs[slot] as string;
    return hasPlacePerUse(graph, name) ? placeKey(name, axis, { node: nodeId(node), slot }) : placeKey(name, axis);
  };
  const perElement = (name: string): number => {
    const tensor = initializers.get(name);
    return tensor ? parametersPerElement(graph, name, tensor) : 0;
  };
  const uses = new Map<string, Use[]>();
  const nodes = graph.nodes.map((node): Counted => {
    const classes = new Set<number>();
    const axesOf = (name: string, keyOf: (axis: number) => PlaceKey): readonly Axis[] =>
      (shapes.get(name)?.dims ?? []).map((length, axis) => {
        const own = shares.get(keyOf(axis)) ?? [];
        for (const { owners } of own) classes.add(owners);
        return { length, shares: own };
      });
    const counted: Counted = {
      node,
      inputs: node.inputs.map((name, slot) => axesOf(name, (axis) => keyAt(node, slot, axis))),
      outputs: node.outputs.map((name) => axesOf(name, (axis) => placeKey(name, axis))),
      values: [...node.inputs.keys()].filter((slot) => !initializers.has(node.inputs[slot] as string)),
      weights: node.inputs.flatMap((name, slot) =>
        perElement(name) > 0 && !isShared(name) ? [{ slot, perElement: perElement(name) }] : [],
      ),
      classes,
      isConstant: constant.has(node),
      inside: macsInsideOf(graph, shapes, node),
    };
    for (const [slot, name] of node.inputs.entries()) {
      if (perElement(name) === 0 || !isShared(name)) continue;
      const keys = (initializers.get(name)?.dims ?? []).map((_, axis) => keyAt(node, slot, axis));
      uses.set(name, [...(uses.get(name) ?? []), { counted, slot, keys }]);
    }
    return counted;
  });
  const outer = new Set([...graph.outputs.map(({ name }) => name), ...graph.nodes.flatMap(capturedBy)]);
  const shared = [...uses].map(([name, own]) => ({
    uses: own,
    perElement: perElement(name),
    whole: outer.has(name) ? initializers.get(name)?.size : undefined,
  }));
  return { nodes, shared };
}

/** How often each initializer is read: by nodes, by their bodies, and as an output of the model. */
function readCounts(graph: Graph): ReadonlyMap<string, number> {
  const reads = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap(readsOf), ...graph.outputs.map((output) => output.name)]) {
    if (graph.initializers.has(name)) reads.set(name, (reads.get(name) ?? 0) + 1);
  }
  return reads;
}

function capturedBy({ attributes }: Node): readonly string[] {
  return Object.values(attributes).flatMap((attribute) => (attribute.kind === "graph" ? attribute.value : []));
}

function macsInsideOf({ initializers }: Graph, shapes: Shapes, node: Node): number {
  return macsInside(node, { shapes, scope: "", shapeOf: (name) => initializers.get(name) ?? shapes.get(name) });
}
