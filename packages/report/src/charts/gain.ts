import type { GainCurve } from "shrinknet";
import { computeGainLines } from "../compute/gain-lines.ts";
import { formatNumber } from "../format.ts";
import type { Point } from "../series.ts";
import type { ChartOptions } from "./frame.ts";
import { lineChart } from "./line.ts";

export interface GainChartOptions extends ChartOptions {
  /** Default linear; on log, a tangent below zero is not drawn. */
  readonly yScale?: "linear" | "log";
}

/**
 * Error against the gain of one unit: the measured curve, and the tangent and parabola that the Taylor criteria see at gain 1. At gain 0 the true
 * error of removal and both predictions are marked. The curve is thinned to at most about 800 points, extremes kept.
 */
export function gainChart(curve: GainCurve, options: GainChartOptions = {}): string {
  const { title = `Gain of unit ${curve.unit} of ${curve.layer}`, yScale = "linear", ...size } = options;
  const measured = curve.points.map(({ gain, error }): Point => [gain, error]);
  const gains = [0, 1, ...measured.map((p) => p[0])].filter(Number.isFinite);
  const ends = [curve.removed, curve.tangent, curve.parabola];
  const errors = [curve.baseline, ...ends, ...measured.map((p) => p[1])].filter(Number.isFinite);
  const extent = (values: readonly number[]): [number, number] => [
    values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b)),
  ];
  const [low, high] = extent(errors);
  const lines = computeGainLines(curve, extent(gains), [low - (high - low) / 4, high]);
  const said = (value: number): string => `${formatNumber(value)} at gain 0`;
  return lineChart({
    ...size,
    title,
    xLabel: "gain (0 = removed, 1 = intact)",
    yLabel: "error (sum over samples)",
    yScale,
    series: [
      {
        name: `measured: ${said(curve.removed)}`,
        points: measured,
        markers: true,
      },
      {
        name: `tangent: ${said(curve.tangent)}`,
        points: lines.tangent,
        markers: true,
      },
      {
        name: `parabola: ${said(curve.parabola)}`,
        points: lines.parabola,
        markers: true,
      },
    ],
    rules: [{ x: 1, label: "gain 1" }],
    dots: ends
      .flatMap((y, style) => (Number.isFinite(y) && (yScale !== "log" || y > 0) ? [{ x: 0, y, style }] : []))
      .reverse(), // the true error on top
  });
}
