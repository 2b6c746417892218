/** Some rows of a large `.npy` file, or of arrays stored in an `.npz`, without reading the rest. */
import { type FileHandle, open } from "node:fs/promises";
import { ShrinkError, Tensor } from "@shrinknet/core";
import { checkRoom } from "./inflated.ts";
import { npyHeader } from "./npy.ts";

/** An array in a file: where its rows begin, and how long each is. */
export interface StoredArray {
  readonly type: Tensor["type"];
  readonly dims: readonly number[];
  /** Bytes before row 0. */
  readonly start: number;
  readonly rowBytes: number;
}

/** More than a header needs. */
const HEADER = 64 * 1024;

/** The array that begins at byte `at` of a file, `length` bytes long. Undefined where it is in column order. Throws as `readNpy` does. */
export async function storedArray(
  file: FileHandle,
  at: number,
  length: number,
  where: string,
): Promise<StoredArray | undefined> {
  const head = new Uint8Array(Math.min(HEADER, length));
  await file.read(head, 0, head.length, at);
  const { type, dims, start, isFortran, bytes } = npyHeader(head, where, length);
  return isFortran || dims.length === 0
    ? undefined
    : { type, dims, start: at + start, rowBytes: bytes / Math.max(1, dims[0] as number) };
}

/** Those rows as a tensor [rows, ...]. Throws a `data` error for a cut file, and for more rows than one array can hold. */
export async function readRows(
  file: FileHandle,
  { type, dims, start, rowBytes }: StoredArray,
  rows: readonly number[],
  where: string,
): Promise<Tensor> {
  checkRoom(rows.length * rowBytes, where);
  const bytes = new Uint8Array(rows.length * rowBytes);
  for (const [at, row] of rows.entries()) {
    const { bytesRead } = await file.read(bytes, at * rowBytes, rowBytes, start + row * rowBytes);
    if (bytesRead < rowBytes)
      throw new ShrinkError("data", `${where} is cut short: row ${row} is not there. Save it again.`);
  }
  return new Tensor(type, [rows.length, ...dims.slice(1)], bytes, { raw: true });
}

/** Arrays by name of a file that can be read in rows; undefined: it must be read whole. The file must be closed. */
export async function openStored(
  path: string,
  source: string,
): Promise<{ readonly file: FileHandle; readonly arrays: ReadonlyMap<string, StoredArray> } | undefined> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const magic = new Uint8Array(6);
    await file.read(magic, 0, 6, 0);
    const members =
      magic[0] === 0x93
        ? [{ name: "x", at: 0, length: size }]
        : magic[0] === 0x50
          ? await storedMembers(file, size)
          : undefined;
    const arrays = new Map<string, StoredArray>();
    for (const { name, at, length } of members ?? []) {
      const found = await storedArray(file, at, length, `${source}: array "${name}"`);
      if (found) arrays.set(name, found);
    }
    if (members && arrays.size === members.length && arrays.size > 0) return { file, arrays };
  } catch (error) {
    await file.close();
    throw error;
  }
  await file.close();
  return undefined;
}

/** The end of a zip: signature and sizes, and a comment of at most 64 kB. */
const END = 22;
const COMMENT = 65_535;

/** Members of a zip that are stored as they are; undefined where one is packed, or the file is not read so (zip64, damaged). */
async function storedMembers(
  file: FileHandle,
  size: number,
): Promise<{ name: string; at: number; length: number }[] | undefined> {
  const tail = new Uint8Array(Math.min(size, END + COMMENT));
  await file.read(tail, 0, tail.length, size - tail.length);
  const end = Buffer.from(tail.buffer).lastIndexOf("PK\u0005\u0006");
  if (end < 0) return undefined;
  const view = new DataView(tail.buffer, end);
  const [count, length, start] = [view.getUint16(10, true), view.getUint32(12, true), view.getUint32(16, true)];
  if (count === 0xffff || start === 0xffff_ffff || start + length > size) return undefined;
  const directory = new Uint8Array(length);
  await file.read(directory, 0, length, start);
  const entry = new DataView(directory.buffer);
  const members: { name: string; at: number; length: number }[] = [];
  for (let at = 0, seen = 0; seen < count; seen++) {
    if (at + 46 > length || entry.getUint32(at, true) !== 0x0201_4b50) return undefined;
    const [method, packed, bytes] = [
      entry.getUint16(at + 10, true),
      entry.getUint32(at + 20, true),
      entry.getUint32(at + 24, true),
    ];
    const [nameLength, extra, comment] = [
      entry.getUint16(at + 28, true),
      entry.getUint16(at + 30, true),
      entry.getUint16(at + 32, true),
    ];
    const name = new TextDecoder().decode(directory.subarray(at + 46, at + 46 + nameLength));
    const header = entry.getUint32(at + 42, true);
    if (header === 0xffff_ffff || bytes === 0xffff_ffff) return undefined;
    if (name.endsWith(".npy")) {
      if (method !== 0 || packed !== bytes) return undefined;
      const local = new Uint8Array(30);
      await file.read(local, 0, 30, header);
      const own = new DataView(local.buffer);
      members.push({
        name: name.slice(0, -".npy".length),
        at: header + 30 + own.getUint16(26, true) + own.getUint16(28, true),
        length: bytes,
      });
    }
    at += 46 + nameLength + extra + comment;
  }
  return members;
}
