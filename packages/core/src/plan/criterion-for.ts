/** Which criterion a run goes by: the one that was asked for, in the way that fits the run. */
import type { Compensation } from "../compensate/compensator.ts";
import type { Criterion } from "../criteria/criterion.ts";
import { oracleBy } from "../criteria/index.ts";
import { oracle } from "../criteria/oracle.ts";
import type { RacingOptions } from "../criteria/racing.ts";
import { repairedOracle } from "../criteria/repaired.ts";
import { ShrinkError } from "../errors.ts";
import { type CostEstimate, estimate, type OracleMode, oracleCost } from "../measure/cost.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { sizeAfter } from "../surgery/size.ts";
import { type Budget, removalGoal } from "./budget.ts";
import type { Schedule } from "./choose.ts";
import { goInBlocks, type Selection } from "./select.ts";

export interface CriterionRequest {
  readonly evaluator: Evaluator | undefined;
  readonly budget: Budget;
  readonly compensate: Compensation;
  /** Default `auto`. */
  readonly oracle?: OracleMode | "auto" | undefined;
  readonly racing?: RacingOptions | undefined;
  readonly schedule: Schedule;
  /** Default: units go one by one. */
  readonly widths?: Pick<Selection, "align" | "block"> | undefined;
  /** What a pass over the data took, for the estimate of the run's time. */
  readonly passSeconds: number;
  readonly onCost?: ((cost: CostEstimate) => void) | undefined;
}

/**
 * `oracle`; with least-squares repair `obs`, as each candidate of the oracle would have to be repaired and run through the
 * whole network.
 */
export function defaultCriterion(compensate: Compensation = "none"): string {
  return compensate === "lstsq" ? "obs" : "oracle";
}

/**
 * `match` where least-squares repair and its default criterion choose: both hold the network to the original's own outputs, and
 * labels that it was trained on have little left to say. Undefined, what fits each output, also where a limit is set on the error.
 */
export function defaultObjective(
  compensate: Compensation,
  { criterion, budget }: { readonly criterion?: unknown; readonly budget?: Budget | undefined },
): string | undefined {
  const isFree = criterion === undefined && budget?.maxErrorRise === undefined;
  return compensate === "lstsq" && isFree ? "match" : undefined;
}

/** The criterion of a run with that compensation: its oracle measures candidates with their repair. */
export function underRepair(criterion: Criterion, compensate: Compensation, all = false): Criterion {
  return criterion === oracle && compensate !== "none" ? repairedOracle(all) : criterion;
}

/** The criterion that was asked for; the oracle in the way that was asked for, or that fits the cost. */
export function criterionFor(
  asked: Criterion,
  {
    evaluator,
    budget,
    compensate,
    oracle: way = "auto",
    racing,
    schedule,
    widths = {},
    passSeconds,
    onCost,
  }: CriterionRequest,
): { criterion: Criterion; mode: OracleMode } {
  if (asked !== oracle || !evaluator || compensate !== "none") {
    return { criterion: underRepair(asked, compensate, way === "exact"), mode: "exact" };
  }
  const { prunable, samples } = evaluator;
  const { count } = prunable.units;
  const inBlocks = goInBlocks(widths);
  const removals = schedule === "once" ? 1 : (removalGoal(budget, count) ?? Math.ceil(count / 2)); // rankings, that is
  const cost = oracleCost(prunable, samples.size, removals);
  if (way === "racing" && inBlocks) {
    throw new ShrinkError(
      "option",
      "align: takes several units at once, but racing tells the best one alone; expected the oracle exact or lazy",
    );
  }
  if (way === "racing" && schedule === "once") {
    throw new ShrinkError(
      "option",
      "schedule: once removes by one ranking, but racing tells the best unit alone; expected the oracle exact, or the schedule rerank",
    );
  }
  const fitting = schedule === "once" ? "exact" : cost.mode === "racing" && inBlocks ? "lazy" : cost.mode;
  const mode = way === "auto" ? fitting : way;
  const how = { ...(way === "auto" && { shortlist: 0.2 }), ...racing };
  const { macs } = sizeAfter(prunable, new Uint8Array(count));
  onCost?.(estimate({ ...cost, mode }, how, { macs: macs * samples.size, seconds: passSeconds }));
  return { criterion: oracleBy(mode, how), mode };
}
