/** What compensation bought: other repairs of the same removals, measured on the files that they would have given. */
import { expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { removedByGroup } from "../../src/plan/plan.ts";
import { type PruneOptions, type PruneResult, prune } from "../../src/prune.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { build } from "../property/networks.ts";
import { random } from "../support/build.ts";
import { columnVariances, rowsOf } from "../support/objectives.ts";
import { evaluate } from "../support/reference.ts";

const layer = { form: "Gemm", normalize: false, skip: false, branches: [], move: "nothing" } as const;
const { model } = build({
  seed: 5,
  opset: 17,
  inputs: 4,
  layers: [
    { ...layer, width: 10, activation: "Tanh" },
    { ...layer, width: 8, activation: "Relu" },
  ],
  outputs: 3,
  end: "linear",
});
const file = writeModel(model);
const r = random(2);
const samples = (size: number): Dataset => dataset({ x: r.tensor([size, 4]) });
const [data, held] = [samples(80), samples(50)];
const run = (options: Partial<PruneOptions>): Promise<PruneResult> =>
  prune(file, {
    runner,
    data,
    test: held,
    objective: "match",
    criterion: "magnitude",
    compensationCurves: true,
    budget: { remove: { count: 14 } },
    ...options,
  });

/** What `match` says of a file on some samples: columns are weighed by their variances over the calibration samples. */
function errorOf(bytes: Uint8Array, { inputs }: Dataset): number {
  const outputs = (of: typeof model, x: Tensor): number[][] =>
    rowsOf((evaluate(of, { x }).y as Tensor).numbers, x.dims[0] as number);
  const variances = columnVariances(outputs(model, data.inputs.x as Tensor), (column) => column);
  const [own, wanted] = [readModel(bytes), model].map((of) => outputs(of, inputs.x as Tensor)) as [
    number[][],
    number[][],
  ];
  const terms = own.flatMap((row, n) =>
    row.map((value, k) => (value - (wanted[n]?.[k] as number)) ** 2 / (variances[k] as number)),
  );
  return terms.reduce((sum, term) => sum + term / terms.length, 0);
}

/** Of both errors, as shares. */
const close = (error: number | undefined, expected: number): void => {
  expect(Math.abs((error as number) / expected - 1)).toBeLessThan(2e-5);
};

test("weaker compensations of the same removals, at twelve stages", async () => {
  const { summary, plan } = await run({ compensate: "lstsq" });
  const curves = summary.compensationCurves ?? [];
  const units = await prepared(model);
  expect(curves.map(({ compensation }) => compensation)).toEqual(["none", "mean", "lstsq"]);
  for (const { points, compensation } of curves) {
    expect(points).toHaveLength(13);
    expect(points[0]).toMatchObject({ removed: 0, error: summary.before.error, test: summary.before.test });
    expect(points.at(-1)?.removed).toBe(14);
    for (const { removed, error, test } of [points[1], points[6], points[12]].filter((point) => point !== undefined)) {
      const gone = summary.removed.slice(0, removed).map(({ group, unit }) => {
        const { first } = units.units.groups.find(({ id }) => id === group) as { first: number };
        return first + unit;
      });
      const byGroup = removedByGroup(units.units, removal(units, gone));
      const { bytes } = await applyPlan(file, { ...plan, compensation, removed: byGroup }, { runner, data });
      if (compensation === "lstsq") continue; // its file has the last fit of all consumers, which the curve has at its end
      close(error, errorOf(bytes, data));
      close(test?.error, errorOf(bytes, held));
    }
  }
  expect(curves[2]?.points.at(-1)).toMatchObject({ error: summary.after.error, test: summary.after.test });
  const last = curves.map(({ points }) => points.at(-1)?.error as number);
  expect(last[2]).toBeLessThan(last[0] as number);
});

test("mean has none beside it; what is not asked for or not repaired has no curves", async () => {
  const budget = { remove: { count: 3 } };
  const mean = await run({ compensate: "mean", budget, traceTest: false });
  expect(mean.summary.compensationCurves?.map(({ compensation }) => compensation)).toEqual(["none", "mean"]);
  for (const { points } of mean.summary.compensationCurves ?? []) {
    expect(points.map(({ removed }) => removed)).toEqual([0, 1, 2, 3]);
    expect(points[1]?.test).toBeUndefined();
  }
  expect((await run({ compensate: "none", budget })).summary.compensationCurves).toBeUndefined();
  const unasked = await run({ compensate: "lstsq", budget, compensationCurves: false });
  expect(unasked.summary.compensationCurves).toBeUndefined();
});
