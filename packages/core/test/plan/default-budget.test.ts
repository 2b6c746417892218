/** Limits on the error: by output, as shares of what outputs vary, and what holds where nobody says how much may go. */
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Model } from "../../src/graph/graph.ts";
import { float32, int64, sizeOf, type Tensor } from "../../src/graph/tensor.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { defaultBudget, type ErrorScale, limitBroken } from "../../src/plan/budget.ts";
import { type PruneOptions, prune } from "../../src/prune.ts";
import type { PruneSummary } from "../../src/results.ts";
import { dataset, prepared, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { matchErrors, rowsOf } from "../support/objectives.ts";
import { evaluate } from "../support/reference.ts";

const SAMPLES = 240;
const r = random(19);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Rows or columns of a weight at 0. */
function zeroed(tensor: Tensor, axis: number, indexes: readonly number[]): Tensor {
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const length = tensor.dims[axis] as number;
  return float32(
    Array.from(tensor.numbers, (value, at) => (indexes.includes(Math.floor(at / inner) % length) ? 0 : value)),
    tensor.dims,
  );
}
const weights = (...dims: number[]): Tensor => r.tensor(dims, 1 / Math.sqrt(dims[0] as number));

const DEAD = [1, 2, 5, 8, 9];
/** Twelve hidden units, of which five change nothing, and an output that stands far from 0. */
function withDead(place: number): Model {
  return model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: {
      w: r.tensor([4, 12]),
      c: r.tensor([12], 0.3),
      v: zeroed(r.tensor([12, 3]), 0, DEAD),
      b: float32([place, -place, place]),
    },
    nodes: [node("Gemm", ["x", "w", "c"], ["a"]), node("Tanh", ["a"], ["h"]), node("Gemm", ["h", "v", "b"], ["y"])],
  });
}
const plain: Dataset = dataset({ x: r.tensor([SAMPLES, 4]) });
const run = async (original: Model, data: Dataset, options: Partial<PruneOptions> = {}) =>
  prune(writeModel(original), { runner, data, ...options });

/** Units that have gone, by number in their group, sorted. */
const gone = ({ removed }: PruneSummary, group?: string): number[] =>
  removed.flatMap((row) => (group === undefined || row.group === group ? [row.unit] : [])).sort((a, b) => a - b);

describe("units that change nothing", () => {
  const budgets: [string, PruneOptions["budget"]][] = [
    ["the default budget", undefined],
    ["a rise of nothing", { maxErrorRise: 0 }],
  ];
  test.each(budgets.flatMap(([name, budget]) => [0, 10, 100].map((place) => [name, place, budget] as const)))(
    "all go under %s, with outputs at %i",
    async (_, place, budget) => {
      for (const criterion of ["oracle", "taylor2"]) {
        const { summary } = await run(withDead(place), plain, { criterion, ...(budget && { budget, minKeep: 0 }) });
        expect(gone(summary)).toEqual(expect.arrayContaining(DEAD));
        if (budget) expect(gone(summary)).toEqual(DEAD);
        // rounding is no rise
        for (const { error, unit } of summary.removed.slice(0, DEAD.length)) {
          expect(DEAD).toContain(unit);
          expect(error).toBeLessThan(1e-7);
        }
        expect(summary.after.error).toBeLessThanOrEqual(budget ? 1e-7 : 0.1);
        expect(summary.stopped).toMatch(
          budget
            ? /^one more removal would change the outputs by \d+\.\d\d % of their variance, 0\.00 % may be$/
            : /^one more removal would change the outputs by \d+\.\d\d % of their variance, 10\.00 % may be$/,
        );
      }
    },
  );

  test("go with a repair too", async () => {
    for (const compensate of ["mean", "lstsq"] as const) {
      const { summary } = await run(withDead(10), plain, { criterion: "obs", compensate });
      expect(gone(summary)).toEqual(expect.arrayContaining(DEAD));
      expect(summary.after.error).toBeLessThanOrEqual(0.1);
    }
  });

  test("all go where they are channels, and layers are computed in blocks", async () => {
    const silent = [0, 3, 4, 7, 10, 11, 13];
    const image = model({
      inputs: { x: ["N", 2, 7, 7] },
      outputs: ["y"],
      initializers: {
        k: r.tensor([16, 2, 3, 3]),
        l: zeroed(r.tensor([8, 16, 3, 3], 0.2), 1, silent),
        d: r.tensor([8, 3]),
        c: float32([30, 30, -30]),
      },
      nodes: [
        node("Conv", ["x", "k"], ["a"], { pads: [1, 1, 1, 1] }),
        node("Relu", ["a"], ["h"]),
        node("Conv", ["h", "l"], ["e"], { pads: [1, 1, 1, 1] }),
        node("Relu", ["e"], ["f"]),
        node("GlobalAveragePool", ["f"], ["p"]),
        node("Flatten", ["p"], ["q"]),
        node("Gemm", ["q", "d", "c"], ["y"]),
      ],
    });
    const images = dataset({ x: r.tensor([20, 2, 7, 7]) });
    const first = (await prepared(image)).units.groups[0]?.id as string;
    for (const budget of [undefined, { maxErrorRise: 0 }]) {
      const { summary } = await run(image, images, { block: 1, ...(budget && { budget }) });
      expect(gone(summary, first)).toEqual(expect.arrayContaining(silent));
      if (budget) expect(gone(summary)).toEqual(silent);
    }
  });

  test("do not wait for others: labels limit the accuracy, and these cost none", async () => {
    const net = withDead(0);
    const rows = rowsOf((evaluate(net, { x: plain.inputs.x as Tensor }).y as Tensor).numbers, SAMPLES);
    const labels = Int32Array.from(rows, (row) => row.indexOf(Math.max(...row)));
    const { summary } = await run(net, { ...plain, labels });
    expect(gone(summary)).toEqual(expect.arrayContaining(DEAD));
    expect(summary.before.accuracy).toBe(1);
    expect(summary.after.accuracy).toBeGreaterThanOrEqual(0.99);
    expect(summary.stopped).toMatch(/^one more removal would lower the accuracy from 100\.00 % to \d+\.\d\d %$/);
  });
});

