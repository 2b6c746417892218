/** Runs one command line. */
import { CommanderError } from "@commander-js/extra-typings";
import { type ExitCode, failureOf } from "./failure.ts";
import { type Io, processIo } from "./io.ts";
import { createProgram } from "./program.ts";

export type { ExitCode };

/**
 * Runs the command that `argv` (without node and script) asks for. Never throws: problems are told on `io.stderr`.
 *
 * @returns 0 done, 1 the work failed, 2 wrong usage
 */
export async function run(argv: readonly string[], io: Io = processIo()): Promise<ExitCode> {
  try {
    const program = await createProgram(argv, io);
    await program.parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2; // it has told what is wrong
    const { text, exitCode } = await failureOf(error, io.env);
    io.stderr.write(`shrinknet: ${text}\n`);
    return exitCode;
  }
}
