/** Progress of a long run on standard error. */
import type { Io } from "../io.ts";

/** Says how far the work is: a short text, and the share (0 to 1) that is done. Without a share it is shown at once. */
export type Tell = (text: string, share?: number) => void;

/** Between two lines where nothing can be redrawn. */
const QUIET_MS = 10_000;

/**
 * Runs work and shows what it tells: on a terminal as one line that is redrawn and goes when the work is done, elsewhere
 * as a line for every tenth, not more often than every 10 seconds, so that short runs say nothing.
 */
export async function withProgress<T>(
  io: Io,
  { title, quiet = false }: { title: string; quiet?: boolean | undefined },
  work: (tell: Tell) => Promise<T>,
): Promise<T> {
  if (quiet) return work(() => {});
  if (!io.terminal) return work(lines(io, title));
  const { draw } = await import("./draw.ts");
  return draw(io.terminal, title, work);
}

function lines(io: Io, title: string): Tell {
  let [tenth, last] = [0, Date.now()];
  return (text, share) => {
    if (share !== undefined) {
      const [now, reached] = [Date.now(), Math.floor(share * 10)];
      if (reached <= tenth || now - last < QUIET_MS) return;
      [tenth, last] = [reached, now];
    }
    io.stderr.write(`${title}: ${text}\n`);
  };
}
