/** The path as one call. */
import { describe, expect, test } from "vitest";
import { applyPlan } from "../src/apply.ts";
import { compare } from "../src/compare.ts";
import { type Tensor, tensorOf } from "../src/graph/tensor.ts";
import type { CostEstimate } from "../src/measure/cost.ts";
import { readModel, writeModel } from "../src/onnx/index.ts";
import { parsePlan } from "../src/plan/plan.ts";
import { type PruneOptions, prune } from "../src/prune.ts";
import type { Removal } from "../src/results.ts";
import { dataset, runner } from "./helpers.ts";
import { buildImage, SIDE } from "./property/image-networks.ts";
import { build } from "./property/networks.ts";
import { model, node, random } from "./support/build.ts";
import { evaluate } from "./support/reference.ts";

const layer = {
  form: "Gemm",
  normalize: false,
  skip: false,
  branches: [],
  move: "nothing",
  activation: "Sigmoid",
} as const;
const network = build({
  seed: 5,
  opset: 17,
  inputs: 4,
  layers: [
    { ...layer, width: 8 },
    { ...layer, width: 6 },
  ],
  outputs: 3,
  end: "softmax",
});
const file = writeModel(network.model);
const r = random(2);
const outputs = (x: Tensor): ArrayLike<number> => (evaluate(network.model, { x }).y as Tensor).numbers;
/** Samples with the classes that the network itself sees in them. */
const samples = (size: number) => {
  const x = r.tensor([size, 4]);
  const y = outputs(x);
  const best = (n: number): number =>
    [0, 1, 2].reduce((a, b) => ((y[3 * n + b] as number) > (y[3 * n + a] as number) ? b : a), 0);
  return dataset({ x }, { labels: Int32Array.from({ length: size }, (_, n) => best(n)) });
};
const [data, held] = [samples(60), samples(20)];
const x = data.inputs.x as Tensor;
const run = (options: Partial<PruneOptions> = {}) => prune(file, { runner, data, ...options });
/** Rows as JSON has them, sums of the same errors in another order made equal. */
const rounded = (rows: readonly Removal[]): Removal[] =>
  JSON.parse(JSON.stringify(rows, (_, value) => (typeof value === "number" ? Number(value.toPrecision(12)) : value)));