describe("a limit on the error", () => {
  const dense = model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: { w: weights(4, 24), v: weights(24, 3) },
    nodes: [node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["h"]), node("MatMul", ["h", "v"], ["y"])],
  });
  const outputs = (of: Model): number[][] =>
    rowsOf((evaluate(of, { x: plain.inputs.x as Tensor }).y as Tensor).numbers, SAMPLES);

  test.each([0.05, 0.1, 0.3])("is a share of the outputs' variance: %d", async (maxErrorRise) => {
    const { bytes, summary } = await run(dense, plain, { budget: { maxErrorRise } });
    const own = mean(matchErrors(outputs(readModel(bytes)), outputs(dense), (column) => column));
    expect(Math.abs(summary.after.error / own - 1)).toBeLessThan(1e-4);
    expect(own).toBeLessThanOrEqual(maxErrorRise);
    expect(summary.removed.length).toBeGreaterThan(0);
    const said = /would change the outputs by ([\d.]+) % of their variance, ([\d.]+) % may be$/.exec(summary.stopped);
    expect(Number(said?.[1])).toBeGreaterThan(100 * maxErrorRise);
    expect(Number(said?.[2])).toBeCloseTo(100 * maxErrorRise, 6);
  });

  test("permits the same of a model whose outputs are larger", async () => {
    const scaled = (factor: number): Model => ({
      ...dense,
      graph: dense.graph.with({
        initializers: new Map(
          [...dense.graph.initializers].map(([name, tensor]) => [
            name,
            name === "v"
              ? float32(
                  Array.from(tensor.numbers, (value) => factor * value),
                  tensor.dims,
                )
              : tensor,
          ]),
        ),
      }),
    });
    const [small, large] = [await run(scaled(1), plain), await run(scaled(1024), plain)];
    expect(gone(large.summary)).toEqual(gone(small.summary));
    expect(large.summary.after.error).toBeCloseTo(small.summary.after.error, 6);
  });

  test("on targets is a share of the error that there is", async () => {
    const { y } = evaluate(dense, plain.inputs) as { y: Tensor };
    const targets = float32(
      Array.from(y.numbers, (value) => value + 0.3 * r.normal()),
      [SAMPLES, 3],
    );
    const { summary } = await run(dense, { ...plain, targets });
    expect(summary.objective).toBe("sse");
    expect(summary.after.error).toBeLessThanOrEqual(1.1 * summary.before.error);
    const said = /^one more removal would raise the error from ([\d.]+) to ([\d.]+), ([\d.]+) may be$/.exec(
      summary.stopped,
    );
    expect(Number(said?.[1])).toBeCloseTo(summary.before.error, 2);
    expect(Number(said?.[3]) / (1.1 * summary.before.error)).toBeCloseTo(1, 2);
    expect(Number(said?.[2])).toBeGreaterThanOrEqual(Number(said?.[3]));
  });

  test("on targets that the model meets already is a share of what they vary", async () => {
    const { y } = evaluate(dense, plain.inputs) as { y: Tensor };
    const targets = float32(y.numbers, [SAMPLES, 3]);
    const { summary } = await run(dense, { ...plain, targets });
    const columns = [0, 1, 2].map((k) => rowsOf(targets.numbers, SAMPLES).map((row) => row[k] as number));
    const scale = columns.reduce((sum, values) => sum + mean(values.map((one) => (one - mean(values)) ** 2)) / 2, 0);
    expect(summary.removed.length).toBeGreaterThan(0);
    expect(summary.after.error).toBeLessThanOrEqual(0.1 * scale * (1 + 1e-5));
    const worst = /from [\d.e-]+ to ([\d.]+), ([\d.]+) may be$/.exec(summary.stopped);
    expect(Number(worst?.[2]) / (0.1 * scale)).toBeCloseTo(1, 2);
  });
});

