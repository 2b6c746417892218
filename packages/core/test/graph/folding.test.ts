/** Folding makes no file larger: what is stored once stays stored once. */
import { describe, expect, test } from "vitest";
import { foldByRunning } from "../../src/graph/fold.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { foldConstants, removeDead, runPasses } from "../../src/graph/passes.ts";
import { float32, int64, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { runner } from "../helpers.ts";
import { closeTo, model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";

const r = random(17);
const w = r.tensor([12, 12]);

/** x[N, 12] -> a and b, both from what the nodes make of the initializers. */
function network(nodes: readonly Node[], initializers: Record<string, Tensor>): Model {
  return model({
    inputs: { x: ["N", 12] },
    outputs: ["y"],
    initializers,
    nodes: [
      ...nodes,
      node("MatMul", ["x", "a"], ["p"]),
      node("MatMul", ["p", "b"], ["q"]),
      node("Add", ["p", "q"], ["y"]),
    ],
  });
}

async function folded(original: Model): Promise<Model> {
  const simple = { ...original, graph: runPasses(original.graph, [foldConstants, removeDead]) };
  return foldByRunning(simple, runner);
}

const half = tensorOf("float16", Array.from(w.numbers), w.dims);
const scale = r.tensor([12]);

describe("a file gets no larger", () => {
  test.each<[string, Node[], Record<string, Tensor>, string[]]>([
    ["a weight that is read as it is and transposed", [node("Transpose", ["b"], ["a"])], { b: w }, ["Transpose"]],
    [
      "two transposes of one weight are one",
      [node("Transpose", ["w"], ["a"]), node("Transpose", ["w"], ["b"])],
      { w },
      [],
    ],
    ["another name of a weight", [node("Identity", ["b"], ["a"])], { b: w }, []],
    ["a weight in half precision", [node("Cast", ["h"], ["a"], { to: 1 })], { h: half, b: w }, ["Cast"]],
    ["a weight times a scale, read alone too", [node("Mul", ["b", "s"], ["a"])], { b: w, s: scale }, ["Mul"]],
    ["a weight times a scale", [node("Mul", ["w", "s"], ["a"])], { w, s: scale, b: r.tensor([12, 12]) }, []],
    [
      "a weight times a scale, twice",
      [node("Mul", ["w", "s"], ["a"]), node("Mul", ["w", "t"], ["b"])],
      { w, s: scale, t: r.tensor([12]) },
      ["Mul", "Mul"],
    ],
  ])("%s", async (_, nodes, initializers, left) => {
    const original = network(nodes, initializers);
    const result = await folded(original);
    const kept = result.graph.nodes.map(({ opType }) => opType).filter((type) => !["MatMul", "Add"].includes(type));
    expect(kept).toEqual(left);
    expect(writeModel(result).byteLength).toBeLessThan(writeModel(original).byteLength + 300);
    const x = r.tensor([3, 12]);
    const [before, after] = [evaluate(original, { x }).y, evaluate(result, { x }).y] as [Tensor, Tensor];
    expect(closeTo(after, before)).toBeLessThan(1e-6);
  });

  test("a table that is made of a few numbers stays computed where it is large", async () => {
    const table = (side: number) =>
      model({
        inputs: { x: ["N", side] },
        outputs: ["y"],
        initializers: { one: float32([1]), shape: int64([side, side]) },
        nodes: [node("Expand", ["one", "shape"], ["w"]), node("MatMul", ["x", "w"], ["y"])],
      });
    expect((await folded(table(20))).graph.nodes.map(({ opType }) => opType)).toEqual(["MatMul"]);
    expect((await folded(table(200))).graph.nodes.map(({ opType }) => opType)).toEqual(["Expand", "MatMul"]);
  });

  test("a name that a body reads stays", () => {
    const reader: Node = {
      ...node("If", ["flag"], ["z"]),
      attributes: { then_branch: { kind: "graph", value: ["a"] }, else_branch: { kind: "graph", value: [] } },
    };
    const { graph } = model({
      inputs: { x: ["N", 12] },
      outputs: ["y", "z"],
      initializers: { w, flag: tensorOf("bool", [1], []) },
      nodes: [node("Identity", ["w"], ["a"]), reader, node("MatMul", ["x", "a"], ["y"])],
    });
    expect(foldConstants.run(graph).graph.nodes.map(({ opType }) => opType)).toEqual(["Identity", "If", "MatMul"]);
  });
});
