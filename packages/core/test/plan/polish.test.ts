/** Polish: swaps that lower the measured error, and nothing else. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import type { Criterion } from "../../src/criteria/criterion.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { Oracle } from "../../src/measure/oracle.ts";
import { QualityMeter } from "../../src/measure/quality.ts";
import { stateOf } from "../../src/measure/state.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { parsePlan } from "../../src/plan/plan.ts";
import { type PruneOptions, type PruneResult, prune } from "../../src/prune.ts";
import { dataset, errorWithout, prepared, removal, runner } from "../helpers.ts";
import { buildImage, imageNetwork, SIDE } from "../property/image-networks.ts";
import { build } from "../property/networks.ts";
import { model, node, random } from "../support/build.ts";
import { matchErrors, rowsOf } from "../support/objectives.ts";
import { evaluate } from "../support/reference.ts";

const layer = { form: "Gemm", normalize: false, skip: false, branches: [], move: "nothing" } as const;
const { model: dense } = build({
  seed: 5,
  opset: 17,
  inputs: 4,
  layers: [
    { ...layer, width: 7, activation: "Tanh" },
    { ...layer, width: 6, activation: "Relu" },
  ],
  outputs: 3,
  end: "linear",
});
const file = writeModel(dense);
const r = random(2);
/** Samples of the data: errors are held to each other as sums over these. */
const SAMPLES = 60;
const summed = (error: number | undefined): number => SAMPLES * (error ?? Number.NaN);

const data: Dataset = dataset({ x: r.tensor([SAMPLES, 4]) });
const run = (options: Partial<PruneOptions>, of: Uint8Array = file): Promise<PruneResult> =>
  prune(of, { runner, data, objective: "match", polish: true, budget: { remove: { count: 6 } }, ...options });

/** What `match` says of a file with columns of their own, summed over the samples. */
function errorOf(bytes: Uint8Array, original: typeof dense, { inputs }: Dataset): number {
  const outputs = (of: typeof dense): number[][] =>
    rowsOf((evaluate(of, { x: inputs.x as Tensor }).y as Tensor).numbers, SAMPLES);
  const errors = matchErrors(outputs(readModel(bytes)), outputs(original), (column) => column);
  return errors.reduce((sum, error) => sum + error, 0);
}

/** Units of the original model that are gone: by the trace with its swaps, and by the plan. */
const ofTrace = ({ summary }: PruneResult): string[] =>
  summary.removed.map(({ group, unit, instead = unit }) => `${group}:${instead}`).sort();
const ofPlan = ({ plan }: PruneResult): string[] =>
  Object.entries(plan.removed)
    .flatMap(([group, units]) => units.map((unit) => `${group}:${unit}`))
    .sort();

test("after a limit that was broken, the error that polish reports is that of the file", async () => {
  const stage = { structure: "convolution", activation: "Relu" } as const;
  const image = buildImage({ seed: 4, opset: 17, channels: 12, stages: [stage, stage], end: "pool" });
  const images = dataset({ x: r.tensor([40, 2, SIDE, SIDE]) });
  for (const criterion of ["oracle", "taylor1"]) {
    const budget = { maxErrorRise: 0.5 };
    const all = { data: images, criterion, budget, objective: "sse", minKeep: 2 } as const;
    const targets = r.tensor([40, 3]);
    const { bytes, summary } = await run({ ...all, data: { ...images, targets } }, writeModel(image));
    const outputs = evaluate(readModel(bytes), { x: images.inputs.x as Tensor }).y as Tensor;
    const error = Array.from(outputs.numbers).reduce(
      (sum, y, i) => sum + (y - (targets.numbers[i] as number)) ** 2 / 2,
      0,
    );
    expect(summary.removed.length).toBeGreaterThan(2);
    expect(40 * summary.after.error).toBeCloseTo(error, 2);
    if (summary.polish) expect(40 * summary.polish.errorAfter).toBeCloseTo(error, 2);
  }
});

describe("the error falls or stays", () => {
  test.each<[string, Partial<PruneOptions>]>([
    ["oracle", {}],
    ["oracle", { oracle: "lazy", align: 2 }],
    ["oracle", { oracle: "racing", racing: { shortlist: 0.5 } }],
    ["taylor2", { schedule: "once" }],
    ["random", {}],
    ["oracle", { compensate: "lstsq" }],
    ["obs", { compensate: "lstsq", budget: { targetMacs: 0.6 } }],
    ["magnitude", { compensate: "mean" }],
  ])("%s, %j", async (criterion, options) => {
    const [plain, polished] = [
      await run({ criterion, ...options, polish: false }),
      await run({ criterion, ...options }),
    ];
    const { polish, after, removed } = polished.summary;
    const loop = plain.summary.after;
    expect(polish?.errorAfter).toBeLessThanOrEqual((polish?.errorBefore ?? Number.NaN) * (1 + 1e-6));
    if (options.compensate !== "lstsq") {
      // with it a last fit of all consumers together comes behind, with or without polish
      expect(summed(polish?.errorBefore)).toBeCloseTo(summed(loop.error), 4);
      expect(summed(after.error)).toBeCloseTo(summed(polish?.errorAfter), 4);
    }
    expect(summed(after.error)).toBeCloseTo(errorOf(polished.bytes, dense, data), 3);
    expect(after).toMatchObject({ units: loop.units, parameters: loop.parameters, macs: loop.macs });
    expect(removed.map(({ unit }) => unit)).toEqual(plain.summary.removed.map(({ unit }) => unit));
    expect(ofTrace(polished)).toEqual(ofPlan(polished));
    expect(polished.plan.polished ?? false).toBe((polish?.swaps ?? 0) > 0);
    const again = await applyPlan(file, parsePlan(JSON.stringify(polished.plan)), { runner, data });
    expect(errorOf(again.bytes, dense, data)).toBeCloseTo(summed(after.error), 3);
    if (!options.compensate) expect(again.bytes).toEqual(polished.bytes);
  });
});

