/** The criteria by name. */
import { ShrinkError } from "../errors.ts";
import { activation, apoz } from "./activity.ts";
import type { Criterion } from "./criterion.ts";
import { magnitude } from "./magnitude.ts";
import { oracle } from "./oracle.ts";
import { random } from "./random.ts";
import { fisher, taylor1, taylor2, taylorAbs } from "./taylor.ts";
import { thresholded } from "./threshold.ts";

export const criteria: Readonly<Record<string, Criterion>> = Object.fromEntries(
  [
    oracle,
    taylor1,
    taylor2,
    taylorAbs,
    fisher,
    magnitude,
    activation,
    apoz,
    random,
    ...[taylor1, taylor2].flatMap((criterion) => [thresholded(criterion, "mean"), thresholded(criterion, "median")]),
  ].map((criterion) => [criterion.name, criterion]),
);

/** The criterion of that name, or the one that is given. */
export function criterionOf(criterion: string | Criterion): Criterion {
  if (typeof criterion !== "string") return criterion;
  const known = Object.hasOwn(criteria, criterion) ? criteria[criterion] : undefined;
  if (known) return known;
  throw new ShrinkError(
    "option",
    `criterion "${criterion}": unknown, expected one of ${Object.keys(criteria).join(", ")}`,
  );
}
