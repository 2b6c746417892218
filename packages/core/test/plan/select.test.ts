import { expect, test } from "vitest";
import { Candidates, selectGroups } from "../../src/plan/select.ts";
import type { Group, Units } from "../../src/units/units.ts";

const group = (id: string, layer: string, first: number, size: number): Group =>
  ({ id, layer, first, size, root: { outputs: ["y"] }, places: [] }) as unknown as Group;
const units = {
  groups: [group("dense.a", "dense.a", 0, 3), group("dense.b", "dense.b", 3, 2), group("out+.2", "out+", 5, 1)],
} as unknown as Units;
const ids = (selection: Parameters<typeof selectGroups>[1]): string[] =>
  selectGroups(units, selection).map(({ id }) => id);

test("without patterns every group is admitted", () => {
  expect(ids({})).toEqual(["dense.a", "dense.b", "out+.2"]);
});

test("* and ? stand for any characters, everything else for itself", () => {
  expect(ids({ only: ["dense.*"] })).toEqual(["dense.a", "dense.b"]);
  expect(ids({ only: ["dense.?"], skip: ["*a"] })).toEqual(["dense.b"]);
  expect(ids({ only: ["out+"] })).toEqual(["out+.2"]);
  expect(ids({ skip: ["*"] })).toEqual([]);
  expect(() => ids({ only: ["dense?"] })).toThrow('pattern "dense?": matches no group');
  expect(() => ids({ only: ["denseXa"] })).toThrow("expected one of dense.a, dense.b, out+.2");
});

test("a pattern must match the whole name", () => {
  expect(() => ids({ only: ["dense"] })).toThrow('"dense": matches no group');
});

test("a skip pattern that matches nothing is an error too", () => {
  expect(() => ids({ skip: ["fc1"] })).toThrow('pattern "fc1": matches no group');
});

test("a model without groups says so", () => {
  const none = { groups: [] } as unknown as Units;
  expect(() => selectGroups(none, { only: ["a"] })).toThrow("nothing is removable");
});

test("units may be removed while more than minKeep are left in their group", () => {
  const removed = new Uint8Array(6);
  const left = (candidates: Candidates): number[] => candidates.without(removed).flatMap((part) => part.units);
  const all = new Candidates(units.groups);
  expect(left(all)).toEqual([0, 1, 2, 3, 4]);
  removed[1] = 1;
  expect(left(all)).toEqual([0, 2, 3, 4]);
  expect(left(new Candidates(units.groups, { minKeep: 2 }))).toEqual([]);
  expect(left(new Candidates(units.groups.slice(1)))).toEqual([3, 4]);
});

test("the candidates of a group that has not changed are the same object, also after others came back", () => {
  const candidates = new Candidates(units.groups);
  const removed = new Uint8Array(6);
  const [first, second] = candidates.without(removed);
  removed[1] = 1;
  expect(candidates.without(removed)[0]).not.toBe(first);
  expect(candidates.without(removed)[1]).toBe(second);
  removed[1] = 0;
  expect(candidates.without(removed)[0]).toEqual(first);
});