describe("prune", () => {
  test("removes what is asked, and says what it did", async () => {
    const seen: number[] = [];
    const { bytes, plan, summary } = await run({
      test: held,
      budget: { remove: { share: 0.5 } },
      onProgress: ({ removed }) => seen.push(removed),
    });
    expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(summary.removed.map(({ step }) => step)).toEqual(seen);
    expect(summary).toMatchObject({ criterion: "oracle", schedule: "rerank", objective: "cross-entropy", seed: 0 });
    expect(summary.before.units - summary.after.units).toBe(7);
    expect(summary.after.bytes).toBe(bytes.byteLength);
    expect(summary.before.bytes).toBe(file.byteLength);
    expect(summary.verified).toBeLessThan(1e-5);
    expect(Object.values(plan.removed).flat()).toHaveLength(7);
    const last = summary.removed.at(-1);
    expect(60 * (last?.error as number)).toBeCloseTo(60 * summary.after.error, 4); // as sums over the samples
    expect(last?.test?.accuracy).toBe(summary.after.test?.accuracy);
    expect(last?.parameters).toBe(summary.after.parameters);
    const stored = [...readModel(bytes).graph.initializers.values()].reduce((sum, { size }) => sum + size, 0);
    expect(summary.after.parameters).toBe(stored);
    expect(summary.layers.reduce((sum, { before, after }) => sum + before - after, 0)).toBe(7);
  });

  test("each removal under oracle costs what was predicted of it", async () => {
    const { summary } = await run({ budget: { remove: { count: 6 } } });
    let error = summary.before.error;
    for (const { predicted, score, error: after } of summary.removed) {
      expect(predicted).toBe(score);
      expect(Math.abs(error + score - after) / after).toBeLessThan(1e-5); // sums of 60 float32 errors
      error = after;
    }
  });

  test("the same from run to run, also for random with the same seed", async () => {
    for (const criterion of ["oracle", "random"]) {
      const [first, second] = [
        await run({ criterion, seed: 3, budget: { remove: { count: 5 } } }),
        await run({ criterion, seed: 3, budget: { remove: { count: 5 } } }),
      ];
      expect(second.bytes).toEqual(first.bytes);
      expect(second.plan).toEqual(first.plan);
    }
  });

  test("once ranks a single time", async () => {
    const { summary } = await run({ schedule: "once", budget: { remove: { count: 5 } } });
    expect(summary.evaluations).toBe(14);
    const scores = summary.removed.map(({ score }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => a - b));
  });

  test("a limit is never broken", async () => {
    const noisy = tensorOf(
      "float32",
      Array.from(outputs(x), (y) => y + 0.1 * r.normal()),
      [60, 3],
    );
    const regression = dataset({ x }, { targets: noisy });
    const rise = (await run({ data: regression, budget: { maxErrorRise: 0.5 } })).summary;
    expect(rise.stopped).toContain("one more removal would raise the error");
    expect(rise.removed.length).toBeGreaterThan(0);
    expect(rise.after.error).toBeLessThanOrEqual(1.5 * rise.before.error);
    const drop = (await run({ budget: { maxAccuracyDrop: 0.02 } })).summary;
    expect(drop.stopped).toContain("would lower the accuracy from 100.00 %");
    expect((drop.before.accuracy as number) - (drop.after.accuracy as number)).toBeLessThanOrEqual(0.02 + 1e-12);
  });

  test("quality after every so many removals: the same removals, the rows between without error and accuracy", async () => {
    const options = { criterion: "taylor1", test: held, budget: { remove: { count: 10 } } };
    const each = (await run({ ...options, traceEvery: 1 })).summary;
    const some = (await run({ ...options, traceEvery: 4 })).summary;
    const isMeasured = (step: number): boolean => step % 4 === 0 || step === 10;
    expect(rounded(some.removed)).toEqual(
      rounded(each.removed).map(({ error, accuracy, test, ...row }) =>
        isMeasured(row.step) ? { ...row, error, accuracy, test } : { ...row, error: null },
      ),
    );
    const oracle = (await run({ budget: { remove: { count: 10 } }, traceEvery: 4 })).summary;
    expect(oracle.removed.every(({ error }) => error > 0)).toBe(true); // it needs the error for its scores
  });

  test("limits stop at the same removal, however seldom the quality is measured", async () => {
    for (const schedule of ["once", "rerank"] as const) {
      for (const budget of [{ maxErrorRise: 0.3 }, { maxErrorRise: 0.3, remove: { count: 9 } }]) {
        const options = { criterion: "taylor2", schedule, test: held, bestEffort: true };
        const each = await run({ ...options, budget, traceEvery: 1 });
        const some = await run({ ...options, budget, traceEvery: 5 });
        expect(each.summary.removed.length % 5).not.toBe(0);
        expect(some.bytes).toEqual(each.bytes);
        expect(some.summary.stopped).toBe(each.summary.stopped);
        expect(rounded(some.summary.removed).at(-1)).toEqual(rounded(each.summary.removed).at(-1));
      }
    }
  });

  test("targets for MACs and parameters are met", async () => {
    const macs = (await run({ criterion: "magnitude", budget: { targetMacs: 0.5 } })).summary;
    expect(macs.after.macs).toBeLessThanOrEqual(0.5 * macs.before.macs);
    const parameters = (await run({ criterion: "magnitude", budget: { targetParams: 0.6 } })).summary;
    expect(parameters.after.parameters).toBeLessThanOrEqual(0.6 * parameters.before.parameters);
    expect(parameters.removed.at(-2)?.parameters).toBeGreaterThan(0.6 * parameters.before.parameters);
  });

  test("a target for the bytes is met by the real file, counted without writing it", async () => {
    for (const targetBytes of [{ bytes: 700 }, { share: 0.8 }]) {
      const { bytes, summary } = await run({ criterion: "magnitude", budget: { targetBytes } });
      const most = "bytes" in targetBytes ? targetBytes.bytes : targetBytes.share * file.byteLength;
      expect(bytes.byteLength).toBeLessThanOrEqual(most);
      expect(summary.stopped).toBe("reached the target bytes");
      const count = summary.removed.length - 1;
      const oneLess = await run({ criterion: "magnitude", budget: { targetParams: 0, remove: { count } } });
      expect(oneLess.bytes.byteLength).toBeGreaterThan(most);
    }
    await expect(run({ budget: { targetBytes: { bytes: 100 } } })).rejects.toThrow(
      /the file has \d+ bytes, asked 100; what is frozen: .* of the parameters depend on it\); inspect shows all/,
    );
  });

  test("a target that cannot be reached is an error that says how far it got", async () => {
    const budget = { targetMacs: 0.01 };
    await expect(run({ budget })).rejects.toThrow(
      /^target: out of reach, even without 12 of 14 units \(no more removable units: 2 stay by --min-keep 1 for each group\): 8.2 % of the MACs are left, asked 1 %; what is frozen: Softmax normalises over this axis \(18.4 % of the MACs depend on it\); inspect shows all; ask for less, or accept what was reached with --best-effort$/,
    );
    const { summary } = await run({ budget, bestEffort: true });
    expect(summary.removed).toHaveLength(12);
  });

  test("minKeep, only and skip hold", async () => {
    const groups = (await run({ budget: { remove: { count: 0 } } })).summary.layers.map(({ group }) => group);
    const [first, second] = groups as [string, string];
    const only = await run({ only: [first], minKeep: 3, bestEffort: true, budget: { remove: { count: 14 } } });
    expect(only.summary.layers.map(({ after }) => after)).toEqual([3, 6]);
    const skip = await run({ skip: [first], bestEffort: true, budget: { remove: { count: 14 } } });
    expect(skip.summary.layers.map(({ after }) => after)).toEqual([8, 1]);
    await expect(run({ only: ["nothing*"] })).rejects.toThrow(`expected one of ${first}, ${second}`);
  });

  test("a group may lose all its units where that is asked for, and the plan replays it", async () => {
    const { bytes, plan, summary } = await run({ minKeep: 0, budget: { remove: { share: 1 } } });
    expect(summary.layers.map(({ after }) => after)).toEqual([0, 0]);
    const again = await applyPlan(file, parsePlan(JSON.stringify(plan)), { runner });
    expect(again.bytes).toEqual(bytes);
  });

  test("of channels one stays in any case", async () => {
    const stage = { structure: "convolution", activation: "Relu" } as const;
    const image = buildImage({ seed: 4, opset: 17, channels: 4, stages: [stage], end: "pool" });
    const images = dataset({ x: r.tensor([8, 2, SIDE, SIDE]) });
    const all = { minKeep: 0, budget: { remove: { share: 1 } }, bestEffort: true };
    const { summary } = await prune(writeModel(image), { runner, data: images, ...all });
    expect(summary.layers.map(({ after }) => after)).toEqual([1, 1, 0]);
  });

  test("works without data where the criterion needs none, and refuses where it does", async () => {
    const { summary } = await prune(file, { runner, criterion: "magnitude", budget: { remove: { count: 3 } } });
    expect(summary.removed).toHaveLength(3);
    expect(summary.before.accuracy).toBeUndefined();
    await expect(prune(file, { runner, budget: { remove: { count: 3 } } })).rejects.toThrow(
      "criterion oracle: needs data",
    );
    await expect(prune(file, { runner, criterion: "magnitude" })).rejects.toThrow("budget: none given");
  });

  test("an interrupted run keeps what it has", async () => {
    const signal = { aborted: false };
    const { summary } = await run({
      signal,
      budget: { remove: { count: 9 } },
      onProgress: ({ removed }) => {
        signal.aborted = removed === 2;
      },
    });
    expect(summary).toMatchObject({ stopped: "interrupted" });
    expect(summary.removed).toHaveLength(2);
  });

  test("an interrupted race leaves a plan that can be replayed", async () => {
    const signal = { aborted: false };
    const { bytes, plan } = await run({
      signal,
      oracle: "racing",
      racing: { shortlist: 0.5 },
      budget: { remove: { count: 9 } },
      onProgress: ({ removed }) => {
        signal.aborted = removed === 3;
      },
    });
    expect(Object.values(plan.removed).flat()).toHaveLength(3);
    expect((await applyPlan(file, parsePlan(JSON.stringify(plan)), { runner })).bytes).toEqual(bytes);
  });

  test("a run of the oracle says what it will take", async () => {
    const told: CostEstimate[] = [];
    const onCost = (cost: CostEstimate): void => void told.push(cost);
    const budget = { remove: { count: 2 } };
    for (const oracle of ["exact", "lazy", "racing"] as const) await run({ oracle, budget, onCost });
    expect(told.map(({ mode }) => mode)).toEqual(["exact", "lazy", "racing"]);
    expect(told.map(({ evaluations }) => evaluations)).toEqual([26, 26, 26]); // 14 units, then 13, counted as a triangle
    expect(told[0]?.expected).toBe(26);
    expect(told[1]?.expected).toBeLessThan(26);
    for (const { passes, seconds } of told) expect(Math.min(passes, seconds)).toBeGreaterThan(0);
  });
});

