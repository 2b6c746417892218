/** The criteria by name. */
import { ShrinkError } from "../errors.ts";
import type { OracleMode } from "../measure/cost.ts";
import { activation, apoz } from "./activity.ts";
import type { Criterion } from "./criterion.ts";
import { lazyOracle } from "./lazy.ts";
import { magnitude } from "./magnitude.ts";
import { obs } from "./obs.ts";
import { oracle } from "./oracle.ts";
import { type RacingOptions, racingOracle } from "./racing.ts";
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
    obs,
    random,
    ...[taylor1, taylor2].flatMap((criterion) => [thresholded(criterion, "mean"), thresholded(criterion, "median")]),
  ].map((criterion) => [criterion.name, criterion]),
);

export type { OracleMode } from "../measure/cost.ts";

/** The oracle measuring in the given way. */
export function oracleBy(mode: OracleMode, options: RacingOptions = {}): Criterion {
  if (mode === "lazy") return lazyOracle;
  return mode === "racing" ? racingOracle(options) : oracle;
}

/**
 * The criterion of that name, or the one that is given. `oracle-lazy` and `oracle-racing` are the oracle's other ways of
 * measuring, to set beside it.
 */
export function criterionOf(criterion: string | Criterion): Criterion {
  if (typeof criterion !== "string") return criterion;
  if (criterion === "oracle-lazy" || criterion === "oracle-racing") {
    return { ...oracleBy(criterion === "oracle-lazy" ? "lazy" : "racing"), name: criterion };
  }
  const known = Object.hasOwn(criteria, criterion) ? criteria[criterion] : undefined;
  if (known) return known;
  throw new ShrinkError(
    "option",
    `criterion "${criterion}": unknown, expected one of ${Object.keys(criteria).join(", ")}`,
  );
}
