/**
 * Tails of networks: what several stacked candidates give is what each gives alone and what the whole network gives without it,
 * wherever the network asks how many samples there are, wherever it has them, and whatever the candidates change.
 */
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { isBatched } from "../../src/graph/batching.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { float32, int64, type Tensor } from "../../src/graph/tensor.ts";
import { Activations } from "../../src/measure/activations.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { Oracle } from "../../src/measure/oracle.ts";
import { StackingProofs } from "../../src/measure/stacking.ts";
import { stateOf } from "../../src/measure/state.ts";
import { buildTail } from "../../src/measure/tail.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { openModel } from "../../src/open.ts";
import { prune } from "../../src/prune.ts";
import { type Group, groupOf } from "../../src/units/units.ts";
import { dataset, errorWithout, oracleErrors, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const SAMPLES = 7;
const r = random(51);
const weights = (...dims: number[]): Tensor => r.tensor(dims, 1 / Math.sqrt(dims.at(-2) ?? 1));

interface Case {
  readonly original: Model;
  readonly data?: Dataset;
  /** Whether candidates go through the tail together; default true. */
  readonly isStacked?: boolean;
}

/** x [N, 4, 3] -> seven hidden units -> h [N, 4, 6] -> the given nodes -> z [N, width] -> y. */
function tokens(
  nodes: readonly Node[],
  initializers: Readonly<Record<string, Tensor>> = {},
  width = 24,
  opset = 17,
): Case {
  return {
    original: model({
      opset,
      inputs: { x: ["N", 4, 3] },
      outputs: ["y"],
      initializers: {
        w: weights(3, 7),
        u: weights(7, 6),
        v: weights(width, 2),
        zero: int64([0], []),
        one: int64([1]),
        rest: int64([-1]),
        axes: int64([0]),
        ...initializers,
      },
      nodes: [
        node("Shape", ["x"], ["dims"]),
        node("Gather", ["dims", "zero"], ["n"], { axis: 0 }),
        node("Unsqueeze", ["n", "axes"], ["b"]),
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["g"]),
        node("MatMul", ["g", "u"], ["h"]),
        ...nodes,
        node("MatMul", ["z", "v"], ["y"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 4, 3]) }),
  };
}

/** [b, ...] as a target shape. */
const target = (...rest: string[]): Node => node("Concat", ["b", ...rest], ["shape"], { axis: 0 });

const lengths: Readonly<Record<string, Case>> = {
  "view(b, -1)": tokens([target("rest"), node("Reshape", ["h", "shape"], ["z"])]),
  "view(b, 4, 6) and back": tokens(
    [
      target("four", "six"),
      node("Sigmoid", ["h"], ["s"]),
      node("Concat", ["b", "rest"], ["flat"], { axis: 0 }),
      node("Reshape", ["s", "flat"], ["f"]),
      node("Reshape", ["f", "shape"], ["t"]),
      node("Reshape", ["t", "flat"], ["z"]),
    ],
    { four: int64([4]), six: int64([6]) },
  ),
  "view(b * 4, 6), and back by the length that was asked first": tokens(
    [
      node("Mul", ["n", "four"], ["m"]),
      node("Unsqueeze", ["m", "axes"], ["rows"]),
      node("Concat", ["rows", "rest"], ["all"], { axis: 0 }),
      node("Reshape", ["h", "all"], ["f"]),
      node("Relu", ["f"], ["k"]),
      target("rest"),
      node("Reshape", ["k", "shape"], ["z"]),
    ],
    { four: int64([4], []) },
  ),
  "an expanded token": tokens(
    [
      target("one", "six"),
      node("Expand", ["token", "shape"], ["t"]),
      node("Concat", ["t", "h"], ["c"], { axis: 1 }),
      node("Flatten", ["c"], ["z"]),
    ],
    { six: int64([6]), token: weights(1, 1, 6) },
    30,
  ),
  "zeros of as many rows": tokens(
    [
      target("two"),
      node("ConstantOfShape", ["shape"], ["zeros"]),
      node("Flatten", ["h"], ["f"]),
      node("Concat", ["f", "zeros"], ["z"], { axis: 1 }),
    ],
    { two: int64([2]) },
    26,
  ),
  "a tiled row": tokens(
    [
      target("one"),
      node("Tile", ["row", "shape"], ["t"]),
      node("Flatten", ["h"], ["f"]),
      node("Add", ["f", "t"], ["z"]),
    ],
    { row: weights(1, 24) },
  ),
  "lengths of a value inside the tail": tokens([
    node("Sigmoid", ["h"], ["s"]),
    node("Shape", ["s"], ["own"]),
    node("Gather", ["own", "axes"], ["rows"], { axis: 0 }),
    node("Concat", ["rows", "rest"], ["shape"], { axis: 0 }),
    node("Reshape", ["s", "shape"], ["z"]),
  ]),
  "some of a shape's lengths": tokens([
    node("Shape", ["h"], ["own"], { start: 0, end: 1 }),
    node("Concat", ["own", "rest"], ["shape"], { axis: 0 }),
    node("Reshape", ["h", "shape"], ["z"]),
  ]),
  "the last of a shape's lengths": tokens([
    node("Shape", ["h"], ["own"], { start: -2 }),
    node("ReduceProd", ["own"], ["columns"], { axes: [0], keepdims: 1 }),
    node("Concat", ["rest", "columns"], ["shape"], { axis: 0 }),
    node("Reshape", ["h", "shape"], ["z"]),
  ]),
  "the number of elements": tokens(
    [
      node("Size", ["x"], ["size"]),
      node("Div", ["size", "twelve"], ["m"]),
      node("Unsqueeze", ["m", "axes"], ["rows"]),
      node("Concat", ["rows", "rest"], ["shape"], { axis: 0 }),
      node("Reshape", ["h", "shape"], ["z"]),
    ],
    { twelve: int64([12], []) },
  ),
  "a slice up to the number of samples": tokens(
    [
      node("Slice", ["table", "axes", "b", "axes"], ["rows"]),
      node("Mul", ["rows", "none"], ["nothing"]),
      node("Flatten", ["h"], ["f"]),
      node("Add", ["f", "nothing"], ["z"]),
    ],
    { table: weights(64, 24), none: float32([0], []) },
  ),
  "a shape that depends on nothing but the file": tokens(
    [
      node("Shape", ["k"], ["own"]),
      node("Gather", ["own", "axes"], ["columns"], { axis: 0 }),
      node("Concat", ["rest", "columns"], ["shape"], { axis: 0 }),
      node("Reshape", ["h", "shape"], ["z"]),
    ],
    { k: weights(24, 1) },
  ),
};

const perceptron = { w: weights(3, 6), v: weights(6, 2) };
const layouts: Readonly<Record<string, Case>> = {
  "an output that no candidate changes, beside one that all change": {
    original: model({
      inputs: { x: ["N", 3] },
      outputs: ["other", "y"],
      initializers: { ...perceptron, u: weights(3, 4) },
      nodes: [
        node("MatMul", ["x", "u"], ["other"]),
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "v"], ["y"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]), y_other: r.tensor([SAMPLES, 4]) }),
  },
  "outputs of two layers, of which candidates of the second change one": {
    original: model({
      inputs: { x: ["N", 3] },
      outputs: ["early", "late"],
      initializers: { ...perceptron, u: weights(6, 5), t: weights(5, 3) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "v"], ["early"]),
        node("MatMul", ["h", "u"], ["c"]),
        node("Sigmoid", ["c"], ["g"]),
        node("MatMul", ["g", "t"], ["late"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]), y_early: int64([0, 1, 1, 0, 1, 0, 0]) }),
  },
  "time first": {
    original: model({
      inputs: { x: ["T", "N", 3] },
      outputs: ["y"],
      initializers: perceptron,
      nodes: [node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["h"]), node("MatMul", ["h", "v"], ["y"])],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 5, 1, 3]) }),
  },
  "time first, turned before the output, with a normalisation between": {
    original: model({
      inputs: { x: ["T", "N", 3] },
      outputs: ["y"],
      initializers: { ...perceptron, u: weights(6, 6), scale: weights(1, 3), shift: weights(1, 3) },
      nodes: [
        node("Mul", ["x", "scale"], ["m"]),
        node("Add", ["m", "shift"], ["n"]),
        node("MatMul", ["n", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "u"], ["c"]),
        node("Transpose", ["c"], ["t"], { perm: [1, 0, 2] }),
        node("Sigmoid", ["t"], ["g"]),
        node("MatMul", ["g", "v"], ["y"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 5, 1, 3]) }),
  },
  "samples last": {
    original: model({
      inputs: { x: [3, "N"] },
      outputs: ["y"],
      initializers: { w: weights(6, 3), v: weights(2, 6) },
      nodes: [node("MatMul", ["w", "x"], ["a"]), node("Tanh", ["a"], ["h"]), node("MatMul", ["v", "h"], ["y"])],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3, 1]) }),
  },
  "channels of a picture, read twice": {
    original: model({
      inputs: { x: ["N", 2, 5, 5] },
      outputs: ["y"],
      initializers: { k: weights(5, 2, 3, 3), l: weights(4, 5, 1, 1), m: weights(4, 5, 1, 1), v: weights(4, 2) },
      nodes: [
        node("Conv", ["x", "k"], ["a"]),
        node("Relu", ["a"], ["h"]),
        node("Conv", ["h", "l"], ["c"]),
        node("Conv", ["h", "m"], ["d"]),
        node("Mul", ["c", "d"], ["e"]),
        node("GlobalAveragePool", ["e"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "v"], ["y"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 2, 5, 5]) }),
  },
  "a file of one sample at a time": {
    original: model({
      inputs: { x: [1, 4, 3] },
      outputs: { y: [4, 2] },
      initializers: { ...perceptron, axes: int64([0]) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "v"], ["c"]),
        node("Squeeze", ["c", "axes"], ["y"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 4, 3]) }),
    isStacked: false,
  },
  "a model that mixes samples": {
    original: model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: perceptron,
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("ReduceMean", ["h"], ["mean"], { axes: [0], keepdims: 1 }),
        node("Add", ["h", "mean"], ["g"]),
        node("MatMul", ["g", "v"], ["y"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]) }),
    isStacked: false,
  },
  "a setting that each sample has its own of": {
    original: model({
      inputs: { x: ["N", 3], gain: [] },
      outputs: ["y"],
      initializers: perceptron,
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("Mul", ["h", "gain"], ["g"]),
        node("MatMul", ["g", "v"], ["y"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]), gain: r.tensor([SAMPLES]) }),
    isStacked: false,
  },
};

