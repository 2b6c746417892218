import type { Point } from "../series.ts";

/** Most points that a chart draws per line. */
export const maxPoints = 800;

/**
 * At most `limit` (default {@link maxPoints}) of the points, in their order: the first, the last, and from each of equally long stretches the
 * lowest, the highest and one gap if there is any. So a peak of a single removal among thousands stays visible. Shorter lines come back as they are.
 */
export function thinPoints(points: readonly Point[], limit: number = maxPoints): readonly Point[] {
  if (points.length <= limit) return points;
  const buckets = Math.max(1, Math.floor((limit - 2) / 3));
  const kept: Point[] = [];
  for (let b = 0; b < buckets; b++) {
    const from = Math.floor((b * points.length) / buckets);
    const to = Math.floor(((b + 1) * points.length) / buckets);
    kept.push(...extremes(points, from, to).flatMap((i) => points.slice(i, i + 1)));
  }
  const first = points[0];
  const last = points[points.length - 1];
  if (first && kept[0] !== first) kept.unshift(first);
  if (last && kept[kept.length - 1] !== last) kept.push(last);
  return kept;
}

/** Indexes of the lowest, the highest and the first missing y in `[from, to)`, ascending. */
function extremes(points: readonly Point[], from: number, to: number): number[] {
  let low = -1;
  let high = -1;
  let gap = -1;
  for (let i = from; i < to; i++) {
    const y = points[i]?.[1] ?? Number.NaN;
    if (!Number.isFinite(y)) {
      if (gap < 0) gap = i;
      continue;
    }
    if (low < 0 || y < (points[low]?.[1] ?? 0)) low = i;
    if (high < 0 || y > (points[high]?.[1] ?? 0)) high = i;
  }
  return [...new Set([low, high, gap])].filter((i) => i >= 0).sort((a, b) => a - b);
}
