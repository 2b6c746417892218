import { expect, test } from "vitest";
import { random } from "../../src/criteria/random.ts";
import { type BlockOptions, comparable, perCost, Ranking } from "../../src/plan/rank.ts";
import { type Group, partsByGroup } from "../../src/units/units.ts";

const groups = [
  { first: 0, size: 2 },
  { first: 2, size: 3 },
] as unknown as Group[];
const all = [0, 1, 2, 3, 4];
const scores = (...values: number[]): Float64Array => Float64Array.from(values);

const worstBlock = (
  own: Float64Array,
  candidates: readonly number[],
  options?: BlockOptions,
): Promise<readonly number[]> =>
  new Ranking(random, own).worst(partsByGroup(groups, candidates), options).then(({ units }) => units);
const lowest = async (own: Float64Array, candidates: readonly number[]): Promise<number | undefined> =>
  (await worstBlock(own, candidates))[0];

test("the lowest score wins", async () => {
  expect(await lowest(scores(3, 2, -1, 5, 0), all)).toBe(2);
  expect(await lowest(scores(3, 2, -1, 5, 0), [0, 1, 3])).toBe(1);
});

test("of equal scores the first wins, by group, then index", async () => {
  expect(await lowest(scores(1, 0, 0, 0, 0), all)).toBe(1);
  expect(await lowest(scores(1, 0, 0, 0, 0), [3, 4])).toBe(3);
  expect(await lowest(scores(0, -0, 0, 0, 0), all)).toBe(0);
});

test("a score that is no number goes last", async () => {
  const nan = Number.NaN;
  expect(await lowest(scores(nan, 4, nan, 3, nan), all)).toBe(3);
  expect(await lowest(scores(nan, Number.POSITIVE_INFINITY, nan, nan, nan), all)).toBe(1);
  expect(await lowest(scores(nan, nan, nan, nan, nan), all)).toBe(0);
});

test("a block is the lowest of one group, and blocks compare by their means", async () => {
  const size = () => 2;
  expect(await worstBlock(scores(1, 5, 4, 2, 3), all, { size })).toEqual([3, 4]);
  expect(await worstBlock(scores(1, 3.9, 4, 2, 3), all, { size })).toEqual([0, 1]);
  expect(await worstBlock(scores(2, 2, 2, 2, 2), all, { size })).toEqual([0, 1]);
  expect(await worstBlock(scores(2, Number.NaN, 2, 2, 2), all, { size })).toEqual([2, 3]);
});

test("with costs the lowest score per cost wins, and what lowers the error goes before all", async () => {
  const cost = ({ first }: Group): number => (first === 0 ? 1 : 10);
  expect(await worstBlock(scores(1, 2, 9, 11, 12), all, { cost })).toEqual([2]);
  expect(await worstBlock(scores(1, 2, 11, 12, 13), all, { cost })).toEqual([0]);
  expect(await worstBlock(scores(-2, 2, -1, 12, 13), all, { cost })).toEqual([0]);
  expect(await worstBlock(scores(1, 2, 0, 12, 13), all, { cost: () => 0 })).toEqual([2]);
  expect(perCost(3, 0)).toBe(Number.POSITIVE_INFINITY);
});

test("scores in units of the error compare as they are", async () => {
  const own = scores(1, 2, 3, 4, 5);
  expect(comparable(random, own, groups, all)).toBe(own);
});

test("other scores are divided by the mean size in their group of the units that are left", async () => {
  const criterion = { ...random, inErrorUnits: false };
  const own = scores(1, 3, 10, 20, 30);
  expect([...comparable(criterion, own, groups, all)]).toEqual([0.5, 1.5, 0.5, 1, 1.5]);
  expect([...comparable(criterion, own, groups, [0, 2, 3])]).toEqual([1, 3, 10 / 15, 20 / 15, 30]);
  expect([...own]).toEqual([1, 3, 10, 20, 30]);
});

test("a group whose scores are all 0 keeps them", async () => {
  const criterion = { ...random, inErrorUnits: false };
  expect([...comparable(criterion, scores(0, 0, 1, 1, 1), groups, all)]).toEqual([0, 0, 1, 1, 1]);
});

test("a ranking compares scores as comparable does, and looks again at a group that has lost units", async () => {
  const criterion = { ...random, inErrorUnits: false };
  const ranking = new Ranking(criterion, scores(1, 3, 6, 20, 30));
  const [first, second] = partsByGroup(groups, all);
  expect((await ranking.worst([first, second].flatMap((part) => part ?? []))).units).toEqual([2]);
  expect((await ranking.worst(partsByGroup(groups, [0, 1, 3, 4]))).units).toEqual([0]);
});
