/** The figures of an experiment as SVG files, in the look of the reports: criteria differ in colour, marker and dash. */

import type { CompareRun, Schedule } from "@shrinknet/core";
import {
  accuracyChart,
  errorChart,
  gainChart,
  layerOrderChart,
  lineChart,
  type Point,
  type ScaleType,
  type Series,
  sharesChart,
} from "@shrinknet/report";
import type { Experiment, Measure, PublishedFigure } from "../experiments/experiment.ts";
import {
  type CriterionName,
  criteria,
  curveOf,
  type DataSet,
  type Measured,
  type RemovalGain,
  runOf,
} from "../measure/measured.ts";
import { type Compared, referenceText } from "./agreement.ts";
import { meanCauses } from "./estimates.ts";
import { bandOf } from "./stats.ts";

const size = { width: 640, height: 320 };

/** Our curves: the median of the seeds, and from two seeds on the quartiles around it. */
export function curvesFigure(
  seeds: readonly Measured[],
  { schedule, measure, data }: { schedule: Schedule; measure: Measure; data: DataSet },
): string {
  const series = criteria.map((criterion): Series => {
    const band = bandOf(seeds.map((seed) => curveOf(seed, criterion, schedule, measure, data)));
    return {
      name: criterion,
      points: pointsOf(band.median),
      ...(seeds.length > 1 && {
        band: band.low.map((low, removed) => [removed, low, band.high[removed] as number] as const),
      }),
    };
  });
  const of = seeds.length > 1 ? ` (median and quartiles of ${seeds.length} seeds)` : "";
  const title = `${measure === "error" ? "Error" : "Accuracy"}, ${data}, ${schedule}${of}`;
  return measure === "error"
    ? errorChart(series, { ...size, title, yScale: "linear" })
    : accuracyChart(series, { ...size, title, include: [0, 1] });
}

/** Ours (solid) and the published curves (dashed) on one scale; colour and marker tell the criterion. */
export function publishedFigure(figure: PublishedFigure, compared: Readonly<Record<CriterionName, Compared>>): string {
  const isError = figure.measure === "error";
  const series = (whose: "ours" | "published"): Series[] =>
    criteria.map((criterion, style) => ({
      name: `${criterion}, ${whose}`,
      points: pointsOf(compared[criterion][whose].map((value) => value * 100)),
      style,
      dash: whose === "ours" ? "" : "5 4",
    }));
  return lineChart({
    ...size,
    title: `${isError ? "Error" : "Accuracy"}, ${figure.schedule}: ours (solid) and published (dashed)`,
    xLabel: "units removed",
    yLabel: isError ? `error (% of ${referenceText(figure)})` : "accuracy (%)",
    series: [...series("ours"), ...series("published")],
    yZero: true,
  });
}

export type Space = "log" | "real";
const scales = { log: "log", real: "linear" } satisfies Record<Space, ScaleType>;

/** Most points that a gain curve is drawn with; the CSV has all. */
const DRAWN = 250;

/** The gain curves of one criterion's choices. */
export function gainsFigure({ gains }: Measured, criterion: CriterionName, space: Space): string {
  const curves = gains[criterion];
  const stride = Math.max(1, Math.ceil((curves[0]?.points.length ?? 0) / DRAWN));
  return lineChart({
    ...{ width: size.width, height: 360 },
    title: `Gain curves of the units that ${criterion} removes, ${space} space`,
    xLabel: "gain of the unit's output (0 = removed, 1 = as trained)",
    yLabel: "error (sum over samples)",
    yScale: scales[space],
    series: curves.map(({ removedBefore, points }) => ({
      name: removedBefore === 0 ? "first removal" : `after ${removedBefore}`,
      points: points.filter((_, i) => i % stride === 0).map(({ gain, error }): Point => [gain, error]),
    })),
    rules: [{ x: 1, label: "gain 1" }],
  });
}

/** One unit's gain curve with tangent and parabola: of those that taylor2 takes, the one about which it is most wrong. */
export function intuitionFigure({ gains }: Measured): string | undefined {
  const failure = ({ parabola, removed }: RemovalGain): number => Math.abs(parabola - removed);
  const [worst] = [...gains.taylor2].sort((a, b) => failure(b) - failure(a));
  if (!worst) return undefined;
  const { layer, unit, removedBefore } = worst;
  return gainChart(worst, {
    ...size,
    title: `What taylor2 sees of unit ${unit} of ${layer}, after ${removedBefore} removals`,
  });
}

/** Which layer each removal came from. */
export function layersFigure(measured: Measured, criterion: CriterionName, schedule: Schedule): string {
  return layerOrderChart(runOf(measured, criterion, schedule).steps satisfies CompareRun["steps"], {
    title: `Layer of each removal: ${criterion}, ${schedule}`,
    width: size.width,
    layers: measured.layers,
    style: criteria.indexOf(criterion),
  });
}

/** What taylor2 gets wrong on each experiment's networks, cut into its causes: about pairs of units, or about single ones. */
export function causesFigure(results: readonly (readonly Measured[])[], about: "pairs" | "units"): string {
  const rows = results.flatMap((seeds) => {
    const { pair, truncation, diagonal } = meanCauses(seeds);
    const sizes = about === "pairs" ? [pair.truncation, pair.diagonal, pair.interaction] : [truncation, diagonal];
    return seeds[0] ? [{ name: seeds[0].experiment.id, sizes }] : [];
  });
  const parts = ["truncation: no parabola", "diagonal: dropped cross terms", "interaction"];
  return sharesChart(rows, {
    width: size.width,
    title:
      about === "pairs"
        ? "What taylor2 gets wrong about pairs, intact network"
        : "What taylor2 gets wrong about single units",
    parts: about === "pairs" ? parts : parts.slice(0, 2),
  });
}

/** What the experiment's networks can be measured by. */
export function measuresOf({ training }: Pick<Experiment, "training">): readonly Measure[] {
  return "accuracy" in training.goal ? ["error", "accuracy"] : ["error"];
}

function pointsOf(curve: readonly number[]): Point[] {
  return curve.map((value, removed): Point => [removed, value]);
}
