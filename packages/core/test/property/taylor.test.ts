/**
 * The Taylor terms on random networks, in float64 by the reference evaluator: the gradient against finite differences of
 * the error in each unit's gain, the curvature against second differences where the diagonal is exact, and elsewhere against
 * the paper's recursion written down as plain loops.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { GAINS, gainsTensor, gateModel } from "../../src/derive/gate.ts";
import type { Model } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import type { RemovedUnits } from "../../src/surgery/kept.ts";
import { prepare } from "../../src/units/prepare.ts";
import { allFeeds, dataset, onlyTerm, removal } from "../helpers.ts";
import { random } from "../support/build.ts";
import { crossEntropyError, matchErrors, rowsOf, sseError } from "../support/objectives.ts";
import { evaluate } from "../support/reference.ts";
import { referenceRunner } from "../support/reference-runner.ts";
import { build, chain, type Network, network, type Recipe } from "./networks.ts";

const exact = referenceRunner();
const SAMPLES = 5;
const objectives = fc.constantFrom("sse", "cross-entropy", "match");

test("the gradient is the derivative of the error in the unit's gain, for every structure", async () => {
  await fc.assert(
    fc.asyncProperty(network, objectives, fc.boolean(), async (recipe, objective, pruned) => {
      const net = build(recipe, "float64");
      const data = samples(recipe);
      fc.pre(distanceToKinks(net, data) > 1e-4);
      const evaluator = await createEvaluator(await prepare(net.model, exact), exact, data, { objective });
      const removed = removal(evaluator.prunable, pruned ? firstOfEach(evaluator) : []);
      fc.pre(distanceToKinks(net, data, evaluator, removed) > 1e-4);
      const { gradient } = await taylorTerms(evaluator, stateOf(evaluator.prunable, removed), { second: false });
      const h = 1e-6; // moves no activation over a kink; rounding is about 1e-10 of the error
      gradient.forEach((value, unit) => {
        const across = (step: number): number =>
          gainError(evaluator, removed, unit, 1 + step) - gainError(evaluator, removed, unit, 1 - step);
        // of fourth order: behind a normalisation third derivatives are as large as 1e5
        const numeric = removed[unit] ? 0 : (8 * across(h) - across(2 * h)) / (12 * h);
        const scale = 1 + Math.abs(numeric) + gainError(evaluator, removed, unit, 1);
        expect(Math.abs(value * SAMPLES - numeric) / scale, `unit ${unit}`).toBeLessThan(1e-8);
      });
    }),
    { numRuns: 40 },
  );
});

test("the curvature is the second derivative in the gain where one hidden layer makes the diagonal exact", async () => {
  await fc.assert(
    fc.asyncProperty(chain({ min: 1, max: 1 }), fc.constantFrom("sse", "match"), async (recipe, objective) => {
      const data = samples(recipe);
      const evaluator = await createEvaluator(await prepare(build(recipe, "float64").model, exact), exact, data, {
        objective,
      });
      const intact = removal(evaluator.prunable, []);
      const { curvature } = await taylorTerms(evaluator, stateOf(evaluator.prunable, intact), { second: true });
      const h = 2e-3; // fourth order: truncation and rounding stay below 1e-9 of the error
      curvature.forEach((value, unit) => {
        const [ll, l, m, u, uu] = [-2, -1, 0, 1, 2].map((steps) =>
          gainError(evaluator, intact, unit, 1 + steps * h),
        ) as [number, number, number, number, number];
        const numeric = (-ll + 16 * l - 30 * m + 16 * u - uu) / (12 * h * h);
        const sum = value * SAMPLES;
        expect(Math.abs(sum - numeric) / (1 + m + Math.abs(numeric)), `unit ${unit}`).toBeLessThan(1e-7);
      });
    }),
    { numRuns: 40 },
  );
});

test("gradient and curvature are the paper's recursion where hidden layers follow each other", async () => {
  await fc.assert(
    fc.asyncProperty(chain({ min: 2, max: 4 }), async (recipe) => {
      const net = build(recipe, "float64");
      const data = samples(recipe);
      const evaluator = await createEvaluator(await prepare(net.model, exact), exact, data, { objective: "sse" });
      const { gradient, curvature } = await taylorTerms(
        evaluator,
        stateOf(evaluator.prunable, removal(evaluator.prunable, [])),
        { second: true },
      );
      const expected = paperTerms(net, data, onlyTerm(evaluator).bound.targets);
      expect(gradient.length).toBe(expected.length);
      expected.forEach((terms, unit) => {
        expect(Math.abs(SAMPLES * (gradient[unit] as number) - terms.gradient)).toBeLessThan(
          1e-10 * (1 + Math.abs(terms.gradient)),
        );
        expect(Math.abs(SAMPLES * (curvature[unit] as number) - terms.curvature)).toBeLessThan(
          1e-10 * (1 + Math.abs(terms.curvature)),
        );
      });
    }),
    { numRuns: 40 },
  );
});

test("absolute and squared terms are taken sample by sample", async () => {
  await fc.assert(
    fc.asyncProperty(chain({ min: 1, max: 3 }), async (recipe) => {
      const net = build(recipe, "float64");
      const data = samples(recipe);
      const evaluator = await createEvaluator(await prepare(net.model, exact), exact, data, { objective: "sse" });
      const terms = await taylorTerms(evaluator, stateOf(evaluator.prunable, removal(evaluator.prunable, [])), {
        second: false,
      });
      paperTerms(net, data, onlyTerm(evaluator).bound.targets).forEach(({ perSample }, unit) => {
        const sums = (f: (value: number) => number): number => perSample.reduce((sum, value) => sum + f(value), 0);
        expect(SAMPLES * (terms.absolute[unit] as number)).toBeCloseTo(sums(Math.abs), 9);
        expect(SAMPLES * (terms.squared[unit] as number)).toBeCloseTo(
          sums((value) => value * value),
          9,
        );
      });
    }),
    { numRuns: 20 },
  );
});

function samples(recipe: Recipe): Dataset {
  const r = random(recipe.seed + 2);
  const x = r.tensor([SAMPLES, recipe.inputs], 1, "float64");
  return dataset({ x }, { labels: Int32Array.from({ length: SAMPLES }, () => r.int(recipe.outputs)) });
}

/** Error, summed over the samples, of the model with one unit's gain set and the removed ones' at 0, evaluated as a whole. */
function gainError(evaluator: Evaluator, removed: RemovedUnits, unit: number, gain: number): number {
  const { prunable } = evaluator;
  const { value } = onlyTerm(evaluator);
  const gains = Float64Array.from(removed, (gone) => 1 - gone);
  gains[unit] = gain;
  const gated = gateModel(prunable.model, prunable.shapes, prunable.units).model;
  const feeds = { ...allFeeds(evaluator), [GAINS]: gainsTensor(gains, prunable.units.count, "float64") };
  const { [value]: output } = evaluate(gated, feeds, [value]);
  return errorOf(evaluator, (output as Tensor).numbers);
}

