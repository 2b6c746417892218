/** Ctrl-C in a long run: the removal at hand is finished, then the run ends in order. */
import type { Io } from "../io.ts";
import type { Tell } from "./progress.ts";

/** Runs work that looks at `signal.aborted`. */
export async function interruptible<T>(
  io: Io,
  tell: Tell,
  work: (signal: { readonly aborted: boolean }) => Promise<T>,
): Promise<T> {
  const signal = { aborted: false };
  const stop = io.onInterrupt(() => {
    signal.aborted = true;
    tell("stopping after this removal; press Ctrl-C again to stop at once");
  });
  try {
    return await work(signal);
  } finally {
    stop();
  }
}
