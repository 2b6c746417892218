/**
 * What is promised of image networks and attention, on random compositions of structures. A failure prints fast-check's
 * seed and the smallest recipe.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { GAINS, gainsTensor, gateModel } from "../../src/derive/gate.ts";
import { probeShapes } from "../../src/graph/shapes.ts";
import { type ElementType, isFloat, type Tensor } from "../../src/graph/tensor.ts";
import { valueKinds } from "../../src/graph/value-kinds.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import type { RemovedUnits } from "../../src/surgery/kept.ts";
import { sizeAfter } from "../../src/surgery/size.ts";
import { type Prunable, prepare } from "../../src/units/prepare.ts";
import { UNIT_KINDS } from "../../src/units/units.ts";
import { allFeeds, cutBytes, cutDifference, dataset, onlyTerm, prepared, removal, runner } from "../helpers.ts";
import { random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";
import { referenceRunner } from "../support/reference-runner.ts";
import { buildImage, imageNetwork, OUTPUTS, SIDE, type Structure, structures } from "./image-networks.ts";

const exact = referenceRunner();

/** Of what slopes and curvatures are measured on. */
const SAMPLES = 3;

test("the cut file computes what the gated original computes, at 10 to 50 % of every group and any batch size", async () => {
  const cases = fc.tuple(
    imageNetwork(),
    fc.integer({ min: 1, max: 2 ** 30 }),
    fc.double({ min: 0.1, max: 0.5, noNaN: true }),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([recipe, seed, share]) => {
      const original = buildImage(recipe);
      const prunable = await prepared(original, { kinds: UNIT_KINDS });
      expect(prunable.units.count).toBeGreaterThan(0);
      const removed = removeOfEach(prunable, share, seed);
      expect(await cutDifference(original, prunable, removed, { x: images(recipe.seed, 5) })).toBeLessThan(1e-5);
      const session = await runner.load(cutBytes(prunable, removed));
      for (const batch of [1, 2, 5]) {
        const { y } = await session.run({ x: images(recipe.seed, batch) });
        expect(y?.dims).toEqual([batch, OUTPUTS]);
      }
      await session.release();
    }),
    { numRuns: 120 },
  );
});

test.each(structures)("%s alone leaves its convolutions' channels removable", async (structure) => {
  const recipe = {
    seed: 5,
    opset: 17,
    channels: 8,
    stages: [{ structure, activation: "Relu" as const }],
    end: "pool" as const,
  };
  const original = buildImage(recipe);
  const prunable = await prepared(original, { kinds: UNIT_KINDS });
  const frozen = prunable.units.frozen.filter(({ causes }) => !causes.includes("outputs of the model"));
  expect(frozen).toEqual([]);
  for (let seed = 1; seed < 4; seed++) {
    const removed = removeOfEach(prunable, 0.4, seed);
    expect(removed).toContain(1);
    expect(await cutDifference(original, prunable, removed, { x: images(1, 3) })).toBeLessThan(1e-5);
  }
});

/** Holds some slopes of a state to finite differences of the gated model's error, and its bends to being numbers. */
async function checkSlopes(evaluator: Evaluator, removed: RemovedUnits, seed: number): Promise<void> {
  const { gradient, curvature } = await taylorTerms(evaluator, stateOf(evaluator.prunable, removed), { second: true });
  expect(curvature.every(Number.isFinite)).toBe(true);
  const h = 1e-5;
  const { errorAt } = gainErrors(evaluator);
  const base = errorAt(removed, 0, removed[0] ? 0 : 1);
  for (const unit of someUnits(evaluator.prunable, seed)) {
    if (removed[unit]) continue;
    const numeric = (errorAt(removed, unit, 1 + h) - errorAt(removed, unit, 1 - h)) / (2 * h);
    const scale = 1 + Math.abs(numeric) + base;
    expect(Math.abs(SAMPLES * (gradient[unit] as number) - numeric) / scale, `unit ${unit}`).toBeLessThan(1e-7);
  }
}

