/** The objective of a whole model: which outputs are measured, by what, on which labels, and what their sum is. */
import { describe, expect, test } from "vitest";
import { oracle } from "../../../src/criteria/oracle.ts";
import type { Dataset } from "../../../src/data/dataset.ts";
import { GAINS, gainsTensor, gateModel } from "../../../src/derive/gate.ts";
import { ShrinkError } from "../../../src/errors.ts";
import type { Model } from "../../../src/graph/graph.ts";
import { float32, int64, type Tensor, tensorOf } from "../../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator, type EvaluatorOptions } from "../../../src/measure/evaluator.ts";
import type { Objective } from "../../../src/measure/objectives/objective.ts";
import { stateOf } from "../../../src/measure/state.ts";
import { taylorTerms } from "../../../src/measure/taylor.ts";
import { writeModel } from "../../../src/onnx/index.ts";
import { choose } from "../../../src/plan/choose.ts";
import { prune } from "../../../src/prune.ts";
import type { Runner } from "../../../src/runner.ts";
import { prepare } from "../../../src/units/prepare.ts";
import { allFeeds, dataset, errorWithout, oracleErrors, removal, runner } from "../../helpers.ts";
import { model, node, random } from "../../support/build.ts";
import { columnVariances, crossEntropyError, matchErrors, rowsOf, sseError } from "../../support/objectives.ts";
import { evaluate } from "../../support/reference.ts";
import { referenceRunner } from "../../support/reference-runner.ts";

const exact = referenceRunner();
const SAMPLES = 7;
const HIDDEN = 5;

/** x -> h of five units -> a class of three, a box of two numbers, and a bounded rest. */
function threeHeads(): Model {
  const r = random(5);
  const type = "float64";
  return model({
    type,
    inputs: { x: ["N", 4] },
    outputs: ["class", "box", "rest"],
    initializers: {
      w: r.tensor([4, HIDDEN], 1, type),
      c: r.tensor([HIDDEN, 3], 1, type),
      b: r.tensor([HIDDEN, 2], 3, type),
      t: r.tensor([HIDDEN, 2], 1, type),
    },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Sigmoid", ["a"], ["h"]),
      node("MatMul", ["h", "c"], ["class"]),
      node("MatMul", ["h", "b"], ["box"]),
      node("MatMul", ["h", "t"], ["s"]),
      node("Tanh", ["s"], ["rest"]),
    ],
  });
}
const r = random(6);
const x = r.tensor([SAMPLES, 4], 1, "float64");
const classes = int64(Array.from({ length: SAMPLES }, () => r.int(3)));
const boxes = r.tensor([SAMPLES, 2], 3, "float64");
const labelled = dataset({ x, y_class: classes, y_box: boxes });

const evaluatorOf = async (
  original: Model,
  data: Dataset,
  options: EvaluatorOptions = {},
  on: Runner = exact,
): Promise<Evaluator> => createEvaluator(await prepare(original, on), on, data, options);

const rows = (values: Readonly<Record<string, Tensor>>, name: string): number[][] =>
  rowsOf((values[name] as Tensor).numbers, SAMPLES);
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const largest = (row: readonly number[]): number =>
  row.reduce((best, value, at) => (value > (row[best] as number) ? at : best), 0);

/** Means over samples of the three heads' errors, as they are documented, for outputs of some model. */
function errorsOf(values: Readonly<Record<string, Tensor>>): { class: number; box: number; rest: number } {
  const intact = evaluate(threeHeads(), { x });
  const labels = Array.from(classes.numbers);
  return {
    class: mean(
      rows(values, "class").map((row, n) =>
        crossEntropyError(
          row,
          [0, 1, 2].map((k) => (k === labels[n] ? 1 : 0)),
        ),
      ),
    ),
    box: mean(rows(values, "box").map((row, n) => sseError(row, rowsOf(boxes.numbers, SAMPLES)[n] as number[]))),
    // between -1 and 1: both columns are of one kind
    rest: mean(matchErrors(rows(values, "rest"), rows(intact, "rest"))),
  };
}

/** Outputs of the model with gains on its units. */
function gated(evaluator: Evaluator, gains: readonly number[]): Record<string, Tensor> {
  const { prunable } = evaluator;
  const net = gateModel(prunable.model, prunable.shapes, prunable.units).model;
  return evaluate(net, { ...allFeeds(evaluator), [GAINS]: gainsTensor(gains, prunable.units.count, "float64") });
}
const ones = new Array<number>(HIDDEN).fill(1);

