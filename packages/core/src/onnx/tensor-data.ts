/**
 * Tensors between file and memory. Raw data and packed floats stay views of the file; integers in typed fields are
 * decoded once. A tensor that nobody changed is written as the very bytes it was read from.
 */
import { clearField, create, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { type TensorProto, TensorProtoSchema } from "onnx-buf";
import { ShrinkError } from "../errors.ts";
import { allocate, bytesPerElement, type ElementType, sizeOf, Tensor, type TypedArray } from "../graph/tensor.ts";
import { dataTypeOf, elementTypeOf, typedFieldOf } from "./element-types.ts";
import type { ExternalData } from "./external-data.ts";
import { assign, startFrom } from "./messages.ts";
import { delimited, join, mergeRest, type Piece, weave } from "./wire.ts";

const rawDataField = 9;
const typedFields: ReadonlySet<number> = new Set([4, 5, 7, 10, 11]);

/** A TensorProto taken apart: everything but the elements, and the elements as encoded. */
interface TensorParts {
  readonly header: TensorProto;
  readonly typed: ReadonlyMap<number, readonly Uint8Array[]>;
}

/** A tensor as an initializer has it: a name, and a Tensor or (where Tensor cannot hold it) the encoded message. */
type NamedTensor =
  | { readonly name: string; readonly tensor: Tensor }
  | { readonly name: string; readonly encoded: Uint8Array };

interface FileRecord {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The encoded TensorProto of every initializer that was read and has all its data inside the file. */
const records = new WeakMap<Tensor, FileRecord>();

/** Reads an encoded TensorProto. Throws a ShrinkError where the data does not fit the dims. */
export function readInitializer(bytes: Uint8Array, external: ExternalData): NamedTensor {
  const parts = takeApart(bytes);
  const { name } = parts.header;
  const subject = `initializer "${name}"`;
  const isExternal = external.inline(parts.header, subject);
  const tensor = decode(parts, subject);
  if (!tensor)
    return {
      name,
      encoded: isExternal ? toBinary(TensorProtoSchema, parts.header) : bytes,
    };
  if (!isExternal) records.set(tensor, { name, bytes });
  return { name, tensor };
}

/** Reads the tensor of an attribute, its external data already inlined; undefined where Tensor cannot hold it. */
export function readTensor(message: TensorProto, subject: string): Tensor | undefined {
  const { floatData, int32Data, int64Data, doubleData, uint64Data } = message;
  const isTyped = [floatData, int32Data, int64Data, doubleData, uint64Data].some((list) => list.length > 0);
  if (isTyped) return decode(takeApart(toBinary(TensorProtoSchema, message)), subject);
  return decode({ header: startFrom(TensorProtoSchema, message), typed: new Map() }, subject);
}

/** The encoded TensorProto of an initializer, in pieces; the data itself is never copied. */
export function initializerPieces(name: string, tensor: Tensor): Piece[] {
  const record = records.get(tensor);
  return record?.name === name ? [record.bytes] : tensorPieces(tensor, name);
}

/** The encoded TensorProto with raw data, in pieces. Doc string, metadata and unknown fields come from the origin. */
export function tensorPieces(tensor: Tensor, name?: string): Piece[] {
  const header = startFrom(TensorProtoSchema, tensor.origin);
  header.dims = tensor.dims.map(BigInt);
  header.dataType = dataTypeOf(tensor.type);
  if (name !== undefined) assign(header, "name", name);
  return weave(toBinary(TensorProtoSchema, header), [[rawDataField, delimited(rawDataField, [tensor])]]);
}

/** Whether the tensor was read from a file and its elements come from there. */
export function isFromFile(tensor: Tensor): boolean {
  return records.has(tensor);
}

function takeApart(bytes: Uint8Array): TensorParts {
  const header = create(TensorProtoSchema);
  const typed = new Map<number, Uint8Array[]>();
  mergeRest(TensorProtoSchema, header, bytes, ({ no, body }) => {
    if (!typedFields.has(no)) return false;
    const pieces = typed.get(no);
    if (pieces) pieces.push(body);
    else typed.set(no, [body]);
    return true;
  });
  return { header, typed };
}

function decode({ header, typed }: TensorParts, subject: string): Tensor | undefined {
  const type = elementTypeOf(header.dataType);
  if (!type || header.segment) return undefined;
  const dims = header.dims.map(Number);
  const size = sizeOf(dims);
  if (dims.some((dim) => dim < 0) || !Number.isSafeInteger(size)) {
    throw new ShrinkError("model", `${subject}: its dims [${dims.join(", ")}] are impossible; the file is damaged`);
  }
  const raw = header.rawData;
  clearField(header, TensorProtoSchema.field.rawData);
  const pieces = typed.get(typedFieldOf(type));
  const check = (count: number): void => {
    if (count === size) return;
    throw new ShrinkError(
      "model",
      `${subject}: holds ${count} elements, but its dims [${dims.join(", ")}] of ${type} need ${size}; ` +
        "the file is cut short or damaged; export it again",
    );
  };
  // Packed floats are stored exactly as raw data is, little-endian and without gaps.
  if (!pieces || type === "float32" || type === "float64") {
    const bytes = raw.byteLength > 0 || !pieces ? raw : join(pieces);
    check(bytes.byteLength / bytesPerElement(type));
    return new Tensor(type, dims, bytes, { raw: true, origin: header });
  }
  const varints = join(pieces);
  check(countVarints(varints));
  return new Tensor(type, dims, decodeVarints(type, varints, size), {
    origin: header,
  });
}

function countVarints(bytes: Uint8Array): number {
  let count = 0;
  for (const byte of bytes) if (byte < 0x80) count++;
  return count;
}

function decodeVarints(type: ElementType, bytes: Uint8Array, size: number): TypedArray {
  const reader = new BinaryReader(bytes);
  const data = allocate(type, size);
  if (data instanceof BigInt64Array) for (let i = 0; i < size; i++) data[i] = BigInt(reader.int64());
  else if (data instanceof BigUint64Array) for (let i = 0; i < size; i++) data[i] = BigInt(reader.uint64());
  // The typed array keeps the low bits, which is how small and unsigned integers are packed into int32_data.
  else for (let i = 0; i < size; i++) data[i] = reader.uint32();
  return data;
}
