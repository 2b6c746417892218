import { describe, expect, it } from "vitest";
import {
  analysisReport,
  computeAgreementLines,
  computeFailureLines,
  computeGroupPaths,
  computeMeanAgreement,
  computeShares,
  computeSquares,
  interactionsChart,
  partnersChart,
} from "../src/index.ts";
import { analysisFixture } from "./analysis-fixture.ts";
import { count, loads, withoutScript, xmlProblems } from "./markup.ts";

describe("computeMeanAgreement", () => {
  it("averages over the steps where a measure is defined, best first", () => {
    const summary = analysisFixture({ steps: 1, criteria: ["a", "b", "c", "constant"] });
    const [step] = summary.steps;
    if (!step) throw new Error("no step");
    const other = { ...step, agreement: step.agreement.map((row) => ({ ...row, spearman: 0.5, regret: 0 })) };
    const rows = computeMeanAgreement({ ...summary, steps: [step, other] });
    const first = step.agreement.find(({ criterion }) => criterion === "a");
    const mean = rows.find(({ criterion }) => criterion === "a");
    expect(mean?.spearman).toBeCloseTo(((first?.spearman ?? 0) + 0.5) / 2, 12);
    expect(mean).toMatchObject({ right: 0.5, regret: (first?.regret ?? 0) / 2, worst: first?.regret });
    expect(rows.find(({ criterion }) => criterion === "constant")?.spearman).toBe(0.5);
    expect(rows.map(({ spearman }) => spearman)).toEqual(rows.map(({ spearman }) => spearman).sort((a, b) => b - a));
  });

  it("puts criteria that never rank last", () => {
    expect(computeMeanAgreement(analysisFixture()).at(-1)).toMatchObject({
      criterion: "magnitude",
      spearman: Number.NaN,
    });
    expect(computeMeanAgreement(analysisFixture({ criteria: [] }))).toEqual([]);
  });
});

it("lines are against units removed", () => {
  const summary = analysisFixture();
  const [line] = computeAgreementLines(summary, "regret", ["taylor2"]);
  expect(line?.points[1]).toEqual([2, 0]);
  const { failure } = summary.steps[0] ?? {};
  expect(computeFailureLines(summary.steps)[1]?.points[0]).toEqual([0, (failure?.failure ?? 0) / 8]);
  expect(computeGroupPaths(summary.interactions?.groups ?? [])[0]?.points).toEqual([
    [0, 0],
    [1, 2],
    [2, 3],
    [3, 1],
  ]);
});

it("shares add up to 1", () => {
  expect(computeShares({ truncation: 3, diagonal: 1 })).toEqual({ truncation: 0.75, diagonal: 0.25 });
});

it("squares: area is strength, signs on different sides of the diagonal, to scales of their own", () => {
  const { negative, positive } = computeSquares(
    [
      [0, -4, 1],
      [-4, 0, -1],
      [1, -1, 0],
    ],
    5,
  );
  expect(negative).toEqual([
    { x1: 1, x2: 2, y1: 0, y2: 1, value: -4 },
    { x1: 2.25, x2: 2.75, y1: 1.25, y2: 1.75, value: -1 },
  ]);
  expect(positive).toEqual([{ x1: 0, x2: 1, y1: 2, y2: 3, value: 1 }]);
  expect(computeSquares([[0]], 5)).toEqual({ negative: [], positive: [] });
});

describe("charts", () => {
  const { interactions } = analysisFixture({ layers: ['<fc1> & "co"', "fc2"] });
  if (!interactions) throw new Error("no interactions");

  it("are well-formed and load nothing", () => {
    for (const svg of [
      interactionsChart(interactions),
      partnersChart(interactions.partners),
      partnersChart([]),
      interactionsChart({ ...interactions, units: [], matrix: [] }),
    ]) {
      expect(xmlProblems(svg)).toEqual([]);
      expect(loads(svg)).toEqual([]);
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it("draw a row per partnership and a square per pair", () => {
    expect(count(partnersChart(interactions.partners), ">fc2:3<")).toBe(1);
    const nonzero = interactions.matrix.flatMap((row, i) => row.filter((value, j) => i < j && value !== 0)).length;
    expect(count(interactionsChart(interactions), "<rect ")).toBe(nonzero + 3); // two of the legend, the frame
  });
});

describe("analysisReport", () => {
  it("says what was found in its first lines", () => {
    const html = analysisReport(analysisFixture());
    const list = html.slice(html.indexOf("<ul>"), html.indexOf("</ul>"));
    expect(list).toContain("Closest to the oracle&#39;s ranking is");
    expect(list).toMatch(/On the intact network taylor2 is off by [\d.]+\s% of what removals cost/);
    expect(list).toContain("The first 4 units removed cost 8 together");
    expect(list).toContain("Strongest cancelling pair: fc1:0");
    expect(list).toContain("fc1:0, fc1:1, fc1:2 cost +1 together, in parts +4.");
  });

  it("loads nothing, is the same each time, and shows no broken numbers", () => {
    const html = analysisReport(analysisFixture());
    expect(loads(withoutScript(html))).toEqual([]);
    expect(html).toBe(analysisReport(analysisFixture()));
    expect(withoutScript(html)).not.toMatch(/NaN|undefined|Infinity|null/);
    expect(html).toBe(analysisReport(JSON.parse(JSON.stringify(analysisFixture()))));
  });

  it("escapes every text", () => {
    const nasty = `<img src=x onerror="alert('&')">`;
    const html = analysisReport({
      ...analysisFixture({ layers: [nasty], criteria: [nasty] }),
      model: nasty,
      objective: nasty,
    });
    expect(html).not.toContain("<img");
  });

  it("has the charts for what there is, and no others", () => {
    const charts = (options: Parameters<typeof analysisFixture>[0]): number =>
      count(analysisReport(analysisFixture(options)), "<svg");
    expect(charts({})).toBe(2 + 3 + 2 + 2 + 2);
    expect(charts({ interactions: false })).toBe(2 + 3 + 2);
    expect(charts({ criteria: [] })).toBe(3 + 2 + 2 + 2);
  });

  it("survives an analysis of nothing", () => {
    const html = analysisReport({
      ...analysisFixture({ steps: 0, interactions: false, criteria: [] }),
      curves: [],
      removed: 0,
    });
    expect(withoutScript(html)).not.toMatch(/NaN|undefined|Infinity/);
    expect(html).not.toContain("<svg");
  });

  it("stays small for 128 paired units", () => {
    expect(analysisReport(analysisFixture({ layers: ["fc1"], size: 128 })).length).toBeLessThan(600_000);
  });
});