describe("several outputs", () => {
  test("take the objective that suits each, and their labels by name", async () => {
    const evaluator = await evaluatorOf(threeHeads(), labelled);
    expect(evaluator.objective).toBe("cross-entropy+sse+match");
    expect(evaluator.terms.map(({ output, objective, value }) => [output, objective.name, value])).toEqual([
      ["class", "cross-entropy", "class"],
      ["box", "sse", "box"],
      ["rest", "match", "rest"],
    ]);
    expect(evaluator.type).toBe("float64");
    const [chunk] = evaluator.chunks;
    expect(Object.keys(chunk?.targets ?? {})).toEqual(evaluator.terms.map(({ target }) => target));
    expect(new Set(evaluator.terms.map(({ target }) => target)).size).toBe(3);
  });

  test("the error is the sum of theirs, and the accuracy that of those with labels", async () => {
    const evaluator = await evaluatorOf(threeHeads(), labelled);
    for (const gone of [[], [1], [0, 3]]) {
      const removed = removal(evaluator.prunable, gone);
      const values = gated(
        evaluator,
        ones.map((_, unit) => 1 - (removed[unit] as number)),
      );
      const expected = errorsOf(values);
      const { quality, errors, correctness } = await evaluator.evaluate(stateOf(evaluator.prunable, removed).model);
      expect(quality.error).toBeCloseTo(expected.class + expected.box + expected.rest, 10);
      expect(mean([...errors])).toBeCloseTo(quality.error, 12);
      const right = rows(values, "class").map((row, n) => (largest(row) === classes.numbers[n] ? 1 : 0));
      expect([...(correctness ?? [])]).toEqual(right);
      const before = rows(evaluate(threeHeads(), { x }), "rest").map(largest);
      const same = rows(values, "rest").map((row, n) => (largest(row) === before[n] ? 1 : 0));
      expect(quality.accuracy).toBeCloseTo(mean(right), 12);
      expect(quality.outputs).toEqual([
        { name: "class", objective: "cross-entropy", error: expect.closeTo(expected.class, 10), accuracy: mean(right) },
        { name: "box", objective: "sse", error: expect.closeTo(expected.box, 10) },
        { name: "rest", objective: "match", error: expect.closeTo(expected.rest, 10), agreement: mean(same) },
      ]);
    }
  });

  test("gradients are those of the sum, by finite differences in each unit's gain", async () => {
    const evaluator = await evaluatorOf(threeHeads(), labelled);
    const { gradient } = await taylorTerms(evaluator, stateOf(evaluator.prunable, removal(evaluator.prunable, [])), {
      second: false,
    });
    const at = (unit: number, gain: number): number => {
      const { class: own, box, rest } = errorsOf(gated(evaluator, ones.with(unit, gain)));
      return own + box + rest;
    };
    const h = 1e-4;
    gradient.forEach((value, unit) => {
      const [ll, l, u, uu] = [-2, -1, 1, 2].map((k) => at(unit, 1 + k * h)) as [number, number, number, number];
      expect(value).toBeCloseTo((ll - 8 * l + 8 * u - uu) / (12 * h), 8);
    });
  });

  test("curvatures are those of the sum on the diagonal", async () => {
    const evaluator = await evaluatorOf(threeHeads(), labelled);
    const { curvature } = await taylorTerms(evaluator, stateOf(evaluator.prunable, removal(evaluator.prunable, [])), {
      second: true,
    });
    const values = evaluate(threeHeads(), { x }, ["h", "class", "rest"]);
    const { c, b, t } = Object.fromEntries(threeHeads().graph.initializers) as Record<string, Tensor>;
    const weight = (tensor: Tensor | undefined, width: number, j: number, k: number): number =>
      tensor?.numbers[j * width + k] as number;
    const [variance] = columnVariances(rows(values, "rest"));
    for (let j = 0; j < HIDDEN; j++) {
      const expected = mean(
        rows(values, "h").map((h, n) => {
          const logits = rows(values, "class")[n] as number[];
          const total = logits.reduce((sum, one) => sum + Math.exp(one), 0);
          const rest = rows(values, "rest")[n] as number[];
          let sum = 0;
          logits.forEach((logit, k) => {
            const p = Math.exp(logit) / total;
            sum += p * (1 - p) * weight(c, 3, j, k) ** 2;
          });
          for (const k of [0, 1]) {
            sum += weight(b, 2, j, k) ** 2;
            // at the original's own output its distance has no gradient
            sum += (2 / (2 * (variance as number))) * (1 - (rest[k] as number) ** 2) ** 2 * weight(t, 2, j, k) ** 2;
          }
          return (h[j] as number) ** 2 * sum;
        }),
      );
      expect(curvature[j]).toBeCloseTo(expected, 9);
    }
  });

  test("the oracle measures the sum, one after another", async () => {
    const evaluator = await evaluatorOf(threeHeads(), labelled);
    const removed = removal(evaluator.prunable, [2]);
    const errors = await oracleErrors(evaluator, [removal(evaluator.prunable, []), removed], [0, 1, 3, 4]);
    for (const [unit, error] of errors) {
      expect(error).toBeCloseTo(await errorWithout(evaluator, removal(evaluator.prunable, [2, unit])), 12);
    }
    const { trace } = await choose(evaluator.prunable, evaluator, {
      criterion: oracle,
      budget: { remove: { count: 3 } },
    });
    expect(trace).toHaveLength(3);
    expect(trace.at(-1)?.outputs?.map(({ name }) => name)).toEqual(["class", "box", "rest"]);
  });

  test("two outputs of one value are two terms", async () => {
    const original = threeHeads();
    const both = {
      ...original,
      graph: original.graph.with({
        nodes: [...original.graph.nodes, node("Softmax", ["class"], ["probabilities"], { axis: 1 })],
        outputs: [...original.graph.outputs.slice(0, 1), { name: "probabilities" }],
      }),
    };
    const data = dataset({ x, y: classes });
    const options = { objective: { class: "match", probabilities: "cross-entropy" } };
    const evaluator = await evaluatorOf(both, dataset({ x, y_probabilities: classes }), options);
    expect(evaluator.terms.map(({ output, value }) => [output, value])).toEqual([
      ["class", "class"],
      ["probabilities", "class"], // before the Softmax
    ]);
    const of = (values: Readonly<Record<string, Tensor>>): number =>
      errorsOf({ ...values, box: boxes, rest: evaluate(original, { x }).rest as Tensor }).class +
      mean(matchErrors(rows(values, "class"), rows(evaluate(original, { x }), "class"), (k) => k));
    const { gradient } = await taylorTerms(evaluator, stateOf(evaluator.prunable, removal(evaluator.prunable, [])), {
      second: true,
    });
    const h = 1e-4;
    gradient.forEach((value, unit) => {
      const [ll, l, u, uu] = [-2, -1, 1, 2].map((k) => of(gated(evaluator, ones.with(unit, 1 + k * h)))) as number[];
      const numeric = ((ll as number) - 8 * (l as number) + 8 * (u as number) - (uu as number)) / (12 * h);
      expect(value).toBeCloseTo(numeric, 7);
    });
    const removed = removal(evaluator.prunable, [1, 4]);
    expect(await errorWithout(evaluator, removed)).toBeCloseTo(of(gated(evaluator, [1, 0, 1, 1, 0])), 10);
    // labels without a name go to the first output that they fit
    const unnamed = await evaluatorOf(both, data);
    expect(unnamed.terms.map(({ output, objective }) => [output, objective.name])).toEqual([
      ["class", "cross-entropy"],
      ["probabilities", "match"],
    ]);
  });

  test("outputs that are named are the only ones measured", async () => {
    const evaluator = await evaluatorOf(threeHeads(), labelled, { outputs: ["box"] });
    expect(evaluator.objective).toBe("sse");
    const { quality } = await evaluator.evaluate();
    expect(quality.error).toBeCloseTo(errorsOf(evaluate(threeHeads(), { x })).box, 10);
    expect(quality.accuracy).toBeUndefined();
    expect(quality.outputs).toBeUndefined();
    const two = await evaluatorOf(threeHeads(), labelled, { outputs: ["rest", "class"] });
    expect(two.terms.map(({ output }) => output)).toEqual(["class", "rest"]); // in the model's order
  });

  test("a unit that only another output reads costs nothing", async () => {
    const w = random(9);
    const apart = model({
      inputs: { x: ["N", 4] },
      outputs: ["y", "z"],
      initializers: { a: w.tensor([4, 3]), b: w.tensor([3, 2]), c: w.tensor([4, 3]), d: w.tensor([3, 2]) },
      nodes: [
        node("MatMul", ["x", "a"], ["p"]),
        node("Tanh", ["p"], ["q"]),
        node("MatMul", ["q", "b"], ["y"]),
        node("MatMul", ["x", "c"], ["s"]),
        node("Tanh", ["s"], ["t"]),
        node("MatMul", ["t", "d"], ["z"]),
      ],
    });
    const data = dataset({ x: w.tensor([SAMPLES, 4]) });
    const evaluator = await evaluatorOf(apart, data, { outputs: ["z"] }, runner);
    const errors = await oracleErrors(evaluator, [removal(evaluator.prunable, [])], [0, 1, 2, 3, 4, 5]);
    expect([0, 1, 2].map((unit) => errors.get(unit))).toEqual([0, 0, 0]);
    for (const unit of [3, 4, 5]) expect(errors.get(unit)).toBeGreaterThan(1e-3);
    const { gradient, curvature } = await taylorTerms(
      evaluator,
      stateOf(evaluator.prunable, removal(evaluator.prunable, [3])),
      { second: true },
    );
    expect([0, 1, 2].map((unit) => [gradient[unit], curvature[unit]])).toEqual(Array(3).fill([0, 0]));
    expect(curvature[4]).toBeGreaterThan(0);
  });
});

