/** Idle units change nothing: stages that keep some removed channels measure what cut files give. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { int64 } from "../../src/graph/tensor.ts";
import { Activations } from "../../src/measure/activations.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { cutInBlocks, idleGroups } from "../../src/measure/idle.ts";
import { Oracle } from "../../src/measure/oracle.ts";
import { type State, stateOf, unitsLeft } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import type { RemovedUnits } from "../../src/surgery/kept.ts";
import { groupOf, type Units } from "../../src/units/units.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { buildImage, imageNetwork, OUTPUTS, SIDE } from "./image-networks.ts";

const BLOCK = 4;

test("errors, candidates and slopes of a run with idle channels are those of the cut networks", async () => {
  let idle = 0;
  const stages = fc.tuple(imageNetwork({ stages: 3 }), fc.integer({ min: 1, max: 2 ** 30 }));
  await fc.assert(
    fc.asyncProperty(stages, async ([recipe, seed]) => {
      const prunable = await prepared(buildImage(recipe));
      const r = random(seed);
      const data = dataset({ x: r.tensor([5, 2, SIDE, SIDE]) }, { targets: r.tensor([5, OUTPUTS]) });
      const evaluator = await createEvaluator(prunable, runner, data, { objective: "sse" });
      const groups = idleGroups(prunable);
      const none = removal(prunable, []);
      let state: State = stateOf(prunable, none);
      const activations = new Activations(evaluator, state);
      const oracle = new Oracle(evaluator, activations);
      for (const removed of run(prunable.units, r)) {
        state = stateOf(prunable, removed, cutInBlocks(groups, removed, state.cut, BLOCK));
        idle += state.cut.filter((one, unit) => one !== removed[unit]).length;
        activations.advance(state);
        const cut = stateOf(prunable, removed);
        const { error } = (await evaluator.evaluate(cut.model)).quality;
        expect((await evaluator.evaluate(state.model)).quality.error / error).toBeCloseTo(1, 4);
        const candidates = unitsLeft(prunable.units, removed).slice(0, 3);
        const expected = await new Oracle(evaluator, new Activations(evaluator, cut)).errorsWithout(candidates);
        for (const [unit, measured] of await oracle.errorsWithout(candidates)) {
          expect(measured / (expected.get(unit) as number)).toBeCloseTo(1, 4);
        }
        const [one, other] = [
          await taylorTerms(evaluator, state, { second: true }),
          await taylorTerms(evaluator, cut, { second: true }),
        ];
        for (const unit of candidates) {
          // as sums over the five samples
          expect(5 * (one.gradient[unit] as number)).toBeCloseTo(5 * (other.gradient[unit] as number), 3);
          expect(5 * (one.curvature[unit] as number)).toBeCloseTo(5 * (other.curvature[unit] as number), 2);
        }
      }
    }),
    { numRuns: 25, seed: 3, endOnFailure: true },
  );
  expect(idle).toBeGreaterThan(100);
});

/** Stages of removals: units go, and some of them come back, of all groups or of one. Two of each group stay. */
function run({ groups, count }: Units, r: ReturnType<typeof random>): RemovedUnits[] {
  const removed: RemovedUnits = new Uint8Array(count);
  return [0.2, 0.3, -0.4, 0.4, -0.5, 0.3].map((share, stage) => {
    const only = stage % 2 === 0 ? undefined : groups[r.int(groups.length)];
    for (let unit = 0; unit < count; unit++) {
      if (only && (unit < only.first || unit >= only.first + only.size)) continue;
      if (r.uniform() < Math.abs(share)) removed[unit] = share > 0 ? 1 : 0;
    }
    for (const { first } of groups) removed.fill(0, first, first + 2);
    return removed.slice();
  });
}

test("widths are whole blocks, and what is cut stays cut", async () => {
  const stage = { structure: "convolution", activation: "Relu" } as const;
  const prunable = await prepared(buildImage({ seed: 1, opset: 17, channels: 12, stages: [stage], end: "pool" }));
  const groups = idleGroups(prunable);
  expect(groups.length).toBeGreaterThan(0);
  const removed = removal(prunable, []);
  let cut: RemovedUnits = removed.slice();
  const gone = (all: RemovedUnits, first: number, size: number): number =>
    all.subarray(first, first + size).reduce((sum, one) => sum + one, 0);
  for (const unit of [7, 3, 0, 11, 5, 9, 1, 2, 4, 10, 6]) {
    removed[unit] = 1;
    const next = cutInBlocks(groups, removed, cut, BLOCK);
    expect(cut.every((one, at) => one <= (next[at] as number))).toBe(true);
    const { first, size } = groupOf(prunable.units, unit);
    expect((size - gone(next, first, size)) % BLOCK).toBe(0);
    expect(gone(removed, first, size) - gone(next, first, size)).toBeLessThan(BLOCK);
    cut = next;
  }
});

test("channels that a product of two computed values reads are never idle", async () => {
  const r = random(3);
  const made = model({
    inputs: { x: [1, 2, 4, 4] },
    outputs: ["y"],
    initializers: {
      wq: r.tensor([6, 2, 1, 1]),
      wk: r.tensor([6, 2, 1, 1]),
      rows: int64([6, 16]),
      flat: int64([1, 256]),
      w: r.tensor([256, 3], 0.1),
    },
    nodes: [
      node("Conv", ["x", "wq"], ["q"]),
      node("Conv", ["x", "wk"], ["k"]),
      node("Reshape", ["q", "rows"], ["q2"]),
      node("Reshape", ["k", "rows"], ["k2"]),
      node("Transpose", ["q2"], ["qt"], { perm: [1, 0] }),
      node("MatMul", ["qt", "k2"], ["qk"]),
      node("Reshape", ["qk", "flat"], ["row"]),
      node("MatMul", ["row", "w"], ["y"]),
    ],
  });
  const data = dataset({ x: r.tensor([12, 2, 4, 4]) });
  const { summary } = await prune(writeModel(made), { runner, data, budget: { remove: { count: 2 } } });
  expect(summary.removed).toHaveLength(2);
});
