/** Order of scores: what is no number goes last. */

/** The `count` lowest, ascending; of equals those with the lower index. */
export function lowest(units: readonly number[], count: number, scoreOf: (unit: number) => number): number[] {
  if (count === 1) return [units.reduce((best, unit) => (isBelow(scoreOf(unit), scoreOf(best)) ? unit : best))];
  const order = units.toSorted((a, b) => {
    if (isBelow(scoreOf(a), scoreOf(b))) return -1;
    return isBelow(scoreOf(b), scoreOf(a)) ? 1 : a - b;
  });
  return order.slice(0, count);
}

export function isBelow(a: number, b: number): boolean {
  return a < b || (Number.isNaN(b) && !Number.isNaN(a));
}
