/** How our curves compare with the published ones of a figure, in numbers and in one sentence. */
import type { PublishedFigure } from "../experiments/experiment.ts";
import { type CriterionName, criteria, curveOf, type Measured } from "../measure/measured.ts";
import { type PublishedCurves, publishedCurves } from "./published.ts";
import { area, bandOf, median, shareWhile } from "./stats.ts";

/** Our median curve and the published one on one scale: accuracy as it is, error as a share (see PublishedFigure). */
export interface Compared {
  readonly ours: readonly number[];
  readonly published: readonly number[];
  /** Share of the units that go before the curve first leaves what {@link boundOf} says. */
  readonly oursUntil: number;
  readonly publishedUntil: number;
  /** Mean distance between the curves from the first removal on. */
  readonly distance: number;
}

/** What counts as unharmed, on the scale of {@link Compared}. */
function boundOf({ measure, relativeTo }: PublishedFigure): number {
  if (measure === "accuracy") return 0.95;
  return relativeTo === "first removal" ? 1.05 : 0.05;
}

/** What the scale's 100 % of an error is, in words. */
export function referenceText({ relativeTo }: PublishedFigure): string {
  return relativeTo === "first removal" ? "that after the oracle's first removal" : "that without any unit";
}

export function compareWithPublished(
  figure: PublishedFigure,
  seeds: readonly Measured[],
): Record<CriterionName, Compared> {
  const { schedule, measure } = figure;
  const theirs = scaled(publishedCurves(figure.figure), figure);
  const ours = seeds.map((seed) => {
    const curve = (criterion: CriterionName): number[] => curveOf(seed, criterion, schedule, measure);
    return scaled({ oracle: curve("oracle"), taylor1: curve("taylor1"), taylor2: curve("taylor2") }, figure);
  });
  const bound = boundOf(figure);
  const unharmed = (value: number): boolean =>
    Number.isNaN(value) || (measure === "accuracy" ? value >= bound : value <= bound);
  const of = (criterion: CriterionName): Compared => {
    const curves = ours.map((seed) => seed[criterion]);
    const middle = bandOf(curves).median;
    const published = theirs[criterion];
    const distances = middle.map((value, i) => Math.abs(value - (published[i] ?? Number.NaN))).slice(1);
    return {
      ours: middle,
      published,
      oursUntil: median(curves.map((curve) => shareWhile(curve, unharmed))),
      publishedUntil: shareWhile(published, unharmed),
      distance: distances.reduce((sum, distance) => sum + distance, 0) / distances.length,
    };
  };
  return { oracle: of("oracle"), taylor1: of("taylor1"), taylor2: of("taylor2") };
}

/** Curves on the scale of {@link Compared}. Errors read off a drawing a hair below 0 are 0. */
function scaled(curves: PublishedCurves, { measure, relativeTo }: PublishedFigure): PublishedCurves {
  if (measure === "accuracy") return curves;
  const { oracle } = curves;
  const reference = (relativeTo === "first removal" ? oracle[1] : oracle.at(-1)) ?? Number.NaN;
  const shares = (curve: readonly number[]): number[] => curve.map((value) => Math.max(0, value / reference));
  return { oracle: shares(oracle), taylor1: shares(curves.taylor1), taylor2: shares(curves.taylor2) };
}

/** One sentence, every number in it computed. */
export function agreementText(figure: PublishedFigure, compared: Record<CriterionName, Compared>): string {
  const bound =
    figure.measure === "accuracy"
      ? `accuracy stays at ${percent(boundOf(figure))} or more`
      : `the error stays within ${percent(boundOf(figure))} of ${referenceText(figure)}`;
  const until = criteria.map((name) => {
    const { oursUntil, publishedUntil } = compared[name];
    return `${percent(oursUntil)} by ${name} (published ${percent(publishedUntil)})`;
  });
  const apart = criteria.map((name) => percent(compared[name].distance)).join(", ");
  const orders = (["ours", "published"] as const).map((whose) => orderOf(figure, compared, whose).join(", "));
  const order =
    orders[0] === orders[1]
      ? `in both the order from best to worst is ${orders[0]}`
      : `from best to worst ours are ${orders[0]}, the published ${orders[1]}`;
  const whole = until.slice(0, -1).join(", ");
  return `${bound[0]?.toUpperCase()}${bound.slice(1)} while removing ${whole} and ${until.at(-1)}; on average the curves lie ${apart} of the scale apart; ${order}.`;
}

/** Criteria by the area under their curves, best first. */
function orderOf(
  { measure }: PublishedFigure,
  compared: Record<CriterionName, Compared>,
  whose: "ours" | "published",
): CriterionName[] {
  const harm = (name: CriterionName): number =>
    (measure === "accuracy" ? -1 : 1) * area(compared[name][whose].slice(1));
  return [...criteria].sort((a, b) => harm(a) - harm(b));
}

function percent(share: number): string {
  const value = share * 100;
  return `${value < 9.95 ? Number(value.toFixed(1)) : Math.round(value)} %`;
}
