/**
 * The derivative rules of every operator against finite differences, in float64 by the reference evaluator.
 *
 * Each case is one operator y = op(x, ...), followed by E = sum of c y + 1/2 q y^2 with random c and q. E is separable in
 * y, so the diagonal second-order rule, sum_i h_i (dy_i/dx_j)^2 + g_i d2y_i/dx_j^2, is exact for every operator.
 */
import { describe, expect, test } from "vitest";
import { int64, type Tensor } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { rules } from "../../src/ops/index.ts";
import { runner } from "../helpers.ts";
import { closeTo, model, node } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";
import { type Case, positive, scalar, t, testedApart, vector } from "./cases/case.ts";
import { denseTables } from "./cases/dense.ts";
import { generalTables } from "./cases/general.ts";
import { derive, distance, finiteDifferences, problemOf, shapesOf, title } from "./problem.ts";

const tables = { ...denseTables, ...generalTables };
const cases = Object.values(tables).flat();

describe.each(Object.entries(tables))("%s", (_, table) => {
  test.each(table.map((one) => [title(one), one] as const))("%s", async (_title, one) => {
    const problem = problemOf(one);
    const derived = derive(problem);
    const exact = evaluate(derived.model, problem.feeds, derived.fetches);
    for (const { input, gradient, curvature } of derived.results) {
      const numeric = finiteDifferences(problem, input);
      // fourth-order differences: the gradient's rounding is about 1e-13, the second derivative's 1e-9 of E
      expect(distance(exact[gradient], numeric.first), `gradient by ${input}`).toBeLessThan(1e-8);
      expect(distance(exact[curvature], numeric.second), `second order by ${input}`).toBeLessThan(1e-6);
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
  const differentiable = Object.entries(rules).filter(
    ([name, rule]) => !testedApart.has(name) && (rule.linear ?? rule.pointwise ?? rule.vjp),
  );
  expect(differentiable.map(([name]) => name).filter((name) => !tested.has(name))).toEqual([]);
});

test("an input without a rule is refused by operator, name and slot", () => {
  const problem = problemOf(["Pow", [positive(3), vector(1, 2, 3)], {}, { by: [1] }]);
  expect(() => derive(problem)).toThrow(
    'Pow "y": no gradient rule for its input 1; derivatives are needed by taylor1, taylor2, taylor-abs and fisher, oracle does without',
  );
});

test.each<[string, Case]>([
  ['Einsum "y": no derivative for an equation of this form', ["Einsum", [t(3, 3)], { equation: "ii->i" }]],
  [
    'Pow "y": no derivative for an exponent that is not constant',
    ["Pow", [positive(3), vector(1, 2, 3)], {}, { by: [0, 1] }],
  ],
  ['Pad "y": no derivative for padding by other than a constant', ["Pad", [t(3), int64([1, 1])], { mode: "edge" }]],
  ['Gather "y": no derivative for computed picks of axis 1', ["Gather", [t(2, 3), int64([1, 0], [1, 2])], { axis: 1 }]],
])("a form without a rule is refused: %s", (message, one) => {
  const refused = (): unknown => derive(problemOf(one));
  expect(refused).toThrow(
    `${message}; derivatives are needed by taylor1, taylor2, taylor-abs and fisher, oracle does without`,
  );
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

test.each(["Max", "Min"])("of equal inputs of %s the first takes all that arrives", (opType) => {
  const tied: Case = [opType, [vector(1, 2), vector(1, 3), vector(1, 2.5)]];
  const problem = problemOf(tied);
  const derived = derive(problem);
  const exact = evaluate(derived.model, problem.feeds, derived.fetches);
  const arriving = derived.results.map(({ gradient }) => (exact[gradient as string] as Tensor).numbers[0] as number);
  const [term] = problem.terms;
  expect(arriving[0]).toBeCloseTo((term?.linear.numbers[0] as number) + (term?.quadratic.numbers[0] as number));
  expect(arriving.slice(1).map(Math.abs)).toEqual([0, 0]);
});

test("at a limit of Clip the limit takes all that arrives", () => {
  const problem = problemOf(["Clip", [vector(-1, 0, 2), scalar(-1), scalar(2)]]);
  const derived = derive(problem);
  const exact = evaluate(derived.model, problem.feeds, derived.fetches);
  const [term] = problem.terms;
  const slopes = [-1, 0, 2].map(
    (y, i) => (term?.linear.numbers[i] as number) + (term?.quadratic.numbers[i] as number) * y,
  );
  const [x, low, high] = derived.results.map(({ gradient }) => Array.from((exact[gradient] as Tensor).numbers));
  expect(x?.map(Math.abs)).toEqual([0, Math.abs(slopes[1] as number), 0]);
  expect(low?.[0]).toBeCloseTo(slopes[0] as number);
  expect(high?.[0]).toBeCloseTo(slopes[2] as number);
});
