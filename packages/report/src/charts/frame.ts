/**
 * What all charts share: Plot draws the axes and marks into linkedom's document; around them we write our own SVG element with title, legend and
 * style, so that the file stands alone, reads well in light and dark, and is the same on every machine.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escapeText, printable } from "../html.ts";
import { type Marker, markerPath } from "./palette.ts";

/** Options of every chart. */
export interface ChartOptions {
  /** Above the chart, and its accessible name. */
  readonly title?: string;
  /** Pixels; default 640. */
  readonly width?: number;
  /** Pixels of axes and marks, without title and legend; the default depends on the chart. */
  readonly height?: number;
}

export const defaultWidth = 640;

/** One legend entry. `line` draws a line with a marker, `point` a marker, `bar` a filled and `outline` an empty box. */
export interface LegendEntry {
  readonly name: string;
  readonly kind: "line" | "point" | "bar" | "outline";
  readonly color: string;
  readonly dash?: string;
  readonly marker?: Marker;
  /** Of a bar's filling, 0 to 1; default 1. Below 1 it has an edge. */
  readonly opacity?: number;
}

/** Pixels of axes and marks, and the name of the y axis, written above it. */
interface PanelFrame {
  readonly height: number;
  readonly yLabel?: string;
}

/** What stands around the axes. */
export interface PanelsFrame {
  readonly title: string;
  readonly width: number;
  readonly legend: readonly LegendEntry[];
}

export interface Frame extends PanelsFrame, PanelFrame {}

/** What the pointer shows of a panel: its lines, over the part of its width that the x axis takes. */
export interface Values {
  readonly xLabel: string;
  readonly x: readonly [low: number, high: number];
  readonly lines: readonly { readonly name: string; readonly points: readonly (readonly [x: number, y: number])[] }[];
}

/** One pair of axes with what Plot draws in it. */
export interface Panel extends PanelFrame {
  readonly options: Plot.PlotOptions;
  readonly values?: Values;
}

/** The part of the DOM that is used here; linkedom's and a browser's elements both fit. */
interface DrawnElement {
  readonly tagName: string;
  innerHTML: string;
  remove(): void;
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  querySelectorAll(selector: string): Iterable<DrawnElement>;
}

/** A page may set --chart-ink and --chart-paper (for example to currentColor and transparent) to draw charts in its own colours. */
const style =
  ".shrinknet-chart{color:var(--chart-ink,#1c1c1c);background:var(--chart-paper,#fff);max-width:100%;height:auto}" +
  "@media(prefers-color-scheme:dark){.shrinknet-chart{color:var(--chart-ink,#e4e4e4);background:var(--chart-paper,#111)}}";

const titleHeight = 26;
const legendRow = 20;
const yLabelHeight = 18;
const panelGap = 14;

/** A complete SVG file: title, legend, and what Plot makes of the options. */
export function drawChart(frame: Frame, options: Plot.PlotOptions): string {
  return drawPanels(frame, [{ ...frame, options }]);
}

/** A complete SVG file of several panels, one below the other, with one title and one legend. */
export function drawPanels({ title, width, legend: entries }: PanelsFrame, panels: readonly Panel[]): string {
  const legend = drawLegend(entries, width);
  let bottom = titleHeight + legend.height;
  const parts = panels.flatMap(({ height, yLabel, options, values }, i) => {
    const top = bottom + (i === 0 ? 0 : panelGap) + (yLabel === undefined ? 0 : yLabelHeight);
    bottom = top + height;
    const name = escapeText(fitText(yLabel ?? "", width - 16, 12));
    return [
      ...(yLabel === undefined ? [] : [`<text x="8" y="${top - 4}">${name}</text>`]),
      `<g transform="translate(0,${top})" text-anchor="middle"${valuesAttribute(values, options, width)}>${drawn(options, width, height)}</g>`,
    ];
  });
  return svgFile({ title, width, height: bottom }, [legend.markup, ...parts]);
}

/** Read by the script of a page that has one; see `pages/interaction.ts`. */
function valuesAttribute(values: Values | undefined, options: Plot.PlotOptions, width: number): string {
  if (!values) return "";
  const { marginLeft = 0, marginRight = 0, marginTop = 0, marginBottom = 0 } = options;
  const known = (points: Values["lines"][number]["points"]) =>
    points.filter((point) => point.every(Number.isFinite)).map(([x, y]) => [x, Number(y.toPrecision(4))]);
  const lines = values.lines.map(({ name, points }) => ({ name, points: known(points) }));
  const box = { left: marginLeft, right: width - marginRight, top: marginTop, bottom: marginBottom };
  return ` data-values="${escapeText(JSON.stringify({ ...values, lines, box }))}"`;
}

