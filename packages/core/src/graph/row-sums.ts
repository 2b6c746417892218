/**
 * Row sums: small outputs that show in which order a value holds the rows of several samples. Where one sample has several
 * rows along an axis (tokens, windows, heads), all rows of a sample must follow each other for samples to be told apart.
 */
import { randomSource } from "../util/random.ts";
import { GraphBuilder, opsetOf } from "./builder.ts";
import type { Model } from "./graph.ts";
import type { Shapes } from "./shapes.ts";
import { isFloat, Tensor } from "./tensor.ts";

/** The model with one more output for each real value that has several rows for a sample: a weighted sum of each row, [rows]. */
export function withRowSums(model: Model, shapes: Shapes): Model {
  const b = new GraphBuilder({ opset: opsetOf(model), base: model.graph });
  const sums: string[] = [];
  for (const name of model.graph.nodes.flatMap(({ outputs }) => outputs)) {
    const { type = "int64", dims = [], batchAxis } = shapes.get(name) ?? {};
    if (!isFloat(type) || batchAxis === undefined || (dims[batchAxis] as number) < 2) continue;
    const value = type === "float32" ? name : b.cast(name, "float32");
    const last = dims.length - 1;
    const weighted = batchAxis === last ? value : b.mul(value, b.tensor(weights(dims[last] as number), "weights"));
    const others = dims.flatMap((_, axis) => (axis === batchAxis ? [] : [axis]));
    sums.push(others.length > 0 ? b.sum(weighted, others) : weighted);
  }
  if (sums.length === 0) return model;
  const graph = b.graph([]);
  return { ...model, graph: graph.with({ outputs: [...model.graph.outputs, ...sums.map((name) => ({ name }))] }) };
}

function weights(length: number): Tensor {
  const random = randomSource(length);
  return new Tensor(
    "float32",
    [length],
    Float32Array.from({ length }, () => random() * 2 - 1),
  );
}