test("the gradient is the derivative of the error in the unit's gain (float64)", async () => {
  await fc.assert(
    fc.asyncProperty(imageNetwork({ smooth: true, stages: 2 }), async (recipe) => {
      const evaluator = await subjectFor(recipe.seed, await prepare(buildImage(recipe, "float64"), exact));
      await checkSlopes(evaluator, removal(evaluator.prunable, []), recipe.seed);
    }),
    { numRuns: 25 },
  );
});

test.each(structures)("slopes through %s, before and after a removal (float64)", async (structure) => {
  const stages = (["convolution", structure] as const).map((one) => ({ structure: one, activation: "Tanh" as const }));
  for (const opset of [11, 17]) {
    const original = buildImage({ seed: 11, opset, channels: 8, stages, end: "pool" }, "float64");
    const evaluator = await subjectFor(11, await prepare(original, exact));
    await checkSlopes(evaluator, removal(evaluator.prunable, []), 1);
    await checkSlopes(evaluator, removeOfEach(evaluator.prunable, 0.3, 1), 2);
  }
});

test("the curvature is the second derivative where pooled channels go straight into the last layer (float64)", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 30 }), fc.constantFrom(13, 18), async (seed, opset) => {
      const recipe = { seed, opset, channels: 6, stages: [], end: "pool" as const };
      const evaluator = await subjectFor(seed, await prepare(buildImage(recipe, "float64"), exact));
      const none = removal(evaluator.prunable, []);
      const { curvature } = await taylorTerms(evaluator, stateOf(evaluator.prunable, none), { second: true });
      const { errorAt } = gainErrors(evaluator);
      const h = 1e-3;
      // the dense layer before the outputs: its own units meet in the outputs only
      const last = evaluator.prunable.units.groups.at(-1) as { first: number; size: number };
      for (let unit = last.first; unit < last.first + last.size; unit++) {
        const [low, middle, high] = [1 - h, 1, 1 + h].map((gain) => errorAt(none, unit, gain)) as [
          number,
          number,
          number,
        ];
        const numeric = (low - 2 * middle + high) / (h * h);
        const sum = SAMPLES * (curvature[unit] as number);
        expect(Math.abs(sum - numeric) / (1 + Math.abs(numeric)), `unit ${unit}`).toBeLessThan(1e-6);
      }
    }),
    { numRuns: 20 },
  );
});

function images(seed: number, samples: number, type: "float32" | "float64" = "float32"): Tensor {
  return random(seed + 1).tensor([samples, 2, SIDE, SIDE], 1, type);
}

function subjectFor(seed: number, prunable: Prunable): Promise<Evaluator> {
  const targets = random(seed + 2).tensor([SAMPLES, OUTPUTS], 1, "float64");
  return createEvaluator(prunable, exact, dataset({ x: images(seed, SAMPLES, "float64") }, { targets }), {
    objective: "sse",
  });
}

/** The given share of every group, at least one unit where more than one is there. */
function removeOfEach(prunable: Prunable, share: number, seed: number): RemovedUnits {
  const r = random(seed);
  const removed = removal(prunable, []);
  for (const { first, size } of prunable.units.groups) {
    const order = Array.from({ length: size }, (_, i) => ({ unit: first + i, at: r.uniform() }));
    order.sort((a, b) => a.at - b.at);
    const count = Math.min(size - 1, Math.max(1, Math.floor(share * size)));
    for (const { unit } of order.slice(0, count)) removed[unit] = 1;
  }
  return removed;
}

/** At most six, as every one costs two runs of the reference evaluator. */
function someUnits({ units }: Prunable, seed: number): number[] {
  const r = random(seed + 3);
  return Array.from({ length: Math.min(6, units.count) }, () => r.int(units.count));
}

