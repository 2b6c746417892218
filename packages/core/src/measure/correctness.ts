/** What the correctness of samples says of two models on the same samples. */
import type { AccuracyDrop, ClassAccuracy } from "../results.ts";
import { quantile } from "../util/normal.ts";

/** Confidence of intervals where nothing else is said. */
export const CONFIDENCE = 0.95;

/**
 * The fall of accuracy from one model to another on the same samples, with an interval. `before`, `after`: by sample, the
 * share of its positions that are right.
 *
 * Where each sample is right or wrong, the interval is that of paired shares: adjusted Wald, which adds one to each kind of
 * sample whose answer changed (Bonett and Price 2012, J. Educ. Behav. Stat. 37). It is never of width 0, and holds its
 * confidence for small numbers too. Else it is that of the mean of paired differences.
 */
export function pairedDrop(
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  confidence: number = CONFIDENCE,
): AccuracyDrop {
  const samples = before.length;
  let [lost, won, sum, squares] = [0, 0, 0, 0];
  let isBinary = true;
  for (let n = 0; n < samples; n++) {
    const [was, is] = [before[n] as number, after[n] as number];
    if (was > is) lost++;
    else if (was < is) won++;
    isBinary &&= Number.isInteger(was) && Number.isInteger(is);
    sum += was - is;
    squares += (was - is) ** 2;
  }
  const [losing, winning] = [(lost + 1) / (samples + 2), (won + 1) / (samples + 2)];
  const z = quantile((1 - confidence) / 2);
  const middle = isBinary ? losing - winning : sum / samples;
  const variance = isBinary
    ? (losing + winning - middle ** 2) / (samples + 2)
    : Math.max(0, squares / samples - middle ** 2) / samples + 1 / (samples + 2) ** 2;
  const reach = z * Math.sqrt(variance);
  return {
    samples,
    drop: isBinary ? (lost - won) / samples : middle,
    low: Math.max(-1, middle - reach),
    high: Math.min(1, middle + reach),
    confidence,
    lost,
    won,
  };
}

/** The share of right answers by class, of the classes that have samples, ascending. */
export function accuracyByClass(
  labels: Int32Array,
  before: ArrayLike<number>,
  after: ArrayLike<number>,
): ClassAccuracy[] {
  const counts = new Map<number, { samples: number; before: number; after: number }>();
  labels.forEach((label, n) => {
    const count = counts.get(label) ?? { samples: 0, before: 0, after: 0 };
    count.samples++;
    count.before += before[n] as number;
    count.after += after[n] as number;
    counts.set(label, count);
  });
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([label, { samples, before: was, after: is }]) => ({
      class: label,
      samples,
      before: was / samples,
      after: is / samples,
    }));
}
