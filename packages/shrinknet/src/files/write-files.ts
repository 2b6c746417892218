/** Files are complete or not there: each is written under a temporary name beside its target, then renamed. */
import { randomBytes } from "node:crypto";
import { realpath, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { ShrinkError } from "@shrinknet/core";

export interface OutputFile {
  readonly path: string;
  readonly content: string | Uint8Array;
}

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
      const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString("hex")}.tmp`);
      written.push({ path, temporary, target });
      await writeFile(temporary, content, { flag: "wx", flush: true });
    }
    for (const { path, temporary, target } of written) {
      current = path;
      await rename(temporary, target);
    }
  } catch (cause) {
    for (const { temporary } of written) await rm(temporary, { force: true });
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOSPC" ? "the disk is full" : (code ?? message);
    throw new ShrinkError("file", `${current}: cannot be written (${reason})`, { cause });
  }
}
