/** The oracle's three ways of measuring, side by side on one network. */
import { describe, expect, test } from "vitest";
import { compare } from "../../src/compare.ts";
import { type RunStart, type ScoringContext, started } from "../../src/criteria/criterion.ts";
import { lazyOracle } from "../../src/criteria/lazy.ts";
import { Activations } from "../../src/measure/activations.ts";
import { oracleCost, tailMacs } from "../../src/measure/cost.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { Oracle } from "../../src/measure/oracle.ts";
import { stateOf } from "../../src/measure/state.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { certificatesInWords, certificatesOf } from "../../src/plan/certificates.ts";
import type { Schedule } from "../../src/plan/choose.ts";
import { prune } from "../../src/prune.ts";
import { dataset, prepared, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(4);
const network = model({
  inputs: { x: ["N", 6] },
  outputs: ["y"],
  initializers: {
    w0: r.tensor([6, 14], 1),
    b0: r.tensor([14], 1),
    w1: r.tensor([14, 10], 0.6),
    b1: r.tensor([10], 1),
    w2: r.tensor([10, 3], 0.8),
  },
  nodes: [
    node("Gemm", ["x", "w0", "b0"], ["h0"]),
    node("Sigmoid", ["h0"], ["a0"]),
    node("Gemm", ["a0", "w1", "b1"], ["h1"]),
    node("Tanh", ["h1"], ["a1"]),
    node("MatMul", ["a1", "w2"], ["s"]),
    node("Sigmoid", ["s"], ["y"]),
  ],
});
const file = writeModel(network);
const size = 3000; // three chunks, so that racing has heats
const data = dataset({ x: r.tensor([size, 6]) }); // held to its own outputs
const area = (steps: readonly { error: number }[]): number => steps.reduce((sum, { error }) => sum + error, 0);

describe("lazy and racing oracles", () => {
  test("lazy takes a fraction of the evaluations for almost the same curve; racing picks what exact picks", async () => {
    const { runs } = await compare(file, { runner, data, criteria: ["oracle", "oracle-lazy", "oracle-racing"] });
    const [exact, lazy, racing] = runs.map(({ steps, evaluations }) => ({ steps, evaluations }));
    if (!exact || !lazy || !racing) throw new Error("three runs were asked for");
    expect(lazy.evaluations).toBeLessThan(0.6 * exact.evaluations); // a tenth to a seventh on networks of 100 units
    expect(area(lazy.steps)).toBeLessThan(1.3 * area(exact.steps));
    expect(racing.evaluations).toBeLessThan(exact.evaluations);
    expect(racing.steps.map(({ group, unit }) => `${group}:${unit}`)).toEqual(
      exact.steps.map(({ group, unit }) => `${group}:${unit}`),
    );
  });

  test("runs side by side know nothing of each other's keys", async () => {
    const criteria = ["oracle-lazy"];
    const curves = async (...schedules: Schedule[]) =>
      (await compare(file, { runner, data, criteria, schedules })).runs.map(({ evaluations }) => evaluations);
    const [[rerank], [once], both] = [await curves("rerank"), await curves("once"), await curves("rerank", "once")];
    expect(both).toEqual([rerank, once]);
  });

  test("a ranking made once is exact, and racing has none to give", async () => {
    const budget = { remove: { count: 8 } };
    const { summary } = await prune(file, { runner, data, schedule: "once", budget });
    expect(summary.removed.every(({ score }) => Number.isFinite(score))).toBe(true);
    expect(summary.evaluations).toBe(24);
    await expect(prune(file, { runner, data, schedule: "once", oracle: "racing", budget })).rejects.toThrow(
      "schedule: once removes by one ranking, but racing tells the best unit alone",
    );
  });

  test("a candidate that gives no number does not stop lazy from measuring", async () => {
    const left = [0, 1, 2, 3, 4, 5];
    const asked: number[] = [];
    const criterion = started(lazyOracle, {} as RunStart);
    const score = (gone: number) =>
      criterion.score({
        prunable: { units: { count: 6 } },
        left: left.filter((unit) => unit >= gone),
        error: async () => 0,
        random: () => 0,
        oracle: {
          errorsWithout: async (units: readonly number[]) => {
            asked.push(...units);
            return new Map(units.map((unit) => [unit, gone === 1 && unit === 1 ? Number.NaN : unit + gone]));
          },
        },
      } as unknown as ScoringContext);
    for (const gone of [0, 1, 2, 3]) {
      asked.length = 0;
      const scores = await score(gone);
      expect(asked.length, `after ${gone}`).toBeGreaterThan(0);
      expect([...scores].some(Number.isNaN)).toBe(false);
    }
  });

  test("every removal carries its certificate and its count", async () => {
    const sure = { exact: "exact", lazy: "heuristic", racing: "racing" } as const;
    for (const oracle of ["exact", "lazy", "racing"] as const) {
      const { summary } = await prune(file, { runner, data, oracle, budget: { remove: { count: 4 } } });
      expect(summary.removed.map(({ certificate }) => certificate)).toEqual(Array(4).fill(sure[oracle]));
      expect(summary.removed.map(({ candidates }) => candidates)).toEqual([24, 23, 22, 21]);
      const { certificates } = summary;
      expect(certificates.evaluations).toBeCloseTo(summary.evaluations, 9);
      expect(certificates).toMatchObject({
        picks: 4,
        proved: oracle === "exact" ? 4 : 0,
        raced: oracle === "racing" ? 4 : 0,
        bruteForce: 24 + 23 + 22 + 21,
      });
      expect(certificatesInWords(certificates)).toMatch(
        {
          exact: /^90 candidate evaluations, [\d.]+ times less arithmetic than brute force; all picks proved best$/,
          lazy: /^\d+ candidate evaluations instead of 90, .*; 0 of 4 picks proved best$/,
          racing: /^\d+ candidate evaluations instead of 90, .*; 4 of 4 picks best by racing$/,
        }[oracle],
      );
    }
    const short = await prune(file, {
      runner,
      data,
      oracle: "racing",
      racing: { shortlist: 0.2 },
      budget: { remove: { count: 2 } },
    });
    expect(short.summary.removed[0]?.certificate).toBe("heuristic");
    expect(short.summary.evaluations).toBeLessThanOrEqual(24 * 0.5);
  });

  test("arithmetic is counted: what lies behind a unit's readers, and its part in them", async () => {
    const prunable = await prepared(network); // 6-14-10-3
    const tails = (removed: number[]) => [
      ...tailMacs(
        prunable,
        Uint8Array.from({ length: 24 }, (_, unit) => (removed.includes(unit) ? 1 : 0)),
      ).values(),
    ];
    expect(tails([])).toEqual([10 + 10 * 3, 3]);
    expect(tails([0, 1, 14])).toEqual([9 + 9 * 3, 3]);
    const row = { certificate: "exact", evaluations: 24, work: 24 * 40, candidates: 24, macs: 200 } as const;
    const rest = { step: 1, group: "", unit: 0, layer: "", score: 0, error: 0, parameters: 0 };
    expect(certificatesOf([{ ...rest, ...row }]).timesLess).toBe(5);
    expect(certificatesOf([{ ...rest, ...row, evaluations: 0, work: 0 }]).timesLess).toBeNull();
  });

  test("tails give up candidates early, and find the same best", async () => {
    const prunable = await prepared(network);
    const evaluator = await createEvaluator(prunable, runner, data);
    const left = Array.from({ length: prunable.units.count }, (_, unit) => unit);
    const kept = new Activations(evaluator, stateOf(prunable, new Uint8Array(left.length)));
    const oracle = new Oracle(evaluator, kept, { loops: false });
    const all = await oracle.errorsWithout(left);
    const some = await oracle.errorsWithout(left, { onlyBest: true });
    const least = Math.min(...all.values());
    expect(Math.min(...some.values())).toBe(least);
    for (const unit of left) {
      const [error, bound] = [all.get(unit) as number, some.get(unit) as number];
      expect(bound).toBeLessThanOrEqual(error);
      if (bound < error) expect(bound).toBeGreaterThan(least);
    }
    expect(left.filter((unit) => (some.get(unit) as number) < (all.get(unit) as number)).length).toBeGreaterThan(5);
  });

  test("the memory limit changes nothing but what is computed again", async () => {
    const prunable = await prepared(network);
    const left = Array.from({ length: prunable.units.count }, (_, unit) => unit);
    const removed = Uint8Array.from(left, (unit) => (unit === 3 ? 1 : 0));
    const measured = [2e9, 0].map(async (memory) => {
      const evaluator = await createEvaluator(prunable, runner, data, { memory });
      const oracle = new Oracle(evaluator, new Activations(evaluator, stateOf(prunable, new Uint8Array(left.length))), {
        loops: false,
      });
      const before = await oracle.errorsWithout(left);
      oracle.activations.advance(stateOf(prunable, removed));
      return [...before, ...(await oracle.errorsWithout(left.filter((unit) => unit !== 3)))];
    });
    const [kept, recomputed] = await Promise.all(measured);
    expect(recomputed).toEqual(kept);
  });

  test("a file of IR 3 is measured by graphs as well as by loops", async () => {
    const prunable = await prepared({ ...network, irVersion: 3 });
    const evaluator = await createEvaluator(prunable, runner, data);
    const left = Array.from({ length: prunable.units.count }, (_, unit) => unit);
    const intact = stateOf(prunable, new Uint8Array(left.length));
    const errors = await new Oracle(evaluator, new Activations(evaluator, intact), { loops: false }).errorsWithout(
      left,
    );
    expect([...errors.values()].every((error) => error > 0)).toBe(true);
  });

  test("auto goes by the cost: exact for a small network, not for one on a million times the samples", async () => {
    const prunable = await prepared(network);
    expect(oracleCost(prunable, size, 12)).toMatchObject({ mode: "exact", evaluations: 24 * 9 });
    expect(oracleCost(prunable, 1e11, 12).mode).toBe("racing");
  });
});
