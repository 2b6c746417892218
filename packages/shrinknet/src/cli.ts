/** The shrinknet command as a function: what `main.ts` runs and what tests call. */
export { type Io, processIo } from "./io.ts";
export { type ExitCode, run } from "./run.ts";
