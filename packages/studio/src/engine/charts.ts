/** Drawings, made by the report's own charts; a chunk of its own, loaded when the first one is asked for. */
import type { GainCurve, PruneSummary } from "@shrinknet/core";
import { accuracyChart, errorChart, gainChart, predictedChart, pruneReport } from "@shrinknet/report";
import type { Curve } from "../backend/backend.ts";

/** The gain curve of a unit, with tangent and parabola, as SVG. */
export function drawGain(curve: GainCurve): string {
  return gainChart(curve, { width: 520, height: 300 });
}

/** Quality against units removed, a line for each run, as SVG. */
export function drawCurves(measure: "accuracy" | "error", curves: readonly Curve[], width: number): string {
  const size = { width, height: 260 };
  return measure === "accuracy" ? accuracyChart(curves, size) : errorChart(curves, { ...size, yScale: "linear" });
}

/** Predicted against measured costs, as SVG: the points of a curve are [predicted, measured]. */
export function drawScatter(curves: readonly Curve[], width: number): string {
  const series = curves.map(({ name, points }) => ({
    name,
    points: points.map(([predicted, measured]) => ({ predicted, measured })),
  }));
  return predictedChart(series, { width, height: 320, title: "What estimates say, and what is true" });
}

/** The report of a run as HTML. */
export function drawReport(summary: PruneSummary): string {
  return pruneReport(summary);
}
