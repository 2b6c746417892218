import { create, toBinary } from "@bufbuild/protobuf";
import { GraphProtoSchema, TensorProtoSchema } from "onnx-buf";
import { describe, expect, test } from "vitest";
import { readModel } from "../../src/onnx/index.ts";
import {
  AttributeType,
  DataType,
  fileWithTensor,
  floats,
  info,
  modelFile,
  modelMessage,
  node,
  thrown,
} from "./files.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

function expectError(file: Uint8Array, sentence: string): void {
  const error = thrown(() => readModel(file));
  expect(error).toMatchObject({ name: "ShrinkError", code: "model" });
  expect((error as Error).message).toContain(sentence);
}

describe("files that are not ONNX", () => {
  test.each([
    ["an empty file", new Uint8Array(0), "model: is an empty file (expected an ONNX file)"],
    ["text", text("hello world\n"), "model: is a text file"],
    ["a web page", text("\n<!DOCTYPE html><html><body>404</body></html>"), "model: is an HTML page"],
    ["a web page with a byte-order mark", text("\ufeff<html>"), "model: is an HTML page"],
    ["a zip archive", Uint8Array.of(0x50, 0x4b, 3, 4, 20, 0, 0, 0), "model: is a zip archive (a PyTorch checkpoint"],
    [
      "a TensorFlow Lite model",
      Uint8Array.of(28, 0, 0, 0, 0x54, 0x46, 0x4c, 0x33),
      "TensorFlow Lite model; convert it",
    ],
    ["a Git LFS pointer", text("version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer; run git lfs pull"],
    ["NumPy data", Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0), "is a NumPy array, so perhaps the data"],
    ["random bytes", Uint8Array.of(0xe3, 0x51, 0x9c, 0xff, 0x03, 0x80, 0x00), "model: is not a complete ONNX file"],
    ["zeros", new Uint8Array(100), "model: is not a complete ONNX file"],
    ["a tensor", toBinary(TensorProtoSchema, create(TensorProtoSchema, floats("t", [1, 2]))), "expected a"],
    ["a bare graph", toBinary(GraphProtoSchema, modelMessage().graph ?? create(GraphProtoSchema)), "expected a"],
  ])("%s", (_, file, sentence) => expectError(file, sentence));

  test("no graph", () => {
    expectError(modelFile({}, { graph: undefined } as never), "model: is not a complete ONNX file (it has no graph)");
  });

  test("no operator sets", () => {
    expectError(modelFile({}, { opsetImport: [] }), "(it does not say which operator set it uses)");
  });
});

describe("versions", () => {
  test.each([
    ["IR version 2", { irVersion: 2n }, "model: has IR version 2, expected 3 or later; export it again"],
    ["opset 6", { opsetImport: [{ version: 6n }] }, "model: uses opset 6, expected 7 to 25, because older operators"],
    ["opset 26", { opsetImport: [{ version: 26n }] }, "model: uses opset 26, expected 7 to 25, because a newer one"],
    [
      "standard operators without the standard opset",
      { opsetImport: [{ domain: "custom", version: 1n }] },
      "model: uses the standard operator MatMul but does not say of which opset",
    ],
  ])("%s", (_, rest, sentence) => expectError(modelFile({}, rest), sentence));

  test("a model of other domains only needs no standard opset", () => {
    const nodes = [node("Op", ["x", "w"], ["y"], { domain: "custom" })];
    const file = modelFile({ node: nodes }, { opsetImport: [{ domain: "custom", version: 1n }] });
    expect(readModel(file).opsets).toEqual(new Map([["custom", 1]]));
  });
});

describe("graphs that contradict themselves", () => {
  const relu = node("Relu", ["x"], ["y"]);
  test.each([
    [
      "a value that nothing defines",
      { node: [node("Conv", ["x", "w9"], ["y"], { name: "c1" })] },
      'Conv "c1": reads "w9", which no node, input or initializer of the model defines',
    ],
    ["an output that nothing defines", { output: [info("z")] }, 'graph output "z": no node, input or initializer'],
    ["a node without operator", { node: [node("", ["x"], ["y"])] }, 'node "y": names no operator, expected one'],
    ["no outputs", { output: [] }, "model: has no graph outputs"],
    [
      "two producers",
      { node: [relu, node("Tanh", ["x"], ["y"])] },
      'value "y": is defined by Tanh "y" and also by Relu "y"',
    ],
    [
      "a node that defines an input",
      { node: [relu, node("Tanh", ["y"], ["x"])] },
      'value "x": is defined by Tanh "x" and also as an input',
    ],
    [
      "one node with the same output twice",
      { node: [node("Split", ["x"], ["y", "y"])] },
      'value "y": is defined by Split "y" and also by Split',
    ],
    [
      "an initializer twice",
      { initializer: [floats("w", [1]), floats("w", [2])] },
      'initializer "w": is in the model twice',
    ],
    ["an input twice", { input: [info("x"), info("x")] }, 'graph input "x": is in the model twice'],
    ["an initializer without name", { initializer: [floats("w", [1]), floats("", [2])] }, "initializer 1: has no name"],
    [
      "a cycle",
      { node: [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])] },
      'Add "a": waits for its own output through "a"; a model must not have cycles',
    ],
    ["a node that reads itself", { node: [node("Add", ["x", "y"], ["y"])] }, 'Add "y": waits for its own output'],
    [
      "an attribute twice",
      { node: [node("Relu", ["x"], ["y"], { attribute: [{ name: "a" }, { name: "a" }] })] },
      'attribute "a" of Relu "y": is given twice',
    ],
  ])("%s", (_, graph, sentence) => expectError(modelFile(graph), sentence));
});

describe("tensors whose data does not fit", () => {
  test.each([
    [
      "raw data cut short",
      { ...floats("t", [1, 2]), dims: [3n] },
      'initializer "t": holds 2 elements, but its dims [3] of float32 need 3',
    ],
    [
      "raw data cut within an element",
      { dims: [1n], dataType: DataType.FLOAT, rawData: Uint8Array.of(1, 2) },
      "holds 0.5 elements",
    ],
    ["no data", { dims: [2n], dataType: DataType.FLOAT }, "holds 0 elements, but its dims [2] of float32 need 2"],
    [
      "too many integers",
      { dims: [1n], dataType: DataType.INT64, int64Data: [1n, -2n] },
      "holds 2 elements, but its dims [1] of int64 need 1",
    ],
    ["negative dims", { dims: [-1n], dataType: DataType.FLOAT }, "its dims [-1] are impossible"],
    ["dims beyond all numbers", { dims: [2n ** 62n, 2n ** 62n], dataType: DataType.FLOAT }, "are impossible"],
  ])("%s", (_, tensor, sentence) => expectError(fileWithTensor(tensor), sentence));

  test("in an attribute", () => {
    const value = { name: "value", type: AttributeType.TENSOR, t: { ...floats("t", [1]), dims: [2n] } };
    const file = modelFile({ node: [node("Constant", [], ["y"], { attribute: [value] })] });
    expectError(file, 'attribute "value" of Constant "y": holds 1 elements');
  });
});

test("a file that ends early is cut short", () => {
  const file = modelFile();
  expectError(file.subarray(0, file.length - 30), "model: is cut short or damaged (field 7 needs");
});
