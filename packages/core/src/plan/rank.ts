/** From scores to a choice. */
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

/** The unit with the lowest score; of equals the first, by group, then index. A score that is no number goes last. */
export function lowest(scores: Float64Array, candidates: readonly number[]): number {
  let best = candidates[0] as number;
  for (const unit of candidates) {
    const score = scores[unit] as number;
    const least = scores[best] as number;
    if (score < least || (Number.isNaN(least) && !Number.isNaN(score))) best = unit;
  }
  return best;
}
