/**
 * The objectives' formulas: each error is what its documentation says, and the derivatives are those of that, against finite
 * differences in double precision. For every layout of an output, and for both kinds of Softmax that opsets know.
 */
import { describe, expect, test } from "vitest";
import { emptyGraph, GraphBuilder } from "../../../src/graph/builder.ts";
import { sizeOf, Tensor, tensorOf } from "../../../src/graph/tensor.ts";
import type { ColumnPart } from "../../../src/measure/objectives/columns.ts";
import { objectives } from "../../../src/measure/objectives/index.ts";
import type { BoundObjective, Objective, OutputInfo } from "../../../src/measure/objectives/objective.ts";
import { writeModel } from "../../../src/onnx/index.ts";
import { random } from "../../support/build.ts";
import { crossEntropyError, matchErrors, rowsOf, sseError } from "../../support/objectives.ts";
import { referenceRunner } from "../../support/reference-runner.ts";

const SAMPLES = 3;
const exact = referenceRunner();

const infoOf = (dims: readonly number[], rest: Partial<OutputInfo> = {}): OutputInfo => ({
  name: "y",
  source: "d.npz",
  type: "float64",
  dims,
  lastOperator: "Gemm",
  classAxis: undefined,
  columnAxis: undefined,
  columnParts: [],
  answers: undefined,
  size: SAMPLES,
  isOnly: true,
  ...rest,
});

/** What a bound objective gives for values [samples, ...dims]: the error by sample, and the derivatives of their sum. */
async function formulasOf(bound: BoundObjective, dims: readonly number[], opset: number) {
  const b = new GraphBuilder({ opset, real: "float64", base: emptyGraph("objective") });
  b.input("value", "float64", ["N", ...dims]);
  b.input("target", "float64", ["N", ...dims]);
  const error = bound.error(b, "value", "target");
  const { gradient, curvature } = bound.derivatives(b, "value", "target");
  const graph = b.graph([error, gradient, curvature]);
  const bytes = writeModel({ graph, irVersion: 8, opsets: new Map([["", opset]]), metadata: new Map() });
  const session = await exact.load(bytes);
  return async (value: Tensor) => {
    const result = await session.run({ value, target: bound.targets });
    const of = (name: string): Tensor => result[name] as Tensor;
    return { error: of(error), gradient: of(gradient), curvature: of(curvature) };
  };
}

/** Holds the derivatives at `value` to differences of fourth order. */
async function checkDerivatives(bound: BoundObjective, dims: readonly number[], opset: number, value: Tensor) {
  const at = await formulasOf(bound, dims, opset);
  const { error, gradient, curvature } = await at(value);
  expect(error.dims).toEqual([SAMPLES]);
  expect(gradient.dims).toEqual([SAMPLES, ...dims]);
  expect(curvature.dims).toEqual([SAMPLES, ...dims]);
  const h = 1e-3;
  const total = async (element: number, by: number): Promise<number> => {
    const values = Float64Array.from(value.numbers);
    values[element] = (values[element] as number) + by;
    const moved = await at(new Tensor("float64", value.dims, values));
    return Array.from(moved.error.numbers).reduce((sum, one) => sum + one, 0);
  };
  for (let element = 0; element < value.size; element++) {
    const [ll, l, m, u, uu] = (await Promise.all([-2, -1, 0, 1, 2].map((steps) => total(element, steps * h)))) as [
      number,
      number,
      number,
      number,
      number,
    ];
    const first = (ll - 8 * l + 8 * u - uu) / (12 * h);
    const second = (-ll + 16 * l - 30 * m + 16 * u - uu) / (12 * h * h);
    expect(Math.abs((gradient.numbers[element] as number) - first) / (1 + Math.abs(first)), `${element}`).toBeLessThan(
      1e-9,
    );
    expect(
      Math.abs((curvature.numbers[element] as number) - second) / (1 + Math.abs(second)),
      `${element}`,
    ).toBeLessThan(1e-7);
  }
  return error;
}

/** Elements along an axis at each position of each sample, and the sample. */
function positions(
  tensor: ArrayLike<number>,
  dims: readonly number[],
  axis: number,
): { n: number; values: number[] }[] {
  const classes = dims[axis] as number;
  const inner = sizeOf(dims.slice(axis + 1));
  const count = tensor.length / classes;
  return Array.from({ length: count }, (_, position) => {
    const start = Math.floor(position / inner) * classes * inner + (position % inner);
    const values = Array.from({ length: classes }, (_value, k) => tensor[start + k * inner] as number);
    return { n: Math.floor((position * SAMPLES) / count), values };
  });
}

const numbers = (tensor: Tensor): number[] => Array.from(tensor.numbers);
const close = (found: Tensor, expected: readonly number[]): void => {
  expected.forEach((error, n) => {
    expect(Math.abs((found.numbers[n] as number) - error)).toBeLessThan(1e-10 * (1 + Math.abs(error)));
  });
};

