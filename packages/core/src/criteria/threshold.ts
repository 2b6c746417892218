import { median } from "../util/median.ts";
import { type Criterion, type Scorer, started } from "./criterion.ts";

/** How outliers of a ranking are replaced: by the mean or by the median of its scores. */
export type Thresholding = "mean" | "median";

/** Scores further than this many standard deviations above the mean are outliers. */
const OUTLIER = 2;

/**
 * A criterion whose outliers are replaced (Wolfe et al. 2017, thresholding): where a score lies more than two standard
 * deviations above the mean of its ranking, the mean or the median stands in for it.
 */
export function thresholded(criterion: Criterion, by: Thresholding): Criterion {
  const over = (scorer: Scorer): Scorer => ({
    async score(context) {
      const scores = (await scorer.score(context)).slice();
      const own = context.left.map((unit) => scores[unit] as number);
      const mean = own.reduce((sum, score) => sum + score, 0) / own.length;
      const variance = own.reduce((sum, score) => sum + (score - mean) ** 2, 0) / own.length;
      const limit = mean + OUTLIER * Math.sqrt(variance);
      const replacement = by === "mean" ? mean : median(own);
      for (const unit of context.left) if ((scores[unit] as number) > limit) scores[unit] = replacement;
      return scores;
    },
  });
  return {
    ...criterion,
    name: `${criterion.name}-${by}`,
    start: (run) => over(started(criterion, run)),
    score: over(criterion).score,
  };
}
