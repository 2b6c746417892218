import * as Plot from "@observablehq/plot";
import type { Prediction } from "../compute/predictions.ts";
import { chooseScale, computeScale, type ScaleType } from "../compute/scale.ts";
import { thinPoints } from "../compute/thin.ts";
import type { Point } from "../series.ts";
import { axis, axisName, tickMargin, withRoom, yAxisMarks } from "./axis.ts";
import { type ChartOptions, drawChart } from "./frame.ts";
import { markerSymbol, seriesStyle } from "./palette.ts";

/** One cloud of points. */
export interface PredictedSeries {
  readonly name: string;
  readonly points: readonly Prediction[];
  /** Index of the house style; default: the position among the series. */
  readonly style?: number;
}

export interface PredictedChartOptions extends ChartOptions {
  /** Of both axes; default `auto`: linear, or symlog where the changes span more than a factor of 100. */
  readonly scale?: Exclude<ScaleType, "log"> | "auto";
}

/**
 * Predicted against measured change of the error, a point per removal, both axes alike; on the diagonal the prediction was right, above it
 * the removal did more harm than predicted. At most about 800 points per series are drawn; extremes of both axes are kept.
 */
export function predictedChart(series: readonly PredictedSeries[], options: PredictedChartOptions = {}): string {
  const { title = "Predicted against measured change of error", width = 460, height = 400, scale = "auto" } = options;
  const clouds = series.map((s, index) => ({
    name: s.name,
    points: thinPredictions(s.points),
    look: seriesStyle(s.style ?? index),
  }));
  const values = clouds.flatMap((c) => c.points.flatMap((p) => [p.predicted, p.measured])).filter(Number.isFinite);
  const type = scale !== "auto" ? scale : chooseScale(values) === "linear" ? "linear" : "symlog";
  const both = computeScale(values, { type, zero: true, count: 9 });
  const [low, high] = both.domain;
  const margins = { marginLeft: tickMargin(both), marginRight: 20, marginTop: 12, marginBottom: 42 };
  const across = withRoom(both, width - margins.marginLeft - margins.marginRight);
  return drawChart(
    {
      title,
      width,
      height,
      yLabel: axisName("measured change of error", both.type),
      legend: clouds.map((c) => ({
        name: c.name,
        kind: "point",
        color: c.look.color,
        marker: c.look.marker,
      })),
    },
    {
      ...margins,
      x: { ...axis(across, "predicted change of error"), labelAnchor: "center" },
      y: { ...axis(both), axis: null, grid: false },
      marks: [
        ...yAxisMarks(both),
        Plot.ruleX([0], { strokeOpacity: 0.4 }),
        Plot.ruleY([0], { strokeOpacity: 0.4 }),
        Plot.line(
          [
            [low, low],
            [high, high],
          ],
          { strokeDasharray: "5 3", strokeOpacity: 0.8 },
        ),
        ...clouds.map((c) =>
          Plot.dot(c.points, {
            x: "predicted",
            y: "measured",
            r: 3,
            fill: c.look.color,
            fillOpacity: 0.6,
            stroke: c.look.color,
            symbol: markerSymbol(c.look.marker),
          }),
        ),
        ...(values.length === 0 ? [Plot.text(["no data"], { frameAnchor: "middle" })] : []),
      ],
    },
  );
}

/** At most about 800 of them: 400 that keep the extremes of the predictions and 400 that keep those of the measurements. */
function thinPredictions(points: readonly Prediction[]): readonly Prediction[] {
  if (points.length <= 800) return points;
  const kept = (key: keyof Prediction): number[] =>
    thinPoints(
      points.map((p, i): Point => [i, p[key]]),
      400,
    ).map((p) => p[0]);
  const indexes = new Set([...kept("predicted"), ...kept("measured")]);
  return points.filter((_, i) => indexes.has(i));
}
