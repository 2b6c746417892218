/**
 * Budgets: when to stop. Goals (a share of units, parameters, MACs or bytes) end the run when they are reached; limits
 * (accuracy drop, error rise) end it before the removal that would break them. The first to act decides.
 */
import { ShrinkError } from "../errors.ts";
import type { ModelState, Quality } from "../results.ts";
import type { Size } from "../surgery/size.ts";

export interface Budget {
  /** How many units to remove: a share of all removable ones (0 to 1), or a number of them. */
  readonly remove?: { readonly share: number } | { readonly count: number };
  /** Largest loss of accuracy on all calibration samples, 0 to 1 (0.01 is one point). */
  readonly maxAccuracyDrop?: number;
  /**
   * How sure the accuracy limit must be, above 0.5 and below 1: then the upper end of the drop's interval of this confidence,
   * measured on held-out samples alone, may not be above the limit. Default: the drop itself.
   */
  readonly confidence?: number;
  /** Largest relative rise of the error: 0.1 allows 1.1 times the error of the intact model. */
  readonly maxErrorRise?: number;
  /** Share of the MACs that may be left, 0 to 1. */
  readonly targetMacs?: number;
  /** Share of the parameters that may be left, 0 to 1. */
  readonly targetParams?: number;
  /** Largest size of the file: a share of the original file's bytes (0 to 1), or a number of bytes. */
  readonly targetBytes?: { readonly share: number } | { readonly bytes: number };
}

/** What a stage of pruning looks like to the budget. */
export interface Progress extends Size, Partial<Quality> {
  readonly removed: number;
  /** Quality on the held-out samples. */
  readonly heldOut?: Quality;
  /** Quality on all calibration samples, where a part is held out; limits are on this. Default: the quality itself. */
  readonly overall?: Quality;
  /** Upper end of the interval of the accuracy drop on held-out samples; only with a confidence. */
  readonly highestDrop?: number;
  /** Bytes of the file; only with a goal for them. */
  readonly bytes?: number;
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
  if (budget.targetBytes && "share" in budget.targetBytes) share("target bytes", budget.targetBytes.share);
  else if (budget.targetBytes && !(budget.targetBytes.bytes > 0)) {
    throw new ShrinkError("option", `target bytes: ${budget.targetBytes.bytes}, expected a size above 0`);
  }
  share("largest accuracy drop", budget.maxAccuracyDrop);
  checkConfidence(budget);
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

function checkConfidence({ confidence, maxAccuracyDrop }: Budget): void {
  if (confidence === undefined) return;
  if (!(confidence > 0.5 && confidence < 1)) {
    throw new ShrinkError(
      "option",
      `confidence: ${confidence} is out of range, expected a share above 50% and below 100%`,
    );
  }
  if (maxAccuracyDrop === undefined) {
    throw new ShrinkError(
      "option",
      "confidence: is that of a limit on the accuracy, expected one; add --max-accuracy-drop",
    );
  }
}

/** Why the run is done at this stage, in words; undefined: go on. */
export function goalReached(budget: Budget, now: Progress, before: Progress, units: number): string | undefined {
  const wanted = removalGoal(budget, units);
  if (wanted !== undefined && units > 0 && now.removed >= wanted) {
    return `removed ${now.removed} of ${units} units as asked`;
  }
  if (budget.targetMacs !== undefined && now.macs <= budget.targetMacs * before.macs) return "reached the target MACs";
  if (budget.targetParams !== undefined && now.parameters <= budget.targetParams * before.parameters) {
    return "reached the target parameters";
  }
  const bytes = bytesGoal(budget, before);
  if (bytes !== undefined && now.bytes !== undefined && now.bytes <= bytes) return "reached the target bytes";
  return undefined;
}

/** Why this stage must not be entered, in words; undefined: it may. */
export function limitBroken(budget: Budget, next: Progress, before: Progress): string | undefined {
  const { maxAccuracyDrop, maxErrorRise, confidence } = budget;
  const tiny = 1e-12; // accuracies are ratios of counts
  const [was, is] = [before.overall ?? before, next.overall ?? next];
  if (maxAccuracyDrop !== undefined) {
    if (confidence !== undefined && (next.highestDrop ?? 0) > maxAccuracyDrop + tiny) {
      return `after one more removal the accuracy may have fallen by ${percent(next.highestDrop)} (upper end of the ${percent(confidence, 0)} interval on held-out samples)`;
    }
    if (confidence === undefined && (was.accuracy ?? 0) - (is.accuracy ?? 0) > maxAccuracyDrop + tiny) {
      return `one more removal would lower the accuracy from ${percent(was.accuracy)} to ${percent(is.accuracy)}`;
    }
  }
  // an error that is no number is no permitted one
  if (maxErrorRise !== undefined && !((is.error ?? 0) <= (1 + maxErrorRise) * (was.error ?? 0))) {
    return `one more removal would raise the error from ${was.error} to ${is.error}`;
  }
  return undefined;
}

/** Most bytes that the file may have. */
export function bytesGoal({ targetBytes }: Budget, before: Pick<Progress, "bytes">): number | undefined {
  if (!targetBytes) return undefined;
  return "share" in targetBytes ? targetBytes.share * (before.bytes ?? 0) : targetBytes.bytes;
}

/** Number of units that the budget asks to remove. */
export function removalGoal({ remove }: Budget, units: number): number | undefined {
  if (!remove) return undefined;
  return "share" in remove ? Math.round(remove.share * units) : remove.count;
}

/** Whether anything but the supply of units ends the run. */
export function hasGoal(budget: Budget): boolean {
  const { remove, targetMacs, targetParams, targetBytes } = budget;
  return [remove, targetMacs, targetParams, targetBytes].some((goal) => goal !== undefined);
}

function percent(share: number | undefined, digits = 2): string {
  return `${((share ?? 0) * 100).toFixed(digits)} %`;
}
