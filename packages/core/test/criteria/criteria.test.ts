/** Each criterion on a network small enough to work out by hand. */
import { describe, expect, test } from "vitest";
import type { Criterion, ScoringContext } from "../../src/criteria/criterion.ts";
import { criteria, criterionOf } from "../../src/criteria/index.ts";
import { thresholded } from "../../src/criteria/threshold.ts";
import { tensorOf } from "../../src/graph/tensor.ts";
import { Activations } from "../../src/measure/activations.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { Oracle } from "../../src/measure/oracle.ts";
import { stateOf, unitsLeft } from "../../src/measure/state.ts";
import { choose } from "../../src/plan/choose.ts";
import { randomSource } from "../../src/util/random.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node } from "../support/build.ts";

/*
 * Two inputs, three units, one output: h = Relu(x W), y = h V. Inputs and what follows from them:
 *
 *   x          h = Relu(x0, x1 - x0, 2 x1)     y = h0 - 2 h1 + h2 / 2     t     y - t
 *   (1, 0)     1   0   0                        1                         0     1
 *   (0, 1)     0   1   2                       -1                         0    -1
 *   (1, 3)     1   2   6                        0                         2    -2
 */
const toy = model({
  inputs: { x: ["N", 2] },
  outputs: ["y"],
  initializers: {
    w: [
      [1, -1, 0],
      [0, 1, 2],
    ],
    v: [[1], [-2], [0.5]],
  },
  nodes: [
    node("MatMul", ["x", "w"], ["a"], {}, { name: "hidden" }),
    node("Relu", ["a"], ["h"]),
    node("MatMul", ["h", "v"], ["y"]),
  ],
});
const data = dataset(
  { x: tensorOf("float32", [1, 0, 0, 1, 1, 3], [3, 2]) },
  { targets: tensorOf("float32", [0, 0, 2], [3, 1]) },
);
const SAMPLES = 3;
/** Summed over the samples, E = 1/2 (1 + 1 + 4). */
const ERROR = 3;

async function context(gone: readonly number[] = []): Promise<ScoringContext> {
  const prunable = await prepared(toy);
  const evaluator = await createEvaluator(prunable, runner, data, { objective: "sse" });
  const removed = removal(prunable, gone);
  const state = stateOf(prunable, removed);
  return {
    prunable,
    state,
    left: unitsLeft(prunable.units, removed),
    evaluator,
    error: async () => ERROR / SAMPLES,
    oracle: new Oracle(evaluator, new Activations(evaluator, state)),
    random: randomSource(7),
  };
}

async function scores(name: string, gone: readonly number[] = []): Promise<number[]> {
  return Array.from(await criterionOf(name).score(await context(gone)));
}

const rounded = (values: readonly number[]): number[] => values.map((value) => Math.round(value * 1e5) / 1e5);
/** Of scores that are means over the samples. */
const sums = (means: readonly number[]): number[] => rounded(means.map((mean) => mean * SAMPLES));

describe("on the toy network", () => {
  test("oracle: mean error without the unit, less that with it", async () => {
    // without unit 0: y - t = 0, -1, -3; without 1: 1, 1, 2; without 2: 1, -2, -5
    expect(sums(await scores("oracle"))).toEqual([5 - ERROR, 3 - ERROR, 15 - ERROR]);
  });

  test("taylor1: minus the mean of o dE/do", async () => {
    // dE/dh = (y - t) v; o dE/do: unit 0: 1, 0, -2; unit 1: 0, 2, 8; unit 2: 0, -1, -6
    expect(sums(await scores("taylor1"))).toEqual([1, -10, 7]);
  });

  test("taylor2: plus half the mean of o^2 d2E/do2, exact here", async () => {
    expect(sums(await scores("taylor2"))).toEqual([5 - ERROR, 3 - ERROR, 15 - ERROR]);
  });

  test("taylor-abs: mean over samples of |o dE/do|", async () => {
    expect(rounded(await scores("taylor-abs"))).toEqual(rounded([1, 10 / 3, 7 / 3]));
  });

  test("fisher: half the mean over samples of (o dE/do)^2", async () => {
    expect(rounded(await scores("fisher"))).toEqual(rounded([5 / 6, 68 / 6, 37 / 6]));
  });

  test("magnitude: length of the unit's weights", async () => {
    expect(rounded(await scores("magnitude"))).toEqual(rounded([1, Math.SQRT2, 2]));
  });

  test("activation: mean |o|", async () => {
    expect(rounded(await scores("activation"))).toEqual(rounded([2 / 3, 1, 8 / 3]));
  });

  test("apoz: share of outputs that are not 0", async () => {
    expect(rounded(await scores("apoz"))).toEqual(rounded([2 / 3, 2 / 3, 2 / 3]));
  });

  test("random: numbers in [0, 1) from the seed", async () => {
    const first = await scores("random");
    expect(await scores("random")).toEqual(first);
    expect(new Set(first).size).toBe(3);
    expect(first.every((value) => value >= 0 && value < 1)).toBe(true);
  });

  test("after a removal the rest is scored in the network as it is then", async () => {
    // without unit 0: y - t = 0, -1, -3; unit 1: o dE/do = 0, 2, 12; unit 2: 0, -1, -9
    expect(sums(await scores("taylor1", [0])).slice(1)).toEqual([-14, 10]);
    expect(rounded(await scores("activation", [0])).slice(1)).toEqual(rounded([1, 8 / 3]));
    expect(rounded(await scores("magnitude", [0])).slice(1)).toEqual(rounded([Math.SQRT2, 2]));
    // without 0 and 1: y - t = 0, 1, 1; without 0 and 2: 0, -2, -6
    expect(sums(await scores("oracle", [0])).slice(1)).toEqual([1 - ERROR, 20 - ERROR]);
  });
});

