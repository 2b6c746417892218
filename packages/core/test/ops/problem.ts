/**
 * One operator y = op(x, ...) followed by E = sum of c y + 1/2 q y^2 with random c and q, and its derivatives: by the
 * operator's rules, and by finite differences in float64 by the reference evaluator.
 */
import { expect } from "vitest";
import { differentiate } from "../../src/derive/backward.ts";
import { GraphBuilder } from "../../src/graph/builder.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import type { Shapes, ValueShape } from "../../src/graph/shapes.ts";
import { isFloat, Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { ruleFor } from "../../src/ops/index.ts";
import { model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";
import type { Case } from "./cases/case.ts";

export function title([opType, inputs, attributes = {}, { opset = 17, batch = [], by } = {}]: Case): string {
  const dims = inputs.map((input, slot) => {
    if (!input) return "none";
    return `[${input.dims.map((dim, axis) => (axis === 0 && batch.includes(slot) ? `N=${dim}` : dim)).join(", ")}]`;
  });
  const said = Object.entries(attributes).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return [opType, dims.join(" "), ...said, `opset ${opset}`, ...(by ? [`by ${by.join()}`] : [])].join(" ");
}

/** One operator and its E, ready to be differentiated. */
export interface Problem {
  readonly model: Model;
  readonly shapes: Shapes;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly real: "float32" | "float64";
  /** E = sum of linear * y + 1/2 quadratic * y^2, over these outputs. */
  readonly terms: readonly { readonly y: string; readonly linear: Tensor; readonly quadratic: Tensor }[];
}

export function problemOf(
  [opType, inputs, attributes, options = {}]: Case,
  real: "float32" | "float64" = "float64",
): Problem {
  const { opset = 17, batch = [], by, outputs = 1 } = options;
  const results = Array.from({ length: outputs }, (_, i) => (i === 0 ? "y" : `y${i}`));
  const names = inputs.map((input, slot) => (input ? `x${slot}` : ""));
  const given = inputs.flatMap((input, slot) => (input ? [{ name: `x${slot}`, slot, tensor: as(input, real) }] : []));
  // an exponent is a constant to its rule
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
    outputs: results,
    initializers: Object.fromEntries(fixed.map(({ name, tensor }) => [name, tensor])),
    nodes: [node(opType, names, results, attributes)],
  });
  const feeds = Object.fromEntries(fed.map(({ name, tensor }) => [name, tensor]));
  const seeded = (options.seeded ?? [...results.keys()]).map((index) => results[index] as string);
  const values = ruleFor(graph.graph.nodes[0] as Node) ? evaluate(graph, feeds) : {};
  const seeds = random(5);
  const batchNames = batch.map((slot) => `x${slot}`);
  return {
    model: graph,
    shapes: shapesOf(graph, feeds, batchNames),
    feeds,
    real,
    terms: seeded.map((y) => {
      const { dims } = values[y] ?? (feeds.x0 as Tensor);
      return { y, linear: seeds.tensor(dims, 1, real), quadratic: seeds.tensor(dims, 1, real) };
    }),
  };
}

/** Shapes as the probe would find them: dims at batch size 1, and the axis that grows with it. */
export function shapesOf(graph: Model, feeds: Readonly<Record<string, Tensor>>, batch: readonly string[]): Shapes {
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

export function derive({ model: { graph, ...rest }, shapes, real, terms }: Problem) {
  const opset = rest.opsets.get("") as number;
  const b = new GraphBuilder({ opset, real, base: graph });
  const seeds = terms.map(({ y, linear, quadratic }) => {
    const [c, q] = [b.tensor(linear, "c"), b.tensor(quadratic, "q")];
    return [y, { gradient: b.add(c, b.mul(q, y)), curvature: q }] as const;
  });
  const wanted = graph.feeds.filter(({ type }) => type === real).map(({ name }) => name);
  const { gradient, curvature } = differentiate({
    builder: b,
    graph,
    shapes,
    opset,
    seeds: new Map(seeds),
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
export function finiteDifferences(problem: Problem, input: string): { first: Tensor; second: Tensor } {
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

/** Largest difference relative to the largest value; to 0.01 where all are 0, since differences have noise. */
export function distance(exact: Tensor | undefined, numeric: Tensor): number {
  const scale = Math.max(0.01, ...Array.from(numeric.numbers, Math.abs));
  expect(exact?.dims).toEqual(numeric.dims);
  return (
    Math.max(...Array.from(numeric.numbers, (value, i) => Math.abs(value - (exact?.numbers[i] as number)))) / scale
  );
}

function errorOf({ model: graph, terms }: Problem, feeds: Readonly<Record<string, Tensor>>): number {
  const values = evaluate(graph, feeds);
  let error = 0;
  for (const { y, linear, quadratic } of terms) {
    Array.from((values[y] as Tensor).numbers).forEach((value, i) => {
      error += (linear.numbers[i] as number) * value + 0.5 * (quadratic.numbers[i] as number) * value * value;
    });
  }
  return error;
}

function as(tensor: Tensor, type: "float32" | "float64"): Tensor {
  return isFloat(tensor.type) ? tensorOf(type, tensor.numbers, tensor.dims) : tensor;
}
