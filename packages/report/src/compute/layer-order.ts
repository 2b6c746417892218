/** Where a removal came from. */
export interface RemovalPlace {
  readonly group: string;
  readonly layer: string;
}

/** Consecutive removals of one group: from removal `first` to `last` (1 is the first removal), of which `share` (0 to 1) were of this group. */
export interface LayerRun {
  readonly group: string;
  readonly first: number;
  readonly last: number;
  readonly share: number;
}

/** Most columns that the chart has; longer runs are binned. */
export const maxColumns = 400;

/**
 * The order of removals as stretches per group. Up to {@link maxColumns} removals exactly (every share is 1); beyond, removals are
 * counted in equally long bins and a stretch says which share of its removals came from the group.
 */
export function computeLayerRuns(removals: readonly RemovalPlace[], columns: number = maxColumns): LayerRun[] {
  const size = Math.max(1, Math.ceil(removals.length / columns));
  const open = new Map<string, LayerRun>();
  const done: LayerRun[] = [];
  for (let from = 0; from < removals.length; from += size) {
    const bin = removals.slice(from, from + size);
    const counts = new Map<string, number>();
    for (const { group } of bin) counts.set(group, (counts.get(group) ?? 0) + 1);
    for (const [group, count] of counts) {
      const share = count / bin.length;
      const before = open.get(group);
      const joins = before !== undefined && before.last === from && before.share === share;
      if (before && !joins) done.push(before);
      open.set(group, {
        group,
        first: joins ? before.first : from + 1,
        last: from + bin.length,
        share,
      });
    }
  }
  return [...done, ...open.values()].sort((a, b) => a.first - b.first || (a.group < b.group ? -1 : 1));
}

/** How many removals each group had. */
export function computeRemovalCounts(removals: readonly RemovalPlace[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { group } of removals) counts.set(group, (counts.get(group) ?? 0) + 1);
  return counts;
}
