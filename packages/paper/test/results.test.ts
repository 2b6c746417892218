import { expect, test } from "vitest";
import { agreementText, compareWithPublished } from "../src/results/agreement.ts";
import { checkClaims, checks, verdictOf } from "../src/results/claims.ts";
import { bandsCsv, curvesCsv } from "../src/results/csv.ts";
import { parseCurves, publishedCurves } from "../src/results/published.ts";
import { area, bandOf, quantile, shareWhile } from "../src/results/stats.ts";
import { findings } from "../src/results/titles.ts";
import { experiment, measured } from "./small.ts";

test("quantiles interpolate, bands go point by point", () => {
  expect(quantile([4, 1, 2, 3], 0.5)).toBe(2.5);
  expect(quantile([5], 0.25)).toBe(5);
  expect(quantile([], 0.5)).toBeNaN();
  const band = bandOf([
    [0, 10],
    [2, 30],
    [1, 20],
  ]);
  expect(band).toEqual({ low: [0.5, 15], median: [1, 20], high: [1.5, 25] });
});

test("area by trapezoids; the share that passes before a value first fails", () => {
  expect(area([0, 2, 2])).toBe(3);
  const below3 = (value: number): boolean => value < 3;
  expect(shareWhile([1, 2, 3, 1, 1], below3)).toBe(1 / 4); // a later recovery does not count
  expect(shareWhile([1, 2, 2], below3)).toBe(1);
  expect(shareWhile([5, 1, 1], below3)).toBe(0);
});

test("published curves: k is after k + 1 removals, gaps lie on the line", () => {
  const figures = parseCurves("figure,criterion,removed,value\na,oracle,0,1\na,oracle,2,3\na,taylor1,0,5\n");
  expect(figures.get("a")).toEqual({ oracle: [Number.NaN, 1, 2, 3], taylor1: [Number.NaN, 5], taylor2: [Number.NaN] });
  expect(() => parseCurves("head\na,best,0,1")).toThrow('unknown criterion "best"');
});

test("curves equal to the published ones are no distance apart, and the sentence says so", () => {
  const figure = experiment("cosine-small").figures[0];
  if (!figure) throw new Error("cosine-small has no figure");
  const published = publishedCurves(figure.figure);
  const same = (curve: readonly number[]) => ({ error: [1e-9, ...curve.slice(1)] });
  const ours = measured("cosine-small", {
    oracle: same(published.oracle),
    taylor1: same(published.taylor1),
    taylor2: same(published.taylor2),
  });
  const compared = compareWithPublished(figure, [ours]);
  for (const { distance, oursUntil, publishedUntil } of Object.values(compared)) {
    expect(distance).toBeCloseTo(0, 12);
    expect(oursUntil).toBe(publishedUntil);
  }
  expect(agreementText(figure, compared)).toBe(
    "The error stays within 5 % of that without any unit while removing 55 % by oracle (published 55 %), " +
      "5 % by taylor1 (published 5 %) and 15 % by taylor2 (published 15 %); on average the curves lie 0 %, 0 %, 0 % of the scale apart; " +
      "in both the order from best to worst is oracle, taylor2, taylor1.",
  );
});

const flat = { error: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 100], accuracy: [1, 1, 1, 1, 1, 1, 1, 1, 1, 0.5, 0.5] };
const steep = {
  error: [1, 50, 60, 20, 70, 80, 90, 100, 100, 100, 100],
  accuracy: [1, 0.9, 0.8, ...Array(8).fill(0.5)],
};

test("claims: each seed is held to the bound; all, none or some make the verdict", () => {
  const good = measured("diamond", { oracle: flat, taylor1: steep, taylor2: flat }, [
    "hidden2",
    "hidden2",
    "hidden2",
    "hidden1",
  ]);
  const bad = measured("diamond", { oracle: flat, taylor1: flat, taylor2: steep }, ["hidden1", "hidden2"]);
  const of = (...seeds: (typeof good)[]) => checkClaims(seeds.map((seed) => new Map([["diamond", seed]])));
  const byFinding = (results: ReturnType<typeof of>, finding: number) =>
    results.filter((one) => one.finding === finding);

  expect(byFinding(of(good), 5).map(({ verdict, values }) => [verdict, values])).toEqual([
    ["holds", [1]], // taylor2's curve is the oracle's
    ["holds", [0]],
  ]);
  expect(byFinding(of(bad), 5).map(({ verdict }) => verdict)).toEqual(["does not hold", "does not hold"]);
  const both = byFinding(of(good, bad), 5);
  expect(both.map(({ verdict, passes, median }) => [verdict, passes, median])).toEqual([
    ["mixed", 1, 0.5],
    ["mixed", 1, 0.4],
  ]);
  expect(byFinding(of(good), 6)[0]).toMatchObject({ values: [1], verdict: "holds" });
  expect(byFinding(of(bad), 6)[0]).toMatchObject({ verdict: "does not hold" });
  expect(byFinding(of(good), 7).map(({ values }) => values[0])).toEqual([40 / 60]);
  expect(verdictOf(both)).toBe("mixed");
  expect(verdictOf([...byFinding(of(good), 5), ...byFinding(of(bad), 6)])).toBe("mixed");
  expect(verdictOf(byFinding(of(good), 5))).toBe("holds");
  expect(of(good).every(({ uses }) => uses.join() === "diamond")).toBe(true); // no check without its experiments
});

test("every finding has checks and a title", () => {
  expect([...new Set(checks.map(({ finding }) => finding))].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(Object.keys(findings)).toHaveLength(8);
});

test("CSV: fixed digits, empty where there is nothing", () => {
  const one = measured("diamond", {
    oracle: { error: [1 / 3, 2 / 3], accuracy: [1, 0.5] },
    taylor1: { error: [1 / 3, 1e-12], accuracy: [1, 0.5] },
    taylor2: { error: [1 / 3, 12345678.9012], accuracy: [1, 0.5] },
  });
  const rows = curvesCsv(one).split("\n");
  expect(rows[1]).toBe("oracle,rerank,0,0.333333333,1,,");
  expect(rows[2]).toBe("oracle,rerank,1,0.666666667,0.5,,,hidden1,0,hidden1,1");
  expect(rows[4]).toBe("taylor1,rerank,1,1e-12,0.5,,,hidden1,0,hidden1,1");
  expect(rows[6]).toBe("taylor2,rerank,1,12345678.9,0.5,,,hidden1,0,hidden1,1");
  expect(bandsCsv([one]).split("\n")[1]).toBe("oracle,rerank,0,0.333333333,0.333333333,0.333333333,1,1,1,,,,,,");
});