describe("several outputs", () => {
  /** Each row of the weights counts less than the one before. */
  const fading = (tensor: Tensor): Tensor => {
    const width = tensor.dims[1] as number;
    return float32(
      Array.from(tensor.numbers, (value, at) => value * 0.7 ** Math.floor(at / width)),
      tensor.dims,
    );
  };
  /** Two outputs that share their hidden units. */
  const twin = model({
    inputs: { x: ["N", 4] },
    outputs: ["class", "box"],
    initializers: { w: weights(4, 16), c: fading(r.tensor([16, 3])), b: fading(r.tensor([16, 2], 40)) },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["h"]),
      node("MatMul", ["h", "c"], ["class"]),
      node("MatMul", ["h", "b"], ["box"]),
    ],
  });
  const rows = (of: Model, name: string): number[][] =>
    rowsOf((evaluate(of, plain.inputs)[name] as Tensor).numbers, SAMPLES);
  const best = (row: readonly number[]): number => row.indexOf(Math.max(...row));
  const labels = int64(rows(twin, "class").map(best));

  test("each keeps to the limit by itself", async () => {
    const { bytes, summary } = await run(twin, plain);
    const small = readModel(bytes);
    expect(summary.objective).toBe("match");
    const errors = ["class", "box"].map((name) => mean(matchErrors(rows(small, name), rows(twin, name), (k) => k)));
    summary.after.outputs?.forEach(({ error }, at) => {
      expect(Math.abs(error / (errors[at] as number) - 1)).toBeLessThan(1e-4);
    });
    for (const error of errors) expect(error).toBeLessThanOrEqual(0.1);
    expect(summary.after.error).toBeCloseTo((errors[0] as number) + (errors[1] as number), 4);
    expect(summary.stopped).toMatch(
      /^one more removal would change the outputs of "(class|box)" by \d+\.\d\d % of their variance, 10\.00 % may be$/,
    );
    expect(summary.removed.length).toBeGreaterThan(0);
    expect(summary.after.outputs).toHaveLength(2);
  });

  test("with labels of one, the accuracy of that and the change of the other are limited", async () => {
    const { bytes, summary } = await run(
      twin,
      { ...plain, inputs: { ...plain.inputs, y_class: labels } },
      { criterion: "magnitude" }, // by cross-entropy the first may be one that costs accuracy
    );
    expect(summary.objective).toBe("cross-entropy+match");
    const small = readModel(bytes);
    const right = (of: Model): number =>
      mean(rows(of, "class").map((row, n) => (best(row) === labels.numbers[n] ? 1 : 0)));
    expect(summary.before.accuracy).toBeCloseTo(right(twin), 12);
    expect(right(twin) - right(small)).toBeLessThanOrEqual(0.01 + 1e-12);
    const box = mean(matchErrors(rows(small, "box"), rows(twin, "box"), (k) => k));
    expect(box).toBeLessThanOrEqual(0.1);
    expect(summary.removed.length).toBeGreaterThan(0);
    expect(summary.stopped).toMatch(
      /^one more removal would (lower the accuracy of "class" from|change the outputs of "box" by)/,
    );
  });

  test("an output that is not measured limits nothing", async () => {
    const { summary } = await run(twin, plain, { outputs: ["box"] });
    expect(summary.after.error).toBeLessThanOrEqual(0.1);
    expect(summary.after).not.toHaveProperty("outputs");
    const both = (await run(twin, plain)).summary;
    expect(summary.removed.length).toBeGreaterThanOrEqual(both.removed.length);
  });
});

describe("what is taken where nothing is said", () => {
  const two = model({
    inputs: { x: ["N", 4] },
    outputs: ["y", "z"],
    initializers: { w: weights(4, 3), v: weights(4, 2) },
    nodes: [node("MatMul", ["x", "w"], ["y"]), node("MatMul", ["x", "v"], ["z"])],
  });
  const termsFor = async (extra: Record<string, Tensor>) =>
    (await createEvaluator(await prepared(two), runner, dataset({ ...plain.inputs, ...extra }))).terms;
  const classes = int64(Array.from({ length: SAMPLES }, (_, n) => n % 2));

  test("depends on which outputs have labels", async () => {
    expect(defaultBudget(await termsFor({}))).toEqual({ maxErrorRise: 0.1 });
    expect(defaultBudget(await termsFor({ y: r.tensor([SAMPLES, 3]) }))).toEqual({ maxErrorRise: 0.1 });
    expect(defaultBudget(await termsFor({ y_y: classes }))).toEqual({ maxAccuracyDrop: 0.01, maxOutputChange: 0.1 });
    expect(defaultBudget(await termsFor({ y_y: classes, y_z: classes }))).toEqual({ maxAccuracyDrop: 0.01 });
  });

  test("is an error without data", () => {
    expect(() => defaultBudget([])).toThrow(
      "budget: none given, expected how much to remove, such as --remove 30%, as there is no data to measure a loss on",
    );
  });
});

