import { describe, expect, test } from "vitest";
import { foldByRunning } from "../../src/graph/fold.ts";
import type { Model } from "../../src/graph/graph.ts";
import { float32, int64 } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const x = float32([0.5, -2]);

/** The model folded, after a check that the folded one loads and computes the same. */
async function folded(original: Model): Promise<Model> {
  const result = await foldByRunning(original, runner);
  expect(await outputsOf(result)).toEqual(await outputsOf(original));
  return result;
}

async function outputsOf(one: Model): Promise<Record<string, number[]>> {
  const session = await runner.load(writeModel(one));
  const results = await session.run({ x });
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { numbers }]) => [name, Array.from(numbers)]));
}

const operators = ({ graph }: Model): string[] => graph.nodes.map(({ opType }) => opType);

describe("a constant node of several outputs", () => {
  const parts = {
    w: random(1).tensor([6]),
    sizes: int64([2, 2, 2]),
  };
  const split = [node("Neg", ["w"], ["n"]), node("Split", ["n", "sizes"], ["a", "b", "c"])];

  test("goes where all its parts are read as constants", async () => {
    const one = model({
      inputs: { x: [2] },
      outputs: ["y"],
      initializers: parts,
      nodes: [...split, node("Add", ["x", "a"], ["s"]), node("Mul", ["s", "c"], ["y"])],
    });
    const result = await folded(one);
    expect(operators(result)).toEqual(["Add", "Mul"]);
    expect([...result.graph.initializers.keys()]).toEqual(["a", "c"]);
  });

  test("stays where a part is an output of the model", async () => {
    const one = model({
      inputs: { x: [2] },
      outputs: ["y", "b"],
      initializers: parts,
      nodes: [...split, node("Add", ["x", "a"], ["y"])],
    });
    expect(operators(await folded(one))).toContain("Split");
  });

  const many = 2 ** 20 + 16; // more elements than are stored for a model this small
  const picked = (from: string) => [
    node("Cast", ["x"], ["i"], { to: 7 }),
    node("Gather", [from, "i"], ["p"]),
    node("Add", ["s", "p"], ["y"]),
  ];

  test("stays where a part is too large to be stored", async () => {
    const one = model({
      inputs: { x: [2] },
      outputs: ["y"],
      initializers: { w: float32([1.5]), shape: int64([many]), sizes: int64([2, many - 2]) },
      nodes: [
        node("Expand", ["w", "shape"], ["e"]),
        node("Split", ["e", "sizes"], ["small", "large"]),
        node("Add", ["x", "small"], ["s"]),
        ...picked("large"),
      ],
    });
    expect(operators(await folded(one))).toEqual(["Expand", "Split", "Add", "Cast", "Gather", "Add"]);
  });

  test("stays where a part is read by a constant node that stays", async () => {
    const one = model({
      inputs: { x: [2] },
      outputs: ["y"],
      initializers: { w: float32([1.5, 2, 3]), shape: int64([many]), sizes: int64([2, 1]) },
      nodes: [
        node("Split", ["w", "sizes"], ["a", "b"]),
        node("Expand", ["b", "shape"], ["e"]),
        node("Add", ["x", "a"], ["s"]),
        ...picked("e"),
      ],
    });
    expect(operators(await folded(one))).toEqual(["Split", "Expand", "Add", "Cast", "Gather", "Add"]);
  });
});