describe("a plan", () => {
  test("replayed on the original file gives the same file", async () => {
    const { bytes, plan } = await run({ budget: { remove: { count: 5 } } });
    const again = await applyPlan(file, parsePlan(JSON.stringify(plan)), { runner });
    expect(again.bytes).toEqual(bytes);
    expect(again.verification).toMatchObject({ isInDoubt: false });
    expect(again.verification.difference).toBeLessThan(1e-5);
  });

  test("is refused for another file", async () => {
    const { bytes, plan } = await run({ budget: { remove: { count: 5 } } });
    await expect(applyPlan(bytes, plan, { runner })).rejects.toThrow(`made for a model with hash ${plan.modelHash}`);
  });

  test("is refused where it asks for a compensation that this version does not know", async () => {
    const { plan } = await run({ budget: { remove: { count: 1 } } });
    await expect(applyPlan(file, { ...plan, compensation: "magic" }, { runner })).rejects.toThrow(
      'compensation "magic"',
    );
  });
});

test("compare runs every criterion under every schedule to the end", async () => {
  const { baseline, runs, layers } = await compare(file, {
    runner,
    data,
    criteria: ["taylor2", "random"],
    schedules: ["rerank", "once"],
  });
  expect(runs.map(({ criterion, schedule }) => `${criterion} ${schedule}`)).toEqual([
    "taylor2 rerank",
    "random rerank",
    "taylor2 once",
    "random once",
  ]);
  for (const { steps } of runs) expect(steps).toHaveLength(12);
  expect(layers.map(({ size }) => size)).toEqual([8, 6]);
  expect(baseline.units).toBe(14);
  expect(runs[1]?.steps[0]?.predicted).toBeNull();
  // all but one unit of each layer is gone, but not the same ones
  expect(runs[0]?.steps.at(-1)?.removed).toBe(12);
});

