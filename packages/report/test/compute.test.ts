import { describe, expect, it } from "vitest";
import { computeChanges } from "../src/compute/changes.ts";
import { computeClassRows } from "../src/compute/classes.ts";
import { computeCompareCurves, computePruneCurves, computeSchedules } from "../src/compute/curves.ts";
import { computeGainLines } from "../src/compute/gain-lines.ts";
import { computeLayerRuns } from "../src/compute/layer-order.ts";
import { computePredictions } from "../src/compute/predictions.ts";
import { computeRunSummaries } from "../src/compute/run-summary.ts";
import { compareFixture, gainFixture, pruneFixture } from "./fixtures.ts";

const place = (group: string): { group: string; layer: string } => ({ group, layer: `layer ${group}` });

describe("computeClassRows", () => {
  it("puts the class that lost most on test data first, ties by class, and keeps classes that one set lacks", () => {
    const one = (label: number, before: number, after: number) => ({ class: label, samples: 10, before, after });
    const drop = { samples: 30, drop: 0, low: 0, high: 0, confidence: 0.95, lost: 0, won: 0 };
    const calibration = { drop, classes: [one(0, 1, 0), one(1, 0.9, 0.9), one(2, 0.9, 0.9)] };
    const test = { drop, classes: [one(1, 0.8, 0.7), one(2, 0.9, 0.5), one(3, 0.5, 0.4)] };
    const rows = computeClassRows({ answers: { calibration, test } });
    expect(rows.map((row) => row.class)).toEqual([2, 1, 3, 0]);
    expect(rows[0]?.test?.change).toBeCloseTo(-0.4);
    expect(rows[3]).not.toHaveProperty("test");
    expect(computeClassRows({ answers: { calibration } }).map((row) => row.class)).toEqual([0, 1, 2]);
    expect(computeClassRows({})).toEqual([]);
  });
});

describe("computeChanges", () => {
  it("gives differences, shares, and points for accuracy", () => {
    const { before } = pruneFixture();
    const rows = computeChanges(before, { ...before, units: before.units / 2, accuracy: (before.accuracy ?? 0) - 0.1 });
    expect(rows.map((row) => row.name)).toEqual([
      "removable units",
      "parameters",
      "MACs per sample",
      "file size (bytes)",
      "error (calibration)",
      "accuracy (calibration)",
      "error (test)",
      "accuracy (test)",
    ]);
    expect(rows[0]).toMatchObject({ difference: -before.units / 2, relative: -0.5 });
    expect(rows[5]?.difference).toBeCloseTo(-0.1);
    expect(rows[5]).not.toHaveProperty("relative");
  });

  it("leaves out what was not measured, and the share of zero", () => {
    const { before } = pruneFixture({ accuracy: false, test: false });
    const rows = computeChanges({ ...before, error: 0 }, before);
    expect(rows).toHaveLength(5);
    expect(rows[4]).not.toHaveProperty("relative");
  });
});

describe("curves", () => {
  it("join the states that were measured, with what was held out as a line of its own", () => {
    const summary = pruneFixture({ removals: 4 });
    const removed = summary.removed.map((row, i) => ({
      ...row,
      error: i % 2 === 0 ? Number.NaN : row.error,
      heldOut: { error: i },
    }));
    const curves = computePruneCurves({ ...summary, removed }, "error");
    expect(curves.map(({ name }) => name)).toEqual(["calibration", "test", "held out"]);
    expect(curves[0]?.points.map(([x]) => x)).toEqual([0, 2, 4]);
    expect(curves[2]?.points).toEqual([1, 2, 3, 4].map((x) => [x, x - 1]));
  });

  it("start at the unpruned model and have a line per data set", () => {
    const summary = pruneFixture({ removals: 3 });
    const curves = computePruneCurves(summary, "error");
    expect(curves.map((c) => c.name)).toEqual(["calibration", "test"]);
    expect(curves[0]?.points).toHaveLength(4);
    expect(curves[0]?.points[0]).toEqual([0, summary.before.error]);
    expect(computePruneCurves(pruneFixture({ test: false }), "error")).toHaveLength(1);
    expect(computePruneCurves(pruneFixture({ accuracy: false }), "accuracy")).toEqual([]);
  });

  it("skip stages that were not measured", () => {
    const summary = pruneFixture({ removals: 4 });
    const removed = summary.removed.map(({ accuracy, test, ...row }) =>
      row.step % 2 === 1 ? { ...row, error: Number.NaN } : { ...row, ...(accuracy !== undefined && { accuracy }) },
    );
    for (const measure of ["error", "accuracy"] as const) {
      const curves = computePruneCurves({ ...summary, removed }, measure);
      expect(curves[0]?.points.map(([step]) => step)).toEqual([0, 2, 4]);
    }
  });

  it("keep a criterion's style in every schedule", () => {
    const summary = compareFixture({ schedules: ["rerank", "once"] });
    expect(computeSchedules(summary)).toEqual(["rerank", "once"]);
    const once = computeCompareCurves(summary, "error", "test", "once");
    expect(once.map((c) => [c.name, c.style])).toEqual([
      ["oracle", 0],
      ["taylor1", 1],
      ["taylor2", 2],
    ]);
  });
});

