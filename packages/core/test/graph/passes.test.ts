import { describe, expect, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { foldConstants, type Pass, removeDead, runPasses } from "../../src/graph/passes.ts";
import { float32, int64, type Tensor } from "../../src/graph/tensor.ts";
import { closeTo, model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";

const w = random(1).tensor([2, 3]);

/** y = x + (what the nodes make of the initializers), and its constant after folding. */
function folded(nodes: readonly Node[], initializers: Record<string, Tensor>, opset = 17) {
  const original = model({
    opset,
    inputs: { x: [1] },
    outputs: ["y"],
    initializers,
    nodes: [...nodes, node("Add", ["x", "c"], ["y"])],
  });
  return { original, graph: foldConstants.run(original.graph).graph };
}

describe("constant folding", () => {
  test.each<[string, Node[], Record<string, Tensor>, number?]>([
    ["Identity", [node("Identity", ["w"], ["c"])], { w }],
    ["Transpose", [node("Transpose", ["w"], ["c"])], { w }],
    ["Transpose by perm", [node("Transpose", ["w"], ["c"], { perm: [0, 1] })], { w }],
    ["Reshape", [node("Reshape", ["w", "s"], ["c"])], { w, s: int64([3, -1]) }],
    ["Reshape with a copied length", [node("Reshape", ["w", "s"], ["c"])], { w, s: int64([0, 1, -1]) }],
    ["Flatten", [node("Flatten", ["w"], ["c"], { axis: -1 })], { w }],
    ["Flatten at axis 0", [node("Flatten", ["w"], ["c"], { axis: 0 })], { w }],
    ["Unsqueeze", [node("Unsqueeze", ["w", "a"], ["c"])], { w, a: int64([0, -1]) }],
    ["Unsqueeze by attribute", [node("Unsqueeze", ["w"], ["c"], { axes: [1] })], { w }, 11],
    ["Squeeze", [node("Unsqueeze", ["w", "a"], ["u"]), node("Squeeze", ["u", "a"], ["c"])], { w, a: int64([1]) }],
    [
      "Squeeze of every 1",
      [node("Unsqueeze", ["w", "a"], ["u"]), node("Squeeze", ["u"], ["c"])],
      { w, a: int64([0, 2]) },
    ],
    ["Constant", [node("Constant", [], ["c"], { value: w })], {}],
    ["Constant float", [node("Constant", [], ["c"], { value_float: 2 })], {}],
    ["Constant floats", [node("Constant", [], ["c"], { value_floats: [2, 3] })], {}],
    ["chains", [node("Transpose", ["w"], ["t"]), node("Identity", ["t"], ["i"]), node("Flatten", ["i"], ["c"])], { w }],
  ])("%s", (_, nodes, initializers, opset) => {
    const { original, graph } = folded(nodes, initializers, opset);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(["Add"]);
    const feeds = { x: float32([0.5]) };
    const before = evaluate(original, feeds).y as Tensor;
    expect(closeTo(evaluate({ ...original, graph }, feeds).y as Tensor, before)).toBe(0);
  });

  test("integers of a Constant keep their type", () => {
    const { graph } = folded([node("Constant", [], ["c"], { value_ints: [2, 3] })], {});
    expect(graph.initializers.get("c")).toMatchObject({ type: "int64", dims: [2] });
    const scalar = folded([node("Constant", [], ["c"], { value_int: 2 })], {}).graph.initializers.get("c");
    expect(scalar).toMatchObject({ type: "int64", dims: [] });
  });

  test.each<[string, Node[]]>([
    ["what depends on an input", [node("Reshape", ["x", "s"], ["c"])]],
    ["other operators", [node("Relu", ["w"], ["c"])]],
    ["operators of other domains", [node("Identity", ["w"], ["c"], {}, { domain: "my.domain" })]],
  ])("leaves %s", (_, nodes) => {
    const { original, graph } = folded(nodes, { w, s: int64([1]) });
    expect(graph).toBe(original.graph);
    expect(foldConstants.run(original.graph).modified).toBe(false);
  });

  test("leaves what makes an output of the model", () => {
    const { graph } = model({
      inputs: {},
      outputs: ["y"],
      initializers: { w },
      nodes: [node("Identity", ["w"], ["y"])],
    });
    expect(foldConstants.run(graph).graph).toBe(graph);
  });

  test("does not change the graph that is given", () => {
    const { original } = folded([node("Identity", ["w"], ["c"])], { w });
    expect(original.graph.nodes).toHaveLength(2);
    expect([...original.graph.initializers.keys()]).toEqual(["w"]);
  });
});

describe("removal of what is dead", () => {
  const { graph } = model({
    inputs: { x: [2] },
    outputs: ["y"],
    initializers: { w: [1, 2], unused: [3], late: [4, 5] },
    nodes: [node("Add", ["x", "w"], ["y"]), node("Mul", ["y", "late"], ["a"]), node("Relu", ["a"], ["b"])],
  });

  test("nodes that nothing reads go, with what only they read", () => {
    const result = removeDead.run(graph);
    expect(result.modified).toBe(true);
    expect(result.graph.nodes.map(({ opType }) => opType)).toEqual(["Add"]);
    expect([...result.graph.initializers.keys()]).toEqual(["w"]);
    expect(graph.nodes).toHaveLength(3);
  });

  test("a second time there is nothing to do", () => {
    const once = removeDead.run(graph).graph;
    expect(removeDead.run(once)).toEqual({ graph: once, modified: false });
  });

  test("dead initializers that are listed as inputs (IR 3) go from both lists", () => {
    const inputs = [...graph.inputs, { name: "w" }, { name: "unused" }];
    expect(removeDead.run(graph.with({ inputs })).graph.inputs.map(({ name }) => name)).toEqual(["x", "w"]);
  });

  test("what a body captures stays", () => {
    const reader: Node = {
      ...node("If", ["flag"], ["z"]),
      attributes: { then_branch: { kind: "graph", value: ["a", "unused"] } },
    };
    const live = graph.with({ nodes: [...graph.nodes, reader], outputs: [{ name: "z" }] });
    const result = removeDead.run(live).graph;
    expect(result.nodes.map(({ opType }) => opType)).toEqual(["Add", "Mul", "If"]);
    expect([...result.initializers.keys()]).toEqual(["w", "unused", "late"]);
  });
});

test("passes run until none of them has anything left to do", () => {
  const halve: Pass = {
    name: "drop the last node",
    run: (graph) => ({ graph: graph.with({ nodes: graph.nodes.slice(0, -1) }), modified: graph.nodes.length > 1 }),
  };
  const { graph } = model({
    inputs: { x: [1] },
    outputs: ["x"],
    nodes: ["a", "b", "c"].map((name) => node("Relu", ["x"], [name])),
  });
  expect(runPasses(graph, [halve]).nodes).toHaveLength(0);
  expect(runPasses(graph, []).nodes).toHaveLength(3);
});
