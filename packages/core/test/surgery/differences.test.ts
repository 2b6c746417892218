import { describe, expect, test } from "vitest";
import { decidedValues } from "../../src/graph/decisions.ts";
import { probeShapes } from "../../src/graph/shapes.ts";
import { float32, Tensor } from "../../src/graph/tensor.ts";
import { differences, judge } from "../../src/surgery/differences.ts";
import { perturbedModel } from "../../src/surgery/rounding.ts";
import { runner } from "../helpers.ts";
import { model, node } from "../support/build.ts";

describe("what a model decides", () => {
  const ELEMENTS = 4000;
  const values = Float32Array.from({ length: ELEMENTS }, (_, i) => Math.sin(i));
  const tensor = (numbers: Float32Array): Tensor => new Tensor("float32", [1, ELEMENTS], numbers);
  const flipped = (count: number): Tensor =>
    tensor(values.map((value, i) => (i % (ELEMENTS / count) === 0 ? value + 1 : value)));
  const verdict = (small: Tensor, isDecided: boolean): unknown => {
    const runs = { small: [small], large: [tensor(values)], rounded: [tensor(values)] };
    return judge(differences("y", runs, undefined, isDecided));
  };

  test("may flip for one element in a thousand, where it decides", () => {
    expect(verdict(flipped(4), true)).toMatchObject({ difference: 0, isInDoubt: false });
    expect(() => verdict(flipped(4), false)).toThrow(/output "y": the smaller model differs/);
    expect(() => verdict(flipped(8), true)).toThrow(/output "y": the smaller model differs/);
    expect(() => verdict(tensor(values.map((value) => value * 1.001)), true)).toThrow(/differs/);
  });

  test("is all that depends on a comparison of reals", async () => {
    const network = model({
      inputs: { x: ["N", 3] },
      nodes: [
        node("Relu", ["x"], ["h"]),
        node("ReduceMax", ["h"], ["m"], { axes: [1] }),
        node("Equal", ["h", "m"], ["e"]),
        node("Cast", ["e"], ["c"], { to: 1 }),
        node("Mul", ["h", "c"], ["y"]),
        node("Shape", ["h"], ["s"]),
        node("Equal", ["s", "s"], ["same"]),
      ],
      outputs: ["y", "h", "same"],
    });
    const { shapes } = await probeShapes(network, runner);
    expect([...decidedValues(network.graph, shapes)]).toEqual(["e", "c", "y"]);
  });

  test("the difference that is told is the largest, with what rounding explains there", () => {
    const runs = {
      small: [float32([1.00004, 100.0001], [1, 2])],
      large: [float32([1, 100], [1, 2])],
      rounded: [float32([1.00001, 100], [1, 2])],
    };
    const { difference, allowance } = judge(differences("y", runs, 1, false));
    expect(difference).toBeCloseTo(4e-5, 6);
    expect(allowance).toBeCloseTo(3.2e-4, 5);
  });

  test("of numbers that are too small for their digits nothing is relative", () => {
    const runs = {
      small: [float32([1e-40, 1], [1, 2])],
      large: [float32([1.0001e-40, 1], [1, 2])],
      rounded: [float32([1.0001e-40, 1], [1, 2])],
    };
    expect(judge(differences("y", runs, 1, false)).difference).toBeLessThan(1e-6);
  });
});

test("rounding leaves exponents and what is looked for as they are", () => {
  const network = model({
    inputs: { x: ["N", 3] },
    initializers: { two: [2], one: [1], w: [3] },
    nodes: [node("Mul", ["x", "w"], ["a"]), node("Pow", ["a", "two"], ["p"]), node("Equal", ["p", "one"], ["y"])],
    outputs: ["y"],
  });
  const { initializers } = perturbedModel(network).graph;
  expect([...initializers].map(([name, { numbers }]) => [name, numbers[0]])).toEqual([
    ["two", 2],
    ["one", 1],
    ["w", expect.not.closeTo(3, 8)],
  ]);
});