test("magnitude adds up all layers that make a unit, and leaves out biases and the layers that read it", async () => {
  const tied = model({
    inputs: { x: ["N", 1] },
    outputs: ["y"],
    initializers: { w1: [[3, 1]], b: [9, 9], w2: [[4, 1]], v: [[7], [7]] },
    nodes: [
      node("Gemm", ["x", "w1", "b"], ["a"]),
      node("MatMul", ["x", "w2"], ["c"]),
      node("Add", ["a", "c"], ["h"]),
      node("MatMul", ["h", "v"], ["y"]),
    ],
  });
  const prunable = await prepared(tied);
  const state = stateOf(prunable, removal(prunable, []));
  const own = await criterionOf("magnitude").score({ ...(await context()), prunable, state });
  expect(rounded(Array.from(own))).toEqual(rounded([5, Math.SQRT2]));
});

describe("thresholding", () => {
  const ten: Criterion = {
    name: "ten",
    inErrorUnits: true,
    needsData: false,
    score: () => Float64Array.from([0, 1, 2, 1, 0, 1, 2, 1, 2, 100]),
  };
  const left = Array.from({ length: 10 }, (_, i) => i);
  const scored = async (by: "mean" | "median", units: readonly number[]) =>
    Array.from(await thresholded(ten, by).score({ left: units } as unknown as ScoringContext));

  test("outliers are replaced by the mean or the median of the ranking", async () => {
    expect(await scored("mean", left)).toEqual([0, 1, 2, 1, 0, 1, 2, 1, 2, 11]);
    expect(await scored("median", left)).toEqual([0, 1, 2, 1, 0, 1, 2, 1, 2, 1]);
  });

  test("only units that are left count", async () => {
    expect(await scored("mean", left.slice(0, 9))).toEqual([0, 1, 2, 1, 0, 1, 2, 1, 2, 100]);
  });

  test("the scores of the criterion itself are not changed", async () => {
    const own = Float64Array.from([0, 0, 0, 0, 0, 0, 0, 9]);
    const criterion = { ...ten, score: () => own };
    const context = { left: left.slice(0, 8) } as unknown as ScoringContext;
    expect((await thresholded(criterion, "mean").score(context))[7]).toBe(9 / 8);
    expect(own[7]).toBe(9);
  });

  test("both Taylor criteria come in both variants", () => {
    for (const name of ["taylor1-mean", "taylor1-median", "taylor2-mean", "taylor2-median"]) {
      expect(criterionOf(name)).toMatchObject({ name, inErrorUnits: true, needsData: true });
    }
  });
});

describe("by name", () => {
  test("every criterion is known by its own name", () => {
    for (const [name, criterion] of Object.entries(criteria)) expect(criterion.name).toBe(name);
  });

  test("an unknown name lists what there is", () => {
    expect(() => criterionOf("taylor3")).toThrow('criterion "taylor3": unknown, expected one of oracle, taylor1');
    expect(() => criterionOf("toString")).toThrow("unknown");
  });
});

test("a criterion of the user's own decides", async () => {
  const prunable = await prepared(toy);
  const seen: number[][] = [];
  const last: Criterion = {
    name: "last first",
    inErrorUnits: false,
    needsData: false,
    score: ({ left, prunable: { units } }) => {
      seen.push([...left]);
      return Float64Array.from({ length: units.count }, (_, unit) => units.count - unit);
    },
  };
  expect(criterionOf(last)).toBe(last);
  const chosen = await choose(prunable, undefined, { criterion: last, budget: { remove: { count: 2 } } });
  expect(chosen.trace.map(({ unit }) => unit)).toEqual([2, 1]);
  expect(chosen.trace[0]).not.toHaveProperty("predicted");
  expect(seen).toEqual([
    [0, 1, 2],
    [0, 1],
  ]);
});