test("a model with two inputs, one of them read late", async () => {
  const two = model({
    inputs: { x: ["N", 3], late: ["N", 2] },
    outputs: ["y"],
    initializers: { w: r.tensor([3, 5]), v: r.tensor([7, 2]) },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Sigmoid", ["a"], ["b"]),
      node("Concat", ["late", "b"], ["c"], { axis: 1 }),
      node("MatMul", ["c", "v"], ["y"]),
    ],
  });
  const both = dataset({ x: r.tensor([9, 3]), late: r.tensor([9, 2]) });
  for (const criterion of ["oracle", "taylor2", "activation", "apoz", "fisher"]) {
    const { summary } = await prune(writeModel(two), {
      runner,
      data: both,
      criterion,
      budget: { remove: { count: 3 } },
    });
    expect(summary).toMatchObject({ objective: "match" });
    expect(summary.before.error).toBe(0);
    expect(summary.removed).toHaveLength(3);
  }
});

test("units that only a second output depends on cost what they do there, and nothing where that is not measured", async () => {
  const forked = model({
    inputs: { x: ["N", 3] },
    outputs: ["y", "z"],
    initializers: { w: r.tensor([3, 4]), v: r.tensor([4, 2]), u: r.tensor([3, 2]) },
    nodes: [node("MatMul", ["x", "w"], ["a"]), node("MatMul", ["a", "v"], ["z"]), node("MatMul", ["x", "u"], ["y"])],
  });
  const samples6 = dataset({ x: r.tensor([6, 3]) });
  for (const criterion of ["oracle", "taylor1", "taylor2", "fisher"]) {
    const of = async (outputs?: readonly string[]) =>
      (
        await prune(writeModel(forked), {
          runner,
          data: samples6,
          criterion,
          outputs,
          budget: { remove: { count: 2 } },
        })
      ).summary;
    const first = await of(["y"]);
    expect(first.removed.map(({ score }) => Math.abs(score))).toEqual([0, 0]);
    expect(first.after).toMatchObject({ error: 0 });
    const both = await of();
    expect(both.after.error).toBeGreaterThan(0);
    expect(both.after.outputs).toMatchObject([
      { name: "y", error: 0 },
      { name: "z", error: expect.closeTo(both.after.error, 10) },
    ]);
    // at the original's own outputs the gradient of the distance is 0
    const scores = both.removed.slice(0, 1).map(({ score }) => score > 0);
    expect(scores).toEqual([criterion === "oracle" || criterion === "taylor2"]);
    expect(await of(["z"])).toMatchObject({ removed: both.removed.map(({ group, unit }) => ({ group, unit })) });
  }
});
