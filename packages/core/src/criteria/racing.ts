import { partsOf } from "../measure/evaluator.ts";
import type { Oracle } from "../measure/oracle.ts";
import { taylorTerms } from "../measure/taylor.ts";
import { partsByGroup } from "../units/units.ts";
import { lowest } from "../util/lowest.ts";
import { quantile } from "../util/normal.ts";
import { type Criterion, evaluatorIn, type Scorer, type ScoringContext } from "./criterion.ts";

export interface RacingOptions {
  /** Chance that a pick is not the best of its candidates; default 0.001. */
  readonly delta?: number;
  /**
   * Share of the units that race, chosen by the signed and the absolute Taylor estimate; default 1: all. With a
   * shortlist at most half of the runners go on after each heat, and several units go per race.
   */
  readonly shortlist?: number;
}

/** Units that race to the end for each that goes, where what they save counts beside their error. */
const PLACES_PER_PICK = 3;
/** Units that may go after one race, as a share of all. */
const LARGEST_BLOCK = 0.02;
/** Samples of the first heat where all units race: chance needs some to be judged by. */
const FIRST_HEAT = 128;
/** Samples that the shortlist's estimates are taken on. */
const SHORTLIST_SAMPLES = 256;

/**
 * The oracle by racing (Maron and Moore 1994): candidates run on a growing part of the samples, and one whose error is
 * above the leader's by more than chance allows drops out. Errors are compared sample by sample, which takes most of the
 * chance out. The samples are in a random order that is the same for every removal; what is left over at the end has run
 * on all of them.
 *
 * With a shortlist, one race decides about a block of removals: the best few go one after the other. If that raises the
 * error by more than twice what their own changes add up to, the next block is half as large, else twice. Certificate:
 * `racing` for all units, `heuristic` with a shortlist.
 */
export function racingOracle(options: RacingOptions = {}): Criterion {
  return {
    name: "oracle",
    inErrorUnits: true,
    needsData: true,
    certificate: (options.shortlist ?? 1) >= 1 ? "racing" : "heuristic",
    start: () => withQueue(options),
    score: (context) => withQueue(options).score(context),
  };
}

/** What a race has decided about later removals belongs to one run. */
function withQueue({ delta = 1e-3, shortlist = 1 }: RacingOptions): Scorer {
  const single = shortlist >= 1;
  let queue: { unit: number; change: number }[] = [];
  let block = 1;
  let expected = Number.NEGATIVE_INFINITY; // the most that the error should be after this block
  return {
    async score(context) {
      const { left, prunable, rank = (_, score) => score } = context;
      const scores = new Float64Array(prunable.units.count).fill(Number.POSITIVE_INFINITY);
      const isFree = new Set(left);
      queue = queue.filter(({ unit }) => isFree.has(unit));
      if (queue.length === 0) {
        const error = await context.error();
        const largest = Math.max(1, Math.floor(LARGEST_BLOCK * prunable.units.count));
        if (!single) block = error > expected ? Math.max(1, block >> 1) : Math.min(largest, block * 2);
        const runners = single ? left : await shortlisted(context, shortlist);
        // where costs count, errors say who is best among units of the same cost only: a race for each group
        const fields =
          context.rank && single ? partsByGroup(prunable.units.groups, runners).map(({ units }) => units) : [runners];
        const places = context.rank && !single ? PLACES_PER_PICK * block : block;
        const changes: { unit: number; change: number }[] = [];
        for (const field of fields) {
          const { size } = evaluatorIn(context).samples;
          const errors = await race(context.oracle as Oracle, size, field, delta / fields.length, places, single);
          for (const [unit, without] of errors) changes.push({ unit, change: without - error });
        }
        const keyOf = ({ unit, change }: { unit: number; change: number }): number => rank(unit, change);
        queue = changes.sort((a, b) => keyOf(a) - keyOf(b) || a.unit - b.unit).slice(0, block);
        const sum = queue.reduce((total, { change }) => total + (change > 0 ? 2 * change : change), error);
        expected = sum + Math.abs(sum) * 1e-3;
      }
      const next = queue.shift() as { unit: number; change: number };
      scores[next.unit] = next.change;
      return scores;
    },
  };
}

/** The lowest share of the units by signed taylor1, and as many by taylor-abs. */
async function shortlisted(context: ScoringContext, share: number): Promise<number[]> {
  const { rank = (_, score) => score } = context;
  const evaluator = evaluatorIn(context);
  const chunks = evaluator.chunks.filter(({ to }) => to <= SHORTLIST_SAMPLES);
  const { gradient, absolute } = await taylorTerms({ ...evaluator, chunks }, context.state, { second: false });
  const count = Math.max(1, Math.ceil(share * context.left.length));
  const chosen = new Set([
    ...lowest(context.left, count, (unit) => rank(unit, -(gradient[unit] as number))),
    ...lowest(context.left, count, (unit) => rank(unit, absolute[unit] as number)),
  ]);
  return context.left.filter((unit) => chosen.has(unit));
}

/**
 * Errors over all samples of those that stay in the race to the end: who is above the `places`-th by more than chance
 * allows drops out, and where not `isFair` at least half of the field after each heat.
 */
async function race(
  oracle: Oracle,
  samples: number,
  runners: readonly number[],
  delta: number,
  places: number,
  isFair: boolean,
): Promise<Map<number, number>> {
  const ends = partsOf(samples).filter((end) => !isFair || end >= FIRST_HEAT || end === samples);
  const limit = quantile(delta / Math.max(1, runners.length * ends.length));
  const errors = new Map(runners.map((unit): [number, number[]] => [unit, []])); // by unit, by sample so far
  const total = (unit: number): number => (errors.get(unit) as number[]).reduce((sum, value) => sum + value, 0);
  let alive = [...runners];
  let done = 0;
  for (const end of ends) {
    const part = await oracle.sampleErrors(alive, done, end);
    for (const [unit, values] of part) errors.get(unit)?.push(...values);
    done = end;
    if (end === samples) break;
    const totals = new Map(alive.map((unit) => [unit, total(unit)]));
    const order = alive.toSorted((a, b) => (totals.get(a) as number) - (totals.get(b) as number) || a - b);
    const last = order[Math.min(places, order.length) - 1] as number;
    const most = isFair ? order.length : Math.max(places, order.length >> 1);
    alive = order.filter(
      (unit, place) =>
        place < places || (place < most && !isWorse(errors.get(unit) as number[], errors.get(last) as number[], limit)),
    );
  }
  return new Map(alive.map((unit) => [unit, total(unit)]));
}

/** Whether a is above b by more than `limit` standard errors of their paired differences. */
function isWorse(a: readonly number[], b: readonly number[], limit: number): boolean {
  const count = a.length;
  const mean = a.reduce((sum, value, n) => sum + value - (b[n] as number), 0) / count;
  const variance =
    a.reduce((sum, value, n) => sum + (value - (b[n] as number) - mean) ** 2, 0) / Math.max(1, count - 1);
  return mean > limit * Math.sqrt(variance / count);
}
