/**
 * How samples go through a model: together only where running proves that this gives what they give alone, along whatever axis
 * the model counts them. Every case is held to runs of single samples of the model as it is.
 */
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { feedOf } from "../../src/data/samples.ts";
import { growingAxis, isEqual, isIndependent, ONE_BY_ONE, runBoth, stack } from "../../src/graph/batching.ts";
import type { Model } from "../../src/graph/graph.ts";
import type { Values } from "../../src/graph/pieces.ts";
import { float32, int64, sizeOf, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { openModel } from "../../src/open.ts";
import { prune } from "../../src/prune.ts";
import { prepareForData } from "../../src/units/prepare.ts";
import { dataset, errorWithout, oracleErrors, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { matchErrors } from "../support/objectives.ts";

const SAMPLES = 6;
const r = random(41);

interface Case {
  readonly original: Model;
  readonly data: Dataset;
  /** By input: the axis along which samples are stacked; none: one by one. */
  readonly axes: Readonly<Record<string, number>>;
  /** By output that is measured: the column of an element of one sample. */
  readonly columns: Readonly<Record<string, (element: number) => number>>;
}

const last = (width: number) => (element: number) => element % width;
const weights = (...dims: number[]): Tensor => r.tensor(dims, 1 / Math.sqrt(dims[0] as number));

/** [..., 3] -> 6 hidden units -> [..., 2]. */
const perceptron = { w: weights(3, 6), v: weights(6, 2) };
const perceptronNodes = (x: string, y: string) => [
  node("MatMul", [x, "w"], ["a"]),
  node("Tanh", ["a"], ["b"]),
  node("MatMul", ["b", "v"], [y]),
];

const cases: Readonly<Record<string, Case>> = {
  "rows of a free axis": {
    original: model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: perceptron,
      nodes: perceptronNodes("x", "y"),
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]) }),
    axes: { x: 0 },
    columns: { y: last(2) },
  },
  "rows that the file fixes to one, with a target shape that spells it out": {
    original: model({
      inputs: { x: [1, 2, 3] },
      outputs: { y: [1, 2] },
      initializers: { w: weights(6, 6), v: weights(6, 2), flat: int64([1, 6]) },
      nodes: [node("Reshape", ["x", "flat"], ["f"]), ...perceptronNodes("f", "y")],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 2, 3]) }),
    axes: { x: 0 },
    columns: { y: last(2) },
  },
  "a model that adds the mean over the samples": {
    original: model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: perceptron,
      nodes: [
        node("ReduceMean", ["x"], ["mean"], { axes: [0], keepdims: 1 }),
        node("Add", ["x", "mean"], ["moved"]),
        ...perceptronNodes("moved", "y"),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]) }),
    axes: {},
    columns: { y: last(2) },
  },
  "a model that mixes samples in its last output only": {
    original: model({
      inputs: { x: ["N", 3] },
      outputs: ["y", "z"],
      initializers: perceptron,
      nodes: [
        ...perceptronNodes("x", "y"),
        node("ReduceMean", ["y"], ["mean"], { axes: [0], keepdims: 1 }),
        node("Add", ["y", "mean"], ["z"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]) }),
    axes: {},
    columns: { y: last(2), z: last(2) },
  },
  "a file fixed to one row that is not freed, as it has a row of its own": {
    original: model({
      inputs: { x: [1, 3] },
      outputs: { y: [2, 2] },
      initializers: { ...perceptron, own: r.tensor([1, 3]) },
      nodes: [node("Concat", ["x", "own"], ["both"], { axis: 0 }), ...perceptronNodes("both", "y")],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]) }),
    axes: {},
    columns: { y: last(2) },
  },
  "a file fixed to four rows": {
    original: model({
      inputs: { x: [4, 3] },
      outputs: { y: [4, 2] },
      initializers: perceptron,
      nodes: perceptronNodes("x", "y"),
    }),
    data: dataset({ x: r.tensor([4 * SAMPLES, 3]) }),
    axes: {},
    columns: { y: last(2) },
  },
  "time first": {
    original: model({
      inputs: { x: ["T", "N", 3] },
      outputs: { y: ["T", "N", 2] },
      initializers: perceptron,
      nodes: perceptronNodes("x", "y"),
    }),
    data: dataset({ x: r.tensor([SAMPLES, 5, 1, 3]) }),
    axes: { x: 1 },
    columns: { y: last(2) },
  },
  "time first, of a fixed length, and of one sample": {
    original: model({
      inputs: { x: [5, 1, 3] },
      outputs: { y: [5, 1, 2] },
      initializers: perceptron,
      nodes: perceptronNodes("x", "y"),
    }),
    data: dataset({ x: r.tensor([SAMPLES, 5, 1, 3]) }),
    axes: { x: 1 },
    columns: { y: last(2) },
  },
  "time first inside and out of it, samples first outside": {
    original: model({
      inputs: { x: ["T", "N", 3] },
      outputs: { y: ["N", "T", 2], z: ["T", "N", 6] },
      initializers: { ...perceptron, own: weights(3, 6) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["b"]),
        node("MatMul", ["b", "v"], ["c"]),
        node("Transpose", ["c"], ["y"], { perm: [1, 0, 2] }),
        node("Sigmoid", ["x"], ["s"]),
        node("MatMul", ["s", "own"], ["z"]),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 5, 1, 3]) }),
    axes: { x: 1 },
    columns: { y: last(2), z: last(6) },
  },
  "samples first, time first inside": {
    original: model({
      inputs: { x: ["N", "T", 3] },
      outputs: ["y"],
      initializers: perceptron,
      nodes: [node("Transpose", ["x"], ["t"], { perm: [1, 0, 2] }), ...perceptronNodes("t", "y")],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 5, 3]) }),
    axes: { x: 0 },
    columns: { y: last(2) },
  },
  "a recurrent layer, its states with the samples in the middle": {
    original: model({
      inputs: { x: ["N", 3], state: [2, "N", 5] },
      outputs: ["y", "next"],
      initializers: {
        w: weights(3, 6),
        q: weights(6, 5),
        u: weights(5, 5),
        v: weights(5, 2),
        first: int64([0], []),
        second: int64([1], []),
        axes: int64([0]),
      },
      nodes: [
        node("Gather", ["state", "first"], ["s0"], { axis: 0 }),
        node("Gather", ["state", "second"], ["s1"], { axis: 0 }),
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["b"]),
        node("MatMul", ["b", "q"], ["c"]),
        node("MatMul", ["s0", "u"], ["d"]),
        node("Add", ["c", "d"], ["e"]),
        node("Tanh", ["e"], ["h0"]),
        node("Add", ["h0", "s1"], ["h1"]),
        node("MatMul", ["h1", "v"], ["y"]),
        node("Unsqueeze", ["h0", "axes"], ["u0"]),
        node("Unsqueeze", ["h1", "axes"], ["u1"]),
        node("Concat", ["u0", "u1"], ["next"], { axis: 0 }),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]), state: r.tensor([SAMPLES, 2, 1, 5]) }),
    axes: { x: 0, state: 1 },
    columns: { y: last(2), next: last(5) },
  },
  "states that a scalar setting goes with": {
    original: model({
      inputs: { x: ["N", 3], state: [2, "N", 3], rate: { type: "int64", shape: [] } },
      outputs: ["y", "next"],
      initializers: { ...perceptron, first: int64([0], []) },
      nodes: [
        node("Gather", ["state", "first"], ["s"], { axis: 0 }),
        node("Cast", ["rate"], ["real"], { to: 1 }),
        node("Mul", ["x", "real"], ["scaled"]),
        node("Add", ["scaled", "s"], ["sum"]),
        ...perceptronNodes("sum", "y"),
        node("Neg", ["state"], ["next"]),
      ],
    }),
    data: dataset({
      x: r.tensor([SAMPLES, 3]),
      state: r.tensor([SAMPLES, 2, 1, 3]),
      rate: int64(Array(SAMPLES).fill(2)),
    }),
    axes: { x: 0, state: 1 },
    columns: { y: last(2), next: () => 0 },
  },
  "a scalar setting that differs from sample to sample": {
    original: model({
      inputs: { x: ["N", 3], rate: { type: "int64", shape: [] } },
      outputs: ["y"],
      initializers: perceptron,
      nodes: [
        node("Cast", ["rate"], ["real"], { to: 1 }),
        node("Mul", ["x", "real"], ["scaled"]),
        ...perceptronNodes("scaled", "y"),
      ],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 3]), rate: int64([1, 2, 1, 3, 1, 2]) }),
    axes: {},
    columns: { y: last(2) },
  },
  "an output of all positions in a row": {
    original: model({
      inputs: { x: ["N", 4, 3] },
      outputs: ["y"],
      initializers: { ...perceptron, flat: int64([-1, 2]) },
      nodes: [...perceptronNodes("x", "c"), node("Reshape", ["c", "flat"], ["y"])],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 4, 3]) }),
    axes: { x: 0 },
    columns: { y: last(2) },
  },
  "an output without its samples": {
    original: model({
      inputs: { x: ["N", 4, 3] },
      outputs: ["y"],
      initializers: { ...perceptron, axes: int64([0]) },
      nodes: [...perceptronNodes("x", "c"), node("Squeeze", ["c", "axes"], ["y"])],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 4, 3]) }),
    axes: {},
    columns: { y: last(2) },
  },
  "an output without its samples, of a file that is fixed to one": {
    original: model({
      inputs: { x: [1, 4, 3] },
      outputs: { y: [4, 2] },
      initializers: { ...perceptron, axes: int64([0]) },
      nodes: [...perceptronNodes("x", "c"), node("Squeeze", ["c", "axes"], ["y"])],
    }),
    data: dataset({ x: r.tensor([SAMPLES, 4, 3]) }),
    axes: {},
    columns: { y: last(2) },
  },
};

