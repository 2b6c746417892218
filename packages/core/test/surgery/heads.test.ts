/** Heads in the lengths that a model computes. */
import { expect, test } from "vitest";
import { int64 } from "../../src/graph/tensor.ts";
import { cutDifference, prepared, removal, sizes } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

test.each([
  ["a constant target", ["together"]],
  ["a computed target that leaves another length open", ["n", "times", "open"]],
])("zeros in the shape of heads that are counted with the samples follow the cut: %s", async (_, target) => {
  const r = random(14);
  const isComputed = target.length > 1;
  const heads = model({
    inputs: { x: ["N", 3, 5] },
    outputs: ["y"],
    initializers: {
      ...{ w: r.tensor([5, 8]), v: r.tensor([8, 2]), apart: int64([0, 0, 4, 2]), together: int64([-1, 3, 2]) },
      ...{ first: int64([0]), lengths: int64([4, 3, 2]), whole: int64([0, 0, 8]) },
      ...{ four: int64([4]), open: int64([-1]), two: int64([2]) },
    },
    nodes: [
      node("MatMul", ["x", "w"], ["h"]),
      node("Reshape", ["h", "apart"], ["h4"]),
      node("Transpose", ["h4"], ["turned"], { perm: [0, 2, 1, 3] }),
      node("Shape", ["x"], ["dims"]),
      node("Gather", ["dims", "first"], ["n"]),
      node("Mul", ["n", "four"], ["times"]),
      node("Concat", ["times", "open", "two"], ["computed"], { axis: 0 }),
      node("Reshape", ["turned", isComputed ? "computed" : "together"], ["rows"]), // [N * heads, 3, 2]
      node("Shape", ["rows"], ["shape"]),
      node("ConstantOfShape", ["shape"], ["zeros"]),
      node("Add", ["rows", "zeros"], ["sum"]),
      node("Tanh", ["sum"], ["a"]),
      node("Concat", ["n", "lengths"], ["back"], { axis: 0 }),
      node("Reshape", ["a", "back"], ["b4"]),
      node("Transpose", ["b4"], ["b3"], { perm: [0, 2, 1, 3] }),
      node("Reshape", ["b3", "whole"], ["b"]),
      node("MatMul", ["b", "v"], ["y"]),
    ],
  });
  const prunable = await prepared(heads);
  expect(sizes(prunable)).toEqual({ h: 4 });
  expect(await cutDifference(heads, prunable, removal(prunable, [1, 3]), { x: r.tensor([4, 3, 5]) })).toBeLessThan(
    1e-5,
  );
});
