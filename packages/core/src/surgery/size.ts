/** What is left of a model after some removals — shapes, parameters, MACs — counted without cutting anything. */
import { dimsOf, type Shapes } from "../graph/shapes.ts";
import { isFloat } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { keptIndexes, type RemovedUnits } from "./cut.ts";

export interface Size {
  /** Elements of all floating-point initializers; one that is cut in two ways counts twice, as it is stored twice. */
  readonly parameters: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
}

/** Dims of all values of the model without the removed units. */
export function cutShapes({ shapes, units }: Prunable, removed: RemovedUnits): Shapes {
  const result = new Map(shapes);
  for (const place of units.places.values()) {
    if (place.use) continue;
    let kept = 0;
    for (const unit of place.owners) if (unit < 0 || !removed[unit]) kept++;
    const shape = result.get(place.value);
    if (!shape || kept === place.length) continue;
    result.set(place.value, { ...shape, dims: shape.dims.map((dim, axis) => (axis === place.axis ? kept : dim)) });
  }
  return result;
}

/** Parameters and MACs of the model without the removed units. */
export function sizeAfter(prunable: Prunable, removed: RemovedUnits): Size {
  const { graph } = prunable.model;
  const shapes = cutShapes(prunable, removed);
  const stored = new Map<string, number>(); // elements, by initializer and way of cutting
  let macs = 0;
  for (const node of graph.nodes) {
    const use = nodeId(node);
    const dims = node.inputs.map((name, slot): readonly number[] => {
      const tensor = graph.initializers.get(name);
      if (!tensor) return name === "" ? [] : (shapes.get(name)?.dims ?? []);
      const kept = tensor.dims.map((_, axis) =>
        keptIndexes(prunable.units, placeKey(name, axis, { node: use, slot }), removed),
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
    macs += ruleFor(node)?.macs?.({ node, dims: (slot) => dims[slot] ?? [], outDims }) ?? 0;
  }
  let parameters = 0;
  for (const elements of stored.values()) parameters += elements;
  return { parameters, macs };
}
