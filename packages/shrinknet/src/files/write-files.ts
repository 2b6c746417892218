/** Files are complete or not there: each is written under a temporary name beside its target, then renamed. */
import { realpath, rename, writeFile } from "node:fs/promises";
import { ShrinkError } from "@shrinknet/core";
import { closeTemporary, temporaryBeside } from "./temporary.ts";

export interface OutputFile {
  readonly path: string;
  readonly content: string | Uint8Array;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full",
  EFBIG: "the file would be larger than is allowed",
  EDQUOT: "the disk quota is used up",
  ENAMETOOLONG: "its name is too long, expected at most 255 bytes",
  EROFS: "the file system is read-only",
};

/**
 * Writes all files, then renames them in the given order: put the one that matters most last. On an error all
 * temporary files are removed and a `file` error is thrown.
 */
export async function writeFiles(files: readonly OutputFile[]): Promise<void> {
  const written: { path: string; temporary: string; target: string }[] = [];
  let current = "";
  try {
    for (const { path, content } of files) {
      current = path;
      const target = await realpath(path).catch(() => path); // a link stays a link
      const temporary = temporaryBeside(target);
      written.push({ path, temporary, target });
      await writeFile(temporary, content, { flag: "wx", flush: true });
    }
    for (const { path, temporary, target } of written) {
      current = path;
      await rename(temporary, target);
      closeTemporary(temporary);
    }
  } catch (cause) {
    for (const { temporary } of written) closeTemporary(temporary);
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = REASONS[code ?? ""] ?? code ?? message;
    throw new ShrinkError("file", `${current}: cannot be written (${reason})`, { cause });
  }
}
