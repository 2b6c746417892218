/** Runs one command line. */
import { CommanderError } from "@commander-js/extra-typings";
import { type ExitCode, failureOf } from "./failure.ts";
import { type Io, type Output, printJson, processIo } from "./io.ts";
import { createProgram } from "./program.ts";

export type { ExitCode };

/**
 * Runs the command that `argv` (without node and script) asks for. Never throws: problems are told on `io.stderr`.
 *
 * @returns 0 done, 1 the work failed, 2 wrong usage
 */
export async function run(argv: readonly string[], world: Io = processIo()): Promise<ExitCode> {
  const io = { ...world, stdout: printableOnly(world.stdout), stderr: printableOnly(world.stderr) };
  try {
    if (argv.includes("--json-schema")) {
      const { jsonSchemaOf } = await import("./json/schemas.ts");
      const schema = jsonSchemaOf(argv[0] ?? "");
      if (schema) {
        printJson(io, schema);
        return 0;
      }
    }
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

/** Names in files may hold anything; a terminal must not obey them. Line ends and colours pass. */
function printableOnly(output: Output): Output {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const unprintable = /\x1b(?!\[\d*(?:;\d+)*m)|[\0-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f]/g;
  const escaped = (found: string): string => `\\x${found.charCodeAt(0).toString(16).padStart(2, "0")}`;
  return { write: (text) => output.write(text.replace(unprintable, escaped)) };
}
