import { float32 } from "@shrinknet/core";
import { expect, test } from "vitest";
import { dataset } from "../src/dataset.ts";
import { messageOf } from "./helpers.ts";

test("rows become tensors whose first axis counts samples; classes are whole numbers", () => {
  const { inputs } = dataset({
    x: [
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ],
    y: [1, 0],
    y_other: [0.5, 1],
    flat: { data: new Float32Array([1, 2, 3, 4]), dims: [2, 2] },
    list: new Float64Array([0.25, 4]),
    labels_big: BigInt64Array.of(3n, 1n),
    whole: float32([1, 2], [2, 1]),
  });
  const seen = Object.entries(inputs).map(([name, { type, dims, numbers }]) => [name, type, dims, Array.from(numbers)]);
  expect(seen).toEqual([
    ["x", "float32", [2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]],
    ["y", "int32", [2], [1, 0]],
    ["y_other", "float32", [2], [0.5, 1]],
    ["flat", "float32", [2, 2], [1, 2, 3, 4]],
    ["list", "float32", [2], [0.25, 4]],
    ["labels_big", "int32", [2], [3, 1]],
    ["whole", "float32", [2, 1], [1, 2]],
  ]);
});

test.each([
  [{ x: [[1, 2], [3]] }, 'array "x": a row of 1 entries beside 2, expected as many'],
  [{ x: [[1, 2], 3] as never }, 'array "x": a row of no entries beside 2, expected as many'],
  [{ x: { data: [1, 2, 3], dims: [2, 2] } }, 'array "x": 3 numbers, expected 4 for [2, 2]'],
  [{ x: ["one"] as never }, 'array "x": found "one", expected numbers'],
  [{ x: null as never }, 'array "x": is null, expected numbers'],
  [{}, "no arrays, expected x or one array for each model input"],
])("%j is refused", async (arrays, message) => {
  expect(await messageOf(() => dataset(arrays))).toBe(
    `dataset: ${message}; give arrays whose first axis counts samples`,
  );
});
