import type { Oracle } from "../measure/oracle.ts";
import { taylorTerms } from "../measure/taylor.ts";
import { byGroup } from "../units/units.ts";
import { quantile } from "../util/normal.ts";
import { type Criterion, type ScoringContext, subjectIn } from "./criterion.ts";

export interface RacingOptions {
  /** Chance that a pick is not the best of its candidates; default 0.001. */
  readonly delta?: number;
  /**
   * Share of the units that race, chosen by the signed and the absolute Taylor estimate; default 1: all. With a
   * shortlist at most half of the runners go on after each heat, and several units go per race.
   */
  readonly shortlist?: number;
}

/** Units that may go after one race, as a share of all. */
const LARGEST_BLOCK = 0.02;

/**
 * The oracle by racing (Maron and Moore 1994): candidates run on a growing part of the samples, and one whose error is
 * above the leader's by more than chance allows drops out. Errors are compared sample by sample, which takes most of the
 * chance out. The samples are in a random order that is the same for every removal; what is left over at the end has run
 * on all of them.
 *
 * With a shortlist, one race decides about a block of removals: the best few of those that ran to the end go one after
 * the other while the error rises by at most twice what their own changes add up to; else the next race comes at once and the
 * block is halved. Certificate: `racing` for all units, `heuristic` with a shortlist. For one run.
 */
export function racingOracle({ delta = 1e-3, shortlist = 1 }: RacingOptions = {}): Criterion {
  const single = shortlist >= 1;
  let queue: { unit: number; change: number }[] = [];
  let block = 1;
  let expected = 0; // error after the removals so far of this block
  return {
    name: "oracle",
    inErrorUnits: true,
    needsData: true,
    certificate: single ? "racing" : "heuristic",
    async score(context) {
      const { left, error, prunable, rank = (_, score) => score } = context;
      const scores = new Float64Array(prunable.units.count).fill(Number.POSITIVE_INFINITY);
      const isFree = new Set(left);
      queue = queue.filter(({ unit }) => isFree.has(unit));
      const asPredicted = error <= expected + Math.abs(expected) * 1e-3;
      if (queue.length === 0 || !asPredicted) {
        const largest = Math.max(1, Math.floor(LARGEST_BLOCK * prunable.units.count));
        if (!single) block = Math.max(1, Math.min(largest, asPredicted ? block * 2 : block >> 1));
        const runners = single ? left : await shortlisted(context, shortlist);
        // where costs count, errors say who is best among units of the same cost only: a race for each group
        const fields = context.rank ? byGroup(prunable.units, runners) : [runners];
        const changes: { unit: number; change: number }[] = [];
        for (const field of fields) {
          const errors = await race(
            context.oracle as Oracle,
            field,
            delta / fields.length,
            single ? undefined : block + 2,
          );
          for (const [unit, without] of errors) changes.push({ unit, change: without - error });
        }
        const keyOf = ({ unit, change }: { unit: number; change: number }): number => rank(unit, change);
        queue = changes.sort((a, b) => keyOf(a) - keyOf(b) || a.unit - b.unit).slice(0, block);
        expected = error;
      }
      const next = queue.shift() as { unit: number; change: number };
      expected += next.change > 0 ? 2 * next.change : next.change;
      scores[next.unit] = next.change;
      return scores;
    },
  };
}

/** The lowest share of the units by signed taylor1, and as many by taylor-abs. */
async function shortlisted(context: ScoringContext, share: number): Promise<number[]> {
  const { rank = (_, score) => score } = context;
  const { slope, absolute } = await taylorTerms(subjectIn(context), context.state, false);
  const count = Math.max(1, Math.ceil(share * context.left.length));
  const lowest = (score: (unit: number) => number): number[] =>
    [...context.left].sort((a, b) => score(a) - score(b) || a - b).slice(0, count);
  const chosen = new Set([
    ...lowest((unit) => rank(unit, -(slope[unit] as number))),
    ...lowest((unit) => rank(unit, absolute[unit] as number)),
  ]);
  return context.left.filter((unit) => chosen.has(unit));
}

/** Errors over all samples of those that stay in the race to the end. `keep`: halve the field per heat, down to that. */
async function race(
  oracle: Oracle,
  runners: readonly number[],
  delta: number,
  keep?: number,
): Promise<Map<number, number>> {
  const chunks = oracle.chunks;
  const heats = Math.ceil(Math.log2(chunks)) + 1;
  const limit = quantile(delta / Math.max(1, runners.length * heats));
  const errors = new Map(runners.map((unit): [number, number[]] => [unit, []])); // by unit, by sample so far
  let done = 0;
  let alive = [...runners];
  while (done < chunks) {
    const to = Math.min(chunks, Math.max(1, done * 2));
    const part = await oracle.sampleErrors(alive, done, to);
    for (const [unit, values] of part) errors.get(unit)?.push(...values);
    done = to;
    const total = (unit: number): number => (errors.get(unit) as number[]).reduce((sum, value) => sum + value, 0);
    const leader = alive.reduce((a, b) => (total(b) < total(a) ? b : a));
    if (done >= chunks) break;
    alive = alive.filter((unit) => !isWorse(errors.get(unit) as number[], errors.get(leader) as number[], limit));
    if (keep !== undefined) {
      const order = alive.toSorted((a, b) => total(a) - total(b) || a - b);
      alive = order.slice(0, Math.max(keep, Math.ceil(order.length / 2)));
    }
  }
  return new Map(alive.map((unit) => [unit, (errors.get(unit) as number[]).reduce((sum, value) => sum + value, 0)]));
}

/** Whether a is above b by more than `limit` standard errors of their paired differences. */
function isWorse(a: readonly number[], b: readonly number[], limit: number): boolean {
  const count = a.length;
  const mean = a.reduce((sum, value, n) => sum + value - (b[n] as number), 0) / count;
  const variance =
    a.reduce((sum, value, n) => sum + (value - (b[n] as number) - mean) ** 2, 0) / Math.max(1, count - 1);
  return mean > limit * Math.sqrt(variance / count);
}
