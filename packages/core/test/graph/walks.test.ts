import { expect, test } from "vitest";
import { extract } from "../../src/graph/extract.ts";
import type { Node } from "../../src/graph/graph.ts";
import type { Shapes } from "../../src/graph/shapes.ts";
import { float32, type Tensor } from "../../src/graph/tensor.ts";
import { downstream, needed } from "../../src/graph/traverse.ts";
import { closeTo, model, node } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";

/** x -> a -> b -> y, with c beside from z. */
const whole = model({
  inputs: { x: [2], z: [2] },
  outputs: ["y", "c"],
  initializers: { v: [1, 2], w: [3, 4] },
  nodes: [
    node("Add", ["x", "v"], ["a"]),
    node("Mul", ["a", "w"], ["b"]),
    node("Neg", ["z"], ["c"]),
    node("Sub", ["b", "a"], ["y"]),
  ],
});
const shapes: Shapes = new Map(["x", "z", "a", "b", "c", "y"].map((name) => [name, { type: "float32", dims: [2] }]));
const names = (nodes: readonly Node[]): string[] => nodes.map(({ name }) => name);

test("downstream holds the start and all that depends on it", () => {
  expect([...downstream(whole.graph, ["a"])].sort()).toEqual(["a", "b", "y"]);
  expect([...downstream(whole.graph, ["w"])].sort()).toEqual(["b", "w", "y"]);
  expect([...downstream(whole.graph, [])]).toEqual([]);
});

test("downstream follows what bodies capture", () => {
  const branch: Node = { ...node("If", ["z"], ["i"]), attributes: { then_branch: { kind: "graph", value: ["b"] } } };
  const graph = whole.graph.with({ nodes: [...whole.graph.nodes, branch] });
  expect(downstream(graph, ["x"]).has("i")).toBe(true);
});

test("needed nodes come in order and stop at given values", () => {
  expect(names(needed(whole.graph, ["y"]))).toEqual(["a", "b", "y"]);
  expect(names(needed(whole.graph, ["y"], new Set(["b"])))).toEqual(["a", "y"]);
  expect(names(needed(whole.graph, ["y"], new Set(["a", "b"])))).toEqual(["y"]);
  expect(names(needed(whole.graph, ["y"], new Set(["y"])))).toEqual([]);
  expect(names(needed(whole.graph, ["c"]))).toEqual(["c"]);
});

test("an extract computes the same from the values it is given", () => {
  const piece = extract(whole.graph, ["a"], ["y"], shapes);
  expect(piece.inputs).toEqual([{ name: "a", type: "float32" }]);
  expect([...piece.initializers.keys()]).toEqual(["w"]);
  expect(names(piece.nodes)).toEqual(["b", "y"]);
  const feeds = { x: float32([5, 6]), z: float32([0, 0]) };
  const { a, y } = evaluate(whole, feeds, ["a", "y"]);
  expect(closeTo(evaluate({ ...whole, graph: piece }, { a: a as Tensor }).y as Tensor, y as Tensor)).toBe(0);
});

test("an extract keeps the inputs of the whole that it reads, and leaves out the given ones that it does not", () => {
  const piece = extract(whole.graph, ["b", "c"], ["y"], shapes);
  expect(piece.inputs.map(({ name }) => name)).toEqual(["x", "b"]);
});

test("an extract may be asked for what it is given, and may start at an initializer", () => {
  expect(extract(whole.graph, ["a"], ["a"], shapes).inputs.map(({ name }) => name)).toEqual(["a"]);
  const piece = extract(whole.graph, ["a", "w"], ["b"], new Map([...shapes, ["w", { type: "float32", dims: [2] }]]));
  expect(piece.inputs.map(({ name }) => name)).toEqual(["a", "w"]);
  expect(piece.initializers.size).toBe(0);
});
