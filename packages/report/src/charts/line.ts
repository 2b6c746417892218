import * as Plot from "@observablehq/plot";
import { computeScale, type ScaleType } from "../compute/scale.ts";
import { thinPoints } from "../compute/thin.ts";
import type { Point, Series } from "../series.ts";
import { axis, axisName, tickMargin, yAxisMarks } from "./axis.ts";
import { type ChartOptions, defaultWidth, drawPanels, type LegendEntry, type Panel } from "./frame.ts";
import { type Marker, markerSymbol, type SeriesStyle, seriesStyle } from "./palette.ts";

/** A straight line across the chart at one x or one y. */
export interface Rule {
  readonly x?: number;
  readonly y?: number;
  readonly label?: string;
}

/** A single marked point, in data units. */
export interface Dot {
  readonly x: number;
  readonly y: number;
  /** In the colour and shape of this house style. */
  readonly style: number;
}

/** Axes and lines, without title and legend. */
export interface LinePanel extends Pick<ChartOptions, "height"> {
  /** With the unit: "units removed", "error (mean over samples)". */
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Default linear. On log, values of 0 and below are gaps. */
  readonly yScale?: ScaleType;
  /** Further y values that the axis must cover, for charts that are to be compared. */
  readonly yInclude?: readonly number[];
  /** Let a linear y axis begin at 0; default false. */
  readonly yZero?: boolean;
  /** A linear y axis never goes beyond these. */
  readonly yLimits?: readonly [low: number, high: number];
  readonly rules?: readonly Rule[];
  readonly dots?: readonly Dot[];
}

export interface LineChart extends LinePanel, Pick<ChartOptions, "width"> {
  readonly title: string;
}

/**
 * A line chart as a complete SVG file. Lines differ in colour, dash and marker. Lines of more than 800 points are thinned to at most 800
 * that keep the extremes (see `thinPoints`); values that are not finite are gaps.
 */
export function lineChart({ title, width = defaultWidth, ...panel }: LineChart): string {
  return linePanels({ title, width }, [panel]);
}

/** Line charts one below the other, with one title and the legend of the first: all draw the same lines. */
export function linePanels(
  { title, width }: { readonly title: string; readonly width: number },
  panels: readonly LinePanel[],
): string {
  const drawn = panels.map(linePanel);
  return drawPanels({ title, width, legend: drawn[0]?.legend ?? [] }, drawn);
}

function linePanel(chart: LinePanel): Panel & { readonly legend: readonly LegendEntry[] } {
  const { xLabel, yLabel, yScale = "linear", yInclude = [], yZero = false, yLimits } = chart;
  const { height = 340, rules = [], dots = [] } = chart;
  const lines = chart.series.map((series, index) => line(series, index, chart.series.length, yScale));
  const edges = lines.flatMap((l) =>
    l.band.flatMap(([x, low, high]): Point[] => [
      [x, low],
      [x, high],
    ]),
  );
  const all = [...lines.flatMap((l) => l.points), ...edges, ...dots.map((d): Point => [d.x, d.y])];
  const shown = all.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  const ruled = (key: "x" | "y"): number[] => rules.flatMap((rule) => rule[key] ?? []);
  const x = computeScale([...all.map((p) => p[0]), ...ruled("x")], {
    nice: false,
    count: 8,
  });
  const y = computeScale([...shown.map((p) => p[1]), ...ruled("y"), ...yInclude], {
    type: yScale,
    zero: yZero,
    ...(yLimits ? { limits: yLimits } : {}),
  });
  return {
    height,
    yLabel: axisName(yLabel, y.type),
    legend: lines.map((l) => l.legend),
    values: {
      xLabel,
      x: x.domain,
      lines: lines.map(({ legend: { name }, points }) => ({ name, points })),
    },
    options: {
      marginLeft: tickMargin(y),
      marginRight: 20,
      marginTop: rules.some((rule) => rule.x !== undefined && rule.label) ? 22 : 12,
      marginBottom: 42,
      x: { ...axis(x, xLabel), labelAnchor: "center" },
      y: { ...axis(y), axis: null, grid: false },
      marks: [
        ...yAxisMarks(y),
        ...rules.flatMap(ruleMarks),
        ...lines.flatMap((l) => bandMarks(l)),
        ...lines.flatMap((l) => lineMarks(l)),
        ...dots.map((dot) => dotMarks([[dot.x, dot.y]], seriesStyle(dot.style), 5)),
        ...(shown.length === 0 ? [Plot.text(["no data"], { frameAnchor: "middle" })] : []),
      ],
    },
  };
}

