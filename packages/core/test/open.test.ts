/** What is refused when a model is opened, and by which name. */
import { describe, expect, test } from "vitest";
import type { Node } from "../src/graph/graph.ts";
import { tensorOf } from "../src/graph/tensor.ts";
import { writeModel } from "../src/onnx/index.ts";
import { openModel } from "../src/open.ts";
import { runner } from "./helpers.ts";
import { model, node, random } from "./support/build.ts";

const r = random(31);

function opened(nodes: readonly Node[], opset = 17): Promise<unknown> {
  const one = (value: number) =>
    tensorOf(
      "float32",
      Array.from({ length: 4 }, () => value),
    );
  const network = model({
    opset,
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: {
      ...{ w: r.tensor([3, 4]), v: r.tensor([4, 2]), scale: one(1), shift: one(0), mean: one(0), variance: one(1) },
      ...{ ratio: tensorOf("float32", [0.5], []), isTraining: tensorOf("bool", [1], []) },
    },
    nodes: [node("MatMul", ["x", "w"], ["h"]), ...nodes, node("MatMul", ["a", "v"], ["y"])],
  });
  return openModel(writeModel(network), { runner });
}

describe("a model that gives something else at every run", () => {
  test.each<[string, RegExp, readonly Node[], number?]>([
    [
      "noise",
      /^RandomNormalLike "noise": draws random numbers/,
      [node("RandomNormalLike", ["h"], ["noise"]), node("Add", ["h", "noise"], ["a"])],
    ],
    [
      "dropout in training mode",
      /^Dropout "a": is in training mode and drops at random/,
      [node("Dropout", ["h", "ratio", "isTraining"], ["a"])],
    ],
    [
      "batch statistics",
      /^BatchNormalization "a": is in training mode and normalises by the batch/,
      [node("BatchNormalization", ["h", "scale", "shift", "mean", "variance"], ["a", "m", "s"], { training_mode: 1 })],
    ],
    [
      "batch statistics of an old opset",
      /^BatchNormalization "a": is in training mode and normalises by the batch/,
      [node("BatchNormalization", ["h", "scale", "shift", "mean", "variance"], ["a", "m", "s", "m2", "s2"])],
      9,
    ],
  ])("is refused by its node's name: %s", async (_, message, nodes, opset) => {
    await expect(opened(nodes, opset)).rejects.toThrow(message);
  });
});

test("a name that measuring uses is refused", async () => {
  await expect(
    opened([node("Relu", ["h"], ["shrinknet/gains"]), node("Relu", ["shrinknet/gains"], ["a"])]),
  ).rejects.toThrow(
    'value "shrinknet/gains": its name begins with "shrinknet/", which is used while measuring, expected another; rename it',
  );
});
