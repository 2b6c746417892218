/** What is left of a model after some removals — shapes, parameters, MACs — counted without cutting anything. */
import { dimsOf, type Shapes, type ValueShape } from "../graph/shapes.ts";
import { isFloat } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import { nodeId, type PlaceKey, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { OwnedPlace } from "../units/units.ts";
import { keptIndexes, type RemovedUnits } from "./cut.ts";

export interface Size {
  /** Elements of all floating-point initializers; one that is cut in two ways counts twice, as it is stored twice. */
  readonly parameters: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
}

/** Dims of all values of the model without the removed units. */
export function cutShapes({ shapes, units }: Prunable, removed: RemovedUnits): Shapes {
  return shapesWithout(shapes, units.places, removed);
}

function shapesWithout(
  shapes: Shapes,
  places: ReadonlyMap<PlaceKey, OwnedPlace>,
  removed: Uint8Array,
): ReadonlyMap<string, ValueShape> {
  const result = new Map(shapes);
  for (const place of places.values()) {
    if (place.use) continue;
    let kept = 0;
    for (const owner of place.owners) if (owner < 0 || !removed[owner]) kept++;
    const shape = result.get(place.value);
    if (!shape || kept === place.length) continue;
    result.set(place.value, { ...shape, dims: shape.dims.map((dim, axis) => (axis === place.axis ? kept : dim)) });
  }
  return result;
}

/** Parameters and MACs of the model without the removed units. */
export function sizeAfter(prunable: Prunable, removed: RemovedUnits): Size {
  return sizeWithout(prunable, prunable.units.places, removed);
}

/**
 * Parameters and MACs without the removed owners of the given places: units, or what is frozen (as if it were not). An
 * operator that cannot be cut hangs on its removed indexes as a whole.
 */
export function sizeWithout(
  prunable: Pick<Prunable, "model" | "shapes">,
  places: ReadonlyMap<PlaceKey, OwnedPlace>,
  removed: Uint8Array,
): Size {
  const stored = new Map<string, number>(); // elements, by initializer and way of cutting
  let macs = 0;
  for (const own of nodeMacs(prunable, places, removed, stored).values()) macs += own;
  let parameters = 0;
  for (const elements of stored.values()) parameters += elements;
  return { parameters, macs };
}

/** Multiply-accumulates for one sample of each node without the removed units, by the node's id. */
export function macsByNode(prunable: Prunable, removed: RemovedUnits): ReadonlyMap<string, number> {
  return nodeMacs(prunable, prunable.units.places, removed, new Map());
}

/** MACs by node; notes the elements of the initializers on its way. */
function nodeMacs(
  prunable: Pick<Prunable, "model" | "shapes">,
  places: ReadonlyMap<PlaceKey, OwnedPlace>,
  removed: Uint8Array,
  stored: Map<string, number>,
): Map<string, number> {
  const { graph } = prunable.model;
  const shapes = shapesWithout(prunable.shapes, places, removed);
  const result = new Map<string, number>();
  const isCut = (name: string): boolean => shapes.get(name)?.dims !== prunable.shapes.get(name)?.dims;
  for (const node of graph.nodes) {
    const use = nodeId(node);
    if (!ruleFor(node)?.ties && [...node.inputs, ...node.outputs].some((name) => isCut(name))) continue;
    const dims = node.inputs.map((name, slot): readonly number[] => {
      const tensor = graph.initializers.get(name);
      if (!tensor) return name === "" ? [] : (shapes.get(name)?.dims ?? []);
      const kept = tensor.dims.map((_, axis) =>
        keptIndexes(places, placeKey(name, axis, { node: use, slot }), removed),
      );
      const left = tensor.dims.map((dim, axis) => kept[axis]?.length ?? dim);
      if (isFloat(tensor.type)) {
        const way = `${name} ${kept.map((indexes) => indexes ?? "all").join("|")}`;
        stored.set(
          way,
          left.reduce((product, dim) => product * dim, 1),
        );
      }
      return left;
    });
    const outDims = (index = 0): readonly number[] => dimsOf(shapes, node.outputs[index] as string);
    result.set(use, ruleFor(node)?.macs?.({ node, dims: (slot) => dims[slot] ?? [], outDims }) ?? 0);
  }
  return result;
}
