/** What a read graph says: control-flow bodies, order of nodes, types and shapes. */
import { describe, expect, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { AttributeType, DataType, floats, type GraphInit, info, modelFile, type NodeInit, node } from "./files.ts";

const opTypes = (nodes: readonly Node[] | undefined): string[] => (nodes ?? []).map(({ opType }) => opType);

describe("control flow", () => {
  const inner: GraphInit = {
    node: [node("Add", ["own", "outer2"], ["deep"]), node("Mul", ["deep", "cond"], ["deeper"])],
    output: [{ name: "deeper" }],
  };
  const body: GraphInit = {
    input: [{ name: "i" }, { name: "cond" }],
    initializer: [floats("k", [1])],
    sparseInitializer: [{ values: floats("sp", [1]), dims: [4n] }],
    node: [
      node("Add", ["i", "outer1", ""], ["own"]),
      node("Sum", ["k", "sp", "own"], ["total"]),
      node("If", ["cond"], ["nested"], { attribute: [{ name: "then_branch", type: AttributeType.GRAPH, g: inner }] }),
    ],
    output: [{ name: "cond" }, { name: "nested" }, { name: "through" }],
  };
  const sources = ["outer1", "outer2", "through"].map((name) => floats(name, [1]));
  const attributeOf = (attribute: NonNullable<NodeInit["attribute"]>[number]): unknown => {
    const file = modelFile({ node: [node("Loop", ["x"], ["y"], { attribute: [attribute] })], initializer: sources });
    const model = readModel(file);
    expect(writeModel(model)).toEqual(file);
    return Object.values(model.graph.nodes[0]?.attributes ?? {})[0];
  };

  test("a body's attribute lists the outer values that it and bodies inside it read", () => {
    const attribute = attributeOf({ name: "body", type: AttributeType.GRAPH, g: body });
    expect(attribute).toMatchObject({ kind: "graph", value: ["outer1", "outer2", "through"] });
  });

  test("a body's attribute lists the values of its own, those of bodies inside it too", () => {
    const { own } = attributeOf({ name: "body", type: AttributeType.GRAPH, g: body }) as { own: string[] };
    expect([...own].sort()).toEqual(["cond", "deep", "deeper", "i", "k", "nested", "own", "sp", "total"]);
  });

  test("several bodies in one attribute count together", () => {
    const attribute = attributeOf({
      name: "bodies",
      type: AttributeType.GRAPHS,
      graphs: [inner, body].map((g) => ({ ...g, input: [{ name: "cond" }, { name: "own" }, { name: "i" }] })),
    });
    expect(attribute).toMatchObject({ kind: "graph", value: ["outer2", "outer1", "through"] });
  });

  test("captured values count as uses, and keep a carried body when a node changes", () => {
    const loop = node("Loop", ["x"], ["y"], { attribute: [{ name: "body", type: AttributeType.GRAPH, g: body }] });
    const model = readModel(modelFile({ node: [loop], initializer: sources }));
    const use = model.graph.value("outer2")?.uses[0];
    expect(use).toMatchObject({ slot: -1, node: { opType: "Loop" } });
    const [old] = model.graph.nodes as [Node];
    const graph = model.graph.with({ nodes: [{ ...old, name: "renamed" }] });
    const written = readModel(writeModel({ ...model, graph })).graph.nodes[0];
    expect(written?.name).toBe("renamed");
    expect(written?.attributes.body).toEqual(old.attributes.body);
  });

  test("a value that only a body reads must exist", () => {
    const loop = node("Loop", ["x"], ["y"], { attribute: [{ name: "body", type: AttributeType.GRAPH, g: body }] });
    expect(() => readModel(modelFile({ node: [loop], initializer: sources.slice(1) }))).toThrow(
      /Loop "y": reads "outer1"/,
    );
  });
});

describe("order of nodes", () => {
  test("is kept where it is topological", () => {
    const nodes = [
      node("A", ["x"], ["a"]),
      node("B", ["x"], ["b"]),
      node("C", ["b"], ["c"]),
      node("D", ["a", "c"], ["y"]),
    ];
    expect(opTypes(readModel(modelFile({ node: nodes })).graph.nodes)).toEqual(["A", "B", "C", "D"]);
  });

  test("moves a node no further than it must", () => {
    const nodes = [
      node("D", ["a", "c"], ["y"]),
      node("B", ["x"], ["b"]),
      node("C", ["b"], ["c"]),
      node("A", ["x"], ["a"]),
    ];
    expect(opTypes(readModel(modelFile({ node: nodes })).graph.nodes)).toEqual(["A", "B", "C", "D"]);
  });

  test("respects what bodies capture", () => {
    const body: GraphInit = { node: [node("Neg", ["a"], ["n"])], output: [{ name: "n" }] };
    const branch = node("If", ["x"], ["y"], {
      attribute: [{ name: "then_branch", type: AttributeType.GRAPH, g: body }],
    });
    expect(opTypes(readModel(modelFile({ node: [branch, node("A", ["x"], ["a"])] })).graph.nodes)).toEqual(["A", "If"]);
  });

  test("holds for chains longer than any call stack", () => {
    const length = 30_000;
    const chain = Array.from({ length }, (_, i) =>
      node("Relu", [i === 0 ? "x" : `v${i}`], [i === length - 1 ? "y" : `v${i + 1}`]),
    );
    const nodes = readModel(modelFile({ node: chain.reverse() })).graph.nodes;
    expect(nodes[0]?.inputs).toEqual(["x"]);
    expect(nodes.length).toBe(length);
  });
});

describe("types and shapes", () => {
  test("known, symbolic and unknown dims", () => {
    const graph = readModel(
      modelFile({
        input: [
          info("x", ["N", 3, -1, ""]),
          info("b", [], DataType.BFLOAT16),
          { name: "bare" },
          info("s", [2], DataType.STRING),
        ],
        valueInfo: [info("h", [2])],
      }),
    ).graph;
    expect(graph.inputs.map(({ name, type, shape }) => [name, type, shape])).toEqual([
      ["x", "float32", ["N", 3, null, null]],
      ["b", "bfloat16", []],
      ["bare", undefined, undefined],
      ["s", undefined, [2]],
    ]);
    expect(graph.valueInfo.get("h")).toMatchObject({ type: "float32", shape: [2] });
  });

  test("sequences and unknown ranks are left open and kept", () => {
    const file = modelFile({
      input: [
        info("x"),
        { name: "seq", type: { value: { case: "sequenceType", value: {} } } },
        { name: "any", type: { value: { case: "tensorType", value: { elemType: 1 } } } },
      ],
    });
    const model = readModel(file);
    expect(model.graph.inputs.map(({ type, shape }) => [type, shape]).slice(1)).toEqual([
      [undefined, undefined],
      ["float32", undefined],
    ]);
    expect(writeModel(model)).toEqual(file);
  });

  test("attributes without a type are known by their field", () => {
    const attribute = [
      { name: "i", i: 2n },
      { name: "f", f: 0.5 },
      { name: "s", s: Uint8Array.of(65) },
      { name: "is", ints: [1n] },
      { name: "none" },
    ];
    const file = modelFile({ node: [node("Op", ["x"], ["y"], { attribute })] }, { irVersion: 3n });
    const attributes = Object.values(readModel(file).graph.nodes[0]?.attributes ?? {});
    expect(attributes.map(({ kind, value }) => [kind, value])).toEqual([
      ["int", 2],
      ["float", 0.5],
      ["string", "A"],
      ["ints", [1]],
      ["other", undefined],
    ]);
  });
});