/** Errors [candidate][sample] by a tail for `count` candidates at once. */
async function tailErrors(evaluator: Evaluator, activations: Activations, group: Group, candidates: readonly number[]) {
  const tail = buildTail(evaluator, activations.state, group, candidates.length);
  const reader = await activations.reader([...new Set(tail.cached.values())]);
  const session = await runner.load(writeModel(tail.model));
  const errors: number[][] = candidates.map(() => []);
  for (const [index, { from, to, targets }] of evaluator.chunks.entries()) {
    const values = await reader.read(index);
    const given = Object.fromEntries([...tail.cached].map(([input, name]) => [input, values[name] as Tensor]));
    const result = await session.run({ ...tail.feeds(candidates), ...given, ...targets });
    const numbers = Array.from((result[tail.output] as Tensor).numbers);
    expect(numbers).toHaveLength(candidates.length * (to - from));
    candidates.forEach((_, k) => {
      errors[k]?.push(...numbers.slice(k * (to - from), (k + 1) * (to - from)));
    });
  }
  await session.release();
  await reader.release();
  return errors;
}

describe.each([...Object.entries(lengths), ...Object.entries(layouts)])(
  "%s",
  (_, { original, data, isStacked = true }) => {
    const opened = async (): Promise<Evaluator> => {
      const { prepared, samples } = await openModel(original, { runner, data });
      return createEvaluator(prepared, runner, samples as NonNullable<typeof samples>);
    };

    test("candidates are stacked where they can be", async () => {
      const evaluator = await opened();
      expect(isBatched(evaluator.prunable.batching)).toBe(isStacked);
      const { groups, count } = evaluator.prunable.units;
      expect(count).toBeGreaterThan(4);
      const activations = new Activations(evaluator, stateOf(evaluator.prunable, new Uint8Array(count)));
      for (const group of groups) {
        expect(await StackingProofs.of(evaluator).holds(activations, group, group.first)).toBe(isStacked);
      }
    });

    test("stacked, alone, and by the whole network: the same errors, before and after a removal", async () => {
      const evaluator = await opened();
      const { prunable } = evaluator;
      for (const gone of [[], [1]]) {
        const removed = removal(prunable, gone);
        const activations = new Activations(evaluator, stateOf(prunable, removed));
        for (const group of prunable.units.groups.filter(({ size }) => size > 1)) {
          const left = Array.from({ length: group.size }, (__, i) => group.first + i).filter((unit) => !removed[unit]);
          const candidates = left.slice(0, 3);
          const stacked = isStacked ? await tailErrors(evaluator, activations, group, candidates) : undefined;
          for (const [k, unit] of candidates.entries()) {
            const [alone] = await tailErrors(evaluator, activations, group, [unit]);
            const { errors } = await evaluator.evaluate(stateOf(prunable, removal(prunable, [...gone, unit])).model);
            const size = Math.max(...errors);
            expect(size).toBeGreaterThan(0);
            errors.forEach((error, n) => {
              expect(Math.abs((alone?.[n] as number) - error), `unit ${unit}`).toBeLessThan(1e-5 * size + 1e-8);
              if (stacked)
                expect(Math.abs((stacked[k]?.[n] as number) - error), `unit ${unit}`).toBeLessThan(1e-5 * size + 1e-8);
            });
          }
        }
      }
    });

    test("the oracle gives the error of the whole network for every unit", async () => {
      const evaluator = await opened();
      const { prunable } = evaluator;
      const units = [...Array(prunable.units.count).keys()];
      const steps = [[], [0], [0, 3]].map((gone) => removal(prunable, gone));
      for (const loops of [true, false]) {
        const left = units.filter((unit) => {
          const { first, size } = groupOf(prunable.units, unit);
          return ![0, 3].includes(unit) && size - [0, 3].filter((one) => one >= first && one < first + size).length > 1;
        });
        const errors = await oracleErrors(evaluator, steps, left, { loops });
        for (const unit of left) {
          const error = await errorWithout(evaluator, removal(prunable, [0, 3, unit]));
          expect(Math.abs((errors.get(unit) as number) - error), `unit ${unit}`).toBeLessThan(1e-5 * error);
        }
      }
    });

    test.each([true, false])("candidates that go with units of their group, by loops: %s", async (loops) => {
      const evaluator = await opened();
      const { prunable } = evaluator;
      const activations = new Activations(evaluator, stateOf(prunable, removal(prunable, [0])));
      const oracle = new Oracle(evaluator, activations, { loops });
      for (const { first, size } of prunable.units.groups) {
        const left = Array.from({ length: size }, (__, i) => first + i).filter((unit) => unit !== 0);
        const [one, another, ...rest] = left.slice(0, -1); // one of the group stays
        if (one === undefined || another === undefined || rest.length === 0) continue;
        const errors = await oracle.errorsWithout(rest, { beside: [one, another] });
        for (const unit of rest) {
          const error = await errorWithout(evaluator, removal(prunable, [0, one, another, unit]));
          expect(Math.abs((errors.get(unit) as number) - error), `unit ${unit}`).toBeLessThan(1e-5 * error);
        }
      }
    });

    test("a run that measures ends with the error of the file that it writes", async () => {
      const { summary } = await prune(writeModel(original), { runner, data, budget: { remove: { count: 3 } } });
      expect(summary.removed).toHaveLength(3);
      const last = summary.removed.at(-1);
      expect(Math.abs((last?.error as number) / summary.after.error - 1)).toBeLessThan(1e-5);
      expect(summary.after.parameters).toBeLessThan(summary.before.parameters);
    });
  },
);