/** Outputs of single samples: of each, the elements by output. */
async function alone(file: Uint8Array, evaluator: Evaluator, outputs: readonly string[]): Promise<number[][][]> {
  const session = await runner.load(file);
  const rows: number[][][] = [];
  for (let n = 0; n < evaluator.samples.size; n++) {
    const values = await session.run(feedOf(evaluator.samples, n));
    rows.push(outputs.map((name) => Array.from((values[name] as Tensor).numbers)));
  }
  await session.release();
  return rows;
}

describe.each(Object.entries(cases))("%s", (_, { original, data, axes, columns }) => {
  const outputs = Object.keys(columns);
  const file = writeModel(original);
  const opened = async (): Promise<Evaluator> => {
    const { prepared: prunable, samples } = await openModel(original, { runner, data });
    return createEvaluator(prunable, runner, samples ?? data, { objective: "match" });
  };

  test("samples are stacked as expected", async () => {
    const { prunable, samples, chunks, terms } = await opened();
    expect(Object.fromEntries(prunable.batching.axes)).toEqual(axes);
    expect(samples.size).toBe(SAMPLES);
    expect(chunks).toHaveLength(Object.keys(axes).length > 0 ? 1 : SAMPLES);
    expect(terms.map(({ output }) => output)).toEqual(outputs);
  });

  test("the original's outputs, and the error of a smaller model, are those of single samples", async () => {
    const evaluator = await opened();
    const intact = await alone(file, evaluator, outputs);
    for (const [at, { bound, info }] of evaluator.terms.entries()) {
      const width = sizeOf(info.dims);
      expect(bound.targets.dims).toEqual([SAMPLES, ...info.dims]);
      for (let n = 0; n < SAMPLES; n++) {
        const own = Array.from(bound.targets.numbers).slice(n * width, (n + 1) * width);
        expect(own).toHaveLength(intact[n]?.[at]?.length as number);
        own.forEach((value, i) => {
          expect(value).toBeCloseTo(intact[n]?.[at]?.[i] as number, 5);
        });
      }
    }
    const { units } = evaluator.prunable;
    expect(units.count).toBe(6);
    const { model: small } = stateOf(evaluator.prunable, removal(evaluator.prunable, [0, 4]));
    const { errors, outputs: byOutput } = await evaluator.evaluate(small);
    const after = await alone(writeModel(small), evaluator, outputs);
    const expected = outputs.map((name, at) =>
      matchErrors(
        after.map((row) => row[at] as number[]),
        intact.map((row) => row[at] as number[]),
        columns[name],
      ),
    );
    expect(errors.some((error) => error > 1e-3)).toBe(true);
    for (let n = 0; n < SAMPLES; n++) {
      for (const [at, own] of expected.entries()) {
        const [error, found] = [own[n] as number, byOutput[at]?.errors[n] as number];
        expect(Math.abs(found - error)).toBeLessThan(1e-5 * Math.max(error, 1e-3));
      }
      expect(errors[n]).toBeCloseTo(
        byOutput.reduce((sum, { errors: own }) => sum + (own[n] as number), 0),
        10,
      );
    }
  });

  test("the oracle's errors are those of the whole model without each unit", async () => {
    const evaluator = await opened();
    const { prunable } = evaluator;
    const units = [...Array(prunable.units.count).keys()];
    for (const gone of [[], [2]]) {
      const left = units.filter((unit) => !gone.includes(unit));
      const errors = await oracleErrors(evaluator, [removal(prunable, []), removal(prunable, gone)], left);
      for (const [unit, measured] of errors) {
        const error = await errorWithout(evaluator, removal(prunable, [...gone, unit]));
        expect(Math.abs(measured - error), `unit ${unit}`).toBeLessThan(1e-5 * error);
      }
    }
  });

  test("Taylor terms are those of single samples", async () => {
    const evaluator = await opened();
    const { prunable, samples } = evaluator;
    const removed = removal(prunable, [1]);
    const single = await createEvaluator({ ...prunable, batching: ONE_BY_ONE }, runner, samples, {
      objective: "match",
    });
    const [own, other] = await Promise.all(
      [evaluator, single].map((one) => taylorTerms(one, stateOf(one.prunable, removed), { second: true })),
    );
    for (const kind of ["gradient", "absolute", "squared", "curvature"] as const) {
      const [a, b] = [own?.[kind] as Float64Array, other?.[kind] as Float64Array];
      const size = Math.max(...b.map(Math.abs));
      expect(size).toBeGreaterThan(0);
      a.forEach((value, unit) => {
        expect(Math.abs(value - (b[unit] as number)), `${kind} of ${unit}`).toBeLessThan(1e-5 * size);
      });
    }
  });

  test("a smaller file is written, and takes what the original takes", async () => {
    const { bytes, summary } = await prune(file, { runner, data, budget: { remove: { count: 2 } } });
    expect(summary.removed).toHaveLength(2);
    expect(summary.inDoubt).toBeUndefined();
    const evaluator = await opened();
    const rows = await alone(bytes, evaluator, outputs);
    expect(rows).toHaveLength(SAMPLES);
    const shapes = ({ graph }: Model) => [graph.inputs, graph.outputs].map((all) => all.map(({ shape }) => shape));
    const freed = (dims: readonly (number | string | null)[] | undefined) =>
      dims?.map((dim) => (dim === "N" ? 1 : dim));
    expect(shapes(readModel(bytes)).flat().map(freed)).toEqual(shapes(original).flat().map(freed));
  });
});

