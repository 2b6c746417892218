/** Widths that end as multiples. */
import { describe, expect, test } from "vitest";
import type { ScoringContext } from "../../src/criteria/criterion.ts";
import { criteria } from "../../src/criteria/index.ts";
import { MeasuredBlocks } from "../../src/criteria/measured-blocks.ts";
import { dimsOf } from "../../src/graph/shapes.ts";
import { Activations } from "../../src/measure/activations.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { Oracle } from "../../src/measure/oracle.ts";
import { stateOf, unitsLeft } from "../../src/measure/state.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { unitsOfPlan } from "../../src/plan/plan.ts";
import { moveSize } from "../../src/plan/select.ts";
import { fittingBlock } from "../../src/plan/shortfall.ts";
import { type PruneOptions, prune } from "../../src/prune.ts";
import { cutShapes, sizeAfter } from "../../src/surgery/size.ts";
import { type Group, partsByGroup } from "../../src/units/units.ts";
import { lowest } from "../../src/util/lowest.ts";
import { dataset, prepared, runner } from "../helpers.ts";
import { buildImage, OUTPUTS, SIDE, structures } from "../property/image-networks.ts";
import { random } from "../support/build.ts";

const r = random(3);
const x = r.tensor([24, 2, SIDE, SIDE]);
const labels = Int32Array.from({ length: 24 }, () => Math.floor(r.uniform() * OUTPUTS));
const data = dataset({ x }, { labels });

/** Channels that each group's layer makes for it, before and after; the layers read from the shapes of the cut model. */
async function widths(original: ReturnType<typeof buildImage>, options: Partial<PruneOptions>) {
  const file = writeModel(original);
  const { plan, summary } = await prune(file, { runner, data, bestEffort: true, ...options });
  const prunable = await prepared(original);
  const removed = unitsOfPlan(plan, prunable.units);
  const shapes = cutShapes(prunable, removed);
  return {
    summary,
    widths: prunable.units.groups.map((group) => {
      const place = group.places.find((one) => !one.use && one.value === group.root.outputs[0]);
      if (!place) throw new Error(`${group.id}: no output`);
      const others = place.owners.filter((unit) => unit < group.first || unit >= group.first + group.size);
      const kept = others.filter((unit) => unit < 0 || !removed[unit]).length;
      const after = dimsOf(shapes, place.value)[place.axis] as number;
      return { before: place.length - others.length, after: after - kept };
    }),
  };
}

describe.each([2, 4])("--align %i", (align) => {
  test.each(structures)("%s", async (structure) => {
    const original = buildImage({
      seed: 5,
      opset: 17,
      channels: 12,
      stages: [{ structure, activation: "Relu" }],
      end: structure === "dense over channels" ? "attention split" : "pool",
    });
    const budget = { remove: { share: 0.4 } };
    const { summary, widths: all } = await widths(original, { criterion: "magnitude", budget, align });
    expect(all.some(({ before, after }) => after < before)).toBe(true);
    for (const { before, after } of all) expect(before === after || after % align === 0).toBe(true);
    expect(summary.removed.at(-1)?.step).toBe(summary.removed.length);
    expect(summary.verified).toBeLessThan(1e-5);
  });
});

const plain = buildImage({
  seed: 8,
  opset: 17,
  channels: 6,
  stages: [{ structure: "residual", activation: "Relu" }],
  end: "flatten",
});

test.each(Object.keys(criteria))("by %s, with a goal of units and of MACs", async (criterion) => {
  for (const budget of [{ remove: { share: 0.4 } }, { targetMacs: 0.6 }]) {
    const { summary, widths: all } = await widths(plain, { criterion, budget, align: 4 });
    expect(all.some(({ before, after }) => after < before)).toBe(true);
    for (const { before, after } of all) expect(before === after || after % 4 === 0).toBe(true);
    expect(summary.removed.filter(({ error }) => Number.isFinite(error)).length).toBeGreaterThan(0);
    // as sums over the 24 samples
    expect(24 * (summary.removed.at(-1)?.error as number)).toBeCloseTo(24 * summary.after.error, 4);
  }
});

