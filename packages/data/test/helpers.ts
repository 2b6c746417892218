import { ShrinkError } from "@shrinknet/core";
import { expect } from "vitest";

/** A .npy file with any header; `data` are its bytes. */
export function npyFile(dict: string, data: Uint8Array, version: 1 | 2 | 3 = 1): Uint8Array {
  const header = new TextEncoder().encode(`${dict}\n`);
  const length =
    version === 1 ? [header.length & 255, header.length >> 8] : [header.length & 255, header.length >> 8, 0, 0];
  return Uint8Array.of(0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0, ...length, ...header, ...data);
}

/** An IDX file of unsigned bytes unless `type` says another. */
export function idxFile(dims: readonly number[], data: ArrayLike<number>, type = 0x08): Uint8Array {
  const big = dims.flatMap((dim) => [dim >>> 24, (dim >>> 16) & 255, (dim >>> 8) & 255, dim & 255]);
  return Uint8Array.of(0, 0, type, dims.length, ...big, ...Array.from(data));
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The message of the ShrinkError that `action` throws, which has code "data" unless said otherwise. */
export async function messageOf(action: () => unknown, code = "data"): Promise<string> {
  try {
    await action();
  } catch (error) {
    expect(error).toBeInstanceOf(ShrinkError);
    expect((error as ShrinkError).code).toBe(code);
    return (error as ShrinkError).message;
  }
  throw new Error("nothing thrown");
}
