/** The small parts that commands print and read with. */
import { symlinkSync } from "node:fs";
import { lstat } from "node:fs/promises";
import { afterAll, describe, expect, test } from "vitest";
import { writeFiles } from "../src/files/write-files.ts";
import { parseNames, parseRemoval, parseRise, parseShare } from "../src/options/quantities.ts";
import { parseShape } from "../src/options/shapes.ts";
import { paceTeller } from "../src/progress/pace.ts";
import { costText } from "../src/text/cost.ts";
import { csv } from "../src/text/csv.ts";
import { formatCount, formatNumber, formatSeconds, formatShare } from "../src/text/format.ts";
import { planText } from "../src/text/plan.ts";
import { Workplace } from "./support.ts";

describe("quantities", () => {
  test("shares", () => {
    expect(["1%", "0.01", "40 %", "100%", ".5%", "0"].map(parseShare)).toEqual([0.01, 0.01, 0.4, 1, 0.005, 0]);
    expect(["250%", "0.1"].map(parseRise)).toEqual([2.5, 0.1]);
  });

  test("removals", () => {
    expect(["40%", "12", "0", "1"].map(parseRemoval)).toEqual([
      { share: 0.4 },
      { count: 12 },
      { count: 0 },
      { count: 1 },
    ]);
  });

  test("names", () => {
    expect(parseNames("b, a,b", ["a", "b", "c"])).toEqual(["b", "a"]);
    expect(() => parseNames("a,,b", ["a", "b"])).toThrow('"" is unknown');
  });

  test("shapes", () => {
    expect(parseShape("b=2X3", parseShape("in=put=1x3x4"))).toEqual({ "in=put": [1, 3, 4], b: [2, 3] });
    expect(() => parseShape("x=1x0")).toThrow("expected NAME=DIMS");
  });
});

test("numbers", () => {
  expect([12345.6, 12.3456, 0.012345, 1.23e-7, 0, 2.5e10, null, Number.NaN].map(formatNumber)).toEqual([
    ...["12,346", "12.35", "0.01235", "1.2e-7", "0", "2.5e10", "-", "-"],
  ]);
  expect([formatCount(1234567), formatShare(0.12345), formatShare(0.12345, 2)]).toEqual([
    "1,234,567",
    "12.3 %",
    "12.35 %",
  ]);
  expect([3.21, 59.4, 80, 7500].map(formatSeconds)).toEqual(["3.2 s", "59 s", "1 min 20 s", "2 h 5 min"]);
});

test("what a run of the oracle will take", () => {
  const cost = { mode: "exact", evaluations: 5050, macs: 2e9, expected: 5050, passes: 200.2, seconds: 75 } as const;
  expect(costText(cost)).toBe(
    "oracle: exact, about 5,050 candidate evaluations, as much as 201 passes over the data, about 1 min 15 s",
  );
  expect(costText({ ...cost, mode: "lazy", expected: 707, passes: 0.5, seconds: 2 })).toBe(
    "oracle: lazy, about 707 candidate evaluations instead of 5,050, as much as 1 pass over the data, about 2.0 s",
  );
});

test("csv quotes what needs it", () => {
  const rows = [
    { name: 'x,"y"', value: Number.NaN },
    { name: null, value: 0.5 },
  ];
  expect(csv({ a: (row) => row.name, b: (row) => row.value }, rows)).toBe('a,b\n"x,""y""",\n,0.5\n');
});

test("a plan has each group on a line, and names stay as they are", () => {
  const plan = {
    ...{
      format: "shrinknet-plan" as const,
      version: 1 as const,
      modelHash: "0",
      criterion: "random",
      schedule: "once",
    },
    ...{ objective: "none", compensation: "none", seed: 0, removed: { "odd [\n 1, 2\n] name": [0, 12, 3] } },
  };
  const text = planText(plan);
  expect(text).toContain('name": [0, 12, 3]\n');
  expect(JSON.parse(text)).toEqual(plan);
});

test("time left follows the work that is left", () => {
  const tell = paceTeller({ shrinking: true, known: true });
  const stage = (removed: number) => ({ removed, expected: 100, units: 100, quality: { error: 12.3456 } });
  expect(tell(stage(1), 0)).toBe("1 of 100 removed, error 12.35");
  // 99 of 4,950 evaluations took 99 ms
  expect(tell(stage(2), 99)).toBe("2 of 100 removed, error 12.35, about 4.9 s left");
  const limit = paceTeller({ shrinking: false, known: false });
  limit(stage(1), 0);
  expect(limit(stage(2), 1000)).toBe("2 units of 100 removed, error 12.35, at most 1 min 38 s left");
  expect(limit({ ...stage(2), lastFit: true })).toBe("2 units removed; fitting what reads them together");
  const repair = { ...stage(2), outlook: { repairs: 1, expected: 5, seconds: 12.3 } };
  expect(tell(repair, 99)).toBe("2 of 100 removed, error 12.35, repair 1 of at most 5, about 12 s left");
  expect(tell({ ...repair, lastFit: true })).toMatch(/ fitting what reads them together, about 12 s left$/);
});

describe("written files", () => {
  const place = new Workplace();
  afterAll(() => place.remove());

  test("replace a link's target, not the link", async () => {
    place.write("real.json", "old");
    symlinkSync(place.path("real.json"), place.path("link.json"));
    await writeFiles([{ path: place.path("link.json"), content: "new" }]);
    expect(place.text("real.json")).toBe("new");
    expect((await lstat(place.path("link.json"))).isSymbolicLink()).toBe(true);
  });

  test("are all there or none", async () => {
    const before = place.files();
    const files = [
      { path: place.path("a.json"), content: "a" },
      { path: place.path("nowhere/b.json"), content: "b" },
    ];
    await expect(writeFiles(files)).rejects.toThrow(/nowhere\/b.json: cannot be written \(ENOENT\)/);
    expect(place.files()).toEqual(before);
  });
});
