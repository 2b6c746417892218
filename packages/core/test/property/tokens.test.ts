/**
 * Random networks of tokens, whose samples stand first or behind the time, inside and at both ends: whatever the layout, samples
 * run together, and the oracle and the Taylor terms are those of single samples. A failure prints the smallest recipe.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ONE_BY_ONE } from "../../src/graph/batching.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { int64, type Tensor } from "../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { openModel } from "../../src/open.ts";
import { prune } from "../../src/prune.ts";
import { groupOf } from "../../src/units/units.ts";
import { dataset, errorWithout, oracleErrors, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const SAMPLES = 5;
const TIME = 3;

const steps = ["dense", "residual", "turn", "rows", "mean over time", "shift in time"] as const;
interface TokenRecipe {
  readonly seed: number;
  /** Whether the input has its samples first. */
  readonly samplesFirst: boolean;
  readonly steps: readonly (typeof steps)[number][];
  readonly activation: "Tanh" | "Sigmoid" | "Relu";
  /** A second output behind so many steps. */
  readonly second: number | undefined;
  /** Whether all tokens may become rows where the time stands first, so that rows of one sample do not follow each other. */
  readonly interleaved?: boolean;
}

const recipes: fc.Arbitrary<TokenRecipe> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 30 }),
  samplesFirst: fc.boolean(),
  steps: fc.array(fc.constantFrom(...steps), { minLength: 1, maxLength: 6 }),
  activation: fc.constantFrom("Tanh", "Sigmoid", "Relu"),
  second: fc.option(fc.nat({ max: 6 }), { nil: undefined }),
});

/** x [N, T, 3] or [T, N, 3] -> steps of width 5 -> y of two numbers for each token, in whatever layout the steps leave. */
function build({ seed, samplesFirst, steps: all, activation, second, interleaved }: TokenRecipe): Model {
  const r = random(seed);
  const nodes: Node[] = [];
  const initializers: Record<string, Tensor> = {};
  const add = (opType: string, inputs: readonly string[], attributes: Parameters<typeof node>[3] = {}): string => {
    const name = `${opType.toLowerCase()}${nodes.length}`;
    nodes.push(node(opType, inputs, [name], attributes));
    return name;
  };
  const constant = (tensor: Tensor): string => {
    const name = `c${Object.keys(initializers).length}`;
    initializers[name] = tensor;
    return name;
  };
  const dense = (x: string, from: number, to: number): string =>
    add("Add", [
      add("MatMul", [x, constant(r.tensor([from, to], 1.5 / Math.sqrt(from)))]),
      constant(r.tensor([to], 0.3)),
    ]);
  const activate = (x: string): string => add(activation, [x]);
  let [x, isFirst] = [activate(dense("x", 3, 5)), samplesFirst];
  const outputs: string[] = [];
  const fork = (at: number): void => {
    if (at !== second) return;
    nodes.push(node("MatMul", [x, constant(r.tensor([5, 2], 0.4))], ["z"]));
    outputs.push("z");
  };
  for (const [at, asked] of all.entries()) {
    fork(at);
    const step = asked === "rows" && !isFirst && !interleaved ? "dense" : asked;
    const timeAxis = isFirst ? 1 : 0;
    if (step === "dense") x = activate(dense(x, 5, 5));
    if (step === "residual") x = add("Add", [x, activate(dense(x, 5, 5))]);
    if (step === "turn") [x, isFirst] = [add("Transpose", [x], { perm: [1, 0, 2] }), !isFirst];
    if (step === "rows") {
      // all tokens of all samples in one row, and back
      const flat = add("Reshape", [x, constant(int64([-1, 5]))]);
      x = add("Reshape", [activate(dense(flat, 5, 5)), add("Shape", [x])]);
    }
    if (step === "mean over time") {
      const mean = add("ReduceMean", [x], { axes: [timeAxis], keepdims: 1 });
      x = add("Sub", [x, mean]);
    }
    if (step === "shift in time") {
      const [from, to, axis] = [constant(int64([1])), constant(int64([100])), constant(int64([timeAxis]))];
      const head = add("Slice", [x, constant(int64([0])), from, axis]);
      x = add("Concat", [add("Slice", [x, from, to, axis]), head], { axis: timeAxis });
    }
  }
  fork(all.length);
  nodes.push(node("Identity", [dense(x, 5, 2)], ["y"]));
  return model({
    inputs: { x: samplesFirst ? ["N", "T", 3] : ["T", "N", 3] },
    outputs: ["y", ...outputs],
    initializers,
    nodes,
  });
}

async function evaluatorFor(recipe: TokenRecipe): Promise<Evaluator> {
  const r = random(recipe.seed + 1);
  const x = r.tensor(recipe.samplesFirst ? [SAMPLES, TIME, 3] : [SAMPLES, TIME, 1, 3]);
  const { prepared, samples } = await openModel(build(recipe), { runner, data: dataset({ x }) });
  return createEvaluator(prepared, runner, samples as NonNullable<typeof samples>);
}