describe.each([11, 18])("at opset %i", (opset) => {
  describe("cross-entropy", () => {
    const { "cross-entropy": crossEntropy } = objectives as { "cross-entropy": Objective };
    const layouts: [string, number[], axis: number][] = [
      ["classes alone", [4], 0],
      ["classes of each pixel", [4, 2, 3], 0],
      ["classes of each token", [5, 4], 1],
      ["classes between two axes of positions", [2, 4, 3], 1],
    ];

    test.each(layouts)("of labels, %s", async (_, dims, classAxis) => {
      const r = random(sizeOf(dims));
      const value = r.tensor([SAMPLES, ...dims], 2, "float64");
      const perSample = sizeOf(dims) / (dims[classAxis] as number);
      const labels = Array.from({ length: SAMPLES * perSample }, () => r.int(4));
      const shape = [SAMPLES, ...dims.filter((__, axis) => axis !== classAxis)];
      const answers = tensorOf("int32", labels, shape);
      const bound = await bindTo(crossEntropy, infoOf(dims, { classAxis, answers }));
      const error = await checkDerivatives(bound, dims, opset, value);
      const expected = new Array<number>(SAMPLES).fill(0);
      for (const [at, { n, values }] of positions(value.numbers, dims, classAxis).entries()) {
        const oneHot = values.map((__, k) => (k === labels[at] ? 1 : 0));
        expected[n] = (expected[n] as number) + crossEntropyError(values, oneHot) / perSample;
      }
      close(error, expected);
    });

    test.each(layouts)("of targets that need not sum to 1, %s", async (_, dims, classAxis) => {
      const r = random(7 + sizeOf(dims));
      const value = r.tensor([SAMPLES, ...dims], 2, "float64");
      const answers = tensorOf(
        "float64",
        Array.from({ length: value.size }, () => r.uniform(0, 1.5)),
        value.dims,
      );
      const bound = await bindTo(crossEntropy, infoOf(dims, { classAxis, answers }));
      const error = await checkDerivatives(bound, dims, opset, value);
      const perSample = sizeOf(dims) / (dims[classAxis] as number);
      const expected = new Array<number>(SAMPLES).fill(0);
      const targets = positions(answers.numbers, dims, classAxis);
      for (const [at, { n, values }] of positions(value.numbers, dims, classAxis).entries()) {
        expected[n] = (expected[n] as number) + crossEntropyError(values, targets[at]?.values as number[]) / perSample;
      }
      close(error, expected);
      // as they are written: p sum(t) - t and sum(t) p (1 - p), by position
      const { gradient, curvature } = await (await formulasOf(bound, dims, opset))(value);
      const [slopes, bends] = [gradient, curvature].map((one) => positions(one.numbers, dims, classAxis));
      for (const [at, { values }] of positions(value.numbers, dims, classAxis).entries()) {
        const t = targets[at]?.values as number[];
        const mass = t.reduce((sum, one) => sum + one, 0);
        const total = values.reduce((sum, one) => sum + Math.exp(one), 0);
        values.forEach((logit, k) => {
          const p = Math.exp(logit) / total;
          expect(slopes?.[at]?.values[k]).toBeCloseTo((p * mass - (t[k] as number)) / perSample, 12);
          expect(bends?.[at]?.values[k]).toBeCloseTo((mass * p * (1 - p)) / perSample, 12);
        });
      }
    });

    test.each<[string, number[], number | undefined]>([
      ["alone", [1], 0],
      ["without an axis", [], undefined],
      ["at each pixel", [1, 2, 3], 0],
    ])("of one logit for two classes, %s", async (_, dims, classAxis) => {
      const r = random(3);
      const value = r.tensor([SAMPLES, ...dims], 3, "float64");
      const labels = Array.from({ length: value.size }, (__, at) => at % 2);
      const answers = tensorOf("int32", labels, [SAMPLES, ...dims.slice(1)]);
      const bound = await bindTo(crossEntropy, infoOf(dims, { classAxis, answers }));
      const error = await checkDerivatives(bound, dims, opset, value);
      const perSample = sizeOf(dims);
      const expected = new Array<number>(SAMPLES).fill(0);
      numbers(value).forEach((logit, at) => {
        const n = Math.floor(at / perSample);
        const p = 1 / (1 + Math.exp(-logit));
        expected[n] = (expected[n] as number) - Math.log(labels[at] === 1 ? p : 1 - p) / perSample;
      });
      close(error, expected);
    });

    test("stays finite where a class is ruled out", async () => {
      const value = tensorOf("float64", [800, -800, 0, -800, 800, 0, 0, 0, 800], [SAMPLES, 3]);
      const answers = tensorOf("int32", [1, 1, 2]);
      const bound = await bindTo(crossEntropy, infoOf([3], { classAxis: 0, answers }));
      const { error, gradient } = await (await formulasOf(bound, [3], opset))(value);
      close(error, [1600, 0, 0]);
      expect(numbers(gradient).every(Number.isFinite)).toBe(true);
      const single = await bindTo(crossEntropy, infoOf([1], { classAxis: 0, answers: tensorOf("int32", [0, 1, 1]) }));
      const one = await (await formulasOf(single, [1], opset))(tensorOf("float64", [900, -900, 900], [SAMPLES, 1]));
      close(one.error, [900, 900, 0]);
    });

    test("without any input it is the entropy of the mean target, which its limits are shares of", async () => {
      const classes = await bindTo(crossEntropy, infoOf([4], { classAxis: 0, answers: tensorOf("int32", [0, 0, 3]) }));
      expect(classes.scale).toBeCloseTo(-(2 / 3) * Math.log(2 / 3) - (1 / 3) * Math.log(1 / 3), 12);
      const binary = await bindTo(crossEntropy, infoOf([1], { classAxis: 0, answers: tensorOf("int32", [0, 0, 1]) }));
      expect(binary.scale).toBeCloseTo(classes.scale, 12);
      const pixels = tensorOf("int32", [0, 0, 3, 3, 0, 0], [SAMPLES, 2]);
      const map = await bindTo(crossEntropy, infoOf([4, 2], { classAxis: 0, answers: pixels }));
      expect(map.scale).toBeCloseTo(classes.scale, 12);
      const soft = tensorOf("float64", [1, 1, 0, 0, 1, 1], [SAMPLES, 2]);
      const half = await bindTo(crossEntropy, infoOf([2], { classAxis: 0, answers: soft }));
      // means 2/3 and 2/3: the best constant probabilities are halves
      expect(half.scale).toBeCloseTo((4 / 3) * Math.log(2), 12);
    });
  });

  describe.each<[string, number[]]>([
    ["of a vector", [4]],
    ["of a map", [2, 3, 2]],
    ["of one number", []],
  ])("sse %s", (_, dims) => {
    test("of targets", async () => {
      const r = random(11);
      const value = r.tensor([SAMPLES, ...dims], 2, "float64");
      const answers = r.tensor([SAMPLES, ...dims], 2, "float64");
      const bound = await bindTo(objectives.sse as Objective, infoOf(dims, { answers }));
      const error = await checkDerivatives(bound, dims, opset, value);
      const [rows, targets] = [rowsOf(value.numbers, SAMPLES), rowsOf(answers.numbers, SAMPLES)];
      close(
        error,
        rows.map((row, n) => sseError(row, targets[n] as number[])),
      );
      // the error of the best constant answer, the mean target
      const means = (targets[0] as number[]).map(
        (__, i) => targets.reduce((sum, row) => sum + (row[i] as number), 0) / SAMPLES,
      );
      const scale = targets.reduce((sum, row) => sum + sseError(means, row), 0) / SAMPLES;
      expect(bound.scale).toBeCloseTo(scale, 10);
    });
  });

  describe.each<[string, number[], axis: number | undefined, parts: ColumnPart[]]>([
    ["of columns that all mean the same", [4], undefined, []],
    ["of columns of their own", [4], 0, [{ length: 4, isOneKind: false }]],
    ["of one number", [], undefined, []],
    ["of maps", [3, 2, 2], 0, [{ length: 3, isOneKind: false }]],
    ["of columns after the positions", [5, 3], 1, [{ length: 3, isOneKind: false }]],
    ["of columns between positions", [2, 3, 2], 1, [{ length: 3, isOneKind: false }]],
  ])("match %s", (_, dims, columnAxis, columnParts) => {
    test("is relative to the variance of its column", async () => {
      const r = random(13);
      const inner = columnAxis === undefined ? 1 : sizeOf(dims.slice(columnAxis + 1));
      const columnOf = (element: number): number =>
        columnAxis === undefined ? 0 : Math.floor(element / inner) % (dims[columnAxis] as number);
      const originals = r.tensor([SAMPLES, ...dims], 1, "float64");
      // columns of different sizes and places
      const width = sizeOf(dims);
      const scaled = tensorOf(
        "float64",
        numbers(originals).map((value, at) => 10 ** columnOf(at % width) * (value + 2)),
        originals.dims,
      );
      const value = tensorOf(
        "float64",
        numbers(scaled).map((one, at) => one + 10 ** columnOf(at % width) * r.normal()),
        originals.dims,
      );
      const bound = await bindTo(objectives.match as Objective, infoOf(dims, { columnAxis, columnParts }), scaled);
      expect(bound).toMatchObject({ scale: 1, isRelative: true });
      const error = await checkDerivatives(bound, dims, opset, value);
      close(error, matchErrors(rowsOf(value.numbers, SAMPLES), rowsOf(scaled.numbers, SAMPLES), columnOf));
      const { error: none } = await (await formulasOf(bound, dims, opset))(scaled);
      expect(numbers(none)).toEqual([0, 0, 0]);
    });
  });
});

function bindTo(objective: Objective, info: OutputInfo, originals?: Tensor): Promise<BoundObjective> | BoundObjective {
  const values = async (): Promise<Tensor> => {
    if (!originals) throw new Error(`${objective.name} asks for the original's outputs`);
    return originals;
  };
  return objective.bind(info, { values, like: undefined });
}
