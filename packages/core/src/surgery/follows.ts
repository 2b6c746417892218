/** Lengths that a model computes: which of them change with a removal, because they come from the shape of what is cut. */
import type { Node } from "../graph/graph.ts";
import { constantOf } from "../graph/shapes.ts";
import { sizeOf } from "../graph/tensor.ts";
import { placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { keptIndexes, type RemovedUnits } from "./kept.ts";

/** Axes of a tensor, at most. */
const MOST_LENGTHS = 8;

/** Whether a value that holds lengths comes from the length of an axis that is cut. */
export function followersOf(
  { model: { graph }, shapes, units }: Prunable,
  removed: RemovedUnits,
): (name: string) => boolean {
  const known = new Map<string, boolean>();
  const follows = (name: string): boolean => {
    const found = known.get(name);
    if (found !== undefined) return found;
    known.set(name, false);
    const node = isLength(name) ? graph.value(name)?.producer : undefined;
    const result = node ? followsIn(node) : false;
    known.set(name, result);
    return result;
  };
  return follows;

  /** Integers, and the few reals that lengths become on their way (divided, rounded down). */
  function isLength(name: string): boolean {
    const { type, dims = [] } = shapes.get(name) ?? {};
    return type === "int64" || type === "int32" || (dims.length < 2 && sizeOf(dims) <= MOST_LENGTHS);
  }

  function followsIn(node: Node): boolean {
    if (node.opType === "Shape") return isCut(node.inputs[0] as string);
    const shape = node.opType === "Gather" ? graph.value(node.inputs[0] ?? "")?.producer : undefined;
    const isOfAllAxes = shape?.opType === "Shape" && !shape.attributes.start && !shape.attributes.end;
    const picks = isOfAllAxes ? constantOf(graph, shapes, node.inputs[1]) : undefined;
    if (picks && shape) return isCut(shape.inputs[0] as string, Array.from(picks.numbers));
    return node.inputs.some(follows);
  }

  /** Whether any of some axes (default all; negative ones count from the end) has lost indexes. */
  function isCut(value: string, some?: readonly number[]): boolean {
    const axes = [...(shapes.get(value)?.dims.keys() ?? [])];
    const looked = some ? some.map((axis) => axes.at(axis)) : axes;
    return looked.some(
      (axis) => axis !== undefined && keptIndexes(units.places, placeKey(value, axis), removed) !== undefined,
    );
  }
}
