import * as Plot from "@observablehq/plot";
import type { LayerWidth } from "@shrinknet/core";
import { computeScale } from "../compute/scale.ts";
import { formatCount } from "../format.ts";
import { axis } from "./axis.ts";
import { type ChartOptions, defaultWidth, drawChart, layerLabel, textWidth } from "./frame.ts";
import { seriesStyle } from "./palette.ts";

/** Units of each layer before (outline) and after (filled), a bar per layer. */
export function widthsChart(layers: readonly LayerWidth[], options: ChartOptions = {}): string {
  const { title = "Layer widths before and after", width = defaultWidth } = options;
  const rowHeight = layers.length > 40 ? 14 : 24;
  const { height = Math.max(1, layers.length) * rowHeight + 50 } = options;
  const { color } = seriesStyle(0);
  const labels = new Map(layers.map((layer) => [layer.group, layerLabel(layer.layer)]));
  const kept = (layer: LayerWidth): string => `${formatCount(layer.before)} → ${formatCount(layer.after)}`;
  const widest = (texts: readonly string[]): number => Math.max(30, ...texts.map((t) => textWidth(t, 12)));
  const x = computeScale(
    layers.flatMap((layer) => [layer.before, layer.after]),
    { zero: true, nice: false },
  );
  return drawChart(
    {
      title,
      width,
      height,
      legend: [
        { name: "before", kind: "outline", color: "currentColor" },
        { name: "after", kind: "bar", color },
      ],
    },
    {
      marginLeft: widest([...labels.values()]) + 12,
      marginRight: widest(layers.map(kept)) + 16,
      marginTop: 8,
      marginBottom: 42,
      x: {
        ...axis({ ...x, ticks: x.ticks.filter(Number.isInteger) }, "units"),
        labelAnchor: "center",
      },
      y: {
        type: "band",
        domain: layers.map((layer) => layer.group),
        padding: 0.25,
        label: null,
        tickFormat: (group: string) => labels.get(group) ?? group,
        tickSize: 0,
      },
      marks: [
        Plot.barX(layers, { x: "after", y: "group", fill: color }),
        Plot.barX(layers, {
          x: "before",
          y: "group",
          fill: "none",
          stroke: "currentColor",
        }),
        Plot.text(layers, {
          y: "group",
          frameAnchor: "right",
          textAnchor: "start",
          dx: 8,
          text: kept,
        }),
      ],
    },
  );
}