describe("an objective of one's own", () => {
  /** log cosh of the difference to the original, summed. */
  const logCosh: Objective = {
    name: "log-cosh",
    needsAnswers: false,
    suits: () => false,
    async bind({ dims }, original) {
      const axes = dims.map((_, axis) => axis + 1);
      return {
        targets: await original.values(),
        scale: 1,
        error(b, value, target) {
          const difference = b.sub(value, target);
          const both = b.add(b.op("Exp", [difference]), b.op("Exp", [b.op("Neg", [difference])]));
          return b.sum(b.op("Log", [b.mul(b.scalar(0.5), both)]), axes);
        },
        derivatives(b, value, target) {
          const gradient = b.op("Tanh", [b.sub(value, target)]);
          return { gradient, curvature: b.sub(b.scalar(1), b.square(gradient)) };
        },
      };
    },
  };
  const own = (row: readonly number[], target: readonly number[]): number =>
    row.reduce((sum, value, i) => sum + Math.log(Math.cosh(value - (target[i] as number))), 0);

  test("measures all outputs, or one of them", async () => {
    const intact = evaluate(threeHeads(), { x });
    const all = await evaluatorOf(threeHeads(), dataset({ x }), { objective: logCosh });
    expect(all.objective).toBe("log-cosh");
    const values = gated(all, [1, 0, 1, 1, 1]);
    const removed = removal(all.prunable, [1]);
    const sums = ["class", "box", "rest"].map((name) =>
      mean(rows(values, name).map((row, n) => own(row, rows(intact, name)[n] as number[]))),
    );
    expect(await errorWithout(all, removed)).toBeCloseTo(
      sums.reduce((sum, one) => sum + one, 0),
      10,
    );
    const one = await evaluatorOf(threeHeads(), labelled, { objective: { box: logCosh, rest: "match" } });
    expect(one.terms.map(({ objective }) => objective.name)).toEqual(["cross-entropy", "log-cosh", "match"]);
    const expected = errorsOf(values);
    expect(await errorWithout(one, removed)).toBeCloseTo(expected.class + (sums[1] as number) + expected.rest, 10);
    const errors = await oracleErrors(one, [removal(one.prunable, [])], [1]);
    expect(errors.get(1)).toBeCloseTo(expected.class + (sums[1] as number) + expected.rest, 10);
  });

  test("has derivatives of its own", async () => {
    const evaluator = await evaluatorOf(threeHeads(), dataset({ x }), { objective: logCosh, outputs: ["box"] });
    const intact = rows(evaluate(threeHeads(), { x }), "box");
    const removed = removal(evaluator.prunable, [2]);
    const { gradient } = await taylorTerms(evaluator, stateOf(evaluator.prunable, removed), { second: true });
    const at = (unit: number, gain: number): number =>
      mean(
        rows(gated(evaluator, ones.with(2, 0).with(unit, gain)), "box").map((row, n) =>
          own(row, intact[n] as number[]),
        ),
      );
    const h = 1e-4;
    for (const unit of [0, 1, 3, 4]) {
      expect(gradient[unit]).toBeCloseTo((at(unit, 1 + h) - at(unit, 1 - h)) / (2 * h), 6);
    }
    expect(gradient[2]).toBe(0);
  });

  test("goes through a whole run, by criteria that measure and that estimate", async () => {
    const w = random(4);
    const small = model({
      inputs: { x: ["N", 4] },
      outputs: ["y"],
      initializers: { a: w.tensor([4, 6]), b: w.tensor([6, 3]) },
      nodes: [node("MatMul", ["x", "a"], ["p"]), node("Tanh", ["p"], ["q"]), node("MatMul", ["q", "b"], ["y"])],
    });
    const data = dataset({ x: w.tensor([20, 4]) });
    for (const criterion of ["oracle", "taylor2"]) {
      const { summary } = await prune(writeModel(small), {
        runner,
        data,
        criterion,
        objective: logCosh,
        budget: { remove: { count: 2 } },
      });
      expect(summary.objective).toBe("log-cosh");
      expect(summary.after.error).toBeGreaterThan(0);
      expect(summary.removed).toHaveLength(2);
    }
  });
});