describe("an output that no sample changes", () => {
  const original = model({
    inputs: { x: ["N", 3] },
    outputs: ["y", "anchors"],
    initializers: { ...perceptron, fixed: r.tensor([5, 4]) },
    nodes: [...perceptronNodes("x", "y"), node("Neg", ["fixed"], ["anchors"])],
  });
  const data = dataset({ x: r.tensor([SAMPLES, 3]) });
  const opened = async (outputs?: readonly string[]): Promise<Evaluator> => {
    const { prepared: prunable, samples } = await openModel(original, { runner, data });
    return createEvaluator(prunable, runner, samples ?? data, { outputs });
  };

  test("adds nothing to the error", async () => {
    const [all, own] = [await opened(), await opened(["y"])];
    const removed = removal(all.prunable, [0, 4]);
    const error = await errorWithout(own, removed);
    expect(error).toBeGreaterThan(0);
    expect(await errorWithout(all, removed)).toBeCloseTo(error, 10);
    const { bytes } = await prune(writeModel(original), { runner, data, budget: { remove: { count: 2 } } });
    const [rows, intact] = [await alone(bytes, all, ["anchors"]), await alone(writeModel(original), all, ["anchors"])];
    expect(rows).toEqual(intact);
  });

  test("keeps no samples from running together, and is not measured", async () => {
    const { prunable, terms } = await opened();
    expect([...prunable.batching.axes]).toEqual([["x", 0]]);
    expect(terms.map(({ output }) => output)).toEqual(["y"]);
  });
});

