import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { compareReport, pruneReport } from "../src/index.ts";
import { SCRIPT_HASH, script } from "../src/pages/interaction.ts";
import { compareFixture, pruneFixture } from "./fixtures.ts";
import { count, loads, withoutScript } from "./markup.ts";

/** The words of a document, without drawings and style. */
function words(html: string): string {
  return html
    .replace(/<(svg|style|script)\b.*?<\/\1>/gs, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
}

it("the policy allows the page's own script and no other", () => {
  expect(SCRIPT_HASH).toBe(`sha256-${createHash("sha256").update(script).digest("base64")}`);
  expect(pruneReport(pruneFixture())).toContain(`script-src '${SCRIPT_HASH}'`);
});

describe("pruneReport", () => {
  it("says what was done, how it was verified and what was measured", () => {
    expect(words(pruneReport(pruneFixture({ removals: 3 })))).toMatchSnapshot();
  });

  it("shows every output, what else was tried, and a doubt", () => {
    const fixture = pruneFixture({ removals: 3 });
    const outputs = [
      { name: "class", objective: "match", error: 0.02, agreement: 0.985 },
      { name: "box", objective: "match", error: 0.13 },
    ];
    const text = words(
      pruneReport({
        ...fixture,
        after: { ...fixture.after, outputs },
        alsoTried: "obs",
        inDoubt: true,
        verified: 1e-3,
      }),
    );
    expect(text).toContain("class match 0.02 — 98.50 % box match 0.13 — —");
    expect(text).toContain("Also tried: obs. The result by taylor2 has the lower error");
    expect(text).toContain("Not verified: the written file was run beside the original");
    expect(text).toContain("Try the file before it is used.");
  });

  it("loads nothing and is the same each time", () => {
    const html = pruneReport(pruneFixture());
    expect(loads(withoutScript(html))).toEqual([]);
    expect(withoutScript(html).replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toMatch(/https?:\/\//);
    expect(html).toBe(pruneReport(pruneFixture()));
    expect(html).not.toMatch(/NaN|undefined|Infinity|null/);
  });

  it("escapes every text", () => {
    const nasty = `<img src=x onerror="alert('&')">`;
    const fixture = pruneFixture({ layers: [nasty] });
    const html = pruneReport({
      ...fixture,
      model: nasty,
      out: nasty,
      criterion: nasty,
      schedule: nasty,
      objective: nasty,
      compensation: nasty,
      stopped: nasty,
    });
    expect(html).not.toContain("<img");
    expect(count(html, "&lt;img src=x onerror=&quot;alert(&#39;&amp;&#39;)&quot;&gt;")).toBeGreaterThan(8);
  });

  it("has the charts for what there is, and no others", () => {
    const charts = (options: Parameters<typeof pruneFixture>[0]): number =>
      count(pruneReport(pruneFixture(options)), "<svg");
    expect(charts({})).toBe(5);
    expect(charts({ accuracy: false })).toBe(4);
    expect(charts({ accuracy: false, test: false, predicted: false })).toBe(3);
    expect(charts({ removals: 0 })).toBe(1);
    expect(charts({ layers: ["only"] })).toBe(5);
  });

  it("leaves out columns and rows that were not measured", () => {
    const text = words(pruneReport(pruneFixture({ accuracy: false, test: false, predicted: false })));
    expect(text).not.toMatch(/accuracy|test|predicted/);
  });

  it("handles zero removals", () => {
    const html = pruneReport(pruneFixture({ removals: 0 }));
    expect(html).toContain("Nothing was removed.");
    expect(html).not.toContain("<details");
  });

  it("says so if nothing was verified, and survives numbers that are not finite", () => {
    const fixture = pruneFixture();
    const html = pruneReport({
      ...fixture,
      verified: Number.NaN,
      after: { ...fixture.after, error: Number.NaN },
      removed: fixture.removed.map((r) => ({ ...r, error: Number.POSITIVE_INFINITY, score: Number.NaN })),
    });
    expect(html).toContain('<p class="bad">Not verified');
    expect(html).not.toMatch(/NaN|Infinity/);
  });

  it("says how sure the accuracy is, which classes paid, what was held out and how long a sample takes", () => {
    const latency = { before: 0.412, after: 0.206, speedup: 2, interval: [1.9, 2.1] as const, runs: 301, threads: 2 };
    const html = pruneReport({ ...pruneFixture({ removals: 3, classes: 3 }), latency });
    const text = words(html);
    expect(count(html, "<svg")).toBe(5 + 2);
    expect(text).toContain("1,000 of the calibration samples (20 %) were held out: no unit was scored on them.");
    expect(text).toContain("−0.90 points −1.40 points to −0.40 points 80 35");
    expect(text).toContain("All classes, the one that lost most first on the test data:");
    expect(text).toContain(
      "2.0 times faster (95 % interval 1.9 to 2.1): one sample took 0.412 ms before and takes 0.206 ms after; median of 301 runs",
    );
    expect(words(pruneReport(pruneFixture()))).not.toMatch(/held out|by class|Latency/);
  });

  it("stays readable for 1,000 classes", () => {
    const html = pruneReport(pruneFixture({ classes: 1000 }));
    expect(words(html)).toContain("The 20 of 1,000 classes that lost most on the test data:");
    expect(html.length).toBeLessThan(400_000);
    const own = pruneFixture({ classes: 30 });
    const { test: _, ...untested } = own.answers as NonNullable<typeof own.answers>;
    expect(words(pruneReport({ ...own, answers: untested }))).toContain("The 20 of 30 classes that lost most:");
  });

  it("draws what compensation bought", () => {
    const points = (rise: number) =>
      [0, 10, 20].map((removed) => {
        const error = 10 + rise * removed;
        return { removed, error, accuracy: 1 - error / 1000, test: { error: 2 * error, accuracy: 1 - error / 500 } };
      });
    const compensationCurves = [
      { compensation: "none", points: points(9) },
      { compensation: "mean", points: points(5) },
      { compensation: "lstsq", points: points(2) },
    ];
    const html = pruneReport({ ...pruneFixture(), compensationCurves });
    expect(words(html)).toContain("What compensation bought");
    expect(count(html, "<svg")).toBe(5 + 3);
    expect(count(html, ">lstsq</text>")).toBe(3);
  });

  it("says what polish swapped, and marks it in the trace", () => {
    const fixture = pruneFixture({ removals: 3 });
    const removed = fixture.removed.map((row, at) => (at === 1 ? { ...row, instead: 17 } : row));
    const polish = { trials: 40, swaps: 1, errorBefore: 12.5, errorAfter: 11.25, settled: true };
    const text = words(pruneReport({ ...fixture, removed, polish }));
    expect(text).toContain(
      "Polish: 1 swap of a removed unit for another one of its group, in 40 trials; the error fell from 12.5 to 11.3",
    );
    expect(text).toContain("step layer unit swapped for score");
    expect(words(pruneReport(fixture))).not.toMatch(/Polish|swapped/);
    const none = { ...polish, swaps: 0, errorAfter: 12.5, settled: false };
    expect(words(pruneReport({ ...fixture, polish: none }))).toContain(
      "the error stayed at 12.5 on the samples that choose, and more trials would have taken too long.",
    );
  });

  it("stays small for 2,000 removals", () => {
    const html = pruneReport(
      pruneFixture({ removals: 2000, layers: Array.from({ length: 12 }, (_, i) => `conv${i}`) }),
    );
    expect(html.length).toBeLessThan(500_000);
  });
});

describe("compareReport", () => {
  it("has a row per run and says what was measured", () => {
    expect(words(compareReport(compareFixture({ removals: 3, schedules: ["rerank", "once"] })))).toMatchSnapshot();
  });

  it("draws error and accuracy per schedule and data set, then order and prediction per run", () => {
    const charts = (options: Parameters<typeof compareFixture>[0]): number =>
      count(compareReport(compareFixture(options)), "<svg");
    expect(charts({ schedules: ["rerank", "once"] })).toBe(2 * 2 * 2 + 6 + 6);
    expect(charts({})).toBe(4 + 3 + 3);
    expect(charts({ test: false, predicted: false })).toBe(2 + 3);
    expect(charts({ test: false, predicted: false, accuracy: false })).toBe(1 + 3);
  });

  it("leaves out columns without values", () => {
    expect(words(compareReport(compareFixture({ accuracy: false, test: false })))).not.toMatch(/accuracy|\(test\)/);
  });

  it("loads nothing, escapes, and survives no runs and no steps", () => {
    const fixture = compareFixture();
    const html = compareReport({
      ...fixture,
      model: "<b>",
      runs: fixture.runs.map((run) => ({ ...run, criterion: `<i>${run.criterion}` })),
    });
    expect(loads(withoutScript(html))).toEqual([]);
    expect(html).not.toMatch(/<[bi]>/);
    for (const empty of [
      { ...fixture, runs: [] },
      { ...fixture, runs: fixture.runs.map((run) => ({ ...run, steps: [] })) },
    ])
      expect(compareReport(empty)).not.toMatch(/NaN|Infinity|undefined/);
  });
});
