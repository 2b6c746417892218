/** What compensation bought: other repairs of the same removals, measured on the files that they would have given. */
import { expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import type { Dataset } from "../../src/data.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { removedByGroup } from "../../src/plan/plan.ts";
import { type PruneOptions, type PruneResult, prune } from "../../src/prune.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { build } from "../property/networks.ts";
import { random } from "../support/build.ts";
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

/** Half the squared distance of a file's outputs to the original ones, summed. */
function errorOf(bytes: Uint8Array, { inputs }: Dataset): number {
  const outputs = (of: typeof model): ArrayLike<number> =>
    (evaluate(of, { x: inputs.x as Tensor }).y as Tensor).numbers;
  const [own, wanted] = [outputs(readModel(bytes)), outputs(model)];
  return Array.from(own).reduce((sum, value, i) => sum + (value - (wanted[i] as number)) ** 2 / 2, 0);
}

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
      expect(error).toBeCloseTo(errorOf(bytes, data), 3);
      expect(test?.error).toBeCloseTo(errorOf(bytes, held), 3);
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
