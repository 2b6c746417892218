import { describe, expect, test } from "vitest";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { bytesOf, DataType, decodeModel, fileWithTensor, floats, modelFile, node, type TensorInit } from "./files.ts";

const types: readonly (readonly [string, DataType, ArrayBufferView, TensorInit])[] = [
  ["float32", DataType.FLOAT, Float32Array.of(1.5, -2, Infinity), { floatData: [1.5, -2, Infinity] }],
  ["float64", DataType.DOUBLE, Float64Array.of(0.1, -2, 3), { doubleData: [0.1, -2, 3] }],
  ["float16", DataType.FLOAT16, Uint16Array.of(0x3c00, 0xfc00, 1), { int32Data: [0x3c00, 0xfc00, 1] }],
  ["bfloat16", DataType.BFLOAT16, Uint16Array.of(0x3f80, 0xff80, 1), { int32Data: [0x3f80, 0xff80, 1] }],
  ["int8", DataType.INT8, Int8Array.of(-128, 0, 127), { int32Data: [-128, 0, 127] }],
  ["uint8", DataType.UINT8, Uint8Array.of(0, 1, 255), { int32Data: [0, 1, 255] }],
  ["int16", DataType.INT16, Int16Array.of(-32768, 0, 32767), { int32Data: [-32768, 0, 32767] }],
  ["uint16", DataType.UINT16, Uint16Array.of(0, 1, 65535), { int32Data: [0, 1, 65535] }],
  ["int32", DataType.INT32, Int32Array.of(-(2 ** 31), 0, 2 ** 31 - 1), { int32Data: [-(2 ** 31), 0, 2 ** 31 - 1] }],
  ["uint32", DataType.UINT32, Uint32Array.of(0, 1, 2 ** 32 - 1), { uint64Data: [0n, 1n, 2n ** 32n - 1n] }],
  [
    "int64",
    DataType.INT64,
    BigInt64Array.of(-(2n ** 63n), 0n, 2n ** 63n - 1n),
    { int64Data: [-(2n ** 63n), 0n, 2n ** 63n - 1n] },
  ],
  ["uint64", DataType.UINT64, BigUint64Array.of(0n, 1n, 2n ** 64n - 1n), { uint64Data: [0n, 1n, 2n ** 64n - 1n] }],
  ["bool", DataType.BOOL, Uint8Array.of(1, 0, 1), { int32Data: [1, 0, 1] }],
];

describe.each(types)("element type %s", (type, dataType, data, typed) => {
  const head: TensorInit = { dims: [3n], dataType };

  test.each([
    ["raw", { ...head, rawData: bytesOf(data) }],
    ["typed", { ...head, ...typed }],
  ])("is read from %s data and written back", (_, tensor) => {
    const file = fileWithTensor(tensor);
    const model = readModel(file);
    const read = model.graph.initializers.get("t");
    expect(read?.type).toBe(type);
    expect(read?.dims).toEqual([3]);
    expect(read?.data).toEqual(data);
    expect(writeModel(model)).toEqual(file);
  });

  test("is read from raw data at every alignment", () => {
    for (let shift = 0; shift < 8; shift++) {
      const file = fileWithTensor({ ...head, rawData: bytesOf(data), docString: "x".repeat(shift) });
      expect(readModel(file).graph.initializers.get("t")?.data).toEqual(data);
    }
  });

  test("is read from the tensor of an attribute", () => {
    for (const tensor of [
      { ...head, rawData: bytesOf(data) },
      { ...head, ...typed },
    ]) {
      const file = modelFile({
        node: [node("Constant", [], ["y"], { attribute: [{ name: "value", type: 4, t: tensor }] })],
        initializer: [],
        input: [],
        output: [{ name: "y" }],
      });
      const attribute = readModel(file).graph.nodes[0]?.attributes.value;
      expect(attribute).toMatchObject({ kind: "tensor" });
      expect(attribute?.kind === "tensor" && attribute.value.data).toEqual(data);
      expect(writeModel(readModel(file))).toEqual(file);
    }
  });
});