interface Line {
  readonly points: readonly Point[];
  readonly marked: readonly Point[];
  readonly band: NonNullable<Series["band"]>;
  readonly look: SeriesStyle;
  readonly legend: LegendEntry;
}

function line(series: Series, index: number, count: number, yScale: ScaleType): Line {
  const house = seriesStyle(series.style ?? index);
  const look = {
    ...house,
    color: series.color ?? house.color,
    dash: series.dash ?? house.dash,
  };
  const usable = (y: number): boolean => Number.isFinite(y) && (yScale !== "log" || y > 0);
  const points = thinPoints(series.points).map(([x, y]): Point => [x, usable(y) ? y : Number.NaN]);
  const marked = series.markers === false ? [] : markedPoints(points, (index + 0.5) / count);
  const marker: { marker?: Marker } = series.markers === false ? {} : { marker: look.marker };
  return {
    points,
    marked,
    band: (series.band ?? []).filter(([, low, high]) => usable(low) && usable(high)),
    look,
    legend: {
      name: series.name,
      kind: "line",
      color: look.color,
      dash: look.dash,
      ...marker,
    },
  };
}

/** The points that get a marker: all of a short line, else eight, shifted by `phase` (0 to 1) so that lines that coincide do not hide each other's. */
function markedPoints(all: readonly Point[], phase: number): Point[] {
  const points = all.filter((p) => Number.isFinite(p[1]));
  if (points.length <= 12) return points;
  return Array.from({ length: 8 }, (_, i) => Math.floor(((i + phase) * points.length) / 8)).flatMap((i) =>
    points.slice(i, i + 1),
  );
}

function bandMarks({ band, look }: Line): Plot.Markish[] {
  if (band.length === 0) return [];
  return [Plot.areaY(band, { x: (d) => d[0], y1: (d) => d[1], y2: (d) => d[2], fill: look.color, fillOpacity: 0.18 })];
}

function lineMarks({ points, marked, look }: Line): Plot.Markish[] {
  const dash = look.dash === "" ? {} : { strokeDasharray: look.dash };
  return [
    Plot.line(points, {
      stroke: look.color,
      strokeWidth: 2,
      strokeLinecap: "butt",
      ...dash,
    }),
    dotMarks(marked, look, 3.5),
  ];
}

function dotMarks(points: readonly Point[], { color, marker }: SeriesStyle, radius: number): Plot.Markish {
  return Plot.dot(points, {
    fill: color,
    stroke: color,
    r: radius,
    symbol: markerSymbol(marker),
  });
}

function ruleMarks({ x, y, label }: Rule): Plot.Markish[] {
  const look = { strokeOpacity: 0.6, strokeDasharray: "1 3" };
  const text = label === undefined ? [] : [label];
  return [
    ...(x === undefined ? [] : [Plot.ruleX([x], look)]),
    ...(y === undefined ? [] : [Plot.ruleY([y], look)]),
    ...(x === undefined
      ? []
      : [
          Plot.text(text, {
            x: [x],
            frameAnchor: "top",
            dy: -14,
            textAnchor: "start",
            lineAnchor: "top",
          }),
        ]),
    ...(y === undefined || x !== undefined
      ? []
      : [
          Plot.text(text, {
            y: [y],
            frameAnchor: "right",
            dy: -7,
            textAnchor: "end",
          }),
        ]),
  ];
}