/** The objectives as the documentation states them. */
function errorOf(evaluator: Evaluator, outputs: ArrayLike<number>): number {
  const { objective, bound, info } = onlyTerm(evaluator);
  const [rows, targets] = [rowsOf(outputs, SAMPLES), rowsOf(bound.targets.numbers, SAMPLES)];
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  if (objective.name === "match") {
    // outputs between fixed limits are of one kind, others each of their own
    const isLinear = info.lastOperator === "Identity" || info.lastOperator === "Gemm";
    return sum(matchErrors(rows, targets, isLinear ? (element) => element : undefined));
  }
  const error = objective.name === "sse" ? sseError : crossEntropyError;
  return sum(rows.map((row, n) => error(row, targets[n] as number[])));
}

/** Unit 0 of every group with more than one. */
function firstOfEach({ prunable }: Evaluator): number[] {
  return prunable.units.groups.filter(({ size }) => size > 1).map(({ first }) => first);
}

/** How near the inputs of piecewise activations come to a kink. */
function distanceToKinks(
  { model, kinked }: Network,
  data: Dataset,
  evaluator?: Evaluator,
  removed?: RemovedUnits,
): number {
  if (kinked.length === 0) return 1;
  const gated =
    evaluator && gateModel(evaluator.prunable.model, evaluator.prunable.shapes, evaluator.prunable.units).model;
  const gains = removed && {
    [GAINS]: gainsTensor(
      Float64Array.from(removed, (gone) => 1 - gone),
      removed.length,
      "float64",
    ),
  };
  const values = evaluate(
    gated ?? (model as Model),
    { ...data.inputs, ...gains },
    kinked.map(({ value }) => value),
  );
  let distance = 1;
  for (const { value, at } of kinked) {
    for (const x of Array.from((values[value] as Tensor).numbers)) {
      for (const kink of at) distance = Math.min(distance, Math.abs(x - kink));
    }
  }
  return distance;
}

