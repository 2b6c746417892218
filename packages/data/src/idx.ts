/** The IDX format of MNIST and its kin: two zero bytes, element type, rank, big-endian dims, data. */
import { ShrinkError, sizeOf, Tensor } from "@shrinknet/core";

const unsignedByte = 0x08;

/** Whether the bytes begin as an IDX file of any element type does. */
export function isIdx(bytes: Uint8Array): boolean {
  const [zero, zero2, type = 0, rank = 0] = bytes;
  return zero === 0 && zero2 === 0 && type >= 0x08 && type <= 0x0e && rank >= 1 && rank <= 8;
}

/**
 * The array in an IDX file of unsigned bytes, as uint8: images `[N, rows, columns]`, labels `[N]`.
 *
 * Throws a `data` error for other contents, other element types, and files that are cut short or too long.
 */
export function readIdx(bytes: Uint8Array, source: string): Tensor {
  const [, , type = 0, rank = 0] = bytes;
  if (!isIdx(bytes)) {
    const found = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    fail(source, `begins with the bytes ${found}, expected 00 00 08 03 (IDX images) or 00 00 08 01 (IDX labels)`);
  }
  if (type !== unsignedByte) {
    fail(source, `has IDX element type 0x0${type.toString(16)}, expected 0x08 (unsigned byte)`);
  }
  const start = 4 + 4 * rank;
  if (bytes.length < start) fail(source, `is cut short: it ends within the header, after ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, start);
  const dims = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const data = bytes.subarray(start);
  if (data.length !== sizeOf(dims)) {
    const cut = data.length < sizeOf(dims) ? "is cut short: it" : "has bytes left over: it";
    fail(source, `${cut} holds ${data.length} bytes of data, expected ${sizeOf(dims)} for [${dims.join(", ")}]`);
  }
  return new Tensor("uint8", dims, data);
}

function fail(source: string, problem: string): never {
  throw new ShrinkError("data", `${source} ${problem}. Download or copy the file again.`);
}
