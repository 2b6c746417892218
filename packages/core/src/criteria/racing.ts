import type { Oracle } from "../measure/oracle.ts";
import { taylorTerms } from "../measure/taylor.ts";
import { type Criterion, type ScoringContext, subjectIn } from "./criterion.ts";

export interface RacingOptions {
  /** Chance that a pick is not the best of its candidates; default 0.001. */
  readonly delta?: number;
  /** Share of the units that race, chosen by the signed and the absolute Taylor estimate; default 1: all. */
  readonly shortlist?: number;
}

/**
 * The oracle by racing (Maron and Moore 1994): candidates run on a growing part of the samples, and one whose error is
 * above the leader's by more than chance allows drops out. Errors are compared sample by sample, which takes most of the
 * chance out. The samples are in a random order that is the same for every removal; what is left over at the end has run
 * on all of them. With a shortlist the pick is the best of those only, and its certificate `heuristic`.
 */
export function racingOracle({ delta = 1e-3, shortlist = 1 }: RacingOptions = {}): Criterion {
  return {
    name: "oracle",
    inErrorUnits: true,
    needsData: true,
    certificate: shortlist < 1 ? "heuristic" : "racing",
    async score(context) {
      const scores = new Float64Array(context.prunable.units.count).fill(Number.POSITIVE_INFINITY);
      const runners = shortlist < 1 ? await shortlisted(context, shortlist) : context.left;
      const errors = await race(context.oracle as Oracle, runners, delta);
      for (const [unit, error] of errors) scores[unit] = error - context.error;
      return scores;
    },
  };
}

/** The lowest share of the units by signed taylor1, and as many by taylor-abs. */
async function shortlisted(context: ScoringContext, share: number): Promise<number[]> {
  const { slope, absolute } = await taylorTerms(subjectIn(context), context.state, false);
  const count = Math.max(1, Math.ceil(share * context.left.length));
  const lowest = (score: (unit: number) => number): number[] =>
    [...context.left].sort((a, b) => score(a) - score(b) || a - b).slice(0, count);
  const chosen = new Set([
    ...lowest((unit) => -(slope[unit] as number)),
    ...lowest((unit) => absolute[unit] as number),
  ]);
  return context.left.filter((unit) => chosen.has(unit));
}

/** Errors over all samples of those that stay in the race to the end. */
async function race(oracle: Oracle, runners: readonly number[], delta: number): Promise<Map<number, number>> {
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
    if (done < chunks)
      alive = alive.filter((unit) => !isWorse(errors.get(unit) as number[], errors.get(leader) as number[], limit));
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

/** Standard normal quantile of 1 - p for small p (Abramowitz and Stegun 26.2.23, error below 4.5e-4). */
function quantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
}
