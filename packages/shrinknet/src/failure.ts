/** What to tell when something goes wrong, and the exit code. */

/** 0 done, 1 the work failed, 2 wrong usage. */
export type ExitCode = 0 | 1 | 2;

export interface Failure {
  readonly text: string;
  readonly exitCode: ExitCode;
}

/** The message for an error that ended a command: one line, and the stack trace if `SHRINKNET_DEBUG` is set. */
export async function failureOf(error: unknown, env: Readonly<Record<string, string | undefined>>): Promise<Failure> {
  const { ShrinkError } = await import("@shrinknet/core"); // not before: help and usage errors need no core
  const message = oneLine(error instanceof Error ? error.message : String(error));
  const trace = env.SHRINKNET_DEBUG && error instanceof Error ? `\n${traceOf(error)}` : "";
  if (error instanceof ShrinkError) {
    return { text: message + trace, exitCode: error.code === "option" ? 2 : 1 };
  }
  const advice = trace || "; set SHRINKNET_DEBUG=1 for the stack trace";
  return { text: `unexpected error: ${message}${advice}`, exitCode: 1 };
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, " ");
}

function traceOf(error: Error): string {
  const own = error.stack ?? String(error);
  return error.cause instanceof Error ? `${own}\ncaused by ${traceOf(error.cause)}` : own;
}
