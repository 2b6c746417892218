import { expect, test } from "vitest";
import { modelHash, type Plan, parsePlan, removedByGroup, unitsOfPlan } from "../../src/plan/plan.ts";
import type { Units } from "../../src/units/units.ts";

const units = {
  count: 5,
  groups: [
    { id: "a", first: 0, size: 2 },
    { id: "b", first: 2, size: 3 },
  ],
} as unknown as Units;
const plan: Plan = {
  format: "shrinknet-plan",
  version: 1,
  modelHash: "0123456789abcdef",
  criterion: "oracle",
  schedule: "rerank",
  objective: "sse",
  compensation: "none",
  seed: 0,
  removed: { b: [0, 2] },
};
const wrong = (change: object): string => JSON.stringify({ ...plan, ...change });

test("a plan survives JSON, and its units come back", () => {
  const again = parsePlan(JSON.stringify(plan));
  expect(again).toEqual(plan);
  const removed = unitsOfPlan(again, units);
  expect([...removed]).toEqual([0, 0, 1, 0, 1]);
  expect(removedByGroup(units, removed)).toEqual(plan.removed);
  expect(removedByGroup(units, new Uint8Array(5))).toEqual({});
});

test.each<[string, string, string]>([
  ["text", "pruned", "plan: not JSON"],
  ["another file", wrong({ format: "other" }), "plan: format: "],
  ["a later version", wrong({ version: 2 }), "plan: version: "],
  ["a missing field", wrong({ seed: undefined }), "plan: seed: "],
  ["a unit that is no index", wrong({ removed: { a: [0, -1] } }), "plan: removed.a.1: "],
  ["a fraction", wrong({ removed: { b: [0.5] } }), "plan: removed.b.0: "],
  ["a list", "[]", "plan: the top level: "],
])("%s is refused, with the place named", (_, text, message) => {
  expect(() => parsePlan(text)).toThrow(message);
  expect(() => parsePlan(text)).toThrow("expected the file that prune --plan wrote");
});

test("groups and units that the model does not have are refused", () => {
  const removing = (removed: Plan["removed"]) => () => unitsOfPlan({ ...plan, removed }, units);
  expect(removing({ c: [0] })).toThrow('group "c" is not in this model, expected one of a, b');
  expect(removing({ a: [2] })).toThrow('group "a" has no unit 2, expected 0 to 1');
  expect(removing({ a: [0, 1] })).toThrow('removes all 2 units of group "a"');
  expect(removing({ a: [0, 0] })).not.toThrow();
});

test.each([
  ["", "cbf29ce484222325"],
  ["a", "af63dc4c8601ec8c"],
  ["foobar", "85944171f73967e8"],
])("the hash of %j is 64-bit FNV-1a", (text, hash) => {
  expect(modelHash(new TextEncoder().encode(text))).toBe(hash);
});
