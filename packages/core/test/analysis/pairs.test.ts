import { describe, expect, test } from "vitest";
import { growGroups } from "../../src/analysis/groups.ts";
import { bestPartners, interactionMatrix, lowestPairs, measurePairs, unitsToPair } from "../../src/analysis/pairs.ts";
import { stateOf } from "../../src/measure/state.ts";
import { errorWithout, removal } from "../helpers.ts";
import { logistic, subjectFor } from "./networks.ts";

test("pair costs are those of the network with both units cut out", async () => {
  const evaluator = await subjectFor(logistic([5, 5, 4, 3], "float32"));
  const { prunable } = evaluator;
  const { size } = evaluator.samples;
  const before = [3];
  const state = stateOf(prunable, removal(prunable, before));
  const { error } = (await evaluator.evaluate(state.model)).quality;
  const units = [0, 2, 6, 8];
  const cost = async (gone: readonly number[]): Promise<number> =>
    (await errorWithout(evaluator, removal(prunable, [...before, ...gone]))) - error;
  const alone = new Float64Array(prunable.units.count);
  for (const unit of units) alone[unit] = await cost([unit]);
  const shares: number[] = [];
  const { costs, evaluations } = await measurePairs(evaluator, state, error, units, alone, (share) =>
    shares.push(share),
  );
  expect(evaluations).toBe(6);
  expect(shares.at(-1)).toBe(1);
  const matrix = interactionMatrix(costs);
  for (const [i, a] of units.entries()) {
    for (const [j, b] of units.entries()) {
      const both = i === j ? (alone[a] as number) : await cost([a, b]);
      expect(size * (costs[i]?.[j] as number)).toBeCloseTo(size * both, 4); // as sums over the samples
      const interaction = i === j ? 0 : both - (alone[a] as number) - (alone[b] as number);
      expect(size * (matrix[i]?.[j] as number)).toBeCloseTo(size * interaction, 4);
    }
  }
});

const matrix = [
  [0, -3, 1, 2],
  [-3, 0, -1, 4],
  [1, -1, 0, -2],
  [2, 4, -2, 0],
];

test("pairs in the order of their interaction", () => {
  expect(lowestPairs(matrix, 2)).toEqual([
    [0, 1],
    [2, 3],
  ]);
  expect(lowestPairs(matrix, 9, (value) => value > 1)).toEqual([
    [0, 3],
    [1, 3],
  ]);
  expect(bestPartners(matrix)).toEqual([1, 0, 3, 2]);
});

test("of many units the least and the most costly are paired", () => {
  expect(unitsToPair([5, 3, 1], 3)).toEqual({ units: [5, 3, 1], chosen: "all" });
  expect(unitsToPair([5, 3, 1, 2, 4], 4)).toEqual({
    units: [5, 3, 2, 4],
    chosen: "the 2 least and the 2 most costly",
  });
});

describe("growGroups", () => {
  // E = (sum of what is gone)^2 for weights that cancel: 3, -3, 1, -1 and 10
  const weights = [3, -3, 1, -1, 10];
  const cost = (gone: readonly number[]): number => gone.reduce((sum, i) => sum + (weights[i] as number), 0) ** 2;
  const units = [0, 1, 2, 3, 4];
  const alone = units.map((i) => cost([i]));
  const interactions = interactionMatrix(units.map((i) => units.map((j) => cost(i === j ? [i] : [i, j]))));
  const joint = async (chosen: readonly number[], more: readonly number[]): Promise<Map<number, number>> =>
    new Map(more.map((unit) => [unit, cost([...chosen, unit])]));

  test("finds units that cancel, strongest first, each in one group", async () => {
    const groups = await growGroups(units, alone, interactions, joint);
    expect(groups).toEqual([{ units: [1, 4, 3], path: [9, 49, 36] }]); // the parts: 9 + 100 + 1
    const four = interactions.slice(0, 4).map((row) => row.slice(0, 4));
    const without = await growGroups([0, 1, 2, 3], alone, four, joint);
    expect(without[0]).toEqual({ units: [0, 1], path: [9, 0] });
    expect(without[1]).toEqual({ units: [2, 3], path: [1, 0] });
  });

  test("grows beyond pairs while it saves", async () => {
    const flat = [1, 1, -1, -1];
    const squared = (gone: readonly number[]): number => gone.reduce((sum, i) => sum + (flat[i] as number), 0) ** 2;
    const own = flat.map((_, i) => i);
    const pairs = interactionMatrix(own.map((i) => own.map((j) => squared(i === j ? [i] : [i, j]))));
    const costs = async (chosen: readonly number[], more: readonly number[]): Promise<Map<number, number>> =>
      new Map(more.map((unit) => [unit, squared([...chosen, unit]) - (chosen.length === 2 ? 0.5 : 0)]));
    const [group] = await growGroups(own, [1, 1, 1, 1], pairs, costs, { size: 3 });
    expect(group).toEqual({ units: [0, 2, 1], path: [1, 0, 0.5] });
  });

  test("never takes what may not go", async () => {
    const admits = (gone: readonly number[]): boolean => !gone.includes(4);
    const groups = await growGroups(units, alone, interactions, joint, { admits });
    expect(groups.map((group) => group.units)).toEqual([[0, 1]]); // 2 and 3 save too little beside 1 and 4
  });
});
