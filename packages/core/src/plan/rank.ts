/** From scores to a choice: which units go next. */
import type { Criterion } from "../criteria/criterion.ts";
import type { Group } from "../units/units.ts";

/**
 * Scores that compare over all groups: predicted changes of the error as they are, others divided by the mean size of
 * the group's scores, so that a layer with large weights is not spared for that alone.
 */
export function comparable(
  criterion: Criterion,
  scores: Float64Array,
  groups: readonly Group[],
  left: readonly number[],
): Float64Array {
  if (criterion.inErrorUnits) return scores;
  const result = scores.slice();
  for (const group of groups) {
    const own = left.filter((unit) => unit >= group.first && unit < group.first + group.size);
    const mean = own.reduce((sum, unit) => sum + Math.abs(scores[unit] as number), 0) / own.length;
    if (mean > 0) for (const unit of own) result[unit] = (scores[unit] as number) / mean;
  }
  return result;
}

/** What {@link worstBlock} may be told beside the scores. */
export interface BlockOptions {
  /** How many units of a group go before another group's turn; default 1. */
  readonly size?: (group: Group, left: number) => number;
  /** What one unit of the group costs now; default 1 for all: then the score alone decides. */
  readonly cost?: (group: Group) => number;
}

/**
 * The units that go next: of each group the `size` lowest of `candidates`, and of these blocks the one with the lowest mean
 * score {@link perCost}. Of equals the first, by group, then index. A score that is no number goes last. In the order of
 * their scores.
 */
export function worstBlock(
  scores: Float64Array,
  groups: readonly Group[],
  candidates: readonly number[],
  { size = () => 1, cost = () => 1 }: BlockOptions = {},
): number[] {
  const scoreOf = (unit: number): number => scores[unit] as number;
  let worst: { units: number[]; key: number } | undefined;
  for (const group of groups) {
    const own = candidates.filter((unit) => unit >= group.first && unit < group.first + group.size);
    if (own.length === 0) continue;
    const units = lowest(own, size(group, own.length), scoreOf);
    const mean = units.reduce((sum, unit) => sum + scoreOf(unit), 0) / units.length;
    const key = perCost(mean, cost(group));
    if (!worst || isBelow(key, worst.key)) worst = { units, key };
  }
  return worst?.units ?? [];
}

/** The `count` lowest, ascending; of equals those with the lower index. */
function lowest(units: readonly number[], count: number, scoreOf: (unit: number) => number): number[] {
  if (count === 1) return [units.reduce((best, unit) => (isBelow(scoreOf(unit), scoreOf(best)) ? unit : best))];
  const order = units.toSorted((a, b) => {
    if (isBelow(scoreOf(a), scoreOf(b))) return -1;
    return isBelow(scoreOf(b), scoreOf(a)) ? 1 : a - b;
  });
  return order.slice(0, count);
}

function isBelow(a: number, b: number): boolean {
  return a < b || (Number.isNaN(b) && !Number.isNaN(a));
}

/**
 * The key of a cost-aware choice: score per cost saved. A unit whose score is not above 0 lowers the error and saves its cost
 * besides: such units go first, by score, as dividing by what they save would put those that save most last.
 */
export function perCost(score: number, cost: number): number {
  if (!(score > 0)) return score;
  return cost > 0 ? score / cost : Number.POSITIVE_INFINITY;
}
