/**
 * Attributes between file and memory. One whose value nobody replaced is written from its original message, because
 * Attribute says less than the message does (64-bit integers become numbers, bodies become the names they read).
 */
import { clearField, create, toBinary } from "@bufbuild/protobuf";
import { getTextEncoding } from "@bufbuild/protobuf/wire";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  AttributeProto_AttributeType as Type,
} from "onnx-buf";
import { ShrinkError } from "../errors.ts";
import type { Attribute } from "../graph/graph.ts";
import { capturedNames, ownNames } from "./bodies.ts";
import { assign, startFrom } from "./messages.ts";
import { readTensor, tensorPieces } from "./tensor-data.ts";
import { isOtherValue } from "./value-info.ts";
import { delimited, type Piece, weave } from "./wire.ts";

const tensorField = 5;

/** The value that was read from a message, to recognise attributes that nobody changed. */
const readValues = new WeakMap<object, Attribute["value"]>();

/** Reads an attribute. `subject` names it in messages: `attribute "axis" of Concat "c"`. */
export function readAttribute(message: AttributeProto, subject: string): Attribute {
  const attribute: Attribute = { ...decodeValue(message, subject), origin: message };
  readValues.set(message, attribute.value);
  return attribute;
}

/** The encoded AttributeProto, in pieces. Throws a ShrinkError where its value cannot be encoded. */
export function attributePieces(name: string, attribute: Attribute, subject: string): Piece[] {
  const { kind, origin } = attribute;
  // A large tensor must not be copied, so tensors take the long way even when unchanged.
  if (kind !== "tensor" && isUnchanged(name, attribute)) {
    return [toBinary(AttributeProtoSchema, startFrom(AttributeProtoSchema, origin))];
  }
  if (kind === "graph" || kind === "other") {
    throw new ShrinkError(
      "model",
      `${subject}: cannot be written, because attributes of kind "${kind}" are only carried along from the file; ` +
        "keep the attribute object that was read",
    );
  }
  const message = withoutValue(origin);
  assign(message, "name", name);
  try {
    return encode(message, attribute);
  } catch (cause) {
    if (cause instanceof ShrinkError) throw cause;
    throw new ShrinkError(
      "model",
      `${subject}: ${String(attribute.value)} cannot be written as ${kind}; ` +
        "expected values that the attribute's type can hold",
      { cause },
    );
  }
}

function isUnchanged(name: string, { value, origin }: Attribute): boolean {
  if (typeof origin !== "object" || origin === null || !readValues.has(origin)) return false;
  return Object.is(readValues.get(origin), value) && (origin as AttributeProto).name === name;
}

/** Files older than IR version 2 leave the type out; then the field that is set says it. */
function typeOf(message: AttributeProto): Type {
  if (message.type !== Type.UNDEFINED) return message.type;
  if (message.t) return Type.TENSOR;
  if (message.g) return Type.GRAPH;
  if (message.ints.length > 0) return Type.INTS;
  if (message.floats.length > 0) return Type.FLOATS;
  if (message.strings.length > 0) return Type.STRINGS;
  if (Object.hasOwn(message, "i")) return Type.INT;
  if (Object.hasOwn(message, "f")) return Type.FLOAT;
  return Object.hasOwn(message, "s") ? Type.STRING : Type.UNDEFINED;
}

function decodeValue(message: AttributeProto, subject: string): Attribute {
  const { decodeUtf8 } = getTextEncoding();
  // Inside a function, the value comes from the attribute of the call.
  if (message.refAttrName !== "") return { kind: "other", value: undefined };
  switch (typeOf(message)) {
    case Type.INT:
      return { kind: "int", value: Number(message.i) };
    case Type.FLOAT:
      return { kind: "float", value: message.f };
    case Type.STRING:
      return { kind: "string", value: decodeUtf8(message.s) };
    case Type.INTS:
      return { kind: "ints", value: message.ints.map(Number) };
    case Type.FLOATS:
      return { kind: "floats", value: message.floats };
    case Type.STRINGS:
      return { kind: "strings", value: message.strings.map((text) => decodeUtf8(text)) };
    case Type.GRAPH:
      return bodies(message.g ? [message.g] : []);
    case Type.GRAPHS:
      return bodies(message.graphs);
    case Type.TENSOR: {
      // A tensor of strings or another type that Tensor cannot hold stays with the origin.
      const tensor = message.t && readTensor(message.t, subject);
      return tensor ? { kind: "tensor", value: tensor } : { kind: "other", value: undefined };
    }
    default:
      return { kind: "other", value: undefined };
  }
}

function bodies(graphs: readonly GraphProto[]): Attribute {
  const otherOutputs = graphs.flatMap(({ output }) => output.map(isOtherValue));
  return { kind: "graph", value: capturedNames(graphs), own: ownNames(graphs), otherOutputs };
}

function encode(message: AttributeProto, attribute: Attribute): Piece[] {
  const { encodeUtf8 } = getTextEncoding();
  switch (attribute.kind) {
    case "int":
      message.type = Type.INT;
      message.i = BigInt(attribute.value);
      break;
    case "float":
      message.type = Type.FLOAT;
      message.f = attribute.value;
      break;
    case "string":
      message.type = Type.STRING;
      message.s = encodeUtf8(attribute.value);
      break;
    case "ints":
      message.type = Type.INTS;
      message.ints = attribute.value.map(BigInt);
      break;
    case "floats":
      message.type = Type.FLOATS;
      message.floats = [...attribute.value];
      break;
    case "strings":
      message.type = Type.STRINGS;
      message.strings = attribute.value.map(encodeUtf8);
      break;
    case "tensor":
      message.type = Type.TENSOR;
      return weave(toBinary(AttributeProtoSchema, message), [
        [tensorField, delimited(tensorField, tensorPieces(attribute.value))],
      ]);
    default:
      throw new Error(`kind ${attribute.kind}`);
  }
  return [toBinary(AttributeProtoSchema, message)];
}

/** Name, doc string and unknown fields of the origin; none of the fields that hold a value. */
function withoutValue(origin: unknown): AttributeProto {
  const message = startFrom(AttributeProtoSchema, origin);
  const { field } = AttributeProtoSchema;
  for (const value of [field.f, field.i, field.s, field.t, field.g, field.tp, field.sparseTensor, field.refAttrName]) {
    clearField(message, value);
  }
  const { floats, ints, strings, tensors, graphs, sparseTensors, typeProtos } = create(AttributeProtoSchema);
  return Object.assign(message, { floats, ints, strings, tensors, graphs, sparseTensors, typeProtos });
}
