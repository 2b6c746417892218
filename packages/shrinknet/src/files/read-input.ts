import { ShrinkError } from "@shrinknet/core";
import { readWhole } from "@shrinknet/data/node";

/** The bytes of an input file. Throws a `file` error that says why not; `what` is for that message: `an ONNX file`. */
export async function readInput(path: string, what: string): Promise<Uint8Array> {
  try {
    return await readWhole(path);
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
    case "ENOTFILE":
      return "is a pipe or a device";
    case "ENAMETOOLONG":
      return "has a name that is too long";
    case "EISDIR":
      return "is a folder";
    case "EACCES":
    case "EPERM":
      return "may not be read";
    case "ERR_FS_FILE_TOO_LARGE":
      return "is over 4 GiB";
    default:
      return `cannot be read (${code ?? message})`;
  }
}
