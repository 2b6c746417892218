import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareRankings } from "../../src/analysis/agreement.ts";
import { kendall, order, regret, spearman, topOverlap } from "../../src/analysis/rank-agreement.ts";

describe("spearman", () => {
  test("is 1 for the same order and -1 for the opposite one", () => {
    expect(spearman([1, 2, 3, 9], [-5, 0, 0.1, 7])).toBeCloseTo(1, 12);
    expect(spearman([1, 2, 3, 9], [7, 0.1, 0, -5])).toBeCloseTo(-1, 12);
  });

  test("without ties is 1 - 6 sum d^2 / (n (n^2 - 1))", () => {
    // ranks 1 2 3 4 5 and 2 1 4 3 5: d^2 = 1 1 1 1 0
    expect(spearman([10, 20, 30, 40, 50], [2, 1, 4, 3, 5])).toBeCloseTo(1 - (6 * 4) / (5 * 24), 12);
  });

  test("gives equal scores the mean of their ranks", () => {
    // ranks 1 2 3 4 5 and 1 2 3.5 5 3.5: 8 / sqrt(10 * 9.5)
    expect(spearman([1, 2, 3, 4, 5], [5, 6, 7, 8, 7])).toBeCloseTo(8 / Math.sqrt(95), 12);
  });

  test("is not defined for a constant list", () => {
    expect(spearman([1, 1, 1], [1, 2, 3])).toBeNaN();
  });
});

describe("kendall", () => {
  test("counts pairs", () => {
    // of 10 pairs the two swapped neighbours are in opposite order
    expect(kendall([10, 20, 30, 40, 50], [2, 1, 4, 3, 5])).toBeCloseTo((8 - 2) / 10, 12);
  });

  test("tau-b leaves tied pairs out of the count", () => {
    // in order 2, opposite 6; untied in a 8 of 10, in b 9 of 10
    expect(kendall([12, 2, 1, 12, 2], [1, 4, 7, 1, 0])).toBeCloseTo((2 - 6) / Math.sqrt(8 * 9), 12);
    expect(kendall([1, 1, 1], [1, 2, 3])).toBeNaN();
  });
});

describe("topOverlap", () => {
  const costs = [0.1, 5, 0.2, 4, 3];
  test("is the shared part of the lowest", () => {
    expect(topOverlap(costs, [9, 1, 2, 8, 7], 1)).toBe(0);
    expect(topOverlap(costs, [9, 1, 2, 8, 7], 2)).toBe(0.5); // {0, 2} and {1, 2}
    expect(topOverlap(costs, [9, 1, 2, 8, 7], 3)).toBeCloseTo(2 / 3, 12); // {0, 2, 4} and {1, 2, 4}
    expect(topOverlap(costs, costs, 9)).toBe(1);
  });
});

describe("regret", () => {
  test("is what the pick costs above the best", () => {
    expect(regret([0.5, -1, 2], [3, 4, 0])).toBe(3);
    expect(regret([0.5, -1, 2], [3, -4, 0])).toBe(0);
  });

  test("takes the first of equal scores, and a score that is no number last", () => {
    expect(regret([5, 1, 2], [0, 0, 0])).toBe(4);
    expect(order([Number.NaN, 2, 1, 2])).toEqual([2, 1, 3, 0]);
  });
});

test("agreement is between -1 and 1, and full with oneself", () => {
  const lists = fc.integer({ min: 2, max: 30 }).chain((length) => {
    const list = fc.array(fc.integer({ min: -5, max: 5 }), { minLength: length, maxLength: length });
    return fc.tuple(list, list);
  });
  fc.assert(
    fc.property(lists, ([a, b]) => {
      for (const measure of [spearman, kendall]) {
        const value = measure(a, b);
        if (new Set(a).size === 1 || new Set(b).size === 1) expect(value).toBeNaN();
        else {
          expect(Math.abs(value)).toBeLessThanOrEqual(1 + 1e-12);
          expect(measure(b, a)).toBeCloseTo(value, 12);
          expect(measure(a, a)).toBeCloseTo(1, 12);
        }
      }
      expect(regret(a, b)).toBeGreaterThanOrEqual(0);
    }),
  );
});

test("compareRankings looks at 1, 5 and 10 % of the units, at least one", () => {
  const scores = Array.from({ length: 40 }, (_, i) => i);
  expect(compareRankings(scores, scores)).toEqual({
    spearman: 1,
    kendall: 1,
    top: [
      { share: 0.01, count: 1, overlap: 1 },
      { share: 0.05, count: 2, overlap: 1 },
      { share: 0.1, count: 4, overlap: 1 },
    ],
    regret: 0,
  });
});
