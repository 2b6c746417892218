import { describe, expect, it } from "vitest";
import {
  accuracyChart,
  computePruneCurves,
  errorChart,
  gainChart,
  layerOrderChart,
  lineChart,
  predictedChart,
  type Series,
  sharesChart,
  widthsChart,
} from "../src/index.ts";
import { gainFixture, pruneFixture } from "./fixtures.ts";
import { count, loads, rounded, xmlProblems } from "./markup.ts";

const summary = pruneFixture({ removals: 6, layers: ['<fc1> & "co"', "fc2"] });
const gaps = [
  [0, 0],
  [1, 1e-3],
  [2, Number.NaN],
  [3, 500],
  [4, Number.POSITIVE_INFINITY],
] as const;

const charts: Record<string, () => string> = {
  error: () => errorChart(computePruneCurves(summary, "error")),
  accuracy: () => accuracyChart(computePruneCurves(summary, "accuracy")),
  order: () => layerOrderChart(summary.removed),
  predicted: () =>
    predictedChart([
      {
        name: "a<b",
        points: [
          { predicted: -1, measured: 2 },
          { predicted: 300, measured: 5 },
        ],
      },
    ]),
  widths: () => widthsChart(summary.layers),
  gain: () => gainChart(gainFixture()),
  "gain, log": () => gainChart(gainFixture(), { yScale: "log" }),
  "gain of a broken unit": () =>
    gainChart({ ...gainFixture(), points: [], parabola: Number.NaN, removed: Number.POSITIVE_INFINITY }),
  "line with gaps": () => errorChart([{ name: "gaps", points: gaps }]),
  "line with gaps, log": () => errorChart([{ name: "gaps", points: gaps }], { yScale: "log" }),
  "nothing: line": () => errorChart([]),
  "nothing: order": () => layerOrderChart([]),
  "nothing: predicted": () => predictedChart([]),
  "nothing: widths": () => widthsChart([]),
  shares: () =>
    sharesChart(
      [
        { name: "a<b", sizes: [6, 3, 1] },
        { name: "nothing", sizes: [0, 0, 0] },
        { name: "broken", sizes: [1, Number.NaN, 1] },
      ],
      { title: "Shares", parts: ["one", "two", "three"] },
    ),
  "nothing: shares": () => sharesChart([], { title: "Shares", parts: ["one"] }),
};

describe.each(Object.entries(charts))("%s", (_name, draw) => {
  const svg = draw();

  it("is a well-formed, accessible, self-contained file without broken numbers", () => {
    expect(xmlProblems(svg)).toEqual([]);
    expect(loads(svg)).toEqual([]);
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg"[^>]* role="img" aria-label="[^"]+"/);
    expect(svg).toContain("<title>");
    expect(svg).toContain("prefers-color-scheme:dark");
    expect(svg).not.toMatch(/NaN|undefined|Infinity|plot-/);
  });

  it("is the same each time", () => expect(draw()).toBe(svg));
});