interface PaperTerms {
  gradient: number;
  curvature: number;
  perSample: number[];
}

/**
 * Wolfe et al. 2017, section on second-order back-propagation, one sample and one unit at a time. Output layer:
 * dE/do = o - t, d2E/do2 = 1. Through an activation: dE/dx = dE/do f', d2E/dx2 = d2E/do2 f'^2 + dE/do f''. Through
 * weights: dE/do_j = sum_i dE/dx_i w_ji, d2E/do_j2 = sum_i d2E/dx_i2 w_ji^2.
 */
function paperTerms({ dense }: Network, data: Dataset, targets: Tensor): PaperTerms[] {
  const terms: PaperTerms[] = [];
  const x = data.inputs.x as Tensor;
  const [size, width] = x.dims as [number, number];
  for (let n = 0; n < size; n++) {
    const outputs: number[][] = [Array.from({ length: width }, (_, i) => x.numbers[n * width + i] as number)];
    for (const { weights, bias, activation } of dense) {
      const from = outputs.at(-1) as number[];
      const [, to] = weights.dims as [number, number];
      const o: number[] = [];
      for (let i = 0; i < to; i++) {
        let sum = bias.numbers[i] as number;
        for (let j = 0; j < from.length; j++) sum += (from[j] as number) * (weights.numbers[j * to + i] as number);
        o.push(activation === "Tanh" ? Math.tanh(sum) : activation === "linear" ? sum : 1 / (1 + Math.exp(-sum)));
      }
      outputs.push(o);
    }
    const last = outputs.at(-1) as number[];
    let dEdo = last.map((o, i) => o - (targets.numbers[n * last.length + i] as number));
    let d2Edo2 = last.map(() => 1);
    let firstUnit = outputs.slice(1, -1).reduce((sum, o) => sum + o.length, 0);
    for (let m = dense.length - 1; m >= 1; m--) {
      const { weights, activation } = dense[m] as Network["dense"][number];
      const o = outputs[m + 1] as number[];
      const dEdx: number[] = [];
      const d2Edx2: number[] = [];
      o.forEach((value, i) => {
        const [f1, f2] = slopes(activation, value);
        dEdx.push((dEdo[i] as number) * f1);
        d2Edx2.push((d2Edo2[i] as number) * f1 * f1 + (dEdo[i] as number) * f2);
      });
      const below = outputs[m] as number[];
      dEdo = below.map((_, j) =>
        dEdx.reduce((sum, d, i) => sum + d * (weights.numbers[j * o.length + i] as number), 0),
      );
      d2Edo2 = below.map((_, j) =>
        d2Edx2.reduce((sum, d, i) => sum + d * (weights.numbers[j * o.length + i] as number) ** 2, 0),
      );
      firstUnit -= below.length;
      below.forEach((output, j) => {
        terms[firstUnit + j] ??= { gradient: 0, curvature: 0, perSample: [] };
        const unit = terms[firstUnit + j] as PaperTerms;
        const gradient = output * (dEdo[j] as number);
        unit.gradient += gradient;
        unit.curvature += output * output * (d2Edo2[j] as number);
        unit.perSample.push(gradient);
      });
    }
  }
  return terms;
}

/** f' and f'' of an activation in terms of its output. */
function slopes(activation: string, o: number): [number, number] {
  if (activation === "linear") return [1, 0];
  if (activation === "Tanh") return [1 - o * o, -2 * o * (1 - o * o)];
  return [o * (1 - o), o * (1 - o) * (1 - 2 * o)];
}
