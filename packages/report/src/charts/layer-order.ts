import * as Plot from "@observablehq/plot";
import { computeLayerRuns, computeRemovalCounts, type RemovalPlace } from "../compute/layer-order.ts";
import { computeScale } from "../compute/scale.ts";
import { formatCount } from "../format.ts";
import { axis } from "./axis.ts";
import { type ChartOptions, defaultWidth, drawChart, layerLabel, textWidth } from "./frame.ts";
import { seriesStyle } from "./palette.ts";

/** A row of the chart. */
export interface LayerRow {
  readonly group: string;
  readonly layer: string;
  /** Units that it had; shown beside the number of removed ones. */
  readonly size?: number;
}

export interface LayerOrderOptions extends ChartOptions {
  /** Rows from top to bottom; default: the groups with removals, in the order of their first. */
  readonly layers?: readonly LayerRow[];
  /** House style; default 0. */
  readonly style?: number;
}

/**
 * Which layer each removal came from, in order: a row per layer, a bar at every removal. Beyond 400 removals neighbouring ones are counted together,
 * and a bar's strength is the share of them that came from the layer.
 */
export function layerOrderChart(removals: readonly RemovalPlace[], options: LayerOrderOptions = {}): string {
  const { title = "Layer of each removal, in order", width = defaultWidth, style = 0 } = options;
  const rows = options.layers ?? distinctGroups(removals);
  const rowHeight = rows.length > 40 ? 13 : 22;
  const { height = rows.length * rowHeight + 50 } = options;
  const known = new Set(rows.map((row) => row.group));
  const runs = computeLayerRuns(removals).filter((run) => known.has(run.group));
  const counts = computeRemovalCounts(removals);
  const labels = new Map(rows.map((row) => [row.group, layerLabel(row.layer)]));
  const totals = new Map(rows.map((row) => [row.group, removedText(counts.get(row.group) ?? 0, row.size)]));
  const widest = (texts: Iterable<string>): number => Math.max(30, ...Array.from(texts, (t) => textWidth(t, 12)));
  const last = Math.max(1, removals.length);
  const x = computeScale([1, last], { nice: false, count: 8 });
  const ticks = x.ticks.filter((tick) => Number.isInteger(tick) && tick >= 1);
  return drawChart(
    { title, width, height, legend: [] },
    {
      marginLeft: widest(labels.values()) + 12,
      marginRight: widest(totals.values()) + 16,
      marginTop: 8,
      marginBottom: 42,
      x: {
        ...axis({ ...x, domain: [0.5, last + 0.5], ticks }, "removal (1 = first)"),
        labelAnchor: "center",
      },
      y: {
        type: "band",
        domain: rows.map((row) => row.group),
        padding: 0.2,
        label: null,
        tickFormat: (group: string) => labels.get(group) ?? group,
        tickSize: 0,
      },
      opacity: { type: "identity" },
      marks: [
        Plot.barX(rows, {
          x1: 0.5,
          x2: last + 0.5,
          y: "group",
          fill: "currentColor",
          fillOpacity: 0.06,
        }),
        Plot.barX(runs, {
          x1: (run) => run.first - 0.5,
          x2: (run) => run.last + 0.5,
          y: "group",
          fill: seriesStyle(style).color,
          ...(removals.length > runs.length && runs.some((run) => run.share < 1)
            ? { fillOpacity: (run) => 0.2 + 0.8 * run.share }
            : {}),
        }),
        Plot.text(rows, {
          y: "group",
          frameAnchor: "right",
          textAnchor: "start",
          dx: 8,
          text: (row) => totals.get(row.group),
        }),
      ],
    },
  );
}

function distinctGroups(removals: readonly RemovalPlace[]): LayerRow[] {
  const rows = new Map(removals.map(({ group, layer }) => [group, { group, layer }]));
  return [...rows.values()];
}

function removedText(removed: number, size: number | undefined): string {
  return size === undefined ? formatCount(removed) : `${formatCount(removed)} of ${formatCount(size)}`;
}
