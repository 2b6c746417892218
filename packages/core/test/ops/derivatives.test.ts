/**
 * The derivative rules of every operator against finite differences, in float64 by the reference evaluator.
 *
 * Each case is one operator y = op(x, ...), followed by E = sum of c y + 1/2 q y^2 with random c and q. E is separable in
 * y, so the diagonal second-order rule, sum_i h_i (dy_i/dx_j)^2 + g_i d2y_i/dx_j^2, is exact for every operator.
 */
import { describe, expect, test } from "vitest";
import { differentiate } from "../../src/derive/backward.ts";
import { GraphBuilder } from "../../src/graph/builder.ts";
import type { Model } from "../../src/graph/graph.ts";
import type { Shapes, ValueShape } from "../../src/graph/shapes.ts";
import { int64, isFloat, Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { ruleFor, rules } from "../../src/ops/index.ts";
import { runner } from "../helpers.ts";
import { closeTo, model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";

type Attributes = Parameters<typeof node>[3];

interface Options {
  readonly opset?: number;
  /** Input slots whose first axis counts samples; default none: all shapes are fixed. */
  readonly batch?: readonly number[];
  /** Input slots to differentiate by; default all float inputs. */
  readonly by?: readonly number[];
}

/** Operator, inputs (null: left out), attributes, and what else differs. */
type Case = readonly [opType: string, inputs: readonly (Tensor | null)[], attributes?: Attributes, options?: Options];

const r = random(11);
const t = (...dims: number[]): Tensor => r.tensor(dims, 1, "float64");
const mapped = (x: Tensor, f: (value: number) => number): Tensor =>
  tensorOf("float64", Array.from(x.numbers, f), x.dims);
const positive = (...dims: number[]): Tensor => mapped(t(...dims), (v) => Math.abs(v) + 0.3);
const nonzero = (...dims: number[]): Tensor => mapped(t(...dims), (v) => v + 0.5 * (Math.sign(v) || 1));
/** Random values that stay clear of the kinks of a piecewise function. */
const clearOf = (kinks: readonly number[], ...dims: number[]): Tensor =>
  mapped(t(...dims), (v) => (kinks.some((kink) => Math.abs(v - kink) < 0.05) ? v + 0.1 : v));
const scalar = (value: number): Tensor => tensorOf("float64", [value], []);
const vector = (...values: number[]): Tensor => tensorOf("float64", values);

const everyOpset: Case[] = [7, 8, 9, 10, 11, 13, 17, 18, 22].flatMap((opset): Case[] => [
  ["LeakyRelu", [clearOf([0], 2, 4)], { alpha: 0.2 }, { opset }],
  ["Elu", [clearOf([0], 2, 4)], { alpha: 0.7 }, { opset }],
  ["Gemm", [t(3, 4), t(4, 5), t(5)], { alpha: 0.5 }, { opset, batch: [0] }],
  ["MatMul", [t(2, 3, 4), t(4, 5)], {}, { opset, batch: [0] }],
  ["Softmax", [t(3, 4)], {}, { opset, batch: [0] }],
  ["BatchNormalization", [t(2, 3), t(3), t(3), t(3), positive(3)], {}, { opset, batch: [0], by: [0, 1, 2] }],
  opset < 13
    ? ["ReduceSum", [t(3, 4)], { axes: [1], keepdims: 0 }, { opset, batch: [0] }]
    : ["ReduceSum", [t(3, 4), int64([1])], { keepdims: 0 }, { opset, batch: [0] }],
  opset < 18
    ? ["ReduceMean", [t(3, 4, 2)], { axes: [0, 2], keepdims: 0 }, { opset, batch: [0] }]
    : ["ReduceMean", [t(3, 4, 2), int64([0, 2])], { keepdims: 0 }, { opset, batch: [0] }],
  ["Concat", [t(2, 3), t(2, 1), t(2, 2)], { axis: 1 }, { opset, batch: [0, 1, 2] }],
  ["Flatten", [t(2, 3, 2)], {}, { opset, batch: [0] }],
]);

const tables: Readonly<Record<string, readonly Case[]>> = {
  "across opsets": everyOpset,
  "dense layers": [
    ...[0, 1].flatMap((transA) =>
      [0, 1].map((transB): Case => {
        const [a, b] = [transA ? t(4, 3) : t(3, 4), transB ? t(5, 4) : t(4, 5)];
        return ["Gemm", [a, b, t(5)], { transA, transB, alpha: 0.7, beta: 1.3 }];
      }),
    ),
    ...[t(), t(1), t(5), t(1, 5), t(3, 1), t(3, 5)].map((c): Case => ["Gemm", [t(3, 4), t(4, 5), c], { beta: 0.5 }]),
    ["Gemm", [t(3, 4), t(4, 5)]],
    ["Gemm", [t(3, 4), t(4, 5)], { alpha: -2 }, { opset: 11 }],
    ["Gemm", [t(3, 4), t(4, 5), t(1, 5)], {}, { batch: [0] }],
    ["Gemm", [t(1, 4), t(4, 5), t(5)]],
    ["Gemm", [t(3, 1), t(1, 1), t(1)]],
    ["MatMul", [t(3, 4), t(4, 5)]],
    ["MatMul", [t(3, 4), t(4, 5)], {}, { batch: [0] }],
    ["MatMul", [t(2, 3, 4), t(2, 4, 5)]],
    ["MatMul", [t(2, 3, 4), t(2, 4, 5)], {}, { batch: [0, 1] }],
    ["MatMul", [t(2, 3, 4), t(4, 5)]],
    ["MatMul", [t(3, 4), t(2, 4, 5)]],
    ["MatMul", [t(3, 4), t(2, 4, 5)], {}, { batch: [1] }],
    ["MatMul", [t(2, 1, 3, 4), t(5, 4, 2)]],
    ["MatMul", [t(2, 3, 4), t(1, 4, 5)], {}, { batch: [0] }],
    ["MatMul", [t(2, 1, 1), t(1, 3)], {}, { batch: [0] }],
    ["MatMul", [t(4), t(4)]],
    ["MatMul", [t(4), t(4, 3)]],
    ["MatMul", [t(3, 4), t(4)]],
    ["MatMul", [t(4), t(2, 4, 3)]],
    ["MatMul", [t(2, 3, 4), t(4)], {}, { batch: [0] }],
  ],
  arithmetic: ["Add", "Sub", "Mul", "Div"].flatMap((op): Case[] => [
    [op, [t(3, 4), nonzero(3, 4)]],
    [op, [t(3, 4), nonzero(4)], {}, { batch: [0] }],
    [op, [t(3, 4), nonzero(1, 4)], {}, { batch: [0] }],
    [op, [t(4), nonzero(3, 4)], {}, { batch: [1] }],
    [op, [t(2, 1, 4), nonzero(3, 1)]],
    [op, [t(3, 1), nonzero(1, 4)], {}, { batch: [0] }],
    [op, [t(3, 4), nonzero()]],
    [op, [t(2, 3, 2, 2), nonzero(3, 1, 1)], {}, { batch: [0] }],
  ]),
  powers: [
    ["Pow", [positive(3, 4), scalar(2)]],
    ["Pow", [mapped(positive(3, 4), (v) => v + 1), scalar(-1.5)]],
    ["Pow", [mapped(t(3, 4), Math.tanh), scalar(3)]],
    ["Pow", [positive(3, 4), vector(0, 1, 2, 0.5)]],
    ["Pow", [positive(3, 1), vector(0.5, 1.5, 2)], {}, { batch: [0] }],
    ["Pow", [positive(4), tensorOf("float64", [1, 2, 3], [3, 1])]],
    ["Pow", [vector(0, 1, -1), scalar(1)]],
    ["Pow", [vector(0, 1, -1), scalar(2)]],
    ["Sqrt", [positive(3, 4)]],
    ["Exp", [t(3, 4)]],
    ["Log", [positive(3, 4)]],
    ["Neg", [t(3, 4)]],
  ],
  activations: [
    ["Identity", [t(3, 4)]],
    ["Dropout", [t(3, 4)], { ratio: 0.3 }, { opset: 10 }],
    ["Dropout", [t(3, 4)]],
    ["Sigmoid", [t(3, 4)]],
    ["Tanh", [t(3, 4)]],
    ["Erf", [t(3, 4)]],
    ["Softplus", [t(3, 4)]],
    ["Relu", [clearOf([0], 3, 4)]],
    ["LeakyRelu", [clearOf([0], 3, 4)]],
    ["LeakyRelu", [clearOf([0], 3, 4)], { alpha: 0.3 }],
    ["Elu", [clearOf([0], 3, 4)]],
    ["Elu", [clearOf([0], 3, 4)], { alpha: 2 }],
    ["Selu", [clearOf([0], 3, 4)]],
    ["Selu", [clearOf([0], 3, 4)], { alpha: 1.5, gamma: 0.8 }],
    ["HardSigmoid", [clearOf([-2.5, 2.5], 3, 4)]],
    ["HardSigmoid", [clearOf([-1, 1], 3, 4)], { alpha: 0.5, beta: 0.5 }],
    ["Gelu", [t(3, 4)], {}, { opset: 20 }],
    ["Gelu", [t(3, 4)], { approximate: "tanh" }, { opset: 20 }],
    ["Clip", [clearOf([-0.5, 0.5], 3, 4)], { min: { float: -0.5 }, max: { float: 0.5 } }, { opset: 7 }],
    ["Clip", [clearOf([0], 3, 4)], { min: { float: 0 } }, { opset: 10 }],
    ["Clip", [clearOf([-0.5, 0.5], 3, 4), scalar(-0.5), scalar(0.5)], {}, { opset: 11, by: [0] }],
    ["Clip", [clearOf([0.5], 3, 4), null, scalar(0.5)], {}, { by: [0] }],
    ["Clip", [clearOf([0.5], 3, 4), scalar(0.5)], {}, { by: [0] }],
    ["Clip", [t(3, 4)], {}, { by: [0] }],
  ],
  normalisations: [
    ["BatchNormalization", [t(4, 3), t(3), t(3), t(3), positive(3)], {}, { by: [0, 1, 2] }],
    [
      "BatchNormalization",
      [t(2, 3, 2, 2), t(3), t(3), t(3), positive(3)],
      { epsilon: 0.1 },
      { by: [0, 1, 2], batch: [0] },
    ],
    ...["Softmax", "LogSoftmax"].flatMap((op): Case[] => [
      [op, [t(3, 4)]],
      [op, [t(3, 4)], {}, { batch: [0] }],
      [op, [t(2, 3, 4)], { axis: 1 }, { opset: 13 }],
      [op, [t(2, 3, 4)], { axis: -2 }, { opset: 13, batch: [0] }],
      [op, [t(2, 3, 4)], {}, { opset: 13 }],
      [op, [t(2, 3, 4)], {}, { opset: 11 }],
      [op, [t(2, 3, 4)], { axis: 2 }, { opset: 11, batch: [0] }],
      [op, [t(2, 3, 4)], { axis: -1 }, { opset: 12 }],
    ]),
  ],
  reductions: [0, 1].flatMap((keepdims) => [
    ...["ReduceSum", "ReduceMean"].flatMap((op): Case[] => [
      [op, [t(2, 3, 4)], { axes: [1], keepdims }, { opset: 11 }],
      [op, [t(2, 3, 4)], { axes: [-1, 0], keepdims }, { opset: 12 }],
      [op, [t(2, 3, 4)], { axes: [2, 1], keepdims }, { opset: 11, batch: [0] }],
      [op, [t(2, 3, 4)], { keepdims }, { opset: 11 }],
      [op, [t(2, 3, 4), int64([1])], { keepdims }, { opset: 18 }],
      [op, [t(2, 3, 4), int64([0, 2])], { keepdims }, { opset: 18, batch: [0] }],
      [op, [t(2, 3, 4), int64([-1])], { keepdims }, { opset: 18, batch: [0] }],
      [op, [t(2, 3, 4)], { keepdims }, { opset: 18 }],
      [op, [t(2, 3, 4), null], { keepdims, noop_with_empty_axes: 1 }, { opset: 18 }],
    ]),
    ["ReduceSum", [t(2, 3, 4), int64([2])], { keepdims }, { opset: 13 }] as Case,
  ]),
  movement: [
    ["Flatten", [t(2, 3, 4)]],
    ["Flatten", [t(2, 3, 4)], { axis: 2 }],
    ["Flatten", [t(2, 3, 4)], { axis: 0 }],
    ["Flatten", [t(2, 3, 4)], {}, { batch: [0] }],
    ["Reshape", [t(2, 6), int64([0, 2, -1])], {}, { batch: [0] }],
    ["Reshape", [t(2, 6), int64([3, 4])]],
    ["Transpose", [t(2, 3, 4)]],
    ["Transpose", [t(2, 3, 4)], { perm: [1, 2, 0] }, { batch: [0] }],
    ["Concat", [t(2, 3, 2), t(2, 1, 2), t(2, 2, 2)], { axis: 1 }],
    ["Concat", [t(2, 3), t(1, 3)], { axis: 0 }],
    ["Concat", [t(2, 3), t(2, 2)], { axis: -1 }, { batch: [0, 1] }],
  ],
};

const cases = Object.values(tables).flat();

describe.each(Object.entries(tables))("%s", (_, table) => {
  test.each(table.map((one) => [title(one), one] as const))("%s", async (_title, one) => {
    const problem = problemOf(one);
    const derived = derive(problem);
    const exact = evaluate(derived.model, problem.feeds, derived.fetches);
    for (const { input, gradient, curvature } of derived.results) {
      const numeric = finiteDifferences(problem, input);
      // fourth-order differences: the gradient's rounding is about 1e-13, the second derivative's 1e-9 of E
      expect(closeTo(exact[gradient] as Tensor, numeric.first), `gradient by ${input}`).toBeLessThan(1e-8);
      expect(closeTo(exact[curvature] as Tensor, numeric.second), `second order by ${input}`).toBeLessThan(1e-6);
    }
  });
});

describe("the appended nodes are valid under the model's own opset", () => {
  test.each(cases.map((one) => [title(one), one] as const))("%s", async (_title, one) => {
    const problem = problemOf(one, "float32");
    const derived = derive(problem);
    const exact = evaluate(derived.model, problem.feeds, derived.fetches);
    const session = await runner.load(writeModel(derived.model));
    const single = await session.run(problem.feeds);
    await session.release();
    for (const name of derived.fetches) {
      expect(closeTo(single[name] as Tensor, exact[name] as Tensor), name).toBeLessThan(1e-4); // float32 arithmetic
    }
  });
});

test("every operator that has a derivative rule stands in a table", () => {
  const tested = new Set(cases.map(([opType]) => opType));
  const differentiable = Object.entries(rules).filter(([, rule]) => rule.linear ?? rule.pointwise ?? rule.vjp);
  expect(differentiable.map(([name]) => name).filter((name) => !tested.has(name))).toEqual([]);
});

test("an input without a rule is refused by operator, name and slot", () => {
  const problem = problemOf(["Pow", [positive(3), vector(1, 2, 3)], {}, { by: [1] }]);
  expect(() => derive(problem)).toThrow('Pow "y": no gradient rule for its input 1');
});

test("an operator without rules is refused", () => {
  const problem = problemOf(["Hardmax", [t(3, 2)]]);
  expect(() => derive(problem)).toThrow('Hardmax "y": no gradient rule for its input 0');
});

test("axes that are known only when the graph runs are refused", () => {
  const shape = int64([1]);
  const problem = problemOf(["ReduceSum", [t(2, 3), shape], {}, { opset: 13 }]);
  const graph = problem.model.graph;
  const axes = new Map([...graph.initializers].filter(([name]) => name !== "x1"));
  const open = graph.with({ initializers: axes, inputs: [...graph.inputs, { name: "x1", type: "int64", shape: [1] }] });
  expect(() => derive({ ...problem, model: { ...problem.model, graph: open } })).toThrow('ReduceSum "y"');
});

test("what arrives from several readers adds up", () => {
  const two = model({
    type: "float64",
    inputs: { x0: [3] },
    outputs: ["y"],
    nodes: [node("Exp", ["x0"], ["a"]), node("Sigmoid", ["x0"], ["b"]), node("Mul", ["a", "b"], ["y"])],
  });
  const problem = { ...problemOf(["Exp", [t(3)]]), model: two };
  const derived = derive({ ...problem, shapes: shapesOf(two, problem.feeds, []) });
  const exact = evaluate(derived.model, problem.feeds, derived.fetches);
  const numeric = finiteDifferences(problem, "x0");
  expect(closeTo(exact[derived.results[0]?.gradient as string] as Tensor, numeric.first)).toBeLessThan(1e-8);
});

function title([opType, inputs, attributes = {}, { opset = 17, batch = [], by } = {}]: Case): string {
  const dims = inputs.map((input, slot) => {
    if (!input) return "none";
    return `[${input.dims.map((dim, axis) => (axis === 0 && batch.includes(slot) ? `N=${dim}` : dim)).join(", ")}]`;
  });
  const said = Object.entries(attributes).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [opType, dims.join(" "), ...said, `opset ${opset}`, ...(by ? [`by ${by.join()}`] : [])].join(" ");
}

/** One operator and its E, ready to be differentiated. */
interface Problem {
  readonly model: Model;
  readonly shapes: Shapes;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly real: "float32" | "float64";
  /** E = sum of linear * y + 1/2 quadratic * y^2. */
  readonly linear: Tensor;
  readonly quadratic: Tensor;
}

function problemOf([opType, inputs, attributes, options = {}]: Case, real: "float32" | "float64" = "float64"): Problem {
  const { opset = 17, batch = [], by } = options;
  const names = inputs.map((input, slot) => (input ? `x${slot}` : ""));
  const given = inputs.flatMap((input, slot) => (input ? [{ name: `x${slot}`, slot, tensor: as(input, real) }] : []));
  // an exponent and a clip limit are constants to their rules
  const wanted =
    by ??
    given
      .filter(({ tensor, slot }) => isFloat(tensor.type) && !(opType === "Pow" && slot === 1))
      .map(({ slot }) => slot);
  const fed = given.filter(({ slot }) => wanted.includes(slot));
  const fixed = given.filter(({ slot }) => !wanted.includes(slot));
  const graph = model({
    opset,
    type: real,
    inputs: Object.fromEntries(fed.map(({ name, tensor }) => [name, tensor.dims])),
    outputs: ["y"],
    initializers: Object.fromEntries(fixed.map(({ name, tensor }) => [name, tensor])),
    nodes: [node(opType, names, ["y"], attributes)],
  });
  const feeds = Object.fromEntries(fed.map(({ name, tensor }) => [name, tensor]));
  const known = ruleFor(graph.graph.nodes[0] as never) ? evaluate(graph, feeds).y : given[0]?.tensor;
  const dims = (known as Tensor).dims;
  const seeds = random(5);
  const batchNames = batch.map((slot) => `x${slot}`);
  return {
    model: graph,
    shapes: shapesOf(graph, feeds, batchNames),
    feeds,
    real,
    linear: seeds.tensor(dims, 1, real),
    quadratic: seeds.tensor(dims, 1, real),
  };
}

/** Shapes as the probe would find them: dims at batch size 1, and the axis that grows with it. */
function shapesOf(graph: Model, feeds: Readonly<Record<string, Tensor>>, batch: readonly string[]): Shapes {
  const all = [...new Set(graph.graph.nodes.flatMap((one) => one.outputs))];
  const runnable = graph.graph.nodes.every((one) => ruleFor(one));
  const first = (tensor: Tensor): Tensor =>
    new Tensor(
      tensor.type,
      [1, ...tensor.dims.slice(1)],
      tensor.data.slice(0, tensor.size / (tensor.dims[0] as number)),
    );
  const single = Object.fromEntries(
    Object.entries(feeds).map(([name, tensor]) => [name, batch.includes(name) ? first(tensor) : tensor]),
  );
  const type = Object.values(feeds)[0]?.type ?? "float64";
  const shapes = new Map<string, ValueShape>();
  for (const [name, tensor] of [...graph.graph.initializers, ...Object.entries(single)]) {
    shapes.set(name, { type: tensor.type, dims: tensor.dims, batchAxis: batch.includes(name) ? 0 : undefined });
  }
  if (!runnable) return shapes;
  const [one, many] = [evaluate(graph, single, all), evaluate(graph, feeds, all)];
  for (const name of all) {
    const { dims } = one[name] as Tensor;
    const axis = dims.findIndex((dim, a) => dim !== (many[name] as Tensor).dims[a]);
    shapes.set(name, { type, dims, batchAxis: axis < 0 ? undefined : axis });
  }
  return shapes;
}

function derive({ model: { graph, ...rest }, shapes, real, linear, quadratic }: Problem) {
  const opset = rest.opsets.get("") as number;
  const b = new GraphBuilder({ opset, real, base: graph });
  const [c, q] = [b.tensor(linear, "c"), b.tensor(quadratic, "q")];
  const wanted = graph.feeds.filter(({ type }) => type === real).map(({ name }) => name);
  const seed = { gradient: b.add(c, b.mul(q, "y")), curvature: q };
  const { gradient, curvature } = differentiate({
    builder: b,
    graph,
    shapes,
    opset,
    seeds: new Map([["y", seed]]),
    wanted,
  });
  const results = wanted.map((input) => ({
    input,
    gradient: gradient.get(input) as string,
    curvature: curvature.get(input) as string,
  }));
  const fetches = [...new Set(results.flatMap((result) => [result.gradient, result.curvature]))];
  return { model: { ...rest, graph: b.graph(fetches) }, results, fetches };
}

/** dE/dx and d2E/dx2 of each element of one input, by fourth-order central differences. */
function finiteDifferences(problem: Problem, input: string): { first: Tensor; second: Tensor } {
  const x = problem.feeds[input] as Tensor;
  const errorAt = (index: number, shift: number): number => {
    const moved = Float64Array.from(x.numbers);
    moved[index] = (moved[index] as number) + shift;
    return errorOf(problem, { ...problem.feeds, [input]: new Tensor("float64", x.dims, moved) });
  };
  const slopes: number[] = [];
  const bends: number[] = [];
  const h = 2e-3;
  for (let index = 0; index < x.size; index++) {
    const [ll, l, m, u, uu] = [-2, -1, 0, 1, 2].map((steps) => errorAt(index, steps * h)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    slopes.push((ll - 8 * l + 8 * u - uu) / (12 * h));
    bends.push((-ll + 16 * l - 30 * m + 16 * u - uu) / (12 * h * h));
  }
  return { first: tensorOf("float64", slopes, x.dims), second: tensorOf("float64", bends, x.dims) };
}

function errorOf({ model: graph, linear, quadratic }: Problem, feeds: Readonly<Record<string, Tensor>>): number {
  const y = (evaluate(graph, feeds).y as Tensor).numbers;
  let error = 0;
  for (let i = 0; i < y.length; i++) {
    const value = y[i] as number;
    error += (linear.numbers[i] as number) * value + 0.5 * (quadratic.numbers[i] as number) * value * value;
  }
  return error;
}

function as(tensor: Tensor, type: "float32" | "float64"): Tensor {
  return isFloat(tensor.type) ? tensorOf(type, tensor.numbers, tensor.dims) : tensor;
}
