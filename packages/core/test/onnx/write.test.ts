import { describe, expect, test } from "vitest";
import { type Attribute, Graph, type Model, type Node, type ValueInfo } from "../../src/graph/graph.ts";
import { float32, int64, Tensor } from "../../src/graph/tensor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { AttributeType, decodeModel, info, modelFile, modelMessage, thrown } from "./files.ts";

/** A model made from nothing: one node, no origins. */
function made(
  parts: { attributes?: Record<string, Attribute>; inputs?: ValueInfo[]; outputs?: ValueInfo[] } = {},
): Model {
  const node: Node = {
    name: "n",
    opType: "Op",
    domain: "",
    inputs: ["x"],
    outputs: ["y"],
    attributes: parts.attributes ?? {},
  };
  const graph = new Graph({
    name: "g",
    inputs: parts.inputs ?? [{ name: "x" }],
    outputs: parts.outputs ?? [{ name: "y" }],
    initializers: new Map(),
    nodes: [node],
    valueInfo: new Map(),
  });
  return { graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() };
}

describe("objects that did not come from a file", () => {
  const attributes: Record<string, Attribute> = {
    int: { kind: "int", value: -3 },
    float: { kind: "float", value: 0.5 },
    string: { kind: "string", value: "grüße" },
    ints: { kind: "ints", value: [1, -2] },
    noInts: { kind: "ints", value: [] },
    floats: { kind: "floats", value: [0.25] },
    strings: { kind: "strings", value: ["a", ""] },
    tensor: { kind: "tensor", value: int64([5]) },
  };

  test("attributes of every kind are written with their type and read again", () => {
    const file = writeModel(made({ attributes }));
    const types = decodeModel(file).graph?.node[0]?.attribute.map(({ name, type }) => [name, AttributeType[type]]);
    expect(types).toEqual([
      ["int", "INT"],
      ["float", "FLOAT"],
      ["string", "STRING"],
      ["ints", "INTS"],
      ["noInts", "INTS"],
      ["floats", "FLOATS"],
      ["strings", "STRINGS"],
      ["tensor", "TENSOR"],
    ]);
    const read = readModel(file).graph.nodes[0]?.attributes ?? {};
    const values = Object.entries(read).map(([name, { kind, value }]) => [
      name,
      kind,
      value instanceof Tensor ? value.numbers : value,
    ]);
    expect(values).toEqual(
      Object.entries(attributes).map(([name, { kind, value }]) => [
        name,
        kind,
        value instanceof Tensor ? value.numbers : value,
      ]),
    );
  });

  test("a value may have a name only, or a type and a shape", () => {
    const inputs: ValueInfo[] = [{ name: "x", type: "float16", shape: [1, "N", null] }];
    const written = decodeModel(writeModel(made({ inputs })));
    expect(written.graph?.output[0]?.type).toBeUndefined();
    expect(readModel(writeModel(made({ inputs }))).graph.inputs[0]).toMatchObject(inputs[0] as object);
  });
});

describe("changed objects", () => {
  const attribute = { name: "axis", type: AttributeType.INT, i: 1n, docString: "which axis" };
  const file = modelFile({
    node: [{ opType: "Softmax", input: ["x"], output: ["y"], docString: "kept", attribute: [attribute] }],
  });

  test("an attribute with another value keeps its doc string", () => {
    const { graph, ...model } = readModel(file);
    const [node] = graph.nodes as [Node];
    const axis = { ...(node.attributes.axis as Attribute), value: 2 } as Attribute;
    const changed = graph.with({ nodes: [{ ...node, attributes: { axis } }] });
    const [written] = decodeModel(writeModel({ ...model, graph: changed })).graph?.node ?? [];
    expect(written?.docString).toBe("kept");
    expect(written?.attribute[0]).toMatchObject({ i: 2n, docString: "which axis" });
  });

  test("a node with other inputs and outputs keeps the rest", () => {
    const { graph, ...model } = readModel(file);
    const [node] = graph.nodes as [Node];
    const changed = graph.with({ nodes: [{ ...node, name: "new", inputs: ["z"], outputs: ["y", ""] }] });
    const [written] = decodeModel(writeModel({ ...model, graph: changed })).graph?.node ?? [];
    expect(written).toMatchObject({
      name: "new",
      input: ["z"],
      output: ["y", ""],
      docString: "kept",
      opType: "Softmax",
    });
    expect(written?.attribute[0]).toMatchObject(attribute);
  });

  test("a value with another shape keeps type, doc string and what its axes denote", () => {
    const message = modelMessage();
    const { graph: proto } = message;
    const output = proto?.output[0];
    if (output?.type?.value.case === "tensorType") {
      const dims = output.type.value.value.shape?.dim ?? [];
      for (const dim of dims) dim.denotation = "DATA";
    }
    const { graph, ...model } = readModel(modelFile({ output: proto?.output ?? [] }));
    const changed = graph.with({ outputs: graph.outputs.map((one) => ({ ...one, shape: ["N", 2] })) });
    const written = decodeModel(writeModel({ ...model, graph: changed })).graph?.output[0]?.type?.value.value;
    expect(written).toMatchObject({
      elemType: 1,
      shape: {
        dim: [
          { value: { case: "dimParam", value: "N" }, denotation: "DATA" },
          { value: { case: "dimValue", value: 2n }, denotation: "DATA" },
        ],
      },
    });
  });
});