describe("a proof", () => {
  const batching = { axes: new Map([["x", 0]]) };

  test("needs every input that is not stacked to be the same", () => {
    const feed = (x: number, k: number): Values => ({ x: float32([x], [1, 1]), k: float32([k]) });
    expect(stack([feed(1, 5), feed(2, 5)], batching)).toMatchObject({ x: { dims: [2, 1] }, k: { dims: [1] } });
    expect(stack([feed(1, 5), feed(2, 6)], batching)).toBeUndefined();
    expect(stack([feed(1, 5)], batching)).toEqual(feed(1, 5));
    expect(isEqual(float32([1, 2]), float32([1, 2]))).toBe(true);
    expect(isEqual(float32([1, 2]), float32([1, 2], [2, 1]))).toBe(false);
    expect(isEqual(float32([1]), tensorOf("float64", [1]))).toBe(false);
  });

  test("the axis that grows is the only one that does", () => {
    expect(growingAxis([1, 3], [2, 3], 2)).toBe(0);
    expect(growingAxis([4, 1, 3], [4, 3, 3], 3)).toBe(1);
    expect(growingAxis([4, 3], [12, 3], 3)).toBe(0);
    expect(growingAxis([1, 1], [2, 2], 2)).toBeUndefined();
    expect(growingAxis([1, 3], [1, 3], 2)).toBeUndefined();
    expect(growingAxis([1, 3], [2, 4], 2)).toBeUndefined();
    expect(growingAxis([3], [2, 3], 2)).toBeUndefined();
    expect(growingAxis([0, 3], [0, 3], 2)).toBeUndefined();
  });

  test("holds the samples together to each of them alone", () => {
    const y = (...values: number[]): Values => ({ y: float32(values, [values.length, 1]) });
    expect(isIndependent({ alone: [y(1), y(2), y(3)], together: y(1, 2, 3) })).toBe(true);
    expect(isIndependent({ alone: [y(1), y(2), y(3)], together: y(1, 2, 3 + 1e-5) })).toBe(true);
    expect(isIndependent({ alone: [y(1), y(2), y(3)], together: y(1, 2, 3.01) })).toBe(false);
    expect(isIndependent({ alone: [y(1), y(2), y(3)], together: y(1, 3, 2) })).toBe(false);
    expect(isIndependent({ alone: [y(1), y(2), y(3)], together: y(1, 2, Number.NaN) })).toBe(false);
    const ids = (...values: number[]): Values => ({ y: int64(values) });
    expect(isIndependent({ alone: [ids(1), ids(2)], together: ids(1, 2) })).toBe(true);
    expect(isIndependent({ alone: [ids(1), ids(2)], together: ids(1, 3) })).toBe(false);
  });

  test("fails where the runtime refuses the samples together", async () => {
    const { original } = cases["an output without its samples"] as Case;
    const feeds = [0, 1].map((): Values => ({ x: r.tensor([1, 4, 3]) }));
    expect(await runBoth(original, runner, feeds, batching)).toBeUndefined();
  });
});

test("without data a free axis is taken at its word; with data it is proved", async () => {
  const { original, data } = cases["a model that adds the mean over the samples"] as Case;
  expect([...(await prepared(original)).batching.axes]).toEqual([["x", 0]]);
  const feeds = [0, 1, 2].map((): Values => ({ x: r.tensor([1, 3]) }));
  expect((await prepareForData(original, runner, feeds)).batching).toEqual(ONE_BY_ONE);
  // also where there is one sample only
  const single = dataset({ x: r.tensor([1, 3]) });
  expect((await openModel(original, { runner, data: single })).prepared.batching).toEqual(ONE_BY_ONE);
  expect((await openModel(original, { runner, data })).prepared.batching).toEqual(ONE_BY_ONE);
});
