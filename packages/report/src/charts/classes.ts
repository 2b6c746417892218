import * as Plot from "@observablehq/plot";
import type { ClassRow } from "../compute/classes.ts";
import { computeScale } from "../compute/scale.ts";
import { axis, axisName, tickMargin, yAxisMarks } from "./axis.ts";
import { type ChartOptions, drawChart } from "./frame.ts";
import { markerSymbol, seriesStyle } from "./palette.ts";

/** The sets of samples in the order of their styles in the charts of quality. */
const sets = ["calibration", "test"] as const;

/**
 * Accuracy of each class before and after on one set of samples, a point per class; on the diagonal nothing changed, below it
 * the class lost. Readable for two classes and for a thousand.
 */
export function classesChart(
  rows: readonly ClassRow[],
  set: (typeof sets)[number],
  options: ChartOptions = {},
): string {
  const { title = `Accuracy by class (${set})`, width = 460, height = 400 } = options;
  const look = seriesStyle(sets.indexOf(set));
  const points = rows.flatMap((row) => {
    const one = row[set];
    return one ? [{ before: one.before * 100, after: one.after * 100 }] : [];
  });
  const values = points.flatMap(({ before, after }) => [before, after]);
  const both = computeScale([...values, 100], { limits: [0, 100], count: 6 });
  const [low, high] = both.domain;
  return drawChart(
    {
      title,
      width,
      height,
      yLabel: axisName("accuracy after (%)", both.type),
      legend: [],
    },
    {
      marginLeft: tickMargin(both),
      marginRight: 20,
      marginTop: 12,
      marginBottom: 42,
      x: { ...axis(both, "accuracy before (%)"), labelAnchor: "center" },
      y: { ...axis(both), axis: null, grid: false },
      marks: [
        ...yAxisMarks(both),
        Plot.line(
          [
            [low, low],
            [high, high],
          ],
          { strokeDasharray: "5 3", strokeOpacity: 0.8 },
        ),
        Plot.dot(points, {
          x: "before",
          y: "after",
          r: points.length > 100 ? 2 : 3.5,
          fill: look.color,
          fillOpacity: points.length > 100 ? 0.4 : 0.7,
          stroke: "none",
          symbol: markerSymbol(look.marker),
        }),
      ],
    },
  );
}
