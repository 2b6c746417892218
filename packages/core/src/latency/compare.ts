/** How long one sample takes, with both files measured in turns. */
import type { Tensor } from "../graph/tensor.ts";
import type { Latency } from "../results.ts";
import type { Runner, Session } from "../runner.ts";
import { median } from "../util/median.ts";
import { randomSource } from "../util/random.ts";

export interface LatencyOptions {
  /** Milliseconds, with fractions: `() => performance.now()`. */
  clock(): number;
  /** Threads of the runner, for the summary. */
  readonly threads: number;
}

/** Runs before anything counts. */
const WARM_UP = 3;
const FEWEST = 5;
const MOST = 301;
/** Both models together take about this long, in milliseconds. */
const PATIENCE = 3000;
/** Where even the fewest runs would take longer than this, in milliseconds, nothing is measured. */
const TOO_LONG = 30_000;

/** Confidence of the interval of a speedup, and how often the runs are drawn anew for it. */
const CONFIDENCE = 0.95;
const DRAWS = 400;

/** Runs of two sessions: each pair of times was measured one right after the other. */
export interface Pairs {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/**
 * Median time of one run of each file on the same feeds, and how many times faster the second is, with its interval of 95 %
 * confidence. Undefined where a few runs would take half a minute.
 */
export async function latencyOf(
  runner: Runner,
  files: { readonly before: Uint8Array; readonly after: Uint8Array },
  feeds: Readonly<Record<string, Tensor>>,
  { clock, threads }: LatencyOptions,
): Promise<Latency | undefined> {
  const pairs = await timeFiles(runner, files, feeds, clock);
  if (!pairs) return undefined;
  const { before, after } = pairs;
  const speedup = median(before) / median(after);
  const interval = intervalOf(pairs);
  return { before: median(before), after: median(after), speedup, interval, runs: before.length, threads };
}

/** {@link timeInTurns} of two files. */
export async function timeFiles(
  runner: Runner,
  { before, after }: { readonly before: Uint8Array; readonly after: Uint8Array },
  feeds: Readonly<Record<string, Tensor>>,
  clock: () => number,
  patience?: number,
): Promise<Pairs | undefined> {
  const sessions = [await runner.load(before), await runner.load(after)] as const;
  try {
    return await timeInTurns(sessions, feeds, clock, patience);
  } finally {
    for (const session of sessions) await session.release();
  }
}

/**
 * Times of two sessions that run in turns, each first in every second pair, so that what else the machine does hits both.
 * `patience`: milliseconds that all runs may take together, about; default 3,000.
 */
export async function timeInTurns(
  sessions: readonly [Session, Session],
  feeds: Readonly<Record<string, Tensor>>,
  clock: () => number,
  patience: number = PATIENCE,
): Promise<Pairs | undefined> {
  const times: [number[], number[]] = [[], []];
  const time = async (which: 0 | 1): Promise<number> => {
    const started = clock();
    await sessions[which].run(feeds);
    return clock() - started;
  };
  let warm = 0;
  for (let run = 0; run < WARM_UP; run++) {
    warm = (await time(0)) + (await time(1));
    if (warm * FEWEST > TOO_LONG) return undefined;
  }
  const runs = Math.max(FEWEST, Math.min(MOST, Math.floor(patience / Math.max(warm, 1e-3))));
  for (let run = 0; run < runs; run++) {
    for (const which of run % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) times[which].push(await time(which));
  }
  return { before: times[0], after: times[1] };
}

/** The speedup's interval: the pairs are drawn anew, with repeats (bootstrap; Efron 1979). */
function intervalOf({ before, after }: Pairs): [low: number, high: number] {
  const random = randomSource(before.length);
  const ratios = Array.from({ length: DRAWS }, () => {
    const drawn = before.map(() => Math.floor(random() * before.length));
    return median(drawn.map((i) => before[i] as number)) / median(drawn.map((i) => after[i] as number));
  }).sort((a, b) => a - b);
  const tail = Math.floor(((1 - CONFIDENCE) / 2) * DRAWS);
  return [ratios[tail] as number, ratios[DRAWS - 1 - tail] as number];
}