/** The sum of squares, over all samples, of the gated model with one unit's gain set. */
function gainErrors(evaluator: Evaluator): {
  errorAt(removed: RemovedUnits, unit: number, gain: number): number;
} {
  const { prunable } = evaluator;
  const { bound, value } = onlyTerm(evaluator);
  const targets = bound.targets.numbers;
  const gated = gateModel(prunable.model, prunable.shapes, prunable.units).model;
  return {
    errorAt(removed, unit, gain) {
      const gains = Float64Array.from(removed, (gone) => 1 - gone);
      gains[unit] = gain;
      const feeds = { ...allFeeds(evaluator), [GAINS]: gainsTensor(gains, prunable.units.count, "float64") };
      const output = evaluate(gated, feeds, [value])[value] as Tensor;
      let error = 0;
      for (let i = 0; i < output.size; i++)
        error += 0.5 * ((output.numbers[i] as number) - (targets[i] as number)) ** 2;
      return error;
    },
  };
}

test("shapes after a removal, and what they hold to be constant, are those of the cut model", async () => {
  const seed = fc.integer({ min: 1, max: 2 ** 30 });
  await fc.assert(
    fc.asyncProperty(
      imageNetwork(),
      seed,
      fc.double({ min: 0.1, max: 0.9, noNaN: true }),
      async (recipe, one, share) => {
        const prunable = await prepared(buildImage(recipe), { kinds: UNIT_KINDS });
        const { model, shapes } = stateOf(prunable, removeOfEach(prunable, share, one));
        const { shapes: probed } = await probeShapes(model, runner);
        for (const name of model.graph.nodes.flatMap(({ outputs }) => outputs)) {
          const shape = shapes.get(name);
          if (!shape) continue; // of a helper that cutting has added
          expect({ name, dims: shape.dims }).toEqual({ name, dims: probed.get(name)?.dims });
          if (shape.constant)
            expect([name, ...(shape.constant.numbers as number[])]).toEqual([
              name,
              ...((probed.get(name)?.constant?.numbers as number[]) ?? []),
            ]);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("sizes are those of the cut file, whatever was counted before", async () => {
  const seeds = fc.array(fc.integer({ min: 1, max: 2 ** 30 }), { minLength: 2, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(
      imageNetwork(),
      seeds,
      fc.double({ min: 0, max: 0.9, noNaN: true }),
      async (recipe, all, share) => {
        const prunable = await prepared(buildImage(recipe), { kinds: UNIT_KINDS });
        for (const seed of all) {
          const removed = removeOfEach(prunable, share, seed);
          const file = await prepared(readModel(cutBytes(prunable, removed)));
          const { parameters, macs } = sizeAfter(prunable, removed);
          expect({ parameters, macs }).toEqual(sizeAfter(file, new Uint8Array(file.units.count)));
          expect(sizeAfter({ ...prunable }, removed)).toEqual({ parameters, macs });
        }
      },
    ),
    { numRuns: 40 },
  );
});

test("values that are known to be reals before anything runs are of these types when it runs", async () => {
  await fc.assert(
    fc.asyncProperty(imageNetwork(), async (recipe) => {
      const { graph, ...rest } = buildImage(recipe);
      const { reals, others } = valueKinds(graph);
      expect(others.size).toBe(0);
      const made = [...new Set(graph.nodes.flatMap(({ outputs }) => outputs))];
      const outputs = made.map((name) => ({ name }));
      const session = await runner.load(writeModel({ ...rest, graph: graph.with({ outputs }) }), { optimize: false });
      const values = await session.run({ x: images(recipe.seed, 1) });
      await session.release();
      for (const name of made) {
        const type = values[name]?.type as ElementType;
        if (isFloat(type)) expect(reals.get(name), name).toBe(type);
        else expect(reals.has(name), name).toBe(false);
      }
    }),
    { numRuns: 40 },
  );
});

test("a target shape that is lent by channels of another group follows its own cut", async () => {
  const stage = (structure: Structure) => ({ structure, activation: "Relu" }) as const;
  const stages = [stage("expand"), stage("convolution")];
  const original = buildImage({ seed: 3, opset: 17, channels: 8, stages, end: "pool" });
  const prunable = await prepared(original);
  for (const { first, size } of prunable.units.groups) {
    const removed = removal(prunable, [first, first + size - 1]); // of this group alone
    expect(await cutDifference(original, prunable, removed, { x: images(3, 3) })).toBeLessThan(1e-5);
  }
});
