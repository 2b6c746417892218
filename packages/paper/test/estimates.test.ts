import type { Agreement, AnalyzedStep, AnalyzeSummary, UnitCost } from "@shrinknet/core";
import { expect, test } from "vitest";
import type { Measured } from "../src/measure/measured.ts";
import { agreementCsv, causesCsv, costsCsv, pairsCsv, partnersCsv, rankingsCsv } from "../src/results/csv.ts";
import { causesOf, meanCauses, medianRankings, rankingsOf } from "../src/results/estimates.ts";
import { estimatesSection } from "../src/results/estimates-page.ts";
import { measured } from "./small.ts";

const cost = (unit: number, value: number): UnitCost => ({
  ...{ group: "hidden1", layer: "hidden1", unit, measured: value },
  ...{ taylor1: 0, taylor2: value / 2, diagonal: value / 8, truncation: (3 * value) / 8 },
});

const agreement = (spearman: number, regret: number): Omit<Agreement, "criterion"> => ({
  ...{ spearman, kendall: spearman / 2, regret },
  top: [0.01, 0.05, 0.1].map((share) => ({ share, count: 1, overlap: share * 10 })),
});

/** Costs 1, 2 and 6: a random pick costs 2 more than the best one. */
const step = (removed: number, spearman: number, regret: number): AnalyzedStep => ({
  ...{ removed, error: 10, left: 3, joint: removed * 3, alone: removed },
  costs: [1, 2, 6].map((value, unit) => cost(unit, value)),
  agreement: [{ criterion: "taylor2", ...agreement(spearman, regret) }],
  exactParabola: agreement(0.9, 0),
  intactCosts: agreement(1, 0),
  failure: { units: 3, measured: 8, failure: 4, truncation: 3, diagonal: 1 },
});

function network(steps: readonly AnalyzedStep[], interaction: number): Measured {
  const curve = { error: [1, 2, 3] };
  const whole = measured("cosine-small", { oracle: curve, taylor1: curve, taylor2: curve });
  const [a, b] = [
    { group: "hidden1", layer: "hidden1", unit: 0 },
    { group: "hidden2", layer: "hidden2", unit: 4 },
  ] as const;
  const interactions: AnalyzeSummary["interactions"] = {
    ...{ of: 2, chosen: "all", cancelling: [], covering: [], groups: [] },
    units: [
      { ...a, cost: 1 },
      { ...b, cost: 2 },
    ],
    matrix: [
      [0, -0.5],
      [-0.5, 0],
    ],
    partners: [{ ...a, cost: 1, partner: b, partnerCost: 2, pairCost: 2.5, after: 0.5 }],
    failure: { truncation: 2, diagonal: 1, interaction },
  };
  return { ...whole, analysis: { ...whole.analysis, criteria: ["taylor2"], steps, interactions } };
}

const one = network([step(0, 0.2, 0), step(5, 0.4, 1), step(9, Number.NaN, 4)], 1);
const other = network([step(0, 0.8, 0)], 7);

test("rankings: medians over the stages where there is a number; regret as a share of a random pick's", () => {
  const [taylor2, exact, intact] = rankingsOf(one);
  expect(taylor2).toEqual({
    ...{ criterion: "taylor2", spearman: expect.closeTo(0.3), kendall: expect.closeTo(0.15) },
    ...{ regret: 0.5, worstRegret: 2, bestPicks: 1 / 3 },
    top: [0.1, 0.5, 1],
  });
  expect(exact).toMatchObject({ criterion: "exact-parabola", spearman: 0.9, regret: 0 });
  expect(intact).toMatchObject({ criterion: "measured-once", spearman: 1 });
  expect(medianRankings([one, other]).get("taylor2")).toMatchObject({ spearman: expect.closeTo(0.55), regret: 0.25 });
});

test("causes: shares add up to 1, over several networks too", () => {
  expect(causesOf(one)).toEqual({
    ...{ failure: 0.5, truncation: 0.75, diagonal: 0.25, joint: 27, alone: 9 },
    pair: { truncation: 0.5, diagonal: 0.25, interaction: 0.25 },
  });
  const { truncation, diagonal, pair } = meanCauses([one, other]);
  expect(truncation + diagonal).toBeCloseTo(1, 12);
  expect(pair.interaction).toBeCloseTo((0.25 + 0.7) / 2, 12);
  expect(pair.truncation + pair.diagonal + pair.interaction).toBeCloseTo(1, 12);
});

test("CSV: a row per network, criterion, stage, unit and pair", () => {
  expect(rankingsCsv([[one, other]]).split("\n")[1]).toBe(
    "cosine-small,1,taylor2,0.3,0.15,0.1,0.5,1,0.5,2,0.333333333",
  );
  expect(causesCsv([[one]]).split("\n")[1]).toBe("cosine-small,1,3,0.5,0.75,0.25,0.5,0.25,0.25,27,9");
  expect(agreementCsv(one).split("\n")[4]).toBe("5,taylor2,0.4,0.2,0.1,0.5,1,1");
  expect(costsCsv(other).split("\n")[3]).toBe("0,hidden1,2,6,0,3,0.75,2.25");
  expect(pairsCsv(one).split("\n")[1]).toBe("hidden1,0,hidden2,4,1,2,2.5,-0.5");
  expect(partnersCsv(one).split("\n")[1]).toBe("hidden1,0,1,hidden2,4,2,2.5,0.5");
});

test("the page links every analysis and says how many stages there were", () => {
  const section = estimatesSection([[one, other]]);
  const { markup } = section as { markup: string };
  expect(markup).toContain("1 to 3 stages");
  expect(markup).toContain('href="cosine-small/seed-1/analysis.html"');
  expect(markup).toContain("rank correlation with the oracle is 0.55");
  expect(markup).not.toMatch(/NaN|undefined/);
  expect(estimatesSection([])).toBeUndefined();
});
