/**
 * How well one ranking of units agrees with another, usually a criterion's with the oracle's. Pure functions of two
 * lists of scores in the same order of units; lower = remove first.
 */

/**
 * Spearman's rank correlation, from -1 to 1: the correlation of the two lists of ranks, equal scores sharing the mean of
 * their ranks. NaN where one list holds a single value only.
 */
export function spearman(a: readonly number[], b: readonly number[]): number {
  return correlation(meanRanks(a), meanRanks(b));
}

/**
 * Kendall's tau-b, from -1 to 1: (pairs in the same order - pairs in opposite order) / sqrt(pairs untied in a * pairs
 * untied in b). Kendall 1945. NaN where one list holds a single value only. Looks at every pair of units.
 */
export function kendall(a: readonly number[], b: readonly number[]): number {
  let [balance, untiedA, untiedB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < i; j++) {
      const orderA = Math.sign((a[i] as number) - (a[j] as number));
      const orderB = Math.sign((b[i] as number) - (b[j] as number));
      balance += orderA * orderB;
      untiedA += Math.abs(orderA);
      untiedB += Math.abs(orderB);
    }
  }
  return balance / Math.sqrt(untiedA * untiedB);
}

/** Share of the `count` lowest of a that are among the `count` lowest of b, 0 to 1. Of equal scores the first go first. */
export function topOverlap(a: readonly number[], b: readonly number[], count: number): number {
  const first = new Set(order(a).slice(0, count));
  const both = order(b)
    .slice(0, count)
    .filter((index) => first.has(index));
  return both.length / Math.min(count, a.length);
}

/**
 * What it costs to follow `scores` in place of the measured `costs` for one removal, in the costs' unit: the cost of the
 * unit that scores lowest, less the lowest cost. 0 where it picks a best unit.
 */
export function regret(costs: readonly number[], scores: readonly number[]): number {
  const at = (list: readonly number[]): number => costs[order(list)[0] as number] as number;
  return at(scores) - at(costs);
}

/** Indexes from the lowest score to the highest; equal ones stay in order, scores that are no numbers go last. */
export function order(scores: readonly number[]): number[] {
  const key = (index: number): number => {
    const score = scores[index] as number;
    return Number.isNaN(score) ? Number.POSITIVE_INFINITY : score;
  };
  return Array.from(scores, (_, index) => index).sort((i, j) => (key(i) === key(j) ? i - j : key(i) - key(j)));
}

/** Ranks from 0; equal scores share the mean of their ranks. */
function meanRanks(scores: readonly number[]): number[] {
  const sorted = order(scores);
  const ranks = new Array<number>(scores.length);
  for (let from = 0; from < sorted.length; ) {
    let to = from + 1;
    while (to < sorted.length && scores[sorted[to] as number] === scores[sorted[from] as number]) to++;
    for (let at = from; at < to; at++) ranks[sorted[at] as number] = (from + to - 1) / 2;
    from = to;
  }
  return ranks;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (a.length - 1) / 2; // of any list of ranks
  let [both, ownA, ownB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [(a[i] as number) - mean, (b[i] as number) - mean];
    both += x * y;
    ownA += x * x;
    ownB += y * y;
  }
  return both / Math.sqrt(ownA * ownB);
}
