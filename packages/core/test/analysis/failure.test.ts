import fc from "fast-check";
import { expect, test } from "vitest";
import { curvaturesOf } from "../../src/analysis/curvatures.ts";
import { failureSizes, splitFailure } from "../../src/analysis/failure.ts";
import { gainCurves } from "../../src/analysis/gain.ts";
import { unitCosts } from "../../src/analysis/unit-costs.ts";
import { Activations } from "../../src/measure/activations.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { prepare } from "../../src/units/prepare.ts";
import { dataset, oracleErrors, removal } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { referenceRunner } from "../support/reference-runner.ts";
import { errorAt, logistic, subjectFor } from "./networks.ts";

const name = { group: "fc1", unit: 0, layer: "fc1" };

test("measured = taylor2 + diagonal + truncation", () => {
  const number = fc.double({ min: -1e3, max: 1e3, noNaN: true });
  fc.assert(
    fc.property(number, number, number, number, (measured, gradient, curvature, exactCurvature) => {
      const { taylor2, diagonal, truncation } = splitFailure(name, { measured, gradient, curvature, exactCurvature });
      expect(taylor2 + diagonal + truncation).toBeCloseTo(measured, 9);
    }),
  );
});

test("a parabola has no truncation, and the exact curvature no diagonal", () => {
  // E(alpha) = 3 + 2 (alpha - 1) + 5 (alpha - 1)^2
  const facts = { measured: -2 + 5, gradient: 2, curvature: 10, exactCurvature: 10 };
  expect(splitFailure(name, facts)).toMatchObject({ taylor1: -2, taylor2: 3, diagonal: 0, truncation: 0 });
  expect(splitFailure(name, { ...facts, curvature: 4 })).toMatchObject({ taylor2: 0, diagonal: 3, truncation: 0 });
});

test("sizes are sums of absolute values", () => {
  const costs = [
    { ...name, measured: -1, taylor1: 0, taylor2: 1, diagonal: -3, truncation: 1 },
    { ...name, measured: 2, taylor1: 0, taylor2: 1, diagonal: 0.5, truncation: 0.5 },
  ];
  expect(failureSizes(costs)).toEqual({ units: 2, measured: 3, failure: 3, truncation: 1.5, diagonal: 3.5 });
});

/** First and second derivative of f at 1 by differences of fourth order, in double precision. */
function derivatives(f: (gain: number) => number): { gradient: number; curvature: number } {
  const h = 1e-3;
  const [a, b, c, d, e] = [-2, -1, 0, 1, 2].map((k) => f(1 + k * h)) as [number, number, number, number, number];
  return {
    gradient: (a - 8 * b + 8 * d - e) / (12 * h),
    curvature: (-a + 16 * b - 30 * c + 16 * d - e) / (12 * h * h),
  };
}

test.each([
  { widths: [5, 6, 3], gone: [2], exact: true },
  { widths: [5, 6, 4, 3], gone: [1, 7], exact: false },
])("the split of $widths agrees with plain loops in double precision", async ({ widths, gone, exact }) => {
  const dense = logistic(widths);
  const evaluator = await subjectFor(dense);
  const removed = removal(evaluator.prunable, gone);
  const left = Array.from(removed.keys()).filter((unit) => !removed[unit]);
  const gains = Array.from(removed, (one) => 1 - one);
  const at = (unit: number, gain: number): number => errorAt(dense, gains.with(unit, gain)); // a sum over samples
  const { size } = evaluator.samples;
  const errors = await oracleErrors(evaluator, [removed], left);
  const measured = Array.from(
    removed,
    (_, unit) => (errors.get(unit) ?? Number.NaN) - at(unit, gains[unit] as number) / size,
  );
  const state = stateOf(evaluator.prunable, removed);
  const means = await unitCosts(evaluator, state, left, measured);
  const costs = means.map(({ measured: own, taylor1, truncation, diagonal }) => ({
    measured: own * size,
    taylor1: taylor1 * size,
    truncation: truncation * size,
    diagonal: diagonal * size,
  }));
  const { curvature } = await taylorTerms(evaluator, state, { second: true });
  left.forEach((unit, i) => {
    const cost = costs[i] as (typeof costs)[number];
    const truth = derivatives((gain) => at(unit, gain));
    const whole = at(unit, 0) - at(unit, 1);
    expect(cost.measured).toBeCloseTo(whole, 9);
    expect(cost.taylor1).toBeCloseTo(-truth.gradient, 6);
    const tolerance = 1e-4 * Math.abs(truth.curvature) + 1e-5;
    expect(Math.abs(cost.truncation - (whole + truth.gradient - truth.curvature / 2))).toBeLessThan(tolerance);
    expect(Math.abs(cost.diagonal - (truth.curvature - size * (curvature[unit] as number)) / 2)).toBeLessThan(
      tolerance,
    );
    if (exact) expect(Math.abs(cost.diagonal)).toBeLessThan(1e-4);
  });
  expect(costs.some(({ diagonal }) => Math.abs(diagonal) > 1e-3)).toBe(!exact);
});

test("bends of channels that feed two readers are those of their gain curves", async () => {
  const r = random(3);
  const type = "float64";
  const built = model({
    type,
    inputs: { x: ["N", 2, 5, 5] },
    outputs: ["y"],
    initializers: {
      k1: r.tensor([4, 2, 3, 3], 0.5, type),
      k2: r.tensor([3, 4, 3, 3], 0.4, type),
      k3: r.tensor([3, 4, 3, 3], 0.4, type),
      w: r.tensor([3, 2], 1, type),
    },
    nodes: [
      node("Conv", ["x", "k1"], ["c1"]),
      node("Sigmoid", ["c1"], ["a1"]),
      node("Conv", ["a1", "k2"], ["c2"]),
      node("Conv", ["a1", "k3"], ["c3"]),
      node("Mul", ["c2", "c3"], ["m"]),
      node("Tanh", ["m"], ["a2"]),
      node("ReduceMean", ["a2"], ["p"], { axes: [2, 3], keepdims: 0 }),
      node("MatMul", ["p", "w"], ["y"]),
    ],
  });
  const runner = referenceRunner();
  const x = r.tensor([6, 2, 5, 5], 1, type);
  const evaluator = await createEvaluator(
    await prepare(built, runner),
    runner,
    dataset({ x }, { targets: r.tensor([6, 2], 1, type) }),
    { objective: "sse" },
  );
  const state = stateOf(evaluator.prunable, removal(evaluator.prunable, []));
  const units = [0, 3, 5];
  const bends = await curvaturesOf(evaluator, new Activations(evaluator, state), units, 0.01);
  const h = 0.01;
  const curves = await gainCurves(evaluator, { units, gains: [-2, -1, 0, 1, 2].map((k) => 1 + k * h) });
  curves.forEach(({ points }, i) => {
    const [a, b, c, d, e] = points.map(({ error }) => error) as [number, number, number, number, number];
    const curvature = (-a + 16 * b - 30 * c + 16 * d - e) / (12 * h * h);
    const { size } = evaluator.samples;
    expect(size * (bends.get(units[i] as number) as number)).toBeCloseTo(size * curvature, 6);
    expect(size * Math.abs(curvature)).toBeGreaterThan(1e-4);
  });
});