describe("what does not fit is said", () => {
  const messageOf = async (
    options: EvaluatorOptions,
    data: Dataset = labelled,
    original = threeHeads(),
  ): Promise<[string, string]> => {
    const refusal = await evaluatorOf(original, data, options).then(
      () => new Error("nothing thrown"),
      (error: Error) => error,
    );
    expect(refusal).toBeInstanceOf(ShrinkError);
    const { code, message } = refusal as ShrinkError;
    return [code, message];
  };
  const plain = dataset({ x });
  const classifier = (dims: readonly number[]): Model =>
    model({
      type: "float64",
      inputs: { x: ["N", 4] },
      outputs: ["out"],
      initializers: {
        w: random(2).tensor([4, dims.reduce((a, b) => a * b, 1)], 1, "float64"),
        s: int64([-1, ...dims]),
      },
      nodes: [node("MatMul", ["x", "w"], ["flat"]), node("Reshape", ["flat", "s"], ["out"])],
    });

  test.each<[string, EvaluatorOptions, Dataset | undefined, string, string]>([
    [
      "an objective that there is not",
      { objective: "mse" },
      plain,
      "option",
      'objective "mse": unknown, expected one of sse, cross-entropy, match',
    ],
    [
      "one that every object has",
      { objective: "toString" },
      plain,
      "option",
      'objective "toString": unknown, expected one of sse, cross-entropy, match',
    ],
    [
      "an objective that there is not, of one output",
      { objective: { box: "mse" } },
      plain,
      "option",
      'objective "mse": unknown, expected one of sse, cross-entropy, match',
    ],
    [
      "an output that there is not",
      { outputs: ["boxes"] },
      plain,
      "option",
      'output "boxes": the model has none of that name, expected one of class, box, rest',
    ],
    [
      "an output that there is not, with an objective",
      { objective: { h: "match" } },
      plain,
      "option",
      'output "h": the model has none of that name, expected one of class, box, rest',
    ],
    [
      "no labels at all",
      { objective: "cross-entropy" },
      plain,
      "data",
      'test data: no labels or targets for output "class", expected an array "y" for the objective cross-entropy; add it or use --objective match',
    ],
    [
      "no labels for one output",
      { objective: { rest: "sse" } },
      labelled,
      "data",
      'test data: no labels or targets for output "rest", expected an array "y" for the objective sse; add it or use --objective match',
    ],
  ])("%s", async (_, options, data, code, message) => {
    expect(await messageOf(options, data)).toEqual([code, message]);
  });

  test.each<[string, readonly number[], Tensor, EvaluatorOptions, string]>([
    [
      "one-hot classes",
      [3],
      int64(Array(3 * SAMPLES).fill(0), [SAMPLES, 3]),
      {},
      `array "y" has shape [${SAMPLES}, 3], expected classes [N] for the output "out" of shape [N, 3]. Save one-hot classes as y.argmax(axis=1), or targets as y.astype('float32').`,
    ],
    [
      "classes of other positions",
      [3, 4],
      int64(Array(5 * SAMPLES).fill(0), [SAMPLES, 5]),
      {},
      `array "y" has shape [${SAMPLES}, 5], expected classes [N, 4] for the output "out" of shape [N, 3, 4]. Save one-hot classes as y.argmax(axis=1), or targets as y.astype('float32').`,
    ],
    [
      "targets of another shape",
      [3],
      r.tensor([SAMPLES, 2]),
      {},
      `array "y" has shape [${SAMPLES}, 2], expected [N, 3] like the model's output "out"`,
    ],
    [
      "a class that is too large",
      [3],
      int64([0, 1, 2, 3, 0, 0, 0]),
      {},
      "the label of sample 3 is 3, expected 0 to 2 as the model has 3 classes. Number the classes from 0, or check that the file belongs to this model.",
    ],
    [
      "a class that is negative, at a later position",
      [3, 2],
      int64([0, 1, 2, 1, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0], [SAMPLES, 2]),
      {},
      "the label of sample 2 is -1, expected 0 to 2 as the model has 3 classes. Number the classes from 0, or check that the file belongs to this model.",
    ],
    [
      "a third of two classes",
      [1],
      int64([0, 1, 1, 0, 2, 0, 0]),
      { objective: "cross-entropy" },
      "the label of sample 4 is 2, expected 0 to 1 as the model has 2 classes. Number the classes from 0, or check that the file belongs to this model.",
    ],
  ])("%s", async (_, dims, y, options, message) => {
    expect(await messageOf(options, dataset({ x, y }), classifier(dims))).toEqual(["data", `test data: ${message}`]);
  });

  test.each<[string, Dataset]>([
    ["by the array's name", dataset({ x, y_boxes: boxes })],
    ["as they are told", dataset({ x, other: boxes }, { labelArrays: { boxes: "other" } })],
  ])("labels for an output that there is not, %s", async (_, data) => {
    expect((await messageOf({}, data))[1]).toContain("boxes");
  });

  test("no output that can be measured", async () => {
    const shapes = model({
      inputs: { x: ["N", 4] },
      outputs: { y: { type: "int64", shape: [2] } },
      nodes: [node("Shape", ["x"], ["y"])],
    });
    const data = dataset({ x: random(1).tensor([3, 4]) });
    await expect(evaluatorOf(shapes, data, {}, runner)).rejects.toThrow(
      "model: none of its outputs depends on real numbers computed from its inputs, expected one that can be measured",
    );
  });
});

