/** The world around a command, in one object, so that tests can give another. */

/** Where text goes. */
export interface Output {
  write(text: string): unknown;
}

export interface Io {
  /** Results. */
  readonly stdout: Output;
  /** Progress and messages. */
  readonly stderr: Output;
  /** Whether results may be coloured. */
  readonly colors: boolean;
  /** Where progress can be drawn and redrawn; undefined where standard error is not a terminal. */
  readonly terminal: NodeJS.WriteStream | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls the listener at the first Ctrl-C in place of ending the process; returns how to stop listening. */
  onInterrupt(listener: () => void): () => void;
}

/** The real one. A second Ctrl-C ends the process at once. */
export function processIo(): Io {
  const { stdout, stderr, env } = process;
  return {
    stdout,
    stderr,
    colors: env.FORCE_COLOR ? env.FORCE_COLOR !== "0" : stdout.isTTY && !env.NO_COLOR && env.TERM !== "dumb",
    terminal: stderr.isTTY && env.TERM !== "dumb" ? stderr : undefined,
    env,
    onInterrupt(listener) {
      let presses = 0;
      const press = (): void => {
        presses++;
        if (presses === 1) listener();
        else process.exit(1);
      };
      process.on("SIGINT", press);
      return () => process.off("SIGINT", press);
    },
  };
}

/** Prints the one JSON object of `--json`. Numbers that JSON lacks (NaN, infinities) become null. */
export function printJson(io: Io, value: object): void {
  io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
