/** Reading whole files, large ones in parts: the system hands out no more than 2 GiB at a time. */

import { constants } from "node:buffer";
import { open, readFile, stat } from "node:fs/promises";

/** Bytes. */
const MOST_AT_ONCE = 2 ** 30;

/** The bytes of a file. Rejects as `readFile` does, with `ERR_FS_FILE_TOO_LARGE` above what one array can hold (4 GiB), and `ENOTFILE` for a pipe or a device: reading it might never end. */
export async function readWhole(path: string, mostAtOnce: number = MOST_AT_ONCE): Promise<Uint8Array> {
  const found = await stat(path);
  if (!found.isFile() && !found.isDirectory()) throw Object.assign(new Error("no ordinary file"), { code: "ENOTFILE" });
  const { size } = found;
  if (size <= mostAtOnce || size > constants.MAX_LENGTH) {
    const buffer = await readFile(path);
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  }
  const bytes = new Uint8Array(size);
  const file = await open(path);
  try {
    for (let at = 0; at < size; ) {
      const { bytesRead } = await file.read(bytes, at, Math.min(mostAtOnce, size - at), at);
      if (bytesRead === 0) return bytes.subarray(0, at);
      at += bytesRead;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
