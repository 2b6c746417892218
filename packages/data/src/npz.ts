/** The .npz format: a zip of .npy files, one for each named array. */

import { ShrinkError, type Tensor } from "@shrinknet/core";
import { unzipSync, type Zippable, zipSync } from "fflate";
import { checkInflated } from "./inflated.ts";
import { readNpy, writeNpy } from "./npy.ts";

/** Whether the bytes begin as a zip file does. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/**
 * The arrays by name. Members of the zip that are not `.npy` are skipped.
 *
 * Throws a `data` error for a damaged zip, one without arrays, and arrays that {@link readNpy} cannot read.
 */
export function readNpz(bytes: Uint8Array, source: string): Record<string, Tensor> {
  const skipped: string[] = [];
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes, {
      filter: ({ name, size, originalSize }) => {
        const isArray = name.endsWith(".npy");
        if (isArray) checkInflated(originalSize, size, `${source}: array "${name.slice(0, -".npy".length)}"`);
        if (!isArray) skipped.push(name);
        return isArray;
      },
    });
  } catch (cause) {
    if (cause instanceof ShrinkError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ShrinkError(
      "data",
      `${source}: the zip is damaged or cut short (${reason}), expected the output of numpy.savez. Save or copy it again.`,
      { cause },
    );
  }
  const arrays = Object.entries(members).map(([member, content]): [string, Tensor] => {
    const name = member.slice(0, -".npy".length);
    return [name, readNpy(content, `${source}: array "${name}"`)];
  });
  if (arrays.length === 0) {
    const found = skipped.length > 0 ? skipped.slice(0, 5).join(", ") : "nothing";
    throw new ShrinkError(
      "data",
      `${source}: the zip holds no arrays, found ${found}, expected x.npy and perhaps y.npy. Save it with numpy.savez.`,
    );
  }
  return Object.fromEntries(arrays);
}

export interface WriteNpzOptions {
  /** Deflate level 1 (fast) to 9 (small); 0 stores without compression. Default 6. */
  readonly level?: 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
}

/** A .npz file with these arrays, in this order. The same arrays give the same bytes. */
export function writeNpz(arrays: Readonly<Record<string, Tensor>>, { level = 6 }: WriteNpzOptions = {}): Uint8Array {
  const members: Zippable = {};
  for (const [name, tensor] of Object.entries(arrays)) members[`${name}.npy`] = writeNpy(tensor);
  return zipSync(members, { level, mtime: new Date(1980, 0, 1) });
}
