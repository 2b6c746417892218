import { chooseScale, type ScaleType } from "../compute/scale.ts";
import type { Point, Series } from "../series.ts";
import type { ChartOptions } from "./frame.ts";
import { lineChart } from "./line.ts";

/** Options of the charts against units removed. */
export interface QualityChartOptions extends ChartOptions {
  /** Further values (in the units of the series) that the y axis must cover, for charts that are to be compared. */
  readonly include?: readonly number[];
  /** What is drawn to the right; default "units removed". */
  readonly xLabel?: string;
}

export interface ErrorChartOptions extends QualityChartOptions {
  /** Default `auto`: linear, or where the errors span more than a factor of 100 log (symlog if some are 0). */
  readonly yScale?: ScaleType | "auto";
}

/** Error (mean over samples) against units removed. At most about 800 points per line are drawn; extremes are kept. */
export function errorChart(series: readonly Series[], options: ErrorChartOptions = {}): string {
  const { title = "Error against units removed", yScale = "auto", include = [], ...size } = options;
  const values = [...series.flatMap((s) => s.points.map((p) => p[1])), ...include];
  return lineChart({
    ...size,
    title,
    xLabel: "units removed",
    yLabel: "error (mean over samples)",
    series,
    yScale: yScale === "auto" ? chooseScale(values) : yScale,
    yInclude: include,
    yZero: true,
  });
}

/** Accuracy (given as a share, 0 to 1; drawn in per cent) against units removed, or against what `xLabel` says. At most about 800 points per line are drawn; extremes are kept. */
export function accuracyChart(series: readonly Series[], options: QualityChartOptions = {}): string {
  const { title = "Accuracy against units removed", xLabel = "units removed", include = [], ...size } = options;
  return lineChart({
    ...size,
    title,
    xLabel,
    yLabel: "accuracy (%)",
    series: series.map((s) => ({
      ...s,
      points: s.points.map(([x, y]): Point => [x, y * 100]),
      ...(s.band && { band: s.band.map(([x, low, high]) => [x, low * 100, high * 100] as const) }),
    })),
    yInclude: include.map((v) => v * 100),
    yLimits: [0, 100],
  });
}