describe("computePredictions", () => {
  it("pairs the prediction with the change of the error", () => {
    const steps = [
      { error: 12, predicted: 1 },
      { error: 11, predicted: null },
      { error: 15, predicted: 5 },
    ];
    expect(computePredictions(10, steps)).toEqual([
      { predicted: 1, measured: 2 },
      { predicted: 5, measured: 4 },
    ]);
    expect(computePredictions(10, [{ error: Number.NaN, predicted: 1 }, { error: 3 }])).toEqual([]);
  });
});

describe("computeLayerRuns", () => {
  it("joins neighbouring removals of a group", () => {
    expect(computeLayerRuns(["a", "a", "b", "a"].map(place))).toEqual([
      { group: "a", first: 1, last: 2, share: 1 },
      { group: "b", first: 3, last: 3, share: 1 },
      { group: "a", first: 4, last: 4, share: 1 },
    ]);
    expect(computeLayerRuns([])).toEqual([]);
  });

  it("counts in bins where there are more removals than columns", () => {
    expect(computeLayerRuns(["a", "b", "b", "b", "b"].map(place), 3)).toEqual([
      { group: "a", first: 1, last: 2, share: 0.5 },
      { group: "b", first: 1, last: 2, share: 0.5 },
      { group: "b", first: 3, last: 5, share: 1 },
    ]);
  });
});

describe("computeRunSummaries", () => {
  it("finds the first loss of a point and the area over the common range", () => {
    const fixture = compareFixture({ removals: 3, test: false });
    const run = fixture.runs[0];
    if (!run) throw new Error("fixture has no run");
    const accuracies = [0.99, 0.97, 0.99];
    const steps = run.steps.map((step, i) => ({ ...step, error: 20 + i, accuracy: accuracies[i] ?? 0 }));
    const baseline = { ...fixture.baseline, error: 10, accuracy: 1 };
    const { upTo, runs } = computeRunSummaries({
      ...fixture,
      baseline,
      runs: [
        { ...run, steps },
        { ...run, steps: steps.slice(0, 2) },
      ],
    });
    expect(upTo).toBe(2);
    expect(runs[0]).toMatchObject({ removedAtDrop: 1, errorArea: 15 + 20.5 });
    expect(runs[0]).not.toHaveProperty("testRemovedAtDrop");
    expect(
      computeRunSummaries({ ...fixture, baseline, runs: [{ ...run, steps: steps.slice(0, 1) }] }).runs[0]
        ?.removedAtDrop,
    ).toBe(1);
  });

  it("handles no runs and no accuracy", () => {
    const fixture = compareFixture({ accuracy: false });
    expect(computeRunSummaries({ ...fixture, runs: [] })).toEqual({ upTo: 0, runs: [] });
    expect(computeRunSummaries(fixture).runs[0]).not.toHaveProperty("removedAtDrop");
  });
});

describe("computeGainLines", () => {
  it("meet the baseline at gain 1 and the predictions at gain 0", () => {
    const curve = gainFixture();
    const at = (points: readonly (readonly [number, number])[], gain: number): number =>
      points.find((p) => p[0] === gain)?.[1] ?? Number.NaN;
    const { tangent, parabola } = computeGainLines(curve, [0, 2], [-1e6, 1e6]);
    expect([at(tangent, 0), at(parabola, 0)]).toEqual([curve.tangent, curve.parabola].map((v) => expect.closeTo(v, 9)));
    expect([at(tangent, 1), at(parabola, 1)]).toEqual([curve.baseline, curve.baseline]);
    const cut = computeGainLines(curve, [0, 10], [9, 20]).parabola.filter((p) => Number.isFinite(p[1]));
    expect(Math.max(...cut.map((p) => p[1]))).toBeLessThanOrEqual(20);
  });
});
