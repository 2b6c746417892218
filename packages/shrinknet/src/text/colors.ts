import picocolors from "picocolors";
import type { Io } from "../io.ts";

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours for results; none where they are not wanted. */
export function colorsOf(io: Io): Colors {
  return picocolors.createColors(io.colors);
}
