/** The few statistics that the results need. */

/** The value below which the share `q` (0 to 1) of the values lies, interpolated between neighbours; NaN without values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Median and quartiles of several curves, point by point. */
export interface Band {
  readonly low: readonly number[];
  readonly median: readonly number[];
  readonly high: readonly number[];
}

export function bandOf(curves: readonly (readonly number[])[]): Band {
  const points = (curves[0] ?? []).map((_, i) => curves.map((curve) => curve[i] ?? Number.NaN));
  const at = (q: number): number[] => points.map((values) => quantile(values, q));
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

/** Area under a curve with steps of one, by trapezoids. */
export function area(curve: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < curve.length; i++) sum += ((curve[i - 1] as number) + (curve[i] as number)) / 2;
  return sum;
}

/** Share of the curve's length that passes before a value first fails the test; 1 if none does. */
export function shareWhile(curve: readonly number[], passes: (value: number) => boolean): number {
  const failed = curve.findIndex((value) => !passes(value));
  return failed < 0 ? 1 : Math.max(0, failed - 1) / (curve.length - 1);
}
