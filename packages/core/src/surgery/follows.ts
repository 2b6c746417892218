/** Lengths that a model computes: which of them change with a removal, because they come from the shape of what is cut. */
import type { Node } from "../graph/graph.ts";
import { constantOf } from "../graph/shapes.ts";
import { placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { keptIndexes, type RemovedUnits } from "./kept.ts";

/** Whether a value of integers comes from the length of an axis that is cut. */
export function followersOf(
  { model: { graph }, shapes, units }: Prunable,
  removed: RemovedUnits,
): (name: string) => boolean {
  const known = new Map<string, boolean>();
  const follows = (name: string): boolean => {
    const found = known.get(name);
    if (found !== undefined) return found;
    known.set(name, false);
    const { type } = shapes.get(name) ?? {};
    const node = type === "int64" || type === "int32" ? graph.value(name)?.producer : undefined;
    const result = node ? followsIn(node) : false;
    known.set(name, result);
    return result;
  };
  return follows;

  function followsIn(node: Node): boolean {
    if (node.opType === "Shape") return isCut(node.inputs[0] as string);
    const shape = graph.value(node.inputs[0] ?? "")?.producer;
    const picks =
      node.opType === "Gather" && shape?.opType === "Shape" ? constantOf(graph, shapes, node.inputs[1]) : undefined;
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
