import * as Plot from "@observablehq/plot";
import type { Partnership, UnitName } from "@shrinknet/core";
import { chooseScale, computeScale } from "../compute/scale.ts";
import { axis, axisName } from "./axis.ts";
import { type ChartOptions, defaultWidth, drawChart, layerLabel, textWidth } from "./frame.ts";
import { markerSymbol, seriesStyle } from "./palette.ts";

/**
 * Elite and cancelling units: a row per unit with its cost alone (circle) and its cost once its best partner is gone (triangle). A short bar is
 * an elite unit, that no other can stand in for or undo; a long bar to the left is one of two that cancel each other.
 */
export function partnersChart(partners: readonly Partnership[], options: ChartOptions = {}): string {
  const { title = "Elite and cancelling units", width = defaultWidth } = options;
  const { height = Math.max(1, partners.length) * 18 + 60 } = options;
  const rows = partners.map((partner) => ({ ...partner, row: unitLabel(partner), beside: unitLabel(partner.partner) }));
  const [alone, after] = [seriesStyle(0), seriesStyle(2)];
  const values = rows.flatMap((row) => [row.cost, row.after]).filter(Number.isFinite);
  const type = chooseScale(values) === "linear" ? "linear" : "symlog";
  const x = computeScale(values, { type, zero: true, count: 9 });
  const widest = (texts: readonly string[]): number => Math.max(30, ...texts.map((text) => textWidth(text, 12)));
  const look = { r: 4.5, strokeWidth: 1.5 };
  return drawChart(
    {
      title,
      width,
      height,
      legend: [
        { name: "cost alone", kind: "point", color: alone.color, marker: alone.marker },
        { name: "cost once the partner (right) is gone", kind: "point", color: after.color, marker: after.marker },
      ],
    },
    {
      marginLeft: widest(rows.map(({ row }) => row)) + 12,
      marginRight: widest(rows.map(({ beside }) => beside)) + 20,
      marginTop: 8,
      marginBottom: 42,
      x: { ...axis(x, axisName("change of the error when it is removed", x.type)), labelAnchor: "center" },
      y: { type: "band", domain: rows.map(({ row }) => row), padding: 0.2, label: null, tickSize: 0 },
      marks: [
        Plot.ruleX([0], { strokeOpacity: 0.5 }),
        Plot.ruleY(rows, { x1: "cost", x2: "after", y: "row", strokeWidth: 2, strokeOpacity: 0.45 }),
        Plot.dot(rows, {
          ...look,
          x: "after",
          y: "row",
          fill: after.color,
          stroke: after.color,
          symbol: markerSymbol(after.marker),
        }),
        Plot.dot(rows, { ...look, x: "cost", y: "row", fill: alone.color, stroke: alone.color }),
        Plot.text(rows, { y: "row", frameAnchor: "right", textAnchor: "start", dx: 10, text: "beside" }),
        ...(rows.length === 0 ? [Plot.text(["no data"], { frameAnchor: "middle" })] : []),
      ],
    },
  );
}

/** `layer:unit`, the layer shortened at its beginning. */
export function unitLabel({ layer, unit }: UnitName): string {
  return `${layerLabel(layer, 20)}:${unit}`;
}
