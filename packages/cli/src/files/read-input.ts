import { readFile } from "node:fs/promises";
import { ShrinkError } from "shrinknet";

/** The bytes of an input file. Throws a `file` error that says why not; `what` is for that message: `an ONNX file`. */
export async function readInput(path: string, what: string): Promise<Uint8Array> {
  try {
    const buffer = await readFile(path);
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  } catch (cause) {
    throw new ShrinkError(
      "file",
      `${path}: ${reason(cause as NodeJS.ErrnoException)}, expected ${what}; check the path`,
      {
        cause,
      },
    );
  }
}

function reason({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file";
    case "EISDIR":
      return "is a folder";
    case "EACCES":
    case "EPERM":
      return "may not be read";
    case "ERR_FS_FILE_TOO_LARGE":
      return "is over 2 GiB";
    default:
      return `cannot be read (${code ?? message})`;
  }
}
