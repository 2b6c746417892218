/** Files that come in and go out. */
import type { NamedBytes } from "../backend/backend.ts";

/** What was dropped or chosen, read. */
export async function readDropped(files: Iterable<File> | undefined | null): Promise<NamedBytes[]> {
  return await Promise.all(
    Array.from(files ?? [], async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) })),
  );
}

/** Hands a file to the person. */
export function save(name: string, content: Uint8Array | string, type: string): void {
  const url = URL.createObjectURL(new Blob([content as BlobPart], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
