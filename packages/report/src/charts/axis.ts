import * as Plot from "@observablehq/plot";
import type { AxisScale, ScaleType } from "../compute/scale.ts";
import { formatTick } from "../format.ts";
import { textWidth } from "./frame.ts";

/** Pixels between the labels of an x axis. */
const LABEL_GAP = 6;

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

/** The scale without the ticks whose labels would touch others on an x axis of so many pixels; that of zero stays. */
export function withRoom(scale: AxisScale, pixels: number): AxisScale {
  const { type, domain, ticks, constant = 1 } = scale;
  const transform = (value: number): number => {
    if (type === "log") return Math.log(value);
    return type === "symlog" ? Math.sign(value) * Math.log1p(Math.abs(value) / constant) : value;
  };
  const [low, high] = [transform(domain[0]), transform(domain[1])];
  const x = (tick: number): number => ((transform(tick) - low) / (high - low)) * pixels;
  const touches = (a: number, b: number): boolean =>
    Math.abs(x(a) - x(b)) < (textWidth(formatTick(a), 12) + textWidth(formatTick(b), 12)) / 2 + LABEL_GAP;
  const kept: number[] = ticks.filter((tick) => tick === 0);
  for (const tick of ticks) if (!kept.some((other) => touches(tick, other))) kept.push(tick);
  return { ...scale, ticks: kept.sort((a, b) => a - b) };
}
