/** What is promised of every dense network, on random ones. A failure prints fast-check's seed and the smallest recipe. */
import { nodeRunner } from "@shrinknet/runtime/node";
import fc from "fast-check";
import { expect, test } from "vitest";
import { oracle } from "../../src/criteria/oracle.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { choose } from "../../src/plan/choose.ts";
import { prune } from "../../src/prune.ts";
import type { RemovedUnits } from "../../src/surgery/kept.ts";
import { type Prunable, prepare } from "../../src/units/prepare.ts";
import { cutBytes, cutDifference, dataset, errorWithout, oracleErrors, prepared, removal, runner } from "../helpers.ts";
import { random } from "../support/build.ts";
import { referenceRunner } from "../support/reference-runner.ts";
import { build, forked, type Recipe } from "./networks.ts";

/** A network, and numbers from which removals are drawn. */
const cases = fc.tuple(forked, fc.integer({ min: 1, max: 2 ** 30 }));

const SAMPLES = 9;

test("the cut file computes what the gated original computes, for any batch size", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ([recipe, seed]) => {
      const original = build(recipe).model;
      const prunable = await prepared(original);
      const removed = randomRemoval(prunable, seed);
      const x = inputs(recipe, 5);
      // relative to the largest output, sums in another order; the worst of 1,800 networks was 4e-7
      expect(await cutDifference(original, prunable, removed, { x })).toBeLessThan(4e-6);
      const bytes = cutBytes(prunable, removed);
      const session = await runner.load(bytes);
      for (const batch of [1, 5]) {
        const { y } = await session.run({ x: inputs(recipe, batch) });
        expect(y?.dims).toEqual([batch, recipe.outputs]);
      }
      await session.release();
      for (const [, tensor] of readModel(bytes).graph.initializers) expect(tensor.size).toBeGreaterThan(0);
    }),
    { numRuns: 80 },
  );
});

test("the oracle's errors are those of the cut model, exactly, also after removals (float64)", async () => {
  const exact = referenceRunner();
  await fc.assert(
    fc.asyncProperty(cases, async ([recipe, seed]) => {
      const prunable = await prepare(build(recipe, "float64").model, exact);
      const evaluator = await createEvaluator(prunable, exact, data(recipe, "float64"));
      await expectOracle(evaluator, removalSteps(prunable, seed), 1e-13); // the worst of 900 networks was 8e-16
    }),
    { numRuns: 40 },
  );
});

test("the same on onnxruntime in float32, by the WebAssembly loops and by tail graphs", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ([recipe, seed]) => {
      const prunable = await prepared(build(recipe).model);
      const evaluator = await createEvaluator(prunable, runner, data(recipe));
      // rounding of float32: the worst of 900 networks was 5e-7; that the sums are the same is shown in float64 above
      for (const loops of [true, false]) await expectOracle(evaluator, removalSteps(prunable, seed), 5e-6, loops);
    }),
    { numRuns: 20 },
  );
});

test("picks are the same with one and two threads and from run to run", async () => {
  await fc.assert(
    fc.asyncProperty(forked, async (recipe) => {
      const runs = await Promise.all(
        [runner, runner, nodeRunner({ threads: 2 })].map(async (on) => {
          const prunable = await prepare(build(recipe).model, on);
          const evaluator = await createEvaluator(prunable, on, data(recipe));
          return (await choose(prunable, evaluator, { criterion: oracle, budget: { remove: { count: 4 } } })).trace;
        }),
      );
      expect(runs[1]).toEqual(runs[0]);
      expect(runs[2]).toEqual(runs[0]);
    }),
    { numRuns: 8 },
  );
});

test("the model that is given is never changed", async () => {
  await fc.assert(
    fc.asyncProperty(cases, async ([recipe, seed]) => {
      const { model } = build(recipe);
      const before = writeModel(model);
      const prunable = await prepared(model);
      const prepared0 = writeModel(prunable.model);
      const evaluator = await createEvaluator(prunable, runner, data(recipe));
      await choose(prunable, evaluator, { criterion: oracle, budget: { remove: { count: 3 } } });
      await taylorTerms(evaluator, stateOf(prunable, randomRemoval(prunable, seed)), { second: true });
      expect(writeModel(prunable.model)).toEqual(prepared0);
      expect(writeModel(model)).toEqual(before);
      const kept = before.slice();
      await prune(before, {
        runner,
        data: data(recipe),
        criterion: "taylor2",
        budget: { remove: { share: 0.3 } },
        bestEffort: true,
      });
      expect(before).toEqual(kept);
    }),
    { numRuns: 6 },
  );
});

async function expectOracle(
  evaluator: Awaited<ReturnType<typeof createEvaluator>>,
  steps: readonly RemovedUnits[],
  tolerance: number,
  loops = true,
): Promise<void> {
  const removed = steps.at(-1) as RemovedUnits;
  const { groups } = evaluator.prunable.units;
  // the last unit of a group is never a candidate
  const candidates = groups.flatMap(({ first, size }) => {
    const left = Array.from({ length: size }, (_, i) => first + i).filter((unit) => !removed[unit]);
    return left.length > 1 ? left : [];
  });
  const errors = await oracleErrors(evaluator, steps, candidates, { loops });
  expect([...errors.keys()].sort((a, b) => a - b)).toEqual(candidates);
  for (const [unit, measured] of errors) {
    const without = removed.slice();
    without[unit] = 1;
    const error = await errorWithout(evaluator, without);
    expect(Math.abs(measured - error), `unit ${unit} of ${candidates}`).toBeLessThanOrEqual(tolerance * error);
  }
}

function inputs({ inputs: width, seed }: Recipe, samples: number, type: "float32" | "float64" = "float32"): Tensor {
  return random(seed + 1).tensor([samples, width], 1, type);
}

function data(recipe: Recipe, type: "float32" | "float64" = "float32"): Dataset {
  const x = inputs(recipe, SAMPLES, type);
  const r = random(recipe.seed + 2);
  if (recipe.end === "linear") return dataset({ x }, { targets: r.tensor([SAMPLES, recipe.outputs]) });
  return dataset({ x }, { labels: Int32Array.from({ length: SAMPLES }, () => r.int(recipe.outputs)) });
}

/** Any units, but at least one of every group stays. */
function randomRemoval(prunable: Prunable, seed: number): RemovedUnits {
  const r = random(seed);
  const share = r.uniform();
  const removed = removal(prunable, []);
  for (const { first, size } of prunable.units.groups) {
    const keeper = first + r.int(size);
    for (let unit = first; unit < first + size; unit++) if (unit !== keeper && r.uniform() < share) removed[unit] = 1;
  }
  return removed;
}

/** Nothing, then up to three times one or two more units. */
function removalSteps(prunable: Prunable, seed: number): RemovedUnits[] {
  const last = [...randomRemoval(prunable, seed).entries()].flatMap(([unit, gone]) => (gone ? [unit] : []));
  const r = random(seed + 1);
  const order = last.map((unit) => ({ unit, at: r.uniform() })).sort((a, b) => a.at - b.at);
  const stops = [0, 1, 3, 4].filter((stop) => stop <= order.length).slice(0, 1 + r.int(4));
  return stops.map((stop) =>
    removal(
      prunable,
      order.slice(0, stop).map(({ unit }) => unit),
    ),
  );
}
