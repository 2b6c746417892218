/** A random part of samples with as many of each class as its share. */
import { randomSource, shuffled } from "@shrinknet/core";

/** Ascending numbers of `wanted` of `count` samples; without labels any. */
export function stratified(labels: readonly number[] | undefined, count: number, wanted: number, seed = 0): number[] {
  const random = randomSource(seed);
  const classes = new Map<number, number[]>();
  for (let at = 0; at < count; at++) {
    const label = labels?.[at] ?? 0;
    const known = classes.get(label);
    if (known) known.push(at);
    else classes.set(label, [at]);
  }
  // each class in random order; the sample at place i of n comes at (i + 1/2) / n of the way
  const ranked = [...classes.values()].flatMap((all) =>
    shuffled(all.length, random).map((index, place) => ({
      at: all[index] as number,
      rank: (place + 0.5) / all.length,
    })),
  );
  const chosen = ranked.toSorted((a, b) => a.rank - b.rank || a.at - b.at).slice(0, wanted);
  return chosen.map(({ at }) => at).toSorted((a, b) => a - b);
}
