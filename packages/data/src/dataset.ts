/** Datasets from arrays in memory. */
import { type Dataset, ShrinkError, Tensor, tensorOf } from "@shrinknet/core";

/** Numbers row by row (`[[1, 2], [3, 4]]`), or flat where they are single numbers. */
export type Nested = readonly number[] | readonly Nested[];

/** An array of samples: a tensor, numbers row by row, or flat numbers with their dims (first axis = sample). */
export type ArrayLikeSamples = Tensor | Nested | { readonly data: ArrayLike<number>; readonly dims: readonly number[] };

/** By name: `x`, or the names of model inputs; `y` or `y_OUTPUT`: classes (whole numbers) or targets. */
export type Arrays = Readonly<
  Record<string, ArrayLikeSamples | Int32Array | Float32Array | Float64Array | BigInt64Array>
>;

/**
 * A dataset of arrays in memory: `dataset({ x: pixels, y: classes })`. The first axis of each counts samples. Numbers become float32,
 * `y` and `y_OUTPUT` int32 where all are whole; tensors stay as they are.
 *
 * Throws a `data` error for rows of unequal length, dims that do not fit, and text.
 */
export function dataset(arrays: Arrays, source = "the given arrays"): Dataset {
  const inputs = Object.entries(arrays).map(([name, array]) => [name, tensorFrom(name, array)] as const);
  if (inputs.length === 0) fail("no arrays, expected x or one array for each model input");
  return { source, inputs: Object.fromEntries(inputs) };
}

function tensorFrom(name: string, array: Arrays[string]): Tensor {
  if (array instanceof Tensor) return array;
  if (typeof array !== "object" || array === null) fail(`array "${name}": is ${array}, expected numbers`);
  const { data, dims } =
    "dims" in array ? array : ArrayBuffer.isView(array) ? { data: array, dims: [array.length] } : flat(name, array);
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (data.length !== size) fail(`array "${name}": ${data.length} numbers, expected ${size} for [${dims.join(", ")}]`);
  const numbers = Array.from(data as ArrayLike<number | bigint>, (value) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  const wrong = numbers.find((value) => typeof value !== "number");
  if (wrong !== undefined) fail(`array "${name}": found ${JSON.stringify(wrong) ?? wrong}, expected numbers`);
  const isClasses = /^(y|labels)(_|$)/.test(name) && numbers.every((value) => value === (value | 0));
  return tensorOf(isClasses ? "int32" : "float32", numbers, dims);
}

function flat(name: string, rows: Nested): { readonly data: readonly number[]; readonly dims: readonly number[] } {
  const dims: number[] = [];
  for (let row: unknown = rows; Array.isArray(row) || ArrayBuffer.isView(row); row = (row as ArrayLike<unknown>)[0]) {
    dims.push((row as unknown as ArrayLike<unknown>).length);
  }
  const data: number[] = [];
  const walk = (row: Nested | number, depth: number): void => {
    if (depth === dims.length) return void data.push(row as number);
    const length = (row as ArrayLike<unknown> | undefined)?.length;
    if (length !== dims[depth])
      fail(`array "${name}": a row of ${length ?? "no"} entries beside ${dims[depth]}, expected as many`);
    for (let at = 0; at < (length as number); at++) walk((row as Nested)[at] as Nested, depth + 1);
  };
  walk(rows, 0);
  return { data, dims };
}

function fail(problem: string): never {
  throw new ShrinkError("data", `dataset: ${problem}; give arrays whose first axis counts samples`);
}
