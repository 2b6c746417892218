import { describe, expect, test } from "vitest";
import { ShrinkError } from "../../src/errors.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import {
  AttributeType,
  bytesOf,
  DataType,
  decodeModel,
  fileWithTensor,
  modelFile,
  node,
  type TensorInit,
  thrown,
} from "./files.ts";

/** The other file: 4 bytes of something else, then three floats. */
const weights = Float32Array.of(9, 1, 2, 3);

const external = (entries: Record<string, string>, rest: TensorInit = {}): TensorInit => ({
  dims: [3n],
  dataType: DataType.FLOAT,
  dataLocation: 1,
  externalData: Object.entries(entries).map(([key, value]) => ({ key, value })),
  ...rest,
});

const inPlace = { location: "model.data", offset: "4", length: "12" };

function read(tensor: TensorInit, source: (location: string) => Uint8Array = () => bytesOf(weights)): unknown {
  return readModel(fileWithTensor(tensor), { externalData: source }).graph.initializers.get("t")?.data;
}

describe("external data", () => {
  test("is read from its place", () => {
    expect(read(external(inPlace))).toEqual(Float32Array.of(1, 2, 3));
  });

  test("has the length of its dims where none is given", () => {
    expect(read(external({ location: "sub/model.data" }))).toEqual(Float32Array.of(9, 1, 2));
  });

  test("asks for each file once, and takes a Node Buffer", () => {
    const asked: string[] = [];
    const tensor = external(inPlace);
    const file = modelFile({
      node: [node("Sum", ["a", "b"], ["y"])],
      initializer: [
        { ...tensor, name: "a" },
        { ...tensor, name: "b" },
      ],
    });
    const model = readModel(file, {
      externalData: (location) => {
        asked.push(location);
        return Buffer.concat([Buffer.of(0), bytesOf(weights)]).subarray(1);
      },
    });
    expect(asked).toEqual(["model.data"]);
    expect(model.graph.initializers.get("b")?.data).toEqual(Float32Array.of(1, 2, 3));
  });

  test("is written inside the file", () => {
    const file = fileWithTensor(external(inPlace, { docString: "kept" }));
    const written = decodeModel(writeModel(readModel(file, { externalData: () => bytesOf(weights) })));
    const [tensor] = written.graph?.initializer ?? [];
    expect(tensor).toMatchObject({ name: "t", docString: "kept", externalData: [], dims: [3n] });
    expect(Object.hasOwn(tensor ?? {}, "dataLocation")).toBe(false);
    expect(tensor?.rawData).toEqual(bytesOf(Float32Array.of(1, 2, 3)));
  });

  test("is written inside the file for bodies, functions, attributes and types that Tensor cannot hold", () => {
    const tensor = external(inPlace);
    const constant = node("Constant", [], ["k"], {
      attribute: [{ name: "value", type: AttributeType.TENSOR, t: tensor }],
    });
    const body = { node: [constant], initializer: [{ ...tensor, name: "b" }], output: [{ name: "k" }] };
    const file = modelFile(
      {
        node: [
          { ...constant, output: ["c"] },
          node("If", ["x"], ["y"], { attribute: [{ name: "then_branch", type: AttributeType.GRAPH, g: body }] }),
          node("Op", ["f8"], ["z"]),
        ],
        initializer: [external({ location: "model.data", length: "3" }, { name: "f8", dataType: DataType.FLOAT8E5M2 })],
        sparseInitializer: [{ values: { ...tensor, name: "s" }, dims: [9n] }],
      },
      {
        functions: [{ name: "f", domain: "custom", node: [constant] }],
        trainingInfo: [{ algorithm: body }],
      },
    );
    const written = writeModel(readModel(file, { externalData: () => bytesOf(weights) }));
    expect(Buffer.from(written).includes("model.data")).toBe(false);
    expect(readModel(written).graph.nodes.length).toBe(3);
  });
});

describe("external data that cannot be had", () => {
  test("no way to read it", () => {
    const error = thrown(() => readModel(fileWithTensor(external(inPlace))));
    expect(error).toMatchObject({ code: "model" });
    expect(String(error)).toContain(
      'initializer "t": its data lies in another file, "model.data", and nothing was given',
    );
  });

  test("an unreadable file", () => {
    const source = (): never => {
      throw new Error("ENOENT");
    };
    expect(String(thrown(() => read(external(inPlace), source)))).toContain(
      'initializer "t": its external data "model.data" cannot be read (ENOENT); it is expected beside the model',
    );
  });

  test("the caller's own ShrinkError passes", () => {
    const own = new ShrinkError("file", "model.data: not found");
    const source = (): never => {
      throw own;
    };
    expect(thrown(() => read(external(inPlace), source))).toBe(own);
  });

  test.each([
    ["too short a file", { ...inPlace, offset: "8" }, "has 16 bytes, but bytes 8 to 20 are needed"],
    ["an offset behind the end", { location: "model.data", offset: "99" }, "but bytes 99 to 111 are needed"],
    ["a length unlike the dims", { ...inPlace, length: "8" }, "holds 2 elements, but its dims [3] of float32 need 3"],
    ["an offset that is no number", { ...inPlace, offset: "-4" }, 'the offset of its external data is "-4"'],
    ["a length that is no number", { ...inPlace, length: "1e1" }, 'the length of its external data is "1e1"'],
    ["no location", { offset: "0" }, 'the location of its external data, "", is missing'],
    ["an absolute location", { location: "/etc/passwd" }, "is absolute"],
    ["a Windows drive", { location: "C:\\secret" }, "is absolute"],
    ["a URL", { location: "file:secret" }, "is absolute"],
    ["a way up", { location: "a/../../secret" }, "leaves the folder of the model"],
    ["a way up with backslashes", { location: "..\\secret" }, "leaves the folder of the model"],
  ])("%s", (_, entries, sentence) => {
    const error = thrown(() => read(external(entries as Record<string, string>)));
    expect(error).toMatchObject({ name: "ShrinkError", code: "model" });
    expect(String(error)).toContain(sentence);
    expect(String(error)).toContain('initializer "t": ');
  });
});