describe("an objective by name", () => {
  test("for all outputs; those without labels keep to the original", async () => {
    const evaluator = await evaluatorOf(threeHeads(), labelled, { objective: "sse" });
    // labels of classes are targets of 0 and 1 for sse
    expect(evaluator.terms.map(({ objective }) => objective.name)).toEqual(["sse", "sse", "match"]);
    const all = await evaluatorOf(threeHeads(), labelled, { objective: "match" });
    expect(all.objective).toBe("match");
    expect((await all.evaluate()).quality.error).toBe(0);
    // and yet labels say how many are right
    expect((await all.evaluate()).quality.accuracy).toBeGreaterThanOrEqual(0);
  });

  test("labels without a name go to the first output that they fit", async () => {
    const objectivesFor = async (y: Tensor): Promise<string[]> =>
      (await evaluatorOf(threeHeads(), dataset({ x, y }))).terms.map(({ objective }) => objective.name);
    expect(await objectivesFor(classes)).toEqual(["cross-entropy", "match", "match"]);
    expect(await objectivesFor(boxes)).toEqual(["match", "sse", "match"]);
    expect(await objectivesFor(r.tensor([SAMPLES, 3], 1, "float64"))).toEqual(["sse", "match", "match"]);
  });
});

describe("classes", () => {
  const C = 3;
  const image = [2, 2, 3];
  /** Logits [N, 3, 2, 3] by a convolution, and what stands behind it. */
  const segmentation = (end: Parameters<typeof node>[], channels = C): Model => {
    const w = random(8);
    return model({
      type: "float64",
      inputs: { x: ["N", ...image] },
      outputs: ["y"],
      initializers: { k: w.tensor([4, 2, 1, 1], 1, "float64"), l: w.tensor([channels, 4, 1, 1], 1, "float64") },
      nodes: [
        node("Conv", ["x", "k"], ["a"]),
        node("Tanh", ["a"], ["b"]),
        node("Conv", ["b", "l"], ["logits"]),
        ...end.map((args) => node(...args)),
      ],
    });
  };
  const pixels = random(10).tensor([SAMPLES, ...image], 1, "float64");
  const perPixel = int64(
    Array.from({ length: SAMPLES * 6 }, () => r.int(C)),
    [SAMPLES, 2, 3],
  );

  /** Mean cross-entropy and share of right classes over positions and samples, classes at `axis` of [samples, ...dims]. */
  function byPosition(logits: Tensor, axis: number, labels: ArrayLike<number>): { error: number; accuracy: number } {
    const { dims, numbers } = logits;
    const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    const count = dims[axis] as number;
    let [error, right] = [0, 0];
    for (let position = 0; position < labels.length; position++) {
      const start = Math.floor(position / inner) * count * inner + (position % inner);
      const row = Array.from({ length: count }, (_, k) => numbers[start + k * inner] as number);
      error +=
        crossEntropyError(
          row,
          row.map((_, k) => (k === labels[position] ? 1 : 0)),
        ) / labels.length;
      right += largest(row) === labels[position] ? 1 / labels.length : 0;
    }
    return { error, accuracy: right };
  }

  test.each<[string, Parameters<typeof node>[], axis: number]>([
    ["channels of a map without a Softmax", [["Identity", ["logits"], ["y"]]], 1],
    ["the axis of a Softmax", [["Softmax", ["logits"], ["y"], { axis: 1 }]], 1],
    ["the axis of a LogSoftmax", [["LogSoftmax", ["logits"], ["y"], { axis: 1 }]], 1],
    [
      "the last axis, of channels last",
      [
        ["Transpose", ["logits"], ["last"], { perm: [0, 2, 3, 1] }],
        ["Softmax", ["last"], ["y"], { axis: -1 }],
      ],
      3,
    ],
    ["the last axis where no other fits", [["Transpose", ["logits"], ["y"], { perm: [0, 2, 3, 1] }]], 3],
  ])("%s", async (_, end, axis) => {
    const original = segmentation(end);
    const evaluator = await evaluatorOf(original, dataset({ x: pixels, y: perPixel }));
    expect(evaluator.objective).toBe("cross-entropy");
    const logits = end.length > 1 ? "last" : axis === 3 ? "y" : "logits";
    const removed = removal(evaluator.prunable, [2]);
    for (const gone of [removal(evaluator.prunable, []), removed]) {
      const { model: small } = stateOf(evaluator.prunable, gone);
      const { quality, correctness } = await evaluator.evaluate(small);
      const value = evaluate(small, { x: pixels }, [logits === "y" || small.graph.value(logits) ? logits : "y"]);
      const expected = byPosition(Object.values(value)[0] as Tensor, axis, perPixel.numbers);
      expect(quality.error).toBeCloseTo(expected.error, 10);
      expect(quality.accuracy).toBeCloseTo(expected.accuracy, 12);
      expect(mean([...(correctness ?? [])])).toBeCloseTo(expected.accuracy, 12);
    }
  });

  /** Labels of rows of four, for a file that takes four rows at a time. */
  async function rowsOfFourEvaluated(count: number, end: "Softmax" | "Identity"): Promise<void> {
    const w = random(12);
    const rowsOfFour = model({
      type: "float64",
      inputs: { x: [4, 5] },
      outputs: { y: [4, count] },
      initializers: { a: w.tensor([5, 6], 1, "float64"), b: w.tensor([6, count], 1, "float64") },
      nodes: [
        node("MatMul", ["x", "a"], ["p"]),
        node("Tanh", ["p"], ["q"]),
        node("MatMul", ["q", "b"], ["logits"]),
        end === "Softmax" ? node("Softmax", ["logits"], ["y"], { axis: 1 }) : node("Identity", ["logits"], ["y"]),
      ],
    });
    const all = w.tensor([4 * SAMPLES, 5], 1, "float64");
    const labels = int64(Array.from({ length: 4 * SAMPLES }, () => w.int(count)));
    const evaluator = await evaluatorOf(rowsOfFour, dataset({ x: all, y: labels }));
    expect(evaluator.samples.size).toBe(SAMPLES);
    const { quality } = await evaluator.evaluate();
    const { logits } = evaluate(rowsOfFour, { x: all }, ["logits"]) as { logits: Tensor };
    const expected = byPosition(logits, 1, labels.numbers);
    expect(quality.error).toBeCloseTo(expected.error, 10);
    expect(quality.accuracy).toBeCloseTo(expected.accuracy, 12);
  }

  test.each<[number, "Softmax" | "Identity"]>([
    [C, "Softmax"],
    [C, "Identity"],
    [4, "Softmax"],
  ])("labels of a fixed batch count each of its rows: %i classes, %s", async (count, end) => {
    await rowsOfFourEvaluated(count, end);
    expect.hasAssertions();
  });

  test("labels of a fixed batch count each of its rows where there are as many classes", async () => {
    await rowsOfFourEvaluated(4, "Identity");
  });

  test("tokens with time first", async () => {
    const w = random(12);
    const T = 5;
    const tokens = model({
      type: "float64",
      inputs: { x: ["T", "N", 4] },
      outputs: ["y"],
      initializers: { a: w.tensor([4, 6], 1, "float64"), b: w.tensor([6, C], 1, "float64") },
      nodes: [node("MatMul", ["x", "a"], ["p"]), node("Tanh", ["p"], ["q"]), node("MatMul", ["q", "b"], ["y"])],
    });
    const all = w.tensor([SAMPLES, T, 1, 4], 1, "float64");
    const labels = int64(
      Array.from({ length: SAMPLES * T }, () => w.int(C)),
      [SAMPLES, T],
    );
    const feeds = Array.from({ length: SAMPLES }, (_, n) => ({
      x: tensorOf("float64", Array.from(all.numbers).slice(n * T * 4, (n + 1) * T * 4), [T, 1, 4]),
    }));
    const prunable = await prepare(tokens, exact, { samples: feeds.slice(0, 3) });
    const evaluator = await createEvaluator(prunable, exact, dataset({ x: all, y: labels }));
    expect(evaluator.chunks).toHaveLength(1);
    const outputs = feeds.flatMap((feed) => Array.from((evaluate(tokens, feed).y as Tensor).numbers));
    const expected = byPosition(tensorOf("float64", outputs, [SAMPLES, T, C]), 2, labels.numbers);
    const { quality } = await evaluator.evaluate();
    expect(quality.error).toBeCloseTo(expected.error, 10);
    expect(quality.accuracy).toBeCloseTo(expected.accuracy, 12);
  });

  describe("of two, by one number", () => {
    const binary = (end: "Sigmoid" | undefined, map: boolean): Model => {
      if (map) {
        return segmentation([end ? ["Sigmoid", ["logits"], ["y"]] : ["Identity", ["logits"], ["y"]]], 1);
      }
      const w = random(21);
      return model({
        type: "float64",
        inputs: { x: ["N", 4] },
        outputs: ["y"],
        initializers: { a: w.tensor([4, 6], 1, "float64"), b: w.tensor([6, 1], 1, "float64") },
        nodes: [
          node("MatMul", ["x", "a"], ["p"]),
          node("Tanh", ["p"], ["q"]),
          node("MatMul", ["q", "b"], ["logits"]),
          node(end ?? "Identity", ["logits"], ["y"]),
        ],
      });
    };
    const cases = ([undefined, "Sigmoid"] as const).flatMap((end) =>
      [false, true].flatMap((map) =>
        (["cross-entropy", "sse"] as const).map((objective) => ({ end: end ?? "nothing", map, objective })),
      ),
    );

    test.each(cases)("behind $end, map: $map, by $objective", async ({ end, map, objective }) => {
      const original = binary(end === "Sigmoid" ? end : undefined, map);
      const inputs = map ? pixels : x;
      const count = map ? SAMPLES * 6 : SAMPLES;
      const labels = Array.from({ length: count }, (_, at) => (at * 7 + 3) % 2);
      const y = int64(labels, map ? [SAMPLES, 2, 3] : [SAMPLES]);
      const evaluator = await evaluatorOf(original, dataset({ x: inputs, y }), { objective });
      const { model: small } = stateOf(evaluator.prunable, removal(evaluator.prunable, [1]));
      const { quality } = await evaluator.evaluate(small);
      const output = Array.from((evaluate(small, { x: inputs }).y as Tensor).numbers);
      const logits = output.map((one) => (end === "Sigmoid" ? Math.log(one / (1 - one)) : one));
      const error =
        objective === "sse"
          ? output.reduce((sum, one, at) => sum + 0.5 * (one - (labels[at] as number)) ** 2, 0) / SAMPLES
          : mean(logits.map((logit, at) => Math.log(1 + Math.exp(labels[at] === 1 ? -logit : logit))));
      expect(quality.error).toBeCloseTo(error, 9);
      const right = logits.map((logit, at) => ((logit > 0 ? 1 : 0) === labels[at] ? 1 : 0));
      expect(quality.accuracy).toBeCloseTo(mean(right), 12);
    });

    test("the default is sse behind a Sigmoid, else cross-entropy", async () => {
      const y = int64(Array.from({ length: SAMPLES }, (_, n) => n % 2));
      expect((await evaluatorOf(binary("Sigmoid", false), dataset({ x, y }))).objective).toBe("sse");
      expect((await evaluatorOf(binary(undefined, false), dataset({ x, y }))).objective).toBe("cross-entropy");
    });
  });
});

