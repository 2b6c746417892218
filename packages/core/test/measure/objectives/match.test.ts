/** `match`: errors are shares of what the outputs vary, column by column, so that they compare between outputs and models. */
import { describe, expect, test } from "vitest";
import { bindSamples } from "../../../src/data/bind.ts";
import { pick } from "../../../src/data/samples.ts";
import type { Model } from "../../../src/graph/graph.ts";
import { float32, int64, type Tensor } from "../../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator } from "../../../src/measure/evaluator.ts";
import { stateOf } from "../../../src/measure/state.ts";
import { dataset, errorWithout, onlyTerm, prepared, removal, runner } from "../../helpers.ts";
import { model, node, random } from "../../support/build.ts";
import { columnVariances, matchErrors, rowsOf } from "../../support/objectives.ts";
import { evaluate } from "../../support/reference.ts";

const SAMPLES = 9;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Weights, each column times a factor of its own. */
const scaled = (tensor: Tensor, factors: readonly number[]): Tensor =>
  float32(
    Array.from(tensor.numbers, (value, at) => value * (factors[at % factors.length] as number)),
    tensor.dims,
  );

const outputsOf = (net: Model, x: Tensor): number[][] => rowsOf((evaluate(net, { x }).y as Tensor).numbers, SAMPLES);

const evaluatorFor = async (net: Model, x: Tensor): Promise<Evaluator> =>
  createEvaluator(await prepared(net), runner, dataset({ x }), { objective: "match" });

/** x -> six hidden units -> columns of their own sizes and places. */
function columns(factors: readonly number[], offsets: readonly number[] = factors.map(() => 0)): Model {
  const r = random(3);
  return model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: {
      w: r.tensor([4, 6]),
      v: scaled(r.tensor([6, factors.length]), factors),
      b: float32([...offsets]),
    },
    nodes: [node("MatMul", ["x", "w"], ["a"]), node("Tanh", ["a"], ["h"]), node("Gemm", ["h", "v", "b"], ["y"])],
  });
}
const x = random(4).tensor([SAMPLES, 4]);