test("raw data is a view of the file", () => {
  const file = fileWithTensor(floats("t", [1, 2, 3]));
  const tensor = readModel(file).graph.initializers.get("t");
  expect(tensor?.bytes.buffer).toBe(file.buffer);
});

test("packed floats are a view of the file too", () => {
  const file = fileWithTensor({ dims: [2n], dataType: DataType.FLOAT, floatData: [1, 2] });
  const tensor = readModel(file).graph.initializers.get("t");
  expect(tensor?.bytes.buffer).toBe(file.buffer);
  expect(tensor?.data).toEqual(Float32Array.of(1, 2));
});

test("a Node Buffer with unaligned weights is read as well as an array", () => {
  const file = fileWithTensor(floats("t", [1, 2, 3]));
  for (let shift = 0; shift < 4; shift++) {
    const pool = Buffer.alloc(file.length + 4);
    pool.set(file, shift);
    const model = readModel(pool.subarray(shift, shift + file.length));
    expect(model.graph.initializers.get("t")?.data).toEqual(Float32Array.of(1, 2, 3));
  }
});

test("scalars and empty tensors", () => {
  expect(readModel(fileWithTensor(floats("t", [7], []))).graph.initializers.get("t")?.dims).toEqual([]);
  const empty = readModel(fileWithTensor(floats("t", [], [0, 3]))).graph.initializers.get("t");
  expect(empty?.size).toBe(0);
  const untyped = fileWithTensor({ dims: [0n], dataType: DataType.INT64 });
  expect(readModel(untyped).graph.initializers.get("t")?.data).toEqual(new BigInt64Array(0));
});

describe("initializers that Tensor cannot hold", () => {
  const strings: TensorInit = { dims: [1n], dataType: DataType.STRING, stringData: [bytesOf(Uint8Array.of(104, 105))] };
  const carried: readonly (readonly [string, TensorInit])[] = [
    ["strings", strings],
    ["complex numbers", { dims: [1n], dataType: DataType.COMPLEX64, floatData: [1, 2] }],
    ["8-bit floats", { dims: [2n], dataType: DataType.FLOAT8E4M3FN, rawData: bytesOf(Uint8Array.of(1, 2)) }],
    ["4-bit integers", { dims: [3n], dataType: DataType.INT4, rawData: bytesOf(Uint8Array.of(0x21, 3)) }],
  ];

  test.each(carried)("%s are carried along", (_, tensor) => {
    const file = fileWithTensor(tensor);
    const model = readModel(file);
    expect(model.graph.initializers.size).toBe(0);
    expect(writeModel(model)).toEqual(file);
  });

  test("they go when nothing reads them any more, unless nothing ever did", () => {
    const file = modelFile({
      node: [node("Identity", ["s"], ["z"]), node("Relu", ["x"], ["y"])],
      initializer: [
        { ...strings, name: "s" },
        { ...strings, name: "unread" },
      ],
    });
    const model = readModel(file);
    const graph = model.graph.with({ nodes: model.graph.nodes.slice(1) });
    const written = decodeModel(writeModel({ ...model, graph }));
    expect(written.graph?.initializer.map(({ name }) => name)).toEqual(["unread"]);
  });

  test("sparse initializers are carried along", () => {
    const file = modelFile({
      node: [node("Identity", ["s"], ["y"])],
      initializer: [],
      sparseInitializer: [
        { values: floats("s", [1]), indices: { dims: [1n], dataType: 7, int64Data: [2n] }, dims: [4n] },
      ],
    });
    expect(writeModel(readModel(file))).toEqual(file);
  });

  test("in an attribute they are of kind other", () => {
    const file = modelFile({
      node: [node("Constant", [], ["y"], { attribute: [{ name: "value", type: 4, t: strings }] })],
    });
    const model = readModel(file);
    expect(model.graph.nodes[0]?.attributes.value?.kind).toBe("other");
    expect(writeModel(model)).toEqual(file);
  });
});
