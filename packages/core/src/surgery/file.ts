/** From a stage of pruning to what is written: what the file stores otherwise than it is measured comes back. */
import { opsetOf } from "../graph/builder.ts";
import type { Model, Node } from "../graph/graph.ts";
import type { Values } from "../graph/pieces.ts";
import { asStored, readingOf, storedFeeds } from "../graph/stored-types.ts";
import { Tensor } from "../graph/tensor.ts";
import { expandMeans } from "../graph/unit-means.ts";
import { modelSize, readModel, writeModel } from "../onnx/index.ts";
import type { Prunable } from "../units/prepare.ts";
import type { RemovedUnits } from "./kept.ts";
import { keptIn } from "./kept-in.ts";

/** The bytes of a prunable model, cut to `model`. */
export function fileOf(prunable: Prunable, model: Model, removed: RemovedUnits): Uint8Array {
  return writeModel(storedModel(prunable, model, removed));
}

/** Their number. */
export function fileSizeOf(prunable: Prunable, model: Model, removed: RemovedUnits): number {
  return modelSize(storedModel(prunable, model, removed));
}

/** Feeds as the file takes them. */
export function fileFeeds({ stored }: Pick<Prunable, "stored">, feeds: Values): Values {
  return stored ? storedFeeds(feeds, stored) : feeds;
}

/** Whether runtimes run the file as it is: on processors they know no bfloat16 but to make it larger. */
export function runsAsStored({ stored }: Pick<Prunable, "stored">): boolean {
  return ![...(stored?.types.values() ?? [])].includes("bfloat16");
}

/** A smaller file that was read, as it is measured. */
export function measuredModel({ stored, shapes }: Pick<Prunable, "stored" | "shapes">, bytes: Uint8Array): Model {
  const read = readModel(bytes);
  if (!stored) return read;
  return withSums(readingOf(read)?.model ?? read, { stored, shapes });
}

/** A model with those means as sums that the prunable one has as sums. */
export function withSums(model: Model, { stored, shapes }: Pick<Prunable, "stored" | "shapes">): Model {
  if (!stored || stored.means.size === 0) return model;
  const isMean = ({ outputs }: Node): boolean => stored.means.has(outputs[0] ?? "");
  return { ...model, graph: expandMeans(model.graph, shapes, opsetOf(model), isMean).graph };
}

/** The model, not cut, with its weights as the file has them: what is left of those that were rounded when they were packed. */
export function withWrittenWeights(prunable: Prunable, removed: RemovedUnits, bytes: Uint8Array): Prunable {
  const { stored, model } = prunable;
  if (!stored || stored.packed.size === 0) return prunable;
  const written = measuredModel(prunable, bytes).graph;
  const keptOf = keptIn(prunable, removed);
  const initializers = new Map(model.graph.initializers);
  const takeOver = (name: string, left: Tensor | undefined): void => {
    const whole = initializers.get(name);
    if (!whole || !left) return;
    const inPlace = putBack(whole, left, (axis) => keptOf(name, axis));
    initializers.set(name, inPlace);
  };
  for (const name of stored.packed.keys()) takeOver(name, written.initializers.get(name));
  // a bias that a repair has added is packed with its operator
  for (const { parts } of stored.quantised.values()) {
    const layer = parts.at(-2) ?? "";
    const [bias = "", now = ""] = [model.graph, written].map((graph) => graph.value(layer)?.producer?.inputs[2]);
    if (bias !== now) takeOver(bias, written.initializers.get(now));
  }
  return { ...prunable, model: { ...model, graph: model.graph.with({ initializers }) } };
}

/** The tensor with the elements of what is left of it in their places. */
function putBack(whole: Tensor, left: Tensor, keptOf: (axis: number) => readonly number[] | undefined): Tensor {
  const kept = whole.dims.map((_, axis) => keptOf(axis));
  return new Tensor(whole.type, whole.dims, () => {
    const values = Float32Array.from(whole.numbers);
    const numbers = left.numbers;
    for (let i = 0; i < numbers.length; i++) {
      let [rest, place, step] = [i, 0, 1];
      for (let axis = whole.dims.length - 1; axis >= 0; axis--) {
        const length = left.dims[axis] as number;
        const index = rest % length;
        rest = Math.floor(rest / length);
        place += step * (kept[axis]?.[index] ?? index);
        step *= whole.dims[axis] as number;
      }
      values[place] = numbers[i] as number;
    }
    return values;
  });
}

function storedModel(prunable: Prunable, model: Model, removed: RemovedUnits): Model {
  return prunable.stored ? asStored(model, prunable.stored, keptIn(prunable, removed)) : model;
}