/** What Plot makes of the options, as markup. */
function drawn(options: Plot.PlotOptions, width: number, height: number): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const svg: DrawnElement = Plot.plot({ ...options, document, width, height, style: { fontSize: "12px" } });
  return tidy(svg);
}

/** A complete SVG file in the look of all charts: the title at its top (26 pixels), then `parts`. */
export function svgFile(
  { title, width, height }: { readonly title: string; readonly width: number; readonly height: number },
  parts: readonly string[],
): string {
  const name = escapeText(title);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="shrinknet-chart" role="img" aria-label="${name}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="currentColor">`,
    `<title>${name}</title><style>${style}</style>`,
    `<text x="8" y="17" font-size="14" font-weight="600">${escapeText(fitText(title, width - 16, 14))}</text>`,
    ...parts,
    "</svg>",
  ].join("\n");
}

/** Entries from left to right, wrapped into rows. Text widths are estimated, generously. */
function drawLegend(entries: readonly LegendEntry[], width: number): { markup: string; height: number } {
  let [x, row] = [8, 0];
  const parts = entries.map((entry) => {
    const name = fitText(entry.name, width - 60, 12);
    const indent = entry.kind === "point" ? 14 : 40;
    const length = indent + textWidth(name, 12) + 18;
    if (x > 8 && x + length > width) [x, row] = [8, row + 1];
    const part = `<g transform="translate(${x},${titleHeight + row * legendRow + 10})">${swatch(entry)}<text x="${indent}" y="4">${escapeText(name)}</text></g>`;
    x += length;
    return part;
  });
  return {
    markup: parts.join("\n"),
    height: entries.length === 0 ? 0 : (row + 1) * legendRow + 4,
  };
}

function swatch({ kind, color, dash = "", marker, opacity = 1 }: LegendEntry): string {
  const ink = escapeText(color);
  if (kind === "bar" && opacity < 1)
    return `<rect x="4" y="-6" width="28" height="12" fill="${ink}" fill-opacity="${opacity}" stroke="${ink}"/>`;
  if (kind === "bar") return `<rect x="4" y="-6" width="28" height="12" fill="${ink}"/>`;
  if (kind === "outline") return `<rect x="4" y="-6" width="28" height="12" fill="none" stroke="${ink}"/>`;
  const dots = marker
    ? `<path d="${markerPath(marker, 4)}" transform="translate(${kind === "point" ? 5 : 17},0)" fill="${ink}" stroke="${ink}"/>`
    : "";
  if (kind === "point") return dots;
  const dashed = dash === "" ? "" : ` stroke-dasharray="${escapeText(dash)}"`;
  return `<path d="M0,0H34" fill="none" stroke="${ink}" stroke-width="2"${dashed}/>${dots}`;
}

/** Pixels that a text takes at most, about. */
export function textWidth(text: string, size: number): number {
  return Math.ceil(Array.from(text).length * size * 0.58);
}

/** The text, shortened at its end to fit `width` pixels. */
export function fitText(text: string, width: number, size: number): string {
  const letters = Array.from(printable(text));
  const room = Math.max(1, Math.floor(width / (size * 0.58)));
  return letters.length <= room ? letters.join("") : `${letters.slice(0, room - 1).join("")}…`;
}

/** A layer's name, shortened at its beginning (the end of a path tells layers apart); at most `limit` characters, default 28. */
export function layerLabel(name: string, limit = 28): string {
  const letters = Array.from(printable(name));
  return letters.length <= limit ? letters.join("") : `…${letters.slice(1 - limit).join("")}`;
}

const coordinates = ["d", "transform", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "fill-opacity"];

/** Plot's drawing without its style sheet (its class name would differ) and with coordinates of at most two decimals. */
function tidy(svg: DrawnElement): string {
  for (const element of svg.querySelectorAll("*")) {
    if (element.tagName.toLowerCase() === "style") element.remove();
    for (const name of ["aria-hidden", "aria-label", "aria-description"]) element.removeAttribute(name);
    for (const name of coordinates) {
      const value = element.getAttribute(name);
      if (value?.includes("."))
        element.setAttribute(
          name,
          value.replace(/-?\d+\.\d+(e-?\d+)?/g, (n) => String(Number(Number(n).toFixed(2)))),
        );
    }
  }
  return svg.innerHTML;
}