/** Four hidden units of very different weight, of which `random` takes two. */
const planted = model({
  inputs: { x: ["N", 4] },
  outputs: ["y"],
  initializers: {
    w: tensorOf(
      "float32",
      Float32Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0)),
      [4, 4],
    ),
    v: tensorOf("float32", Float32Array.from([8, 4, 2, 1].flatMap((weight) => [weight, -weight])), [4, 2]),
  },
  nodes: [node("MatMul", ["x", "w"], ["s"]), node("Sigmoid", ["s"], ["h"]), node("MatMul", ["h", "v"], ["y"])],
});

test("a bad choice is put right", async () => {
  const falls: number[] = [];
  for (const seed of [0, 1, 2, 3, 4, 5]) {
    const options = { criterion: "random", seed, budget: { remove: { count: 2 } } };
    const { polish } = (await run(options, writeModel(planted))).summary;
    const { swaps = 0, errorBefore = 0, errorAfter = 0 } = polish ?? {};
    if (swaps > 0) expect(errorAfter).toBeLessThan(0.999 * errorBefore);
    else expect(errorAfter).toBe(errorBefore);
    falls.push(errorBefore - errorAfter);
  }
  expect(Math.max(...falls)).toBeGreaterThan(0);
  // the heaviest first, and of the others again the heaviest: the two that went do not both stay gone
  const heaviest: Criterion = {
    name: "heaviest",
    inErrorUnits: false,
    needsData: false,
    score: () => Float64Array.from([0, 1, 2, 3]),
  };
  const { summary, plan } = await run({ criterion: heaviest, budget: { remove: { count: 2 } } }, writeModel(planted));
  expect(summary.removed.map(({ unit, instead }) => [unit, instead])).toEqual([
    [0, 2],
    [1, undefined],
  ]);
  expect(Object.values(plan.removed)).toEqual([[1, 2]]);
});

test("limits still hold", async () => {
  const labels = Int32Array.from({ length: 60 }, (_, n) => n % 3);
  const budget = { maxAccuracyDrop: 0.1, maxErrorRise: 0.5 };
  const { summary } = await run({ criterion: "random", data: { ...data, labels }, objective: undefined, budget });
  const { before, after } = summary;
  expect((before.accuracy ?? 0) - (after.accuracy ?? 0)).toBeLessThanOrEqual(0.1 + 1e-12);
  expect(after.error).toBeLessThanOrEqual(1.5 * before.error);
});

test("needs data; an interrupted one writes down what it has", async () => {
  const magnitude = { criterion: "magnitude", objective: undefined };
  await expect(run({ ...magnitude, data: undefined })).rejects.toThrow("polish: measures swaps, expected samples");
  const signal = { aborted: false };
  const { summary } = await run({
    criterion: "random",
    signal,
    onProgress: ({ polish }) => {
      signal.aborted = polish?.trials === 2;
    },
  });
  expect(summary).toMatchObject({ stopped: "interrupted", polish: { trials: 2, settled: false } });
});

test("units may come back: kept activations and the loops are those of the stage (property)", async () => {
  const dense = build({
    seed: 7,
    opset: 17,
    inputs: 4,
    layers: [5, 6, 4].map((width) => ({ ...layer, width, activation: "Sigmoid" as const })),
    outputs: 3,
    end: "linear",
  }).model;
  const cases = fc.record({
    original: fc.oneof(fc.constant(dense), imageNetwork({ stages: 2 }).map(buildImage)),
    stages: fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 }), {
      minLength: 2,
      maxLength: 4,
    }),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ original, stages }) => {
      const x = original === dense ? [9, 4] : [9, 2, SIDE, SIDE];
      const prunable = await prepared(original);
      const { count, groups } = prunable.units;
      fc.pre(count > 0);
      // given targets: `match` divides by how much the outputs vary, which may be no more than they are rounded
      const samples = dataset({ x: random(3).tensor(x) }, { targets: random(4).tensor([9, 3]) });
      const evaluator = await createEvaluator(prunable, runner, samples, { objective: "sse" });
      const close = (measured: number, error: number): void => {
        expect(Math.abs(measured - error)).toBeLessThanOrEqual(2e-5 * Math.max(error, 0.05));
      };
      const meter = await QualityMeter.of(evaluator, stateOf(prunable, new Uint8Array(count)));
      const oracle = new Oracle(evaluator, meter.activations, { suffix: meter.suffix });
      for (const shares of stages) {
        const wanted = shares.map((share) => Math.min(count - 1, Math.floor(share * count)));
        // the first unit of each group stays
        const removed = removal(
          prunable,
          wanted.filter((unit) => !groups.some(({ first }) => first === unit)),
        );
        meter.activations.advance(stateOf(prunable, removed));
        const expected = await errorWithout(evaluator, removed);
        close((await meter.measure()).quality.error, expected);
        const candidate = groups.find(({ size }) => size > 1)?.first;
        if (candidate === undefined) continue;
        const without = removed.slice();
        without[candidate] = 1;
        const last = groups.find(({ first }) => first === candidate) as (typeof groups)[number];
        const isEmpty = without.subarray(last.first, last.first + last.size).every(Boolean);
        if (isEmpty) continue;
        const errors = await oracle.errorsWithout([candidate]);
        close(errors.get(candidate) as number, await errorWithout(evaluator, without));
      }
      await meter.release();
    }),
    { numRuns: 15 },
  );
});