describe("outputs that are integers", () => {
  const w = random(33);
  const inputs = w.tensor([SAMPLES, 4]);
  const front = { a: w.tensor([4, 6]), b: w.tensor([6, 5]) };
  const logitsNodes = [
    node("MatMul", ["x", "a"], ["p"]),
    node("Tanh", ["p"], ["q"]),
    node("MatMul", ["q", "b"], ["logits"]),
  ];
  const integers = (
    nodes: readonly ReturnType<typeof node>[],
    outputs: Parameters<typeof model>[0]["outputs"],
  ): Model =>
    model({
      inputs: { x: ["N", 4] },
      outputs,
      initializers: { ...front, k: int64([2]) },
      nodes: [...logitsNodes, ...nodes],
    });
  const integer = { type: "int64" } as const;
  const cases: [string, Model, string][] = [
    ["the class", integers([node("ArgMax", ["logits"], ["y"], { axis: 1, keepdims: 0 })], { y: integer }), "logits"],
    ["the class, its axis kept", integers([node("ArgMax", ["logits"], ["y"], { axis: -1 })], { y: integer }), "logits"],
    [
      "the best classes",
      integers([node("TopK", ["logits", "k"], ["values", "y"], { axis: 1 })], { y: integer }),
      "logits",
    ],
    [
      "the class as another integer",
      integers([node("ArgMax", ["logits"], ["c"], { axis: 1, keepdims: 0 }), node("Cast", ["c"], ["y"], { to: 6 })], {
        y: { type: "int32" },
      }),
      "logits",
    ],
  ];
  const logitsOf = (net: Model): number[][] =>
    rowsOf((evaluate(net, { x: inputs }, ["logits"]).logits as Tensor).numbers, SAMPLES);

  test.each(cases)("%s, without labels: the reals before it keep to the original", async (_, original, value) => {
    const evaluator = await evaluatorOf(original, dataset({ x: inputs }), {}, runner);
    expect(evaluator.terms.map((term) => [term.output, term.value, term.objective.name])).toEqual([
      ["y", value, "match"],
    ]);
    const { model: small } = stateOf(evaluator.prunable, removal(evaluator.prunable, [0, 3]));
    const { quality, outputs } = await evaluator.evaluate(small);
    const [before, after] = [logitsOf(original), logitsOf(small)];
    expect(quality.error).toBeCloseTo(mean(matchErrors(after, before, (k) => k)), 4);
    const same = after.map((row, n) => (largest(row) === largest(before[n] as number[]) ? 1 : 0));
    expect(outputs.map(({ agreement }) => agreement && mean([...agreement]))).toEqual([expect.closeTo(mean(same), 10)]);
  });

  test.each(cases)("%s, with labels: cross-entropy and accuracy by these reals", async (_, original) => {
    const labels = Array.from({ length: SAMPLES }, (__, n) => (n * 3) % 5);
    const evaluator = await evaluatorOf(original, dataset({ x: inputs, y: int64(labels) }), {}, runner);
    expect(evaluator.objective).toBe("cross-entropy");
    const { model: small } = stateOf(evaluator.prunable, removal(evaluator.prunable, [0, 3]));
    const { quality } = await evaluator.evaluate(small);
    const after = logitsOf(small);
    const error = mean(
      after.map((row, n) =>
        crossEntropyError(
          row,
          row.map((__, k) => (k === labels[n] ? 1 : 0)),
        ),
      ),
    );
    expect(quality.error).toBeCloseTo(error, 5);
    expect(quality.accuracy).toBeCloseTo(mean(after.map((row, n) => (largest(row) === labels[n] ? 1 : 0))), 10);
    const errors = await oracleErrors(evaluator, [removal(evaluator.prunable, [])], [0, 1, 2]);
    for (const [unit, own] of errors) {
      expect(own).toBeCloseTo(await errorWithout(evaluator, removal(evaluator.prunable, [unit])), 5);
    }
  });

  test("the class behind a Softmax is measured by the logits, with labels", async () => {
    const original = integers(
      [node("Softmax", ["logits"], ["s"], { axis: 1 }), node("ArgMax", ["s"], ["y"], { axis: 1, keepdims: 0 })],
      { y: integer },
    );
    const labels = Array.from({ length: SAMPLES }, (__, n) => (n * 3) % 5);
    const evaluator = await evaluatorOf(original, dataset({ x: inputs, y: int64(labels) }), {}, runner);
    const { quality } = await evaluator.evaluate();
    const error = mean(
      logitsOf(original).map((row, n) =>
        crossEntropyError(
          row,
          row.map((__, k) => (k === labels[n] ? 1 : 0)),
        ),
      ),
    );
    expect(quality.error).toBeCloseTo(error, 5);
  });

  test("values of the best beside their places are both measured, each once", async () => {
    const original = integers([node("TopK", ["logits", "k"], ["values", "y"], { axis: 1 })], {
      values: ["N", 2],
      y: integer,
    });
    const evaluator = await evaluatorOf(original, dataset({ x: inputs }), {}, runner);
    expect(evaluator.terms.map(({ output, value }) => [output, value])).toEqual([
      ["values", "values"],
      ["y", "logits"],
    ]);
  });

  test("places of an output that is measured anyway add nothing", async () => {
    const original = integers([node("ArgMax", ["logits"], ["y"], { axis: 1 })], { y: integer, logits: ["N", 5] });
    const evaluator = await evaluatorOf(original, dataset({ x: inputs }), {}, runner);
    expect(evaluator.terms.map(({ output, value }) => [output, value])).toEqual([["logits", "logits"]]);
  });
});

test("labels for outputs of a float32 model are of its type, whatever the file has", async () => {
  const w = random(2);
  const small = model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: { a: w.tensor([4, 3]) },
    nodes: [node("MatMul", ["x", "a"], ["y"])],
  });
  const data = dataset({ x: float32(x.numbers, [SAMPLES, 4]), y: r.tensor([SAMPLES, 3], 1, "float64") });
  const evaluator = await evaluatorOf(small, data, {}, runner);
  expect(evaluator.terms[0]?.bound.targets.type).toBe("float32");
  expect(evaluator.chunks[0]?.targets[evaluator.terms[0]?.target as string]?.type).toBe("float32");
});
