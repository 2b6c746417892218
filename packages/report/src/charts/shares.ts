import * as Plot from "@observablehq/plot";
import { type ChartOptions, defaultWidth, drawChart, textWidth } from "./frame.ts";
import { seriesStyle } from "./palette.ts";

/** A row of the chart: a name and the sizes of its parts. */
export interface SharesRow {
  readonly name: string;
  /** In the order of the chart's parts, none negative. */
  readonly sizes: readonly number[];
}

export interface SharesChartOptions extends ChartOptions {
  readonly title: string;
  /** Names of the parts, from left to right; at most three can be told apart without colour. */
  readonly parts: readonly string[];
}

/** From full to empty, so that parts differ without colour. */
const fills = [1, 0.35, 0];
/** A part narrower than this share of the bar has no number. */
const leastLabelled = 0.06;

/** What things are made of: a bar per row, cut into the shares of its parts. Rows whose parts are all 0, or not finite, have no bar. */
export function sharesChart(rows: readonly SharesRow[], options: SharesChartOptions): string {
  const { title, parts, width = defaultWidth, height = Math.max(1, rows.length) * 26 + 50 } = options;
  const cuts = rows.flatMap(({ name, sizes }, row) => {
    const whole = sizes.reduce((sum, size) => sum + size, 0);
    if (!(whole > 0 && Number.isFinite(whole))) return [];
    let end = 0;
    return sizes.map((size, part) => {
      const from = end;
      end += (size / whole) * 100;
      return { row: `${row} ${name}`, part, from, to: end };
    });
  });
  const wide = cuts.filter(({ from, to }) => to - from >= leastLabelled * 100);
  const look = (part: number): { color: string; opacity: number } => ({
    color: seriesStyle(part).color,
    opacity: fills[part % fills.length] as number,
  });
  return drawChart(
    {
      title,
      width,
      height,
      legend: parts.map((name, part) => ({ name, kind: "bar", ...look(part) })),
    },
    {
      marginLeft: Math.max(30, ...rows.map(({ name }) => textWidth(name, 12))) + 20,
      marginRight: 20,
      marginTop: 8,
      marginBottom: 42,
      x: { domain: [0, 100], label: "share (%)", labelAnchor: "center", labelArrow: "none", grid: true },
      y: {
        type: "band",
        domain: rows.map(({ name }, row) => `${row} ${name}`),
        padding: 0.25,
        label: null,
        tickFormat: (row: string) => row.slice(row.indexOf(" ") + 1),
        tickSize: 0,
      },
      marks: [
        ...parts.map((_, part) =>
          Plot.barX(
            cuts.filter((cut) => cut.part === part),
            {
              ...{ x1: "from", x2: "to", y: "row", insetRight: 1 },
              ...{ fill: look(part).color, fillOpacity: look(part).opacity, stroke: look(part).color },
            },
          ),
        ),
        Plot.text(wide, {
          x: ({ from, to }) => (from + to) / 2,
          y: "row",
          text: ({ from, to }) => (to - from).toFixed(0),
          fill: ({ part }) => (part === 0 ? "#fff" : "currentColor"),
        }),
        ...(cuts.length === 0 ? [Plot.text(["no data"], { frameAnchor: "middle" })] : []),
      ],
    },
  );
}
