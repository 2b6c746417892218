import { create, type Message, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type ModelProto, ModelProtoSchema } from "onnx-buf";
import { describe, expect, test } from "vitest";
import type { Attribute, Graph, Model } from "../../src/graph/graph.ts";
import { Tensor, take } from "../../src/graph/tensor.ts";
import { modelChunks, readModel, writeModel } from "../../src/onnx/index.ts";
import { AttributeType, decodeModel, floats, info, modelFile, modelMessage, node, unknownField } from "./files.ts";

/** A model that uses every corner of the format that we carry along. */
function richMessage(): ModelProto {
  const message = modelMessage(
    {
      docString: "a graph",
      node: [
        node("MatMul", ["x", "w"], ["h"], { docString: "product", metadataProps: [{ key: "a", value: "b" }] }),
        node("Clip", ["h", "", "top"], ["c"], {
          overload: "v2",
          domain: "custom",
          deviceConfigurations: [{ configurationId: "gpu" }],
        }),
        node("Relu", ["c"], ["y"], {
          attribute: [
            { name: "huge", type: AttributeType.INT, i: 2n ** 63n - 1n, docString: "largest" },
            { name: "ref", type: AttributeType.INT, refAttrName: "outer" },
            { name: "tp", type: AttributeType.TYPE_PROTO, tp: { denotation: "d" } },
            { name: "broken", type: AttributeType.STRING, s: Uint8Array.of(0xff, 0xfe) },
            {
              name: "sparse",
              type: AttributeType.SPARSE_TENSOR,
              sparseTensor: { values: floats("", [1]), dims: [1n] },
            },
          ],
        }),
      ],
      initializer: [
        { ...floats("w", [1, 2, 3, 4, 5, 6], [2, 3]), docString: "weights", metadataProps: [{ key: "k", value: "v" }] },
        { name: "top", dims: [], dataType: 1, floatData: [6] },
      ],
      valueInfo: [{ ...info("h", ["N", 3]), docString: "hidden" }],
      quantizationAnnotation: [{ tensorName: "w", quantParameterTensorNames: [{ key: "SCALE_TENSOR", value: "s" }] }],
      metadataProps: [{ key: "graph", value: "meta" }],
    },
    {
      irVersion: 11n,
      producerVersion: "1.2",
      domain: "org.example",
      modelVersion: 3n,
      docString: "a model",
      opsetImport: [
        { domain: "", version: 22n },
        { domain: "custom", version: 1n },
      ],
      metadataProps: [{ key: "author", value: "me" }],
      trainingInfo: [
        {
          initialization: { name: "init", node: [node("Constant", [], ["q"])] },
          updateBinding: [{ key: "w", value: "q" }],
        },
      ],
      functions: [{ name: "f", domain: "custom", input: ["a"], output: ["b"], node: [node("Relu", ["a"], ["b"])] }],
      configuration: [{ name: "gpu", numDevices: 2 }],
    },
  );
  const { graph } = message;
  const owners: (Message | undefined)[] = [
    message,
    graph,
    graph?.node[0],
    graph?.node[2]?.attribute[0],
    graph?.initializer[0],
    graph?.input[0],
  ];
  owners.push(graph?.input[0]?.type, graph?.valueInfo[0], message.opsetImport[0], message.functions[0]);
  for (const [i, owner] of owners.entries()) if (owner) owner.$unknown = [unknownField(`from the future ${i}`)];
  return message;
}

/** The same model from new objects that keep their origins, as a pass would leave them. */
function rebuilt(model: Model): Model {
  const { graph } = model;
  const copy = (attribute: Attribute): Attribute => ({ ...attribute });
  const parts: Partial<Graph> = {
    inputs: graph.inputs.map((one) => ({ ...one })),
    outputs: graph.outputs.map((one) => ({ ...one })),
    nodes: graph.nodes.map((one) => ({
      ...one,
      inputs: [...one.inputs],
      attributes: Object.fromEntries(Object.entries(one.attributes).map(([name, value]) => [name, copy(value)])),
    })),
    initializers: new Map(
      [...graph.initializers].map(([name, { type, dims, data, origin }]) => [
        name,
        new Tensor(type, dims, data, { origin }),
      ]),
    ),
    valueInfo: new Map([...graph.valueInfo].map(([name, one]) => [name, { ...one }])),
  };
  return { ...model, opsets: new Map(model.opsets), metadata: new Map(model.metadata), graph: graph.with(parts) };
}