describe("columns of a dense layer", () => {
  test("the error is the mean over elements of squared distances, each divided by the variance of its column", async () => {
    const net = columns([1, 100, 0.01]);
    const evaluator = await evaluatorFor(net, x);
    const { model: small } = stateOf(evaluator.prunable, removal(evaluator.prunable, [0, 2]));
    const expected = matchErrors(outputsOf(small, x), outputsOf(net, x), (k) => k);
    const { errors } = await evaluator.evaluate(small);
    expected.forEach((error, n) => {
      expect(Math.abs((errors[n] as number) - error)).toBeLessThan(1e-5 * Math.max(error, 1));
    });
  });

  test("0 is the same model, 1 one that always gives the mean", async () => {
    const net = columns([1, 100, 0.01], [0, 30, -0.02]);
    const evaluator = await evaluatorFor(net, x);
    expect((await evaluator.evaluate()).quality.error).toBe(0);
    const rows = outputsOf(net, x);
    const means = (rows[0] as number[]).map((_, k) => mean(rows.map((row) => row[k] as number)));
    const { graph } = evaluator.prunable.model;
    const none = float32(new Array<number>(18).fill(0), [6, 3]);
    const constant = graph.with({
      initializers: new Map([...graph.initializers, ["v", none], ["b", float32(means)]]),
    });
    const { quality } = await evaluator.evaluate({ ...evaluator.prunable.model, graph: constant });
    expect(quality.error).toBeCloseTo(1, 5);
  });

  test("neither the size of a column nor its place changes anything", async () => {
    const gone = [1, 4];
    const errorOf = async (net: Model): Promise<number> => {
      const evaluator = await evaluatorFor(net, x);
      return errorWithout(evaluator, removal(evaluator.prunable, gone));
    };
    const error = await errorOf(columns([1, 1, 1]));
    expect(error).toBeGreaterThan(1e-3);
    for (const net of [columns([1000, 1, 1e-3]), columns([1, 1, 1], [5, -3, 0]), columns([64, 64, 64])]) {
      expect(Math.abs((await errorOf(net)) / error - 1)).toBeLessThan(1e-4);
    }
  });

  test("a column that hardly varies about its place counts as if it varied by a ten thousandth of that", async () => {
    const net = columns([1, 1e-5], [0, 10]);
    const evaluator = await evaluatorFor(net, x);
    const variances = columnVariances(outputsOf(net, x), (k) => k);
    expect(variances[1]).toBeCloseTo(1e-8 * 100, 9); // (1e-4 * 10)^2
    const { columnWeights } = onlyTerm(evaluator).bound;
    [...(columnWeights ?? [])].forEach((weight, k) => {
      expect(weight * (variances[k] as number) * 2).toBeCloseTo(1, 5);
    });
  });

  test("a column that does not vary at all counts like the others, and costs nothing while it stays", async () => {
    const net = columns([1, 0], [0, 0]);
    const evaluator = await evaluatorFor(net, x);
    const { columnWeights } = onlyTerm(evaluator).bound;
    expect([...(columnWeights ?? [])].every((weight) => Number.isFinite(weight) && weight > 0)).toBe(true);
    const gone = removal(evaluator.prunable, [0, 2]);
    const { model: small } = stateOf(evaluator.prunable, gone);
    const [before, after] = [outputsOf(net, x), outputsOf(small, x)].map((rows) =>
      rows.map(([first]) => [first as number]),
    );
    const expected = mean(matchErrors(after as number[][], before as number[][], (k) => k)) / 2;
    expect(await errorWithout(evaluator, gone)).toBeCloseTo(expected, 5);
  });

  test("a single sample is held to how much its elements differ", async () => {
    const one = x.numbers as Float32Array;
    const single = float32(one.slice(0, 4), [1, 4]);
    const net = columns([1, 1, 1]);
    const evaluator = await evaluatorFor(net, single);
    const { error } = (await evaluator.evaluate(stateOf(evaluator.prunable, removal(evaluator.prunable, [0, 2])).model))
      .quality;
    expect(Number.isFinite(error)).toBe(true);
    expect(error).toBeGreaterThan(0);
  });

  test("held-out samples are measured with the weights of those that choose", async () => {
    const net = columns([1, 20, 0.1]);
    const prunable = await prepared(net);
    const all = bindSamples(dataset({ x }), net.graph.feeds);
    const [fit, held] = [pick(all, [0, 1, 2, 3, 4]), pick(all, [5, 6, 7, 8])];
    const evaluator = await createEvaluator(prunable, runner, fit, { objective: "match" });
    const other = await createEvaluator(prunable, runner, held, { objective: "match", like: evaluator });
    expect(onlyTerm(other).bound.columnWeights).toEqual(onlyTerm(evaluator).bound.columnWeights);
    const removed = removal(prunable, [1, 3]);
    const rows = (net_: Model): number[][] => outputsOf(net_, x);
    const { model: small } = stateOf(prunable, removed);
    const variances = columnVariances(rows(net).slice(0, 5), (k) => k);
    const expected = mean(
      rows(small)
        .slice(5)
        .map((row, n) =>
          mean(row.map((value, k) => (value - (rows(net)[n + 5]?.[k] as number)) ** 2 / (variances[k] as number))),
        ),
    );
    expect(Math.abs((await errorWithout(other, removed)) / expected - 1)).toBeLessThan(1e-4);
  });
});

