/** What a removal saves, and the choice that goes by error per cost. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Criterion } from "../../src/criteria/criterion.ts";
import { criteria, oracleBy } from "../../src/criteria/index.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import type { Budget } from "../../src/plan/budget.ts";
import { choose } from "../../src/plan/choose.ts";
import { Savings } from "../../src/plan/savings.ts";
import { sizeAfter } from "../../src/surgery/size.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { buildImage, imageNetwork, OUTPUTS, SIDE } from "../property/image-networks.ts";
import { random } from "../support/build.ts";

const named = (name: string): Criterion => criteria[name] as Criterion;

describe("savings", () => {
  test("are what each unit of the group saves in the current state, before and after neighbours lose units", async () => {
    await fc.assert(
      fc.asyncProperty(imageNetwork(), fc.integer({ min: 1, max: 2 ** 30 }), async (recipe, seed) => {
        const prunable = await prepared(buildImage(recipe));
        const { groups } = prunable.units;
        const savings = Savings.of(prunable, { targetMacs: 0.5, targetParams: 0.5 }, named("oracle")) as Savings;
        const removed = removal(prunable, []);
        const whole = sizeAfter(prunable, removed);
        const r = random(seed);
        for (let step = 0; step < 4; step++) {
          const now = sizeAfter(prunable, removed);
          const perUnit = savings.perUnit(removed, now);
          for (const group of groups) {
            for (let unit = group.first; unit < group.first + group.size; unit++) {
              if (removed[unit]) continue;
              const next = removed.slice();
              next[unit] = 1;
              const then = sizeAfter(prunable, next);
              const share = (now.macs - then.macs) / whole.macs + (now.parameters - then.parameters) / whole.parameters;
              expect(perUnit[unit]).toBeCloseTo(share, 12);
            }
          }
          for (const group of groups) {
            const left = Array.from({ length: group.size }, (_, i) => group.first + i).filter((unit) => !removed[unit]);
            if (left.length > 1) removed[left[Math.floor(r.uniform() * left.length)] as number] = 1;
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test("count where the budget names a cost, and for criteria that predict errors", async () => {
    const prunable = await prepared(network);
    const has = (budget: Budget, name: string): boolean => Savings.of(prunable, budget, named(name)) !== undefined;
    expect(has({ targetMacs: 0.5 }, "oracle")).toBe(true);
    expect(has({ targetBytes: { bytes: 900 } }, "taylor2")).toBe(true);
    expect(has({ targetMacs: 0.5 }, "magnitude")).toBe(false);
    expect(has({ targetMacs: 0.5 }, "random")).toBe(false);
    expect(has({ remove: { count: 3 }, maxErrorRise: 1 }, "oracle")).toBe(false);
  });
});

const network = buildImage({
  seed: 4,
  opset: 17,
  channels: 8,
  stages: [
    { structure: "convolution", activation: "Relu" },
    { structure: "depthwise", activation: "Tanh" },
  ],
  end: "flatten",
});

test("the exact oracle, which completes the best of each group only, picks the lowest error per cost of all units", async () => {
  const prunable = await prepared(network);
  const r = random(9);
  const labels = Int32Array.from({ length: 40 }, () => Math.floor(r.uniform() * OUTPUTS));
  const evaluator = await createEvaluator(prunable, runner, dataset({ x: r.tensor([40, 2, SIDE, SIDE]) }, { labels }));
  const picks: number[] = [];
  const complete: Criterion = {
    ...named("oracle"),
    async score(context) {
      const { rank, onlyBest: _, ...rest } = context;
      const scores = await named("oracle").score(rest);
      const keyOf = (unit: number): number => rank?.(unit, scores[unit] as number) as number;
      picks.push(context.left.reduce((best, unit) => (keyOf(unit) < keyOf(best) ? unit : best)));
      return scores;
    },
  };
  const budget = { targetMacs: 0.5 };
  const slow = await choose(prunable, evaluator, { criterion: complete, budget });
  const fast = await choose(prunable, evaluator, { criterion: named("oracle"), budget });
  const numbers = fast.trace.map(({ group, unit }) => {
    return (prunable.units.groups.find(({ id }) => id === group)?.first ?? Number.NaN) + unit;
  });
  expect(numbers.length).toBeGreaterThan(3);
  expect(numbers).toEqual(picks);
  expect(fast.trace.every(({ certificate }) => certificate === "exact")).toBe(true);
  expect(slow.removed).toEqual(fast.removed);
  const byScore = await choose(prunable, evaluator, { criterion: named("oracle"), budget: { remove: { count: 40 } } });
  const plain = byScore.trace.slice(0, numbers.length).map(({ group, unit }) => `${group}:${unit}`);
  expect(plain).not.toEqual(fast.trace.map(({ group, unit }) => `${group}:${unit}`));
  for (const criterion of [oracleBy("lazy"), oracleBy("racing"), oracleBy("racing", { shortlist: 0.3 })]) {
    const run = await choose(prunable, evaluator, { criterion, budget });
    expect(run.reached).toBe(true);
    expect(run.trace.every(({ score }) => Number.isFinite(score))).toBe(true);
  }
});
