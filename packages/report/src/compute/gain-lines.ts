import type { GainCurve } from "@shrinknet/core";
import type { Point } from "../series.ts";

/** The two estimates of a gain curve as lines over the gain. */
export interface GainLines {
  /** First-order Taylor: touches the curve at gain 1 and meets `curve.tangent` at gain 0. */
  readonly tangent: readonly Point[];
  /** Second-order Taylor: the parabola through the same point and slope that meets `curve.parabola` at gain 0. */
  readonly parabola: readonly Point[];
}

/**
 * Tangent and parabola over the gains from `from` to `to`, cut off where they leave the errors `low` to `high` (a parabola at gain 10 would
 * otherwise flatten everything else). Points outside become gaps (NaN).
 */
export function computeGainLines(
  curve: GainCurve,
  [from, to]: readonly [number, number],
  [low, high]: readonly [number, number],
): GainLines {
  const slope = curve.baseline - curve.tangent;
  const bend = curve.parabola - curve.tangent;
  const tangent = (gain: number): number => curve.baseline + slope * (gain - 1);
  const parabola = (gain: number): number => tangent(gain) + bend * (gain - 1) ** 2;
  const gains = Array.from({ length: 401 }, (_, i) => from + ((to - from) * i) / 400);
  const cut = (f: (gain: number) => number): Point[] =>
    gains.map((gain): Point => {
      const y = f(gain);
      return [gain, y >= low && y <= high ? y : Number.NaN];
    });
  return { tangent: cut(tangent), parabola: cut(parabola) };
}
