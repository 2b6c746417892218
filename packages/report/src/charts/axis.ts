import * as Plot from "@observablehq/plot";
import type { AxisScale, ScaleType } from "../compute/scale.ts";
import { formatTick } from "../format.ts";
import { textWidth } from "./frame.ts";

/** Plot's options for a computed scale. */
export function axis(scale: AxisScale, label: string | null = null): Plot.ScaleOptions {
  return {
    type: scale.type,
    domain: [...scale.domain],
    ticks: [...scale.ticks],
    tickFormat: formatTick,
    label,
    labelArrow: "none",
    grid: true,
    ...(scale.constant === undefined ? {} : { constant: scale.constant }),
  };
}

/** The name of an axis, with a remark where its scale is not linear. */
export function axisName(label: string, type: ScaleType): string {
  if (type === "log") return `${label}; log scale`;
  return type === "symlog" ? `${label}; log scale, linear around 0` : label;
}

/** The y axis of a computed scale as marks: Plot's own would leave out some labels of a log axis. Goes with `y: {...axis(scale), axis: null, grid: false}`. */
export function yAxisMarks({ ticks }: AxisScale): Plot.Markish[] {
  return [Plot.gridY([...ticks]), Plot.axisY([...ticks], { text: (tick: number) => formatTick(tick), label: null })];
}

/** Left margin in pixels that the tick labels of a y axis need. */
export function tickMargin(scale: AxisScale): number {
  return 16 + Math.max(16, ...scale.ticks.map((tick) => textWidth(formatTick(tick), 12)));
}