test("a limit that a block would break keeps the whole block", async () => {
  const budget = { maxErrorRise: 0.05 };
  const { summary, widths: all } = await widths(plain, { budget, align: 2 });
  for (const { before, after } of all) expect(before === after || after % 2 === 0).toBe(true);
  expect(summary.after.error).toBeLessThanOrEqual(1.05 * summary.before.error);
});

test("a block is measured together before it goes", async () => {
  const { summary } = await widths(plain, { budget: { remove: { count: 6 } }, align: 4 });
  let error = summary.before.error;
  const left = new Map(summary.layers.map(({ group, before }) => [group, before]));
  summary.removed.forEach(({ group, predicted, error: after, certificate }, at) => {
    left.set(group, (left.get(group) as number) - 1);
    const goesOn = summary.removed[at + 1]?.group === group;
    expect(goesOn || (left.get(group) as number) % 4 === 0).toBe(true);
    expect(certificate).toBe("heuristic");
    expect(predicted !== undefined).toBe((left.get(group) as number) % 4 === 0);
    if (predicted === undefined) return;
    expect(Math.abs(error + predicted - after) / after).toBeLessThan(1e-5);
    error = after;
  });
});

test("a block is the units that go best together, not those that each cost least", async () => {
  const evaluator = await createEvaluator(await prepared(plain), runner, data, { objective: "sse" });
  const { prunable } = evaluator;
  const state = stateOf(prunable, new Uint8Array(prunable.units.count));
  const oracle = new Oracle(evaluator, new Activations(evaluator, state));
  const { quality } = await evaluator.evaluate(state.model);
  const context = { prunable, state, oracle, error: async () => quality.error } as unknown as ScoringContext;
  const left = unitsLeft(prunable.units, state.removed);
  const scores = new Float64Array(prunable.units.count);
  for (const [unit, error] of await oracle.errorsWithout(left)) scores[unit] = error - quality.error;
  let better = 0;
  for (const part of partsByGroup(prunable.units.groups, left)) {
    const size = Math.min(4, part.units.length - 1);
    const { units, score } = await new MeasuredBlocks().joint(context, part, size, scores);
    expect(new Set(units).size).toBe(size);
    const byScore = lowest(part.units, size, (unit) => scores[unit] as number);
    const [last = 0] = byScore.slice(-1);
    const summed = await oracle.errorsWithout([last], { beside: byScore.slice(0, -1) });
    const worse = (summed.get(last) as number) - quality.error;
    if (score < worse - 1e-6 * Math.abs(worse)) better++;
    expect(score).toBeLessThanOrEqual(worse + 1e-6 * Math.abs(worse));
  }
  expect(better).toBeGreaterThan(0);
});

test("blocks of the runtime are halved in narrow groups, and where a goal cannot be reached in whole ones", async () => {
  const group = { size: 24, first: 0, places: [], root: { outputs: ["y"] } } as unknown as Group;
  expect([24, 16, 8].map((left) => moveSize(group, left, { block: 16 }))).toEqual([8, 8, 0]);
  expect([24, 16].map((left) => moveSize(group, left, { align: 16 }))).toEqual([8, 0]);
  expect(moveSize({ ...group, size: 3 }, 3, { block: 16 })).toBe(1);
  const original = await prepared(plain);
  const before = { ...sizeAfter(original, new Uint8Array(original.units.count)), removed: 0 };
  expect(fittingBlock(original, { targetMacs: 0.9 }, { block: 2 }, before)).toBe(2);
  expect(fittingBlock(original, { targetMacs: 0.1 }, { block: 4 }, before)).toBe(2);
});

test("racing knows the best unit only, so it is refused; lazy keys do", async () => {
  const file = writeModel(plain);
  const options = { runner, data, align: 4, budget: { remove: { count: 4 } } };
  await expect(prune(file, { ...options, oracle: "racing" })).rejects.toThrow("expected the oracle exact or lazy");
  const { summary } = await prune(file, { ...options, oracle: "lazy" });
  expect(summary.removed.every(({ certificate }) => certificate === "heuristic")).toBe(true);
});