describe("limits by output", () => {
  const quality = (...errors: readonly number[]) => ({
    error: errors.reduce((sum, error) => sum + error, 0),
    outputs: errors.map((error, at) => ({ name: `o${at}`, objective: "any", error })),
  });
  const stage = (...errors: number[]) => ({ removed: 0, macs: 1, parameters: 1, ...quality(...errors) });
  const relative = (output: string): ErrorScale => ({ output, scale: 1, isRelative: true });
  const absolute = (output: string, scale: number): ErrorScale => ({ output, scale, isRelative: false });

  test("one that is above its limit stops a run, however far the others are below", () => {
    const scales = [relative("o0"), relative("o1")];
    const broken = (...errors: number[]) => limitBroken({ maxErrorRise: 0.1 }, stage(...errors), stage(0, 0), scales);
    expect(broken(0.1, 0.1)).toBeUndefined();
    expect(broken(0, 0.11)).toBe(
      'one more removal would change the outputs of "o1" by 11.00 % of their variance, 10.00 % may be',
    );
    expect(broken(0.2, 0.3)).toContain('"o0"');
  });

  test("errors on targets rise in shares of themselves, and of their scale where there is none", () => {
    const scales = [absolute("o0", 50), absolute("o1", 50)];
    const broken = (...errors: number[]) => limitBroken({ maxErrorRise: 0.1 }, stage(...errors), stage(2, 0), scales);
    expect(broken(2.2, 5)).toBeUndefined();
    expect(broken(2.3, 0)).toBe('one more removal would raise the error of "o0" from 2 to 2.3, 2.2 may be');
    expect(broken(2, 5.1)).toBe('one more removal would raise the error of "o1" from 0 to 5.1, 5 may be');
    // a rest of rounding is no error
    expect(limitBroken({ maxErrorRise: 0.1 }, stage(2, 4), stage(2, 4e-6), scales)).toBeUndefined();
  });

  test("rounding never stops a run", () => {
    const scales = [relative("o0"), absolute("o1", 50)];
    const broken = (...errors: number[]) => limitBroken({ maxErrorRise: 0 }, stage(...errors), stage(0, 2), scales);
    expect(broken(1e-7, 2)).toBeUndefined();
    expect(broken(0, 2 + 4.9e-6)).toBeUndefined();
    expect(broken(1e-6, 2)).toBeDefined();
    expect(broken(0, 2 + 1e-5)).toBeDefined();
  });

  test("a limit on the change of outputs asks those alone that are held to the original", () => {
    const scales = [relative("o0"), absolute("o1", 50)];
    const broken = (...errors: number[]) =>
      limitBroken({ maxOutputChange: 0.1 }, stage(...errors), stage(0, 2), scales);
    expect(broken(0.1, 40)).toBeUndefined();
    expect(broken(0.2, 2)).toContain('the outputs of "o0" by 20.00 %');
    const both = (...errors: number[]) =>
      limitBroken({ maxOutputChange: 0.1, maxErrorRise: 0.5 }, stage(...errors), stage(0, 2), scales);
    expect(both(0.2, 2)).toContain("10.00 % may be"); // the lower of the two
    expect(both(0.1, 3.1)).toContain('the error of "o1"');
  });

  test("an error that is no number is none that is permitted", () => {
    const scales = [relative("o0"), relative("o1")];
    expect(limitBroken({ maxErrorRise: 0.1 }, stage(0, Number.NaN), stage(0, 0), scales)).toContain('"o1"');
  });

  test("accuracies keep to the limit by output", () => {
    const of = (...accuracies: number[]) => ({
      removed: 0,
      macs: 1,
      parameters: 1,
      error: 1,
      accuracy: accuracies.reduce((sum, one) => sum + one, 0) / accuracies.length,
      outputs: accuracies.map((accuracy, at) => ({ name: `o${at}`, objective: "any", error: 1, accuracy })),
    });
    expect(limitBroken({ maxAccuracyDrop: 0.1 }, of(0.8, 0.7), of(0.9, 0.8))).toBeUndefined();
    expect(limitBroken({ maxAccuracyDrop: 0.1 }, of(0.95, 0.6), of(0.9, 0.8))).toBe(
      'one more removal would lower the accuracy of "o1" from 80.00 % to 60.00 %',
    );
  });
});
