/** How long one sample takes. Told, never used: nothing else a run gives may depend on the clock. */
import type { Tensor } from "../graph/tensor.ts";
import type { Latency } from "../results.ts";
import type { Runner } from "../runner.ts";

export interface LatencyOptions {
  /** Milliseconds, with fractions: `() => performance.now()`. */
  clock(): number;
  /** Threads of the runner, for the summary. */
  readonly threads: number;
}

/** Runs before anything counts. */
const WARM_UP = 3;
const FEWEST = 11;
const MOST = 301;
/** Both models together take about this long, in milliseconds. */
const PATIENCE = 3000;

/**
 * Median time of one run of each file on the same feeds. The two run in turns, each first in every second pair, so that what
 * else the machine does hits both.
 */
export async function latencyOf(
  runner: Runner,
  files: { readonly before: Uint8Array; readonly after: Uint8Array },
  feeds: Readonly<Record<string, Tensor>>,
  { clock, threads }: LatencyOptions,
): Promise<Latency> {
  const sessions = [await runner.load(files.before), await runner.load(files.after)] as const;
  const times: [number[], number[]] = [[], []];
  const time = async (which: 0 | 1): Promise<number> => {
    const started = clock();
    await sessions[which].run(feeds);
    return clock() - started;
  };
  try {
    let warm = 0;
    for (let run = 0; run < WARM_UP; run++) warm = (await time(0)) + (await time(1));
    const runs = Math.max(FEWEST, Math.min(MOST, Math.floor(PATIENCE / Math.max(warm, 1e-3))));
    for (let run = 0; run < runs; run++) {
      for (const which of run % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) times[which].push(await time(which));
    }
    return { before: median(times[0]), after: median(times[1]), runs, threads };
  } finally {
    for (const session of sessions) await session.release();
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