describe("a model that nobody changed", () => {
  test("is written byte for byte", () => {
    const file = toBinary(ModelProtoSchema, richMessage());
    expect(writeModel(readModel(file))).toEqual(file);
  });

  test("keeps everything when all its objects were rebuilt", () => {
    const message = richMessage();
    const written = decodeModel(writeModel(rebuilt(readModel(toBinary(ModelProtoSchema, message)))));
    // Only the spelling of tensor data may differ: typed fields become raw data.
    const top = message.graph?.initializer[1];
    if (top) Object.assign(top, { floatData: [], rawData: new Uint8Array(Float32Array.of(6).buffer) });
    expect(written).toEqual(decodeModel(toBinary(ModelProtoSchema, message)));
  });

  test.each([3n, 4n, 7n, 8n, 9n, 10n, 11n])("of IR version %d keeps its inputs and order", (irVersion) => {
    const file = modelFile({ input: [info("x", ["N", 2]), info("w", [2, 3])] }, { irVersion });
    const model = readModel(file);
    expect(model.graph.inputs.map(({ name }) => name)).toEqual(["x", "w"]);
    expect(model.graph.feeds.map(({ name }) => name)).toEqual(["x"]);
    expect(writeModel(model)).toEqual(file);
  });

  test("of any operator set from 7 to 25 is read", () => {
    for (let version = 7n; version <= 25n; version++) {
      const file = modelFile({}, { opsetImport: [{ domain: "ai.onnx", version }] });
      const model = readModel(file);
      expect(model.opsets.get("")).toBe(Number(version));
      expect(writeModel(model)).toEqual(file);
    }
  });

  test("does not depend on the order of fields in the file", () => {
    const file = modelFile();
    const graph = toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: modelMessage().graph ?? {} }));
    const rest = toBinary(ModelProtoSchema, modelMessage({}, { graph: undefined } as never));
    expect(writeModel(readModel(Uint8Array.of(...graph, ...rest)))).toEqual(file);
  });

  test("survives reading and writing with any names, numbers and shapes", () => {
    const name = fc.string({ minLength: 1, unit: "binary" });
    const dims = fc.array(fc.nat(4), { maxLength: 4 });
    const property = fc.property(
      name,
      dims,
      fc.string({ unit: "binary" }),
      fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      (w, shape, doc, i) => {
        fc.pre(w !== "x" && w !== "y" && w !== "h");
        const size = shape.reduce((product, dim) => product * dim, 1);
        const file = modelFile({
          docString: doc,
          node: [node("Op", ["x", w], ["y"], { attribute: [{ name: w, type: AttributeType.INTS, ints: [i, 0n] }] })],
          initializer: [
            floats(
              w,
              Array.from({ length: size }, (_, at) => at / 8),
              shape,
            ),
          ],
        });
        expect(writeModel(readModel(file))).toEqual(file);
      },
    );
    fc.assert(property, { numRuns: 100 });
  });
});

describe("modelChunks", () => {
  test("gives the bytes of writeModel, with the weights as views of the file", () => {
    const file = modelFile();
    const model = readModel(file);
    const chunks = modelChunks(model);
    expect(Buffer.concat(chunks)).toEqual(Buffer.from(writeModel(model)));
    expect(chunks.filter(({ buffer }) => buffer === file.buffer).length).toBe(3); // two nodes, one initializer
  });

  test("gives the very data of new tensors, also in attributes", () => {
    const model = readModel(modelFile());
    const weights = new Tensor("float32", [2, 3], new Float32Array(6));
    const value = new Tensor("float32", [4], new Float32Array(4));
    const constant = {
      name: "k",
      opType: "Constant",
      domain: "",
      inputs: [],
      outputs: ["k"],
      attributes: { value: { kind: "tensor", value } as const },
    };
    const graph = model.graph.with({
      initializers: new Map([["w", weights]]),
      nodes: [constant, ...model.graph.nodes],
    });
    const buffers = modelChunks({ ...model, graph }).map(({ buffer }) => buffer);
    expect(buffers).toContain(weights.bytes.buffer);
    expect(buffers).toContain(value.bytes.buffer);
  });
});

test("a tensor made from one of the file keeps what the file said about it", () => {
  const file = toBinary(ModelProtoSchema, richMessage());
  const model = readModel(file);
  const weights = take(model.graph.initializers.get("w") as Tensor, 1, [2, 0]);
  const graph = model.graph.with({
    initializers: new Map(model.graph.initializers).set("w", weights).set("again", weights),
  });
  const [w, , again] = decodeModel(writeModel({ ...model, graph })).graph?.initializer ?? [];
  expect(w).toMatchObject({
    name: "w",
    docString: "weights",
    dims: [2n, 2n],
    metadataProps: [{ key: "k", value: "v" }],
  });
  expect(w?.rawData).toEqual(new Uint8Array(Float32Array.of(3, 1, 6, 4).buffer));
  expect(w?.$unknown?.length).toBe(1);
  expect(again).toMatchObject({ name: "again", docString: "weights" });
});

test("changed metadata and opsets are written, the rest of their entries kept", () => {
  const model = readModel(toBinary(ModelProtoSchema, richMessage()));
  const opsets = new Map([...model.opsets].filter(([domain]) => domain === "")).set("com.microsoft", 1);
  const metadata = new Map(model.metadata).set("pruned", "yes");
  const written = decodeModel(writeModel({ ...model, irVersion: 9, opsets, metadata }));
  expect(written.irVersion).toBe(9n);
  expect(written.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
    ["", 22n],
    ["com.microsoft", 1n],
  ]);
  expect(written.opsetImport[0]?.$unknown?.length).toBe(1);
  expect(written.metadataProps.map(({ key, value }) => [key, value])).toEqual([
    ["author", "me"],
    ["pruned", "yes"],
  ]);
});
