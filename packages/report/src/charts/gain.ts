import type { GainCurve } from "@shrinknet/core";
import { computeGainLines } from "../compute/gain-lines.ts";
import { formatNumber } from "../format.ts";
import type { Point } from "../series.ts";
import { type ChartOptions, defaultWidth } from "./frame.ts";
import { type LinePanel, linePanels } from "./line.ts";

export interface GainChartOptions extends ChartOptions {
  /** Default linear; on log, a tangent below zero is not drawn. */
  readonly yScale?: "linear" | "log";
}

/** Removed at 0, intact at 1: the estimates look from 1 to 0, and as far to the other side is all there is to see of them. */
const NEAR = 2;

/** A curve that goes further than this is drawn twice, if so many of its points are near. */
const FAR = 2.5;
const LEAST_POINTS = 5;

/**
 * Error against the gain of one unit: the measured curve, and the tangent and parabola that the Taylor criteria see at gain 1. At gain 0 the true
 * error of removal and both predictions are marked. A curve far beyond gain 2 is drawn twice: up to 2, where the estimates can be told apart, and
 * whole. The curve is thinned to at most about 800 points, extremes kept.
 */
export function gainChart(curve: GainCurve, options: GainChartOptions = {}): string {
  const { title = `Gain of unit ${curve.unit} of ${curve.layer}`, yScale = "linear", width = defaultWidth } = options;
  const { height } = options;
  const near = curve.points.filter(({ gain }) => gain <= NEAR);
  const isTwice = near.length >= LEAST_POINTS && curve.points.some(({ gain }) => gain > FAR);
  const own = height === undefined ? {} : { height };
  const panels = isTwice
    ? [
        { ...gainPanel({ ...curve, points: near }, yScale, `, gains up to ${NEAR}`), ...own },
        { ...gainPanel(curve, yScale, ", all gains"), height: 220 },
      ]
    : [{ ...gainPanel(curve, yScale), ...own }];
  return linePanels({ title, width }, panels);
}

/** The curve's points with both estimates over their range, and what all three say about gain 0. */
function gainPanel(curve: GainCurve, yScale: "linear" | "log", which = ""): LinePanel {
  const points = curve.points.map(({ gain, error }): Point => [gain, error]);
  const gains = [0, 1, ...points.map(([gain]) => gain)].filter(Number.isFinite);
  const ends = [curve.removed, curve.tangent, curve.parabola];
  const errors = [curve.baseline, ...ends, ...points.map(([, error]) => error)].filter(Number.isFinite);
  const extent = (values: readonly number[]): [number, number] => [
    values.reduce((a, b) => Math.min(a, b)),
    values.reduce((a, b) => Math.max(a, b)),
  ];
  const [low, high] = extent(errors);
  const lines = computeGainLines(curve, extent(gains), [low - (high - low) / 4, high]);
  const said = (name: string, value: number): string => `${name}: ${formatNumber(value)} at gain 0`;
  return {
    xLabel: "gain (0 = removed, 1 = intact)",
    yLabel: `error (mean over samples)${which}`,
    yScale,
    series: [
      { name: said("measured", curve.removed), points },
      { name: said("tangent", curve.tangent), points: lines.tangent },
      { name: said("parabola", curve.parabola), points: lines.parabola },
    ],
    rules: [{ x: 1, label: "gain 1" }],
    dots: ends
      .map((y, style) => ({ x: 0, y, style }))
      .filter(({ y }) => Number.isFinite(y) && (yScale !== "log" || y > 0))
      .reverse(), // the true error on top
  };
}
