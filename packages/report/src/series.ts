/** A point of a line: x, y. A y that is not finite is a gap. */
export type Point = readonly [x: number, y: number];

/** One line of a chart. */
export interface Series {
  /** Shown in the legend. */
  readonly name: string;
  /** In ascending x. */
  readonly points: readonly Point[];
  /** An area around the line, such as quartiles, lightly filled: x, from, to. In ascending x. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[];
  /** Index of the house style (colour, dash, marker); default: the position among the chart's series. */
  readonly style?: number;
  /** SVG stroke-dasharray instead of the style's, for example `"4 2"`; empty for solid. */
  readonly dash?: string;
  /** CSS colour instead of the style's. */
  readonly color?: string;
  /** Draw a few markers along the line; default true. */
  readonly markers?: boolean;
}
