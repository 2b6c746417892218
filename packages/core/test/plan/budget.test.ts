import { describe, expect, test } from "vitest";
import { type Budget, checkBudget, goalReached, hasGoal, limitBroken, removalGoal } from "../../src/plan/budget.ts";

const before = { removed: 0, macs: 1000, parameters: 100, error: 2, accuracy: 0.9 };
const at = (now: Partial<typeof before>) => ({ ...before, ...now });
const reached = (budget: Budget, now: Partial<typeof before>) => goalReached(budget, at(now), before, 10);

describe("goals", () => {
  test("a number of units", () => {
    expect(reached({ remove: { count: 3 } }, { removed: 2 })).toBeUndefined();
    expect(reached({ remove: { count: 3 } }, { removed: 3 })).toBe("removed 3 of 10 units as asked");
    expect(reached({ remove: { count: 11 } }, { removed: 10 })).toBeUndefined();
    expect(reached({ remove: { count: 0 } }, {})).toBeDefined();
  });

  test("a share of units, rounded", () => {
    expect(removalGoal({ remove: { share: 0.24 } }, 10)).toBe(2);
    expect(removalGoal({ remove: { share: 0.25 } }, 10)).toBe(3);
    expect(removalGoal({}, 10)).toBeUndefined();
    expect(reached({ remove: { share: 0.5 } }, { removed: 5 })).toBeDefined();
    expect(reached({ remove: { share: 0.5 } }, { removed: 4 })).toBeUndefined();
  });

  test("MACs and parameters that are left", () => {
    expect(reached({ targetMacs: 0.5 }, { macs: 501 })).toBeUndefined();
    expect(reached({ targetMacs: 0.5 }, { macs: 500 })).toBe("reached the target MACs");
    expect(reached({ targetParams: 0.5 }, { parameters: 51 })).toBeUndefined();
    expect(reached({ targetParams: 0.5 }, { parameters: 50 })).toBe("reached the target parameters");
  });

  test("bytes of the file: a size, or a share of the original's", () => {
    const [size, share] = [{ targetBytes: { bytes: 500 } }, { targetBytes: { share: 0.5 } }];
    const of = (budget: Budget, bytes: number) =>
      goalReached(budget, { ...before, bytes }, { ...before, bytes: 800 }, 10);
    expect([of(size, 501), of(size, 500)]).toEqual([undefined, "reached the target bytes"]);
    expect([of(share, 401), of(share, 400)]).toEqual([undefined, "reached the target bytes"]);
  });

  test("where there are no units, removing a share of them is not done by removing none", () => {
    expect(goalReached({ remove: { share: 0.4 } }, before, before, 0)).toBeUndefined();
  });

  test("several goals: the first to be reached ends the run", () => {
    expect(reached({ remove: { count: 9 }, targetMacs: 0.5 }, { removed: 1, macs: 400 })).toBe(
      "reached the target MACs",
    );
  });

  test("without a goal nothing is reached", () => {
    expect(reached({}, { removed: 9 })).toBeUndefined();
    expect(hasGoal({ maxErrorRise: 1 })).toBe(false);
    expect(
      [{ remove: { count: 1 } }, { targetMacs: 1 }, { targetParams: 1 }, { targetBytes: { bytes: 1 } }].every(hasGoal),
    ).toBe(true);
  });
});

describe("limits", () => {
  test("an accuracy drop of just the limit is allowed", () => {
    expect(limitBroken({ maxAccuracyDrop: 0.1 }, at({ accuracy: 0.8 }), before)).toBeUndefined();
    expect(limitBroken({ maxAccuracyDrop: 0.1 }, at({ accuracy: 0.79 }), before)).toBe(
      "one more removal would lower the accuracy from 90.00 % to 79.00 %",
    );
    expect(limitBroken({ maxAccuracyDrop: 0 }, at({ accuracy: 0.95 }), before)).toBeUndefined();
  });

  test("an error rise of just the limit is allowed", () => {
    expect(limitBroken({ maxErrorRise: 0.5 }, at({ error: 3 }), before)).toBeUndefined();
    expect(limitBroken({ maxErrorRise: 0.5 }, at({ error: 3.1 }), before)).toBe(
      "one more removal would raise the error from 2 to 3.1, 3 may be",
    );
  });

  test("limits are on all calibration samples where a part is held out", () => {
    const next = { ...at({ accuracy: 0.5, error: 9 }), overall: { error: 20, accuracy: 0.85 } };
    const start = { ...before, overall: { error: 15, accuracy: 0.9 } };
    expect(limitBroken({ maxAccuracyDrop: 0.06, maxErrorRise: 0.5 }, next, start)).toBeUndefined();
    expect(limitBroken({ maxAccuracyDrop: 0.04 }, next, start)).toContain("from 90.00 % to 85.00 %");
    expect(limitBroken({ maxErrorRise: 0.3 }, next, start)).toContain("from 15 to 20");
  });

  test("with a confidence the upper end of the drop is limited", () => {
    const budget = { maxAccuracyDrop: 0.02, confidence: 0.9 };
    expect(limitBroken(budget, { ...before, accuracy: 0.1, highestDrop: 0.02 }, before)).toBeUndefined();
    expect(limitBroken(budget, { ...before, highestDrop: 0.021 }, before)).toContain("upper end of the 90 % interval");
  });

  test("an error that is no number breaks a limit on the error", () => {
    expect(limitBroken({ maxErrorRise: 0.5 }, at({ error: Number.NaN }), before)).toBeDefined();
  });
});

describe("what cannot be met is refused at the start", () => {
  test.each<[Budget, string]>([
    [{ remove: { share: 1.2 } }, "remove: 1.2 is out of range"],
    [{ remove: { share: Number.NaN } }, "remove: NaN is out of range"],
    [{ remove: { count: -1 } }, "remove: -1, expected a whole number of units"],
    [{ remove: { count: 1.5 } }, "remove: 1.5, expected a whole number of units"],
    [{ targetMacs: -0.1 }, "target MACs: -0.1 is out of range"],
    [{ targetParams: 2 }, "target parameters: 2 is out of range"],
    [{ maxAccuracyDrop: 5 }, "largest accuracy drop: 5 is out of range"],
    [{ targetBytes: { share: 1.1 } }, "target bytes: 1.1 is out of range"],
    [{ targetBytes: { bytes: 0 } }, "target bytes: 0, expected a size above 0"],
    [{ maxAccuracyDrop: 0.1, confidence: 0.5 }, "confidence: 0.5 is out of range"],
    [{ confidence: 0.9 }, "confidence: is that of a limit on the accuracy"],
    [{ maxErrorRise: -1 }, "largest error rise: -1"],
  ])("%j", (budget, message) => {
    expect(() => checkBudget(budget, before)).toThrow(message);
  });

  test("limits that the data cannot measure", () => {
    expect(() => checkBudget({ maxAccuracyDrop: 0.1 }, {})).toThrow("accuracy drop: cannot be measured");
    expect(() => checkBudget({ maxErrorRise: 0.1 }, undefined)).toThrow("error rise: cannot be measured without data");
    expect(() => checkBudget({ maxErrorRise: 0.1, maxAccuracyDrop: 0.1 }, before)).not.toThrow();
  });
});