describe("a detector: boxes in pixels beside scores from 0 to 1", () => {
  const ANCHORS = 6;
  const CLASSES = 3;
  /** [N, 5, 6, 4] features -> [N, 6, 4 + 3], anchors among the positions; `pixels`: how large the boxes are. */
  function detector(pixels: number, end: "tokens" | "channels first" = "tokens"): Model {
    const r = random(14);
    const transposed = end === "channels first";
    return model({
      inputs: { x: ["N", ANCHORS, 4] },
      outputs: ["y"],
      initializers: {
        w: r.tensor([4, 8]),
        boxes: scaled(r.tensor([8, 4]), [pixels / 3, pixels / 3, pixels / 5, pixels / 5]),
        offset: float32([pixels, pixels, pixels / 2, pixels / 2]),
        scores: r.tensor([8, CLASSES]),
        rare: float32([-1, -2, -4]),
      },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["h"]),
        node("MatMul", ["h", "boxes"], ["b"]),
        node("Add", ["b", "offset"], ["box"]),
        node("MatMul", ["h", "scores"], ["s"]),
        node("Add", ["s", "rare"], ["logits"]),
        node("Sigmoid", ["logits"], ["score"]),
        ...(transposed
          ? [
              node("Concat", ["box", "score"], ["all"], { axis: 2 }),
              node("Transpose", ["all"], ["y"], { perm: [0, 2, 1] }),
            ]
          : [node("Concat", ["box", "score"], ["y"], { axis: 2 })]),
      ],
    });
  }
  const features = random(15).tensor([SAMPLES, ANCHORS, 4]);
  /** Each number of a box is a column; scores are one. */
  const columnOf =
    (end: "tokens" | "channels first") =>
    (element: number): number => {
      const column = end === "tokens" ? element % 7 : Math.floor(element / ANCHORS);
      return Math.min(column, 4);
    };

  test("each number of a box by its own variance, all scores by theirs", async () => {
    const net = detector(100);
    const evaluator = await evaluatorFor(net, features);
    expect(onlyTerm(evaluator).info).toMatchObject({ columnAxis: 1, dims: [ANCHORS, 7] });
    const { model: small } = stateOf(evaluator.prunable, removal(evaluator.prunable, [1, 5]));
    const expected = matchErrors(outputsOf(small, features), outputsOf(net, features), columnOf("tokens"));
    const { errors } = await evaluator.evaluate(small);
    expected.forEach((error, n) => {
      expect(Math.abs((errors[n] as number) / error - 1)).toBeLessThan(1e-4);
    });
    // scores are a part of it, though a thousandth of the boxes' size
    const scores = mean(
      matchErrors(
        outputsOf(small, features).map((row) => row.filter((_, at) => at % 7 >= 4)),
        outputsOf(net, features).map((row) => row.filter((_, at) => at % 7 >= 4)),
      ),
    );
    expect(((3 / 7) * scores) / mean(expected)).toBeGreaterThan(0.1);
  });

  test("boxes of any size give the same error", async () => {
    const errorOf = async (pixels: number): Promise<number> => {
      const evaluator = await evaluatorFor(detector(pixels), features);
      return errorWithout(evaluator, removal(evaluator.prunable, [1, 5]));
    };
    expect((await errorOf(640)) / (await errorOf(1))).toBeCloseTo(1, 3);
  });

  test("the same behind a Transpose", async () => {
    const [plain, turned] = await Promise.all(
      (["tokens", "channels first"] as const).map(async (end) => {
        const evaluator = await evaluatorFor(detector(100, end), features);
        const error = await errorWithout(evaluator, removal(evaluator.prunable, [1, 5]));
        return { error, axis: onlyTerm(evaluator).info.columnAxis };
      }),
    );
    expect([plain?.axis, turned?.axis]).toEqual([1, 0]);
    expect(Math.abs((turned?.error as number) / (plain?.error as number) - 1)).toBeLessThan(1e-4);
  });

  test("behind a Transpose, each number of a box still counts by its own variance", async () => {
    const net = detector(100, "channels first");
    const evaluator = await evaluatorFor(net, features);
    expect(onlyTerm(evaluator).info.columnAxis).toBe(0);
    const variances = columnVariances(outputsOf(net, features), columnOf("channels first"));
    const { columnWeights } = onlyTerm(evaluator).bound;
    for (let k = 0; k < 4; k++) {
      expect((columnWeights?.[k] as number) * (variances[k] as number) * ANCHORS * 7).toBeCloseTo(1, 4);
    }
  });
});

describe("outputs of one kind", () => {
  test("probabilities count by what they vary together: rare classes are not blown up", async () => {
    const r = random(23);
    const net = model({
      inputs: { x: ["N", 4] },
      outputs: ["y"],
      initializers: { w: r.tensor([4, 6]), v: r.tensor([6, 4]), b: float32([0, 0, 0, -9]) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("Gemm", ["h", "v", "b"], ["logits"]),
        node("Softmax", ["logits"], ["y"], { axis: 1 }),
      ],
    });
    const evaluator = await evaluatorFor(net, x);
    expect(onlyTerm(evaluator).info.columnAxis).toBeUndefined();
    const { model: small } = stateOf(evaluator.prunable, removal(evaluator.prunable, [0, 1]));
    const expected = mean(matchErrors(outputsOf(small, x), outputsOf(net, x)));
    expect((await evaluator.evaluate(small)).quality.error).toBeCloseTo(expected, 5);
  });

  test("a flat picture, whose pixels a layer of their own makes, has no pixels that count more than all others", async () => {
    const r = random(29);
    const PIXELS = 40; // more than a few columns
    const factors = Array.from({ length: PIXELS }, (_, at) => (at === 0 ? 1e-3 : 1));
    const net = model({
      inputs: { x: ["N", 4] },
      outputs: ["y"],
      initializers: { w: r.tensor([4, 6]), v: scaled(r.tensor([6, PIXELS]), factors), s: int64([0, 5, 8]) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "v"], ["flat"]),
        node("Identity", ["flat"], ["y"]),
      ],
    });
    const evaluator = await evaluatorFor(net, x);
    const variances = columnVariances(outputsOf(net, x), (k) => k);
    const average = mean(variances);
    const { columnWeights } = onlyTerm(evaluator).bound;
    variances.forEach((variance, k) => {
      const counted = Math.max(variance, 1e-4 * average);
      expect((columnWeights?.[k] as number) * counted * PIXELS).toBeCloseTo(1, 4);
    });
    expect(variances[0]).toBeLessThan(1e-4 * average);
  });
});
