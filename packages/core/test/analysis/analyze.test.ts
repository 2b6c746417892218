import { describe, expect, test } from "vitest";
import { analyze, analyzedCriteria, stagesOf } from "../../src/analysis/analyze.ts";
import { exactParabola } from "../../src/analysis/exact-parabola.ts";
import { growGroups } from "../../src/analysis/groups.ts";
import { tellingUnits } from "../../src/analysis/telling.ts";
import { writeModel } from "../../src/onnx/index.ts";
import type { AnalyzeSummary, UnitCost } from "../../src/results.ts";
import { dataset, errorWithout, removal, runner } from "../helpers.ts";
import { logistic, subjectFor } from "./networks.ts";

const SAMPLES = 40;
/** A mean over the samples as their sum. */
const summed = (mean: number | undefined): number => SAMPLES * (mean as number);
const dense = logistic([6, 8, 5, 3], "float32", SAMPLES);
const file = writeModel(dense.model);
const data = dataset({ x: dense.x }, { targets: dense.targets });
const options = { runner, data, name: "net.onnx", steps: 3 };

/** Without what differs from run to run. */
function lasting({ seconds: _, ...rest }: AnalyzeSummary): object {
  return rest;
}

describe("analyze", () => {
  test("looks at the intact network and at stages of the oracle's run", async () => {
    const told: number[] = [];
    const summary = await analyze(file, { ...options, onProgress: (_, share) => told.push(share) });
    expect(summary.removed).toBe(8); // 60 % of 13
    expect(summary.steps.map(({ removed, left }) => [removed, left])).toEqual([
      [0, 13],
      [4, 9],
      [7, 6],
    ]);
    expect(summary.criteria).toEqual(Object.keys(analyzedCriteria));
    expect(summary.objective).toBe("sse");
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.at(-1)).toBe(1);

    const [intact] = summary.steps;
    expect(intact).toMatchObject({ joint: expect.closeTo(0, 6), alone: 0 });
    expect(intact?.intactCosts).toMatchObject({ spearman: expect.closeTo(1, 9), regret: 0 });
    expect(summary.steps[1]?.intactCosts.spearman).toBeLessThan(1);
    expect(summed(intact?.error)).toBeCloseTo(summed(summary.baseline.error), 4);
    for (const step of summary.steps) {
      expect(step.agreement.map(({ criterion }) => criterion)).toEqual(summary.criteria);
      expect(step.costs).toHaveLength(step.left);
      for (const { measured, taylor2, diagonal, truncation } of step.costs)
        expect(summed(taylor2 + diagonal + truncation)).toBeCloseTo(summed(measured), 6);
      for (const { regret } of [...step.agreement, step.exactParabola]) expect(regret).toBeGreaterThanOrEqual(0);
      expect(summed(step.joint)).toBeCloseTo(summed(step.error - summary.baseline.error), 4);
    }
    expect(summary.curves.length).toBeGreaterThan(0);
    for (const { cost, curve } of summary.curves) {
      expect(curve).toMatchObject({ group: cost.group, unit: cost.unit });
      expect(summed(curve.removed - curve.baseline)).toBeCloseTo(summed(cost.measured), 4);
      expect(summed(curve.parabola - curve.baseline)).toBeCloseTo(summed(cost.taylor2), 4);
    }
  });

  test("as a criterion of its own the exact parabola ranks as the analysis says", async () => {
    const { steps } = await analyze(file, { ...options, criteria: [exactParabola] });
    for (const { agreement, exactParabola: expected } of steps)
      expect(agreement).toEqual([{ criterion: "exact-parabola", ...expected }]);
  });

  test("the exact parabola is taylor2 where there is one hidden layer", async () => {
    const one = logistic([6, 8, 3], "float64", 40);
    const summary = await analyze(writeModel(one.model), {
      ...options,
      data: dataset({ x: one.x }, { targets: one.targets }),
    });
    for (const { agreement, exactParabola } of summary.steps) {
      const taylor2 = agreement.find(({ criterion }) => criterion === "taylor2");
      expect({ criterion: "taylor2", ...exactParabola }).toEqual(taylor2);
    }
  });

  test("pairs all units of a small network", async () => {
    const { interactions, evaluations } = await analyze(file, { ...options, remove: { count: 1 }, criteria: [] });
    if (!interactions) throw new Error("no interactions");
    expect(interactions).toMatchObject({ of: 13, chosen: "all" });
    const { units, matrix, partners, cancelling, covering } = interactions;
    expect(evaluations).toBe(13 + (13 * 12) / 2 + (await jointEvaluations(units, matrix)));
    const inGroups = units.map(({ group, cost }) => [group, cost] as const);
    expect(inGroups).toEqual([...inGroups].sort(([a, x], [b, y]) => a.localeCompare(b) || x - y));
    matrix.forEach((row, i) => {
      row.forEach((value, j) => {
        expect(value).toBe(matrix[j]?.[i]);
      });
    });
    expect(partners.map(({ cost }) => cost)).toEqual(units.map(({ cost }) => cost).sort((a, b) => b - a));
    for (const { cost, partnerCost, pairCost, after } of partners) {
      expect(after).toBe(pairCost - partnerCost);
      expect(after - cost).toBeLessThanOrEqual(Math.max(...matrix.flat()));
    }
    for (const pair of [...cancelling, ...covering])
      expect(summed(pair.costA + pair.costB + pair.interaction)).toBeCloseTo(summed(pair.cost), 9);
    expect(cancelling.every(({ interaction }) => interaction < 0)).toBe(true);
    expect(covering.every(({ interaction }) => interaction > 0)).toBe(true);
    for (const group of interactions.groups) {
      expect(group.joint).toBeLessThan(group.parts);
      expect(group.path.at(-1)).toBe(group.joint);
      expect(group.path).toHaveLength(group.units.length);
    }
  });

  /** Candidates that are measured while groups of units grow: every one beside each group so far. */
  async function jointEvaluations(
    units: NonNullable<AnalyzeSummary["interactions"]>["units"],
    matrix: readonly (readonly number[])[],
  ): Promise<number> {
    const evaluator = await subjectFor(dense);
    const { groups } = evaluator.prunable.units;
    const numbers = units.map(({ group, unit }) => (groups.find(({ id }) => id === group)?.first as number) + unit);
    const error = await errorWithout(evaluator, removal(evaluator.prunable, []));
    let counted = 0;
    const joint = async (chosen: readonly number[], more: readonly number[]): Promise<Map<number, number>> => {
      counted += more.length;
      const costs = new Map<number, number>();
      for (const unit of more)
        costs.set(unit, (await errorWithout(evaluator, removal(evaluator.prunable, [...chosen, unit]))) - error);
      return costs;
    };
    const isLeft = (gone: readonly number[]): boolean =>
      groups.every(({ first, size }) => gone.filter((unit) => unit >= first && unit < first + size).length < size);
    const own = units.map(({ cost }) => cost);
    await growGroups(numbers, own, matrix, joint, { admits: isLeft });
    expect(counted).toBeGreaterThan(0);
    return counted;
  }

  test("pairs only some units of a large network, and splits their failure all the same", async () => {
    const { interactions } = await analyze(file, {
      ...options,
      remove: { count: 1 },
      pairUnits: 4,
      criteria: ["taylor1"],
    });
    expect(interactions?.units).toHaveLength(4);
    expect(interactions?.chosen).toBe("the 2 least and the 2 most costly");
    expect(interactions?.failure.truncation).toBeGreaterThan(0);
  });

  test("gives the same for the same seed", async () => {
    const small = { ...options, remove: { count: 3 }, criteria: ["taylor2", "random"], seed: 5 };
    expect(lasting(await analyze(file, small))).toEqual(lasting(await analyze(file, small)));
  });

  test("works where little or nothing can be removed", async () => {
    const narrow = logistic([3, 2, 2], "float32");
    const one = await analyze(writeModel(narrow.model), {
      runner,
      data: dataset({ x: narrow.x }, { targets: narrow.targets }),
      remove: { share: 1 },
    });
    expect(one.removed).toBe(1);
    expect(one.steps).toHaveLength(1);
    const none = await analyze(file, { ...options, minKeep: 99 });
    expect(none).toMatchObject({ removed: 0, steps: [], curves: [] });
    expect(none.interactions).toBeUndefined();
  });

  test("ends with an error when interrupted", async () => {
    const signal = { aborted: false };
    const run = analyze(file, {
      ...options,
      signal,
      onProgress: () => {
        signal.aborted = true;
      },
    });
    await expect(run).rejects.toThrow("interrupted");
  });

  test("names an unknown criterion", async () => {
    await expect(analyze(file, { ...options, criteria: ["taylor3"] })).rejects.toThrow('criterion "taylor3": unknown');
  });
});

