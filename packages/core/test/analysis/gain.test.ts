import { expect, test } from "vitest";
import { gainCurves, parseUnit } from "../../src/analysis/gain.ts";
import { GAINS, gainsTensor, gateModel } from "../../src/derive/gate.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import type { GainCurve } from "../../src/results.ts";
import type { RemovedUnits } from "../../src/surgery/kept.ts";
import { dataset, errorWithout, oracleErrors, prepared, removal, runner } from "../helpers.ts";
import { build } from "../property/networks.ts";
import { random } from "../support/build.ts";

const layer = { form: "Gemm", normalize: false, skip: true, branches: [2], move: "nothing" } as const;
const { model } = build({
  seed: 3,
  opset: 17,
  inputs: 3,
  layers: [
    { ...layer, width: 4, activation: "Tanh" },
    { ...layer, width: 3, activation: "Sigmoid" },
  ],
  outputs: 3,
  end: "softmax",
});
const r = random(8);
const data = dataset({ x: r.tensor([40, 3]) }, { labels: Int32Array.from({ length: 40 }, () => r.int(3)) });

/** Sums of 40 float32 errors in another order. */
const close = (a: number | undefined, b: number | undefined): void => {
  expect(Math.abs((a as number) - (b as number)) / Math.abs(b as number)).toBeLessThan(1e-5);
};

async function curvesOf(gone: readonly number[] = []) {
  const prunable = await prepared(model);
  const evaluator = await createEvaluator(prunable, runner, data);
  const removed = removal(prunable, gone);
  const units = Array.from({ length: prunable.units.count }, (_, unit) => unit).filter((unit) => !removed[unit]);
  const curves = await gainCurves(evaluator, { units, gains: [0, 0.5, 1, 2], removed });
  return { prunable, evaluator, removed, units, curves };
}

test.each([[[]], [[1, 5]]])(
  "at gain 1 the curve is at the baseline, at gain 0 at the oracle (without %j)",
  async (gone) => {
    const { evaluator, removed, units, curves } = await curvesOf(gone);
    const baseline = await errorWithout(evaluator, removed);
    const errors = await oracleErrors(evaluator, [removed], units);
    expect(curves).toHaveLength(units.length);
    curves.forEach(({ points, baseline: own, removed: off }, i) => {
      close(own, baseline);
      close(points.find(({ gain }) => gain === 1)?.error, baseline);
      close(points.find(({ gain }) => gain === 0)?.error, errors.get(units[i] as number));
      close(off, errors.get(units[i] as number));
      expect(new Set(points.map(({ error }) => error)).size).toBeGreaterThan(2);
    });
  },
);

test("tangent and parabola are the two Taylor estimates of the error without the unit", async () => {
  const { prunable, evaluator, removed, curves } = await curvesOf();
  const { gradient, curvature } = await taylorTerms(evaluator, stateOf(prunable, removed), { second: true });
  curves.forEach(({ tangent, parabola, baseline }: GainCurve, unit) => {
    close(tangent, baseline - (gradient[unit] as number));
    close(parabola, baseline - (gradient[unit] as number) + (curvature[unit] as number) / 2);
  });
});

test("progress counts every point", async () => {
  const prunable = await prepared(model);
  const evaluator = await createEvaluator(prunable, runner, data);
  const seen: [number, number][] = [];
  await gainCurves(evaluator, { units: [0, 1], gains: [0, 1], onProgress: (done, of) => seen.push([done, of]) });
  expect(seen).toEqual([
    [1, 4],
    [2, 4],
    [3, 4],
    [4, 4],
  ]);
});

test("a unit is named by group and index", async () => {
  const { units } = await prepared(model);
  const [first, second] = units.groups;
  expect(parseUnit(`${first?.id}:1`, units)).toBe(1);
  expect(parseUnit(`${second?.id}:0`, units)).toBe(second?.first);
  for (const wrong of [
    "0",
    `${first?.id}:99`,
    `${first?.id}:-1`,
    `${first?.id}:x`,
    `${first?.id}:0.5`,
    "none:0",
    ":0",
  ]) {
    expect(() => parseUnit(wrong, units), wrong).toThrow(`unit "${wrong}": not in this model, expected GROUP:INDEX of`);
  }
  expect(() => parseUnit(`${first?.id}:`, units)).toThrow("not in this model");
});

test("the dense loops and whole passes of the gated model give the same curve, units gone or not", async () => {
  const plain = { ...layer, skip: false, branches: [] } as const;
  const { model: chain } = build({
    seed: 5,
    opset: 17,
    inputs: 3,
    layers: [
      { ...plain, width: 6, activation: "Sigmoid" },
      { ...plain, width: 5, activation: "Sigmoid" },
    ],
    outputs: 3,
    end: "softmax",
  });
  const prunable = await prepared(chain);
  const evaluator = await createEvaluator(prunable, runner, data);
  const removed = removal(prunable, [1, 8]);
  const gains = [0, 0.3, 1, 2.5, 10];
  const [first, second] = await gainCurves(evaluator, { units: [0, 9], gains, removed });
  for (const [unit, curve] of [
    [0, first],
    [9, second],
  ] as const) {
    for (const { gain, error } of curve?.points ?? []) close(error, await gatedError(evaluator, removed, unit, gain));
  }
  expect(first?.points.map(({ gain }) => gain)).toEqual(gains);
});

/** The error of the gated model with the gains written into the file, all of it run by the runtime. */
async function gatedError(evaluator: Evaluator, removed: RemovedUnits, unit: number, gain: number): Promise<number> {
  const { model: original, shapes, units } = evaluator.prunable;
  const gated = gateModel(original, shapes, units).model;
  const gains = gainsTensor(
    Float64Array.from(removed, (gone, other) => (other === unit ? gain : 1 - gone)),
    units.count,
  );
  const initializers = new Map([...gated.graph.initializers, [GAINS, gains]]);
  const graph = gated.graph.with({ initializers, inputs: gated.graph.inputs.filter(({ name }) => name !== GAINS) });
  return (await evaluator.evaluate({ ...gated, graph })).quality.error;
}
