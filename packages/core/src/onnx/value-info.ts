/** Names, types and shapes of graph inputs, outputs and inner values. */
import { isMessage } from "@bufbuild/protobuf";
import {
  TensorShapeProto_DimensionSchema as DimensionSchema,
  type TensorShapeProto,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import type { ValueInfo } from "../graph/graph.ts";
import { dataTypeOf, elementTypeOf } from "./element-types.ts";
import { assign, startFrom } from "./messages.ts";

type Shape = NonNullable<ValueInfo["shape"]>;

/** ONNX's number for strings. */
const STRING = 8;

/** Values that are not dense tensors (sequences, maps, optionals) have neither type nor shape here. */
export function readValueInfo(message: ValueInfoProto): ValueInfo {
  const isOther = isOtherValue(message);
  const tensor = message.type?.value.case === "tensorType" ? message.type.value.value : undefined;
  const shape = tensor?.shape?.dim.map(({ value }) => {
    if (value.case === "dimParam") return value.value || null;
    // Some exporters write -1 for an axis whose length they do not know.
    return value.case === "dimValue" && value.value >= 0n ? Number(value.value) : null;
  });
  const type = elementTypeOf(tensor?.elemType ?? 0);
  return { name: message.name, type, shape, ...(isOther && { isOther }), origin: message };
}

/** Whether the message declares something else than a tensor of numbers. */
export function isOtherValue({ type }: ValueInfoProto): boolean {
  const declared = type?.value;
  if (declared?.case === "tensorType") return declared.value.elemType === STRING;
  return declared?.case !== undefined;
}

/** The message for a ValueInfo; without a type, only the name is written and the runtime infers the rest. */
export function writeValueInfo(info: ValueInfo): ValueInfoProto {
  const message = startFrom(ValueInfoProtoSchema, info.origin);
  assign(message, "name", info.name);
  const old = isMessage(info.origin, ValueInfoProtoSchema) ? readValueInfo(info.origin) : undefined;
  if (old && old.type === info.type && sameShape(old.shape, info.shape)) return message;

  const oldType = message.type;
  const type = startFrom(TypeProtoSchema, oldType);
  const oldTensor = oldType?.value.case === "tensorType" ? oldType.value.value : undefined;
  const tensor = startFrom(TypeProto_TensorSchema, oldTensor);
  // An element type that ElementType has no name for reads as undefined and stays what it is.
  if (info.type && old?.type !== info.type) tensor.elemType = dataTypeOf(info.type);
  if (!sameShape(old?.shape, info.shape)) {
    if (info.shape) tensor.shape = writeShape(info.shape, old?.shape, oldTensor?.shape);
    else delete tensor.shape;
  }
  if (tensor.elemType === 0) {
    delete message.type;
    return message;
  }
  type.value = { case: "tensorType", value: tensor };
  message.type = type;
  return message;
}

function writeShape(shape: Shape, old: Shape | undefined, origin: TensorShapeProto | undefined): TensorShapeProto {
  const message = startFrom(TensorShapeProtoSchema, origin);
  const isSameRank = old?.length === shape.length;
  message.dim = shape.map((dim, axis) => {
    const from = isSameRank ? origin?.dim[axis] : undefined;
    if (from && old?.[axis] === dim) return from;
    const dimension = startFrom(DimensionSchema, from); // keeps what the axis denotes
    if (typeof dim === "number") dimension.value = { case: "dimValue", value: BigInt(dim) };
    else if (dim !== null) dimension.value = { case: "dimParam", value: dim };
    else dimension.value = { case: undefined };
    return dimension;
  });
  return message;
}

function sameShape(a: Shape | undefined, b: Shape | undefined): boolean {
  if (!a || !b) return a === b;
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}