test("stages are spread evenly, the intact network among them", () => {
  expect([...stagesOf(60, 8)]).toEqual([0, 8, 17, 25, 34, 42, 51, 59]);
  expect([...stagesOf(3, 8)]).toEqual([0, 1, 2]);
  expect([...stagesOf(10, 1)]).toEqual([0]);
  expect([...stagesOf(0, 8)]).toEqual([0]);
});

test("the most telling units are shown, each once", () => {
  const unit = (at: number, measured: number, taylor2: number, diagonal: number): UnitCost => ({
    ...{ group: "fc1", unit: at, layer: "fc1", measured, taylor1: 0, taylor2, diagonal },
    truncation: measured - taylor2 - diagonal,
  });
  const costs = [
    unit(0, 10, 1, 0),
    unit(1, 2, 0.5, 1.4),
    unit(2, 3, 2.9, 0),
    unit(3, 0.1, 0.05, 0),
    unit(4, 0.2, 0.01, 0),
  ];
  expect(tellingUnits(costs).map(({ cost, why }) => [cost.unit, why.slice(0, 20)])).toEqual([
    [0, "The largest truncati"],
    [1, "The largest diagonal"],
    [4, "The unit that taylor"],
    [2, "taylor2 at its best:"],
  ]);
  expect(tellingUnits([])).toEqual([]);
});
