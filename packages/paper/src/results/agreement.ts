/** How our curves compare with the published ones of a figure, in numbers and in one sentence. */
import type { PublishedFigure } from "../experiments/experiment.ts";
import { type CriterionName, criteria, curveOf, type Measured } from "../measure/measured.ts";
import { publishedCurves } from "./published.ts";
import { area, bandOf, median, shareWhile } from "./stats.ts";

/** Our median curve and the published one on one scale: accuracy as it is, error as a share of that without any unit. */
export interface Compared {
  readonly ours: readonly number[];
  readonly published: readonly number[];
  /** Share of the units that go before the curve first leaves {@link BOUND}. */
  readonly oursUntil: number;
  readonly publishedUntil: number;
  /** Mean distance between the curves from the first removal on. */
  readonly distance: number;
}

/** What counts as unharmed: accuracy of at least 0.95, error of at most 5 % of that of the network without any unit. */
const BOUND = { accuracy: 0.95, error: 0.05 } as const;

export function compareWithPublished(
  figure: PublishedFigure,
  seeds: readonly Measured[],
): Record<CriterionName, Compared> {
  const published = publishedCurves(figure.figure);
  const of = (criterion: CriterionName): Compared => {
    const curves = seeds.map((seed) => onScale(curveOf(seed, criterion, figure.schedule, figure.measure), figure));
    const ours = bandOf(curves).median;
    const theirs = onScale(published[criterion], figure);
    const unharmed = (value: number): boolean =>
      Number.isNaN(value) || (figure.measure === "accuracy" ? value >= BOUND.accuracy : value <= BOUND.error);
    const distances = ours.map((value, i) => Math.abs(value - (theirs[i] ?? Number.NaN))).slice(1);
    return {
      ours,
      published: theirs,
      oursUntil: median(curves.map((curve) => shareWhile(curve, unharmed))),
      publishedUntil: shareWhile(theirs, unharmed),
      distance: distances.reduce((sum, distance) => sum + distance, 0) / distances.length,
    };
  };
  return { oracle: of("oracle"), taylor1: of("taylor1"), taylor2: of("taylor2") };
}

/** A curve on the scale of {@link Compared}. */
export function onScale(curve: readonly number[], { measure }: Pick<PublishedFigure, "measure">): readonly number[] {
  const last = curve.at(-1) ?? Number.NaN;
  return measure === "accuracy" ? curve : curve.map((value) => value / last);
}

/** One sentence, every number in it computed. */
export function agreementText(figure: PublishedFigure, compared: Record<CriterionName, Compared>): string {
  const bound =
    figure.measure === "accuracy"
      ? `accuracy stays at ${percent(BOUND.accuracy)} or more`
      : `the error stays within ${percent(BOUND.error)} of that without any unit`;
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