test("samples run together, along the axis where they stand, and give what they give alone", async () => {
  await fc.assert(
    fc.asyncProperty(recipes, async (recipe) => {
      const evaluator = await evaluatorFor(recipe);
      const { prunable, samples } = evaluator;
      expect([...prunable.batching.axes]).toEqual([["x", recipe.samplesFirst ? 0 : 1]]);
      expect(evaluator.chunks).toHaveLength(1);
      const single = await createEvaluator({ ...prunable, batching: ONE_BY_ONE }, runner, samples);
      expect(single.chunks).toHaveLength(SAMPLES);
      const removed = removal(prunable, [0, prunable.units.count - 1]);
      const { model: small } = stateOf(prunable, removed);
      const [own, other] = [await evaluator.evaluate(small), await single.evaluate(small)];
      const size = Math.max(...other.errors);
      own.errors.forEach((error, n) => {
        expect(Math.abs(error - (other.errors[n] as number))).toBeLessThan(2e-5 * size + 1e-8);
      });
      expect(own.outputs.map(({ output }) => output)).toEqual(other.outputs.map(({ output }) => output));
    }),
    { numRuns: 25 },
  );
});

test("the oracle's errors are those of the whole network without each unit", async () => {
  await fc.assert(
    fc.asyncProperty(recipes, fc.integer({ min: 1, max: 2 ** 30 }), async (recipe, seed) => {
      const evaluator = await evaluatorFor(recipe);
      const { prunable } = evaluator;
      const r = random(seed);
      const gone = r.int(prunable.units.count);
      const units = [...Array(prunable.units.count).keys()].filter(
        (unit) =>
          unit !== gone &&
          (groupOf(prunable.units, unit).size > 2 || groupOf(prunable.units, unit) !== groupOf(prunable.units, gone)),
      );
      const candidates = units.filter((unit) => groupOf(prunable.units, unit).size > 1).filter(() => r.uniform() < 0.5);
      const errors = await oracleErrors(evaluator, [removal(prunable, []), removal(prunable, [gone])], candidates);
      expect(errors.size).toBe(candidates.length);
      for (const [unit, measured] of errors) {
        const error = await errorWithout(evaluator, removal(prunable, [gone, unit]));
        expect(Math.abs(measured - error), `unit ${unit} without ${gone}`).toBeLessThanOrEqual(2e-5 * error + 1e-8);
      }
    }),
    { numRuns: 25 },
  );
});

test("Taylor terms are those of single samples", async () => {
  await fc.assert(
    fc.asyncProperty(recipes, async (recipe) => {
      const evaluator = await evaluatorFor(recipe);
      const { prunable, samples } = evaluator;
      const single = await createEvaluator({ ...prunable, batching: ONE_BY_ONE }, runner, samples);
      const state = stateOf(prunable, removal(prunable, [1]));
      const [own, other] = [
        await taylorTerms(evaluator, state, { second: true }),
        await taylorTerms(single, state, { second: true }),
      ];
      for (const kind of ["gradient", "absolute", "squared", "curvature"] as const) {
        const size = Math.max(...other[kind].map(Math.abs));
        own[kind].forEach((value, unit) => {
          const difference = Math.abs(value - (other[kind][unit] as number));
          expect(difference, `${kind} of ${unit}`).toBeLessThanOrEqual(1e-4 * size + 1e-9);
        });
      }
    }),
    { numRuns: 15 },
  );
});

test("a file is written that computes what was measured", async () => {
  await fc.assert(
    fc.asyncProperty(recipes, async (recipe) => {
      const evaluator = await evaluatorFor(recipe);
      const r = random(recipe.seed + 1);
      const x = r.tensor(recipe.samplesFirst ? [SAMPLES, TIME, 3] : [SAMPLES, TIME, 1, 3]);
      const { bytes, summary } = await prune(writeModel(build(recipe)), {
        runner,
        data: dataset({ x }),
        budget: { remove: { count: 2 } },
      });
      expect(summary.removed).toHaveLength(2);
      const { prepared } = await openModel(bytes, { runner, data: dataset({ x }) });
      const after = await evaluator.evaluate(prepared.model);
      const { error } = summary.after;
      expect(Math.abs(after.quality.error - error)).toBeLessThanOrEqual(2e-5 * error + 1e-8);
    }),
    { numRuns: 10 },
  );
});

test.each(["the oracle's errors", "Taylor terms"])(
  "%s where rows of one sample do not follow each other",
  async (what) => {
    const evaluator = await evaluatorFor({
      seed: 1,
      samplesFirst: false,
      steps: ["residual", "rows", "dense"],
      activation: "Tanh",
      second: undefined,
      interleaved: true,
    });
    const { prunable, samples } = evaluator;
    expect(prunable.batching).toBe(ONE_BY_ONE); // each sample is a run of its own
    if (what === "Taylor terms") {
      const single = await createEvaluator({ ...prunable, batching: ONE_BY_ONE }, runner, samples);
      const state = stateOf(prunable, removal(prunable, [1]));
      const [own, other] = [
        await taylorTerms(evaluator, state, { second: true }),
        await taylorTerms(single, state, { second: true }),
      ];
      for (const kind of ["absolute", "squared"] as const) {
        own[kind].forEach((value, unit) => {
          expect(value, `${kind} of ${unit}`).toBeCloseTo(other[kind][unit] as number, 5);
        });
      }
      return;
    }
    const errors = await oracleErrors(evaluator, [removal(prunable, [])], [0, 1, 2, 3]);
    for (const [unit, measured] of errors) {
      const error = await errorWithout(evaluator, removal(prunable, [unit]));
      expect(Math.abs(measured - error), `unit ${unit}`).toBeLessThan(1e-4 * error);
    }
  },
);
