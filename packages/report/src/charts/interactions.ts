import * as Plot from "@observablehq/plot";
import type { Interactions } from "@shrinknet/core";
import { computeSquares } from "../compute/squares.ts";
import { formatSigned } from "../format.ts";
import { type ChartOptions, drawChart, fitText, layerLabel } from "./frame.ts";
import { colors } from "./palette.ts";

/** Pairs of each kind that are drawn: the strongest. */
const mostSquares = 800;

/**
 * Interactions of all pairs as squares (a Hinton diagram), area is strength: above the diagonal, filled, pairs that cancel each other; below it,
 * empty, pairs that cover for each other. Neither depends on colour. Units are in the order of `units` on both axes, layers are set apart by lines.
 * Of each kind at most the 800 strongest pairs are drawn.
 */
export function interactionsChart(interactions: Interactions, options: ChartOptions = {}): string {
  const { title = "Interactions of pairs", width = 640 } = options;
  const { units, matrix } = interactions;
  const { negative, positive } = computeSquares(matrix, mostSquares);
  const bands = layerBands(units);
  const [left, right, top, bottom] = [16, 16, 8, 40];
  const side = width - left - right;
  const { height = side + top + bottom } = options;
  const [cancel, cover] = [colors[0] ?? "#2a78c8", colors[1] ?? "#d1590b"];
  const room = (band: Band): number => (side * (band.to - band.from)) / Math.max(1, units.length) - 8;
  const look = { x1: "x1", x2: "x2", y1: "y1", y2: "y2" };
  return drawChart(
    {
      title,
      width,
      height,
      legend: [
        { name: `above: cancel, up to ${formatSigned(negative[0]?.value)}`, kind: "bar", color: cancel },
        {
          name: `below: cover for each other, up to ${formatSigned(positive[0]?.value)}`,
          kind: "outline",
          color: cover,
        },
      ],
      yLabel: "area: strength of interaction, to a scale of its own above and below",
    },
    {
      marginLeft: left,
      marginRight: right,
      marginTop: top,
      marginBottom: bottom,
      x: { type: "linear", domain: [0, Math.max(1, units.length)], axis: null },
      y: { type: "linear", domain: [Math.max(1, units.length), 0], axis: null },
      marks: [
        Plot.frame({ strokeOpacity: 0.3 }),
        ...bands
          .slice(1)
          .map((band) => [
            Plot.ruleX([band.from], { strokeOpacity: 0.5, strokeDasharray: "2 3" }),
            Plot.ruleY([band.from], { strokeOpacity: 0.5, strokeDasharray: "2 3" }),
          ]),
        Plot.line(
          [
            [0, 0],
            [units.length, units.length],
          ],
          { strokeOpacity: 0.3 },
        ),
        Plot.rect(negative, { ...look, fill: cancel }),
        Plot.rect(positive, { ...look, fill: "none", stroke: cover, strokeWidth: 0.8 }),
        Plot.text(bands, {
          x: (band) => (band.from + band.to) / 2,
          frameAnchor: "bottom",
          dy: 16,
          text: (band) => fitText(layerLabel(band.layer), room(band), 12),
        }),
        Plot.text(["in each layer from the least to the most costly unit, left to right and top to bottom"], {
          frameAnchor: "bottom",
          dy: 32,
        }),
      ],
    },
  );
}

interface Band {
  readonly layer: string;
  readonly from: number;
  readonly to: number;
}

/** Runs of units of one layer. */
function layerBands(units: Interactions["units"]): Band[] {
  const starts = units.flatMap(({ group }, i) => (i === 0 || units[i - 1]?.group !== group ? [i] : []));
  return starts.map((from, i) => ({ layer: units[from]?.layer ?? "", from, to: starts[i + 1] ?? units.length }));
}