describe("IR version 3, where initializers are graph inputs too", () => {
  const read = (): Model =>
    readModel(modelFile({ input: [info("x", ["N", 2]), info("w", [2, 3])] }, { irVersion: 3n }));
  const inputsOf = (model: Model): unknown[] =>
    readModel(writeModel(model)).graph.inputs.map(({ name, shape }) => [name, shape]);

  test("a smaller initializer has its new shape as an input", () => {
    const model = read();
    const graph = model.graph.with({ initializers: new Map([["w", float32([1, 2], [2, 1])]]) });
    expect(inputsOf({ ...model, graph })).toEqual([
      ["x", ["N", 2]],
      ["w", [2, 1]],
    ]);
  });

  test("a new initializer becomes an input", () => {
    const model = read();
    const graph = model.graph.with({ initializers: new Map(model.graph.initializers).set("b", float32([1])) });
    expect(inputsOf({ ...model, graph })).toEqual([
      ["x", ["N", 2]],
      ["w", [2, 3]],
      ["b", [1]],
    ]);
  });

  test("the input of an initializer that is gone and unread is gone", () => {
    const model = read();
    const [matmul, relu] = model.graph.nodes as [Node, Node];
    const graph = model.graph.with({ initializers: new Map(), nodes: [{ ...matmul, inputs: ["x", "x"] }, relu] });
    expect(inputsOf({ ...model, graph })).toEqual([["x", ["N", 2]]]);
  });
});

describe("what cannot be written", () => {
  test.each([
    ["a fraction as int", { kind: "int", value: 1.5 }, 'attribute "a" of Op "n": 1.5 cannot be written as int'],
    [
      "a number beyond float32",
      { kind: "float", value: 1e300 },
      'attribute "a" of Op "n": 1e+300 cannot be written as float',
    ],
    ["an integer beyond 64 bits", { kind: "ints", value: [1e30] }, "cannot be written as ints"],
    ["a body without origin", { kind: "graph", value: ["z"] }, "only carried along from the file"],
    ["another kind without origin", { kind: "other", value: undefined }, "only carried along from the file"],
  ] as readonly (readonly [string, Attribute, string])[])("%s is a clear error", (_, attribute, sentence) => {
    const error = thrown(() => writeModel(made({ attributes: { a: attribute } })));
    expect(error).toMatchObject({ name: "ShrinkError", code: "model", message: expect.stringContaining(sentence) });
  });

  test("more than 2 GB is a clear error", () => {
    const { graph, ...model } = made();
    // The pages are never touched, so this takes no memory.
    const big = new Tensor("uint8", [2 ** 30], new Uint8Array(2 ** 30));
    const initializers = new Map([
      ["a", big],
      ["b", big],
    ]);
    const error = thrown(() => writeModel({ ...model, graph: graph.with({ initializers }) }));
    expect(error).toMatchObject({ name: "ShrinkError", code: "model" });
    expect(String(error)).toMatch(/needs 2\.0 GB .* at most 2 GB; remove more units/);
  });
});
