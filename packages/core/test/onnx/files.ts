/** Small ONNX files made in memory, by the generated messages and not by our own writer. */
import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  AttributeProto_AttributeType as AttributeType,
  TensorProto_DataType as DataType,
  type GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from "onnx-buf";

export { AttributeType, DataType };

/** The plain-object form of what `create` takes, so that it can be spread. */
type Init<Desc extends DescMessage> = Extract<MessageInitShape<Desc>, { $typeName?: never }>;

export type GraphInit = Init<typeof GraphProtoSchema>;
export type NodeInit = Init<typeof NodeProtoSchema>;
export type TensorInit = Init<typeof TensorProtoSchema>;
export type ModelInit = Init<typeof ModelProtoSchema>;
type InfoInit = Init<typeof ValueInfoProtoSchema>;

export const info = (name: string, dims: readonly (number | string)[] = [1], elemType = DataType.FLOAT): InfoInit => ({
  name,
  type: {
    value: {
      case: "tensorType",
      value: {
        elemType,
        shape: {
          dim: dims.map((dim) => ({
            value:
              typeof dim === "number"
                ? { case: "dimValue" as const, value: BigInt(dim) }
                : { case: "dimParam" as const, value: dim },
          })),
        },
      },
    },
  },
});

/** The little-endian bytes of a typed array. */
export const bytesOf = (data: ArrayBufferView): Uint8Array<ArrayBuffer> =>
  new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength).slice();

export const floats = (
  name: string,
  values: readonly number[],
  dims: readonly number[] = [values.length],
): TensorInit => ({
  name,
  dims: dims.map(BigInt),
  dataType: DataType.FLOAT,
  rawData: bytesOf(Float32Array.from(values)),
});

export const node = (opType: string, input: string[], output: string[], rest: NodeInit = {}): NodeInit => ({
  opType,
  input,
  output,
  name: output[0] ?? "",
  ...rest,
});

/** y = Relu(x · w), with everything replaceable. */
export function modelMessage(graph: GraphInit = {}, rest: ModelInit = {}): ModelProto {
  return create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: "test",
    opsetImport: [{ domain: "", version: 17n }],
    graph: {
      name: "main",
      node: [node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["y"])],
      initializer: [floats("w", [1, 2, 3, 4, 5, 6], [2, 3])],
      input: [info("x", ["N", 2])],
      output: [info("y", ["N", 3])],
      ...graph,
    },
    ...rest,
  });
}

export function modelFile(graph: GraphInit = {}, rest: ModelInit = {}): Uint8Array {
  return toBinary(ModelProtoSchema, modelMessage(graph, rest));
}

/** A model whose only initializer is `tensor`, named "t" and read by an Identity. */
export function fileWithTensor(tensor: TensorInit): Uint8Array {
  return modelFile({
    node: [node("Identity", ["t"], ["y"])],
    initializer: [{ ...tensor, name: "t" }],
    input: [],
    output: [{ name: "y" }],
  });
}

export const decodeModel = (bytes: Uint8Array): ModelProto => fromBinary(ModelProtoSchema, bytes);

/** An unknown field as an encoder of a later ONNX version would write it. */
export const unknownField = (text: string): { no: number; wireType: WireType; data: Uint8Array } => ({
  no: 7777,
  wireType: WireType.LengthDelimited,
  data: new BinaryWriter().string(text).finish(),
});

/** Runs and returns what it throws. */
export function thrown(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}