describe("charts", () => {
  it("name axes with units and lines in the legend", () => {
    const svg = errorChart(computePruneCurves(summary, "error"));
    for (const text of ["units removed", "error (mean over samples)", "calibration", "test"])
      expect(svg).toContain(`>${text}<`);
    expect(accuracyChart(computePruneCurves(summary, "accuracy"))).toContain(">accuracy (%)<");
  });

  it("draw a gain curve far beyond 2 twice: where the estimates can be told apart, and whole", () => {
    const whole = gainChart(gainFixture());
    const near = gainFixture().points.filter(({ gain }) => gain <= 2);
    const one = gainChart({ ...gainFixture(), points: near });
    expect(count(whole, ">gain (0 = removed, 1 = intact)<")).toBe(2);
    expect(count(one, ">gain (0 = removed, 1 = intact)<")).toBe(1);
    for (const svg of [whole, one]) expect(count(svg, ">measured: ")).toBe(1); // one legend
    expect(whole).toContain(">error (mean over samples), gains up to 2<");
    expect(whole).toContain(">error (mean over samples), all gains<");
    const coarse = gainFixture().points.filter((_, i) => i % 10 === 0); // 0, 1, 2: no curve to look at
    expect(gainChart({ ...gainFixture(), points: coarse })).not.toContain("gains up to 2");
  });

  it("cut bars into shares, with numbers where there is room", () => {
    const rows = [{ name: "a", sizes: [9, 0.5, 0.5] }];
    const svg = sharesChart(rows, { title: "Shares", parts: ["one", "two", "three"] });
    expect(svg).toContain(">90<");
    expect(svg).not.toContain(">5<");
    for (const text of ["one", "two", "three", "share (%)", "a"]) expect(svg).toContain(`>${text}<`);
  });

  it("escape titles and names", () => {
    const svg = lineChart({
      title: `<script>"&'\u0000`,
      xLabel: "<x>",
      yLabel: "<y>",
      series: [{ name: "<b>", points: [[0, 1]] }],
      rules: [{ x: 0, label: "<i>" }],
    });
    expect(xmlProblems(svg)).toEqual([]);
    expect(svg).toContain("&lt;script&gt;&quot;&amp;&#39;\ufffd");
    expect(svg).not.toContain("<script");
  });

  it("stay small for many points and keep the peak", () => {
    const points = Array.from({ length: 20000 }, (_, i) => [i, i === 7777 ? 80 : 1 + (i % 7)] as const);
    const svg = lineChart({ title: "long", xLabel: "x", yLabel: "y", series: [{ name: "a", points }] });
    expect(svg.length).toBeLessThan(30_000);
    const many = Array.from({ length: 20000 }, (_, i) => ({ predicted: i % 101, measured: i % 103 }));
    expect(count(predictedChart([{ name: "a", points: many }]), "<circle")).toBeLessThanOrEqual(802);
    const removals = Array.from({ length: 20000 }, (_, i) => ({ group: `g${i % 3}`, layer: `l${i % 3}` }));
    expect(count(layerOrderChart(removals), "<rect")).toBeLessThanOrEqual(3 * 401);
  });

  it("draw a line with dash, markers and a rule as before", () => {
    const svg = lineChart({
      title: "Small",
      xLabel: "units removed",
      yLabel: "error",
      width: 200,
      height: 120,
      series: [
        {
          name: "a",
          points: [
            [0, 1],
            [1, 2],
          ],
        },
        {
          name: "b",
          points: [
            [0, 2],
            [1, 0],
          ],
          markers: false,
        },
      ],
      rules: [{ y: 1.5, label: "limit" }],
    });
    expect(rounded(svg)).toMatchSnapshot();
  });

  it("draw the order of removals as before", () => {
    const removals = ["a", "a", "b"].map((group) => ({ group, layer: `layer ${group}` }));
    expect(rounded(layerOrderChart(removals, { width: 240 }))).toMatchSnapshot();
  });
});

describe("a band around a line", () => {
  const band = [
    [0, 0.2, 0.4],
    [1, 0.1, 0.9],
  ] as const;
  const plain: Series = {
    name: "a",
    points: [
      [0, 0.3],
      [1, 0.5],
    ],
  };
  const series = [{ ...plain, band }];

  it("is an area under the lines, and the axis covers it", () => {
    const svg = lineChart({ title: "t", xLabel: "x", yLabel: "y", series });
    expect(xmlProblems(svg)).toEqual([]);
    expect(count(svg, "path")).toBeGreaterThan(
      count(lineChart({ title: "t", xLabel: "x", yLabel: "y", series: [plain] }), "path"),
    );
    expect(svg).toContain(">0.8<");
  });

  it("is drawn in per cent where the line is", () => {
    expect(accuracyChart(series)).toContain(">80<"); // the line itself ends at 50
  });
});
