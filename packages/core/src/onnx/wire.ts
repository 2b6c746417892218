/**
 * Protobuf's wire format by hand, where the generated code would copy weights: finding the fields of a message, and
 * building a message from pieces of which the large ones are views of the file.
 */
import { type DescMessage, type MessageShape, mergeFromBinary } from "@bufbuild/protobuf";
import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { ShrinkError } from "../errors.ts";

/** Largest message that protobuf allows, in bytes. */
export const maxMessageBytes: number = 2 ** 31 - 1;

/** One field as it stands in the bytes of a message. */
interface WireField {
  readonly no: number;
  readonly wireType: WireType;
  /** Where the field starts and ends in the message, tag included. */
  readonly start: number;
  readonly end: number;
  /** The value: the payload of a length-delimited field, else the encoded number. A view. */
  readonly body: Uint8Array<ArrayBuffer>;
}

/** The top-level fields of a message, in file order. Throws a plain Error where the bytes end early or make no sense. */
function* fieldsOf(message: Uint8Array): Generator<WireField> {
  const bytes = message as Uint8Array<ArrayBuffer>;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const start = reader.pos;
    const [no, wireType] = reader.tag();
    const length = wireType === WireType.LengthDelimited ? reader.uint32() : 0;
    const from = reader.pos;
    if (wireType === WireType.LengthDelimited) reader.pos += length;
    else reader.skip(wireType, no);
    if (reader.pos > reader.len) {
      throw new Error(`field ${no} needs ${length} bytes, ${reader.len - from} are left`);
    }
    yield {
      no,
      wireType,
      start,
      end: reader.pos,
      body: bytes.subarray(from, reader.pos),
    };
  }
}

/** Merges `bytes` into `message`, leaving out the fields that `claim` takes for itself. */
export function mergeRest<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  bytes: Uint8Array,
  claim: (field: WireField) => boolean,
): void {
  let from = 0;
  const merge = (end: number): void => {
    if (end > from) mergeFromBinary(schema, message, bytes.subarray(from, end));
  };
  for (const field of fieldsOf(bytes)) {
    if (!claim(field)) continue;
    merge(field.start);
    from = field.end;
  }
  merge(bytes.length);
}

/** Bytes, or something large that makes its bytes when they are written: a tensor. */
export type Piece = Uint8Array | { readonly byteLength: number; readonly bytes: Uint8Array };

/** The bytes of a piece; made by this question where they are not there yet. */
export function bytesOf(piece: Piece): Uint8Array {
  return piece instanceof Uint8Array ? piece : piece.bytes;
}

/** Bytes of all pieces together. */
export function totalBytes(pieces: readonly Piece[]): number {
  let total = 0;
  for (const piece of pieces) total += piece.byteLength;
  return total;
}

/** All pieces in one array; the piece itself where there is only one. */
export function join(pieces: readonly Piece[]): Uint8Array {
  const [first] = pieces;
  if (pieces.length === 1 && first) return bytesOf(first);
  const joined = new Uint8Array(totalBytes(pieces));
  let at = 0;
  for (const piece of pieces) {
    joined.set(bytesOf(piece), at);
    at += piece.byteLength;
  }
  return joined;
}

/** A length-delimited field: tag and length in front of the pieces of its payload. */
export function delimited(no: number, payload: readonly Piece[]): Piece[] {
  const length = totalBytes(payload);
  if (length > maxMessageBytes) throw tooLarge(length);
  return [new BinaryWriter().tag(no, WireType.LengthDelimited).uint32(length).finish(), ...payload];
}

/** Pieces of fields to put into a message, by field number. */
export type Insertion = readonly [no: number, pieces: readonly Piece[]];

/**
 * Puts fields into an encoded message at the place their number gives them, so that what we write has its fields in
 * the order every protobuf writer uses. `insertions` ascend by number and their pieces carry their own tags.
 */
export function weave(message: Uint8Array, insertions: readonly Insertion[]): Piece[] {
  const pieces: Piece[] = [];
  const waiting = [...insertions];
  let from = 0;
  const flush = (end: number): void => {
    if (end > from) pieces.push(message.subarray(from, end));
    from = end;
  };
  for (const field of fieldsOf(message)) {
    while (waiting[0] && waiting[0][0] < field.no) {
      flush(field.start);
      for (const piece of waiting.shift()?.[1] ?? []) pieces.push(piece);
    }
  }
  flush(message.length);
  for (const [, rest] of waiting) for (const piece of rest) pieces.push(piece);
  return pieces;
}

/** The error for a file that protobuf cannot hold. */
export function tooLarge(bytes: number): ShrinkError {
  return new ShrinkError(
    "model",
    `model: needs ${(bytes / 2 ** 30).toFixed(1)} GB with its weights inside the file, but an ONNX file can hold at most 2 GB; ` +
      "remove more units or store the weights in a smaller element type",
  );
}
