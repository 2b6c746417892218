/**
 * Budgets: when to stop. Goals (a share of units, parameters or MACs) end the run when they are reached; limits
 * (accuracy drop, error rise) end it before the removal that would break them. The first to act decides.
 */
import { ShrinkError } from "../errors.ts";
import type { ModelState, Quality } from "../results.ts";
import type { Size } from "../surgery/size.ts";

export interface Budget {
  /** How many units to remove: a share of all removable ones (0 to 1), or a number of them. */
  readonly remove?: { readonly share: number } | { readonly count: number };
  /** Largest loss of accuracy on the calibration data, 0 to 1 (0.01 is one point). */
  readonly maxAccuracyDrop?: number;
  /** Largest relative rise of the error: 0.1 allows 1.1 times the error of the intact model. */
  readonly maxErrorRise?: number;
  /** Share of the MACs that may be left, 0 to 1. */
  readonly targetMacs?: number;
  /** Share of the parameters that may be left, 0 to 1. */
  readonly targetParams?: number;
}

/** What a stage of pruning looks like to the budget. */
export interface Progress extends Size, Partial<Quality> {
  readonly removed: number;
}

/** Throws an `option` error for shares that are out of range, and a `data` error for limits that cannot be measured. */
export function checkBudget(budget: Budget, before: Pick<ModelState, "accuracy"> | undefined): void {
  const share = (name: string, value: number | undefined): void => {
    if (value !== undefined && !(value >= 0 && value <= 1)) {
      throw new ShrinkError("option", `${name}: ${value} is out of range, expected a share between 0% and 100%`);
    }
  };
  if (budget.remove && "share" in budget.remove) share("remove", budget.remove.share);
  else if (budget.remove && !(Number.isInteger(budget.remove.count) && budget.remove.count >= 0)) {
    throw new ShrinkError("option", `remove: ${budget.remove.count}, expected a whole number of units, 0 or more`);
  }
  share("target MACs", budget.targetMacs);
  share("target parameters", budget.targetParams);
  share("largest accuracy drop", budget.maxAccuracyDrop);
  if (budget.maxErrorRise !== undefined && !(budget.maxErrorRise >= 0)) {
    throw new ShrinkError("option", `largest error rise: ${budget.maxErrorRise}, expected a share of 0% or more`);
  }
  if (budget.maxAccuracyDrop !== undefined && before?.accuracy === undefined) {
    throw new ShrinkError(
      "data",
      "accuracy drop: cannot be measured, expected integer classes in y; use --max-error-rise",
    );
  }
  if (budget.maxErrorRise !== undefined && before === undefined) {
    throw new ShrinkError("data", "error rise: cannot be measured without data; give it with --data");
  }
}

/** Why the run is done at this stage, in words; undefined: go on. */
export function goalReached(budget: Budget, now: Progress, before: Progress, units: number): string | undefined {
  const wanted = removalGoal(budget, units);
  if (wanted !== undefined && now.removed >= wanted) return `removed ${now.removed} of ${units} units as asked`;
  if (budget.targetMacs !== undefined && now.macs <= budget.targetMacs * before.macs) return "reached the target MACs";
  if (budget.targetParams !== undefined && now.parameters <= budget.targetParams * before.parameters) {
    return "reached the target parameters";
  }
  return undefined;
}

/** Why this stage must not be entered, in words; undefined: it may. */
export function limitBroken(budget: Budget, next: Progress, before: Progress): string | undefined {
  const tiny = 1e-12; // accuracies are ratios of counts
  if (
    budget.maxAccuracyDrop !== undefined &&
    (before.accuracy ?? 0) - (next.accuracy ?? 0) > budget.maxAccuracyDrop + tiny
  ) {
    return `one more removal would lower the accuracy from ${percent(before.accuracy)} to ${percent(next.accuracy)}`;
  }
  // an error that is no number is no permitted one
  if (budget.maxErrorRise !== undefined && !((next.error ?? 0) <= (1 + budget.maxErrorRise) * (before.error ?? 0))) {
    return `one more removal would raise the error from ${before.error} to ${next.error}`;
  }
  return undefined;
}

/** Number of units that the budget asks to remove. */
export function removalGoal({ remove }: Budget, units: number): number | undefined {
  if (!remove) return undefined;
  return "share" in remove ? Math.round(remove.share * units) : remove.count;
}

/** Whether anything but the supply of units ends the run. */
export function hasGoal(budget: Budget): boolean {
  return budget.remove !== undefined || budget.targetMacs !== undefined || budget.targetParams !== undefined;
}

function percent(share: number | undefined): string {
  return `${((share ?? 0) * 100).toFixed(2)} %`;
}
