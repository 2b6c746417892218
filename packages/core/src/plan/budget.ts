/**
 * Budgets: when to stop. Goals (a share of units, parameters, MACs or bytes) end the run when they are reached; limits
 * (accuracy drop, error rise) end it before the removal that would break them. The first to act decides.
 */
import { ShrinkError } from "../errors.ts";
import type { OutputTerm } from "../measure/objectives/model-objective.ts";
import type { ModelState, Quality } from "../results.ts";
import type { Size } from "../surgery/size.ts";

export interface Budget {
  /** How many units to remove: a share of all removable ones (0 to 1), or a number of them. */
  readonly remove?: { readonly share: number } | { readonly count: number } | undefined;
  /** Largest loss of accuracy on all calibration samples, 0 to 1 (0.01 is one point). */
  readonly maxAccuracyDrop?: number | undefined;
  /**
   * How sure the accuracy limit must be, above 0.5 and below 1: then the upper end of the drop's interval of this confidence,
   * measured on held-out samples alone, may not be above the limit. Default: the drop itself.
   */
  readonly confidence?: number | undefined;
  /**
   * Largest rise of each output's error: 0.1 allows 1.1 times that of the intact model. Where errors are shares of the output's
   * variance by themselves (`match`), or the intact model has none, it is that share: 0.1 allows a tenth of the variance.
   */
  readonly maxErrorRise?: number | undefined;
  /** The same for outputs that are held to the original's own alone. */
  readonly maxOutputChange?: number | undefined;
  /** Share of the MACs that may be left, 0 to 1. */
  readonly targetMacs?: number | undefined;
  /** Share of the parameters that may be left, 0 to 1. */
  readonly targetParams?: number | undefined;
  /** Largest size of the file: a share of the original file's bytes (0 to 1), or a number of bytes. */
  readonly targetBytes?: { readonly share: number } | { readonly bytes: number } | undefined;
  /** Longest time of one run: a share of the original file's (0 to 1), or milliseconds. */
  readonly targetLatency?: { readonly share: number } | { readonly milliseconds: number } | undefined;
}

/** How the error of each output is judged, in the order of `Quality.outputs`. */
export interface ErrorScale {
  /** Name of the output. */
  readonly output: string;
  /** Error of the best constant answer. */
  readonly scale: number;
  /** Whether the error is a share of that by itself. */
  readonly isRelative: boolean;
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
  /** Milliseconds of one run, predicted; only with a goal for them. */
  readonly latency?: number;
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
  const { targetLatency } = budget;
  if (targetLatency && "share" in targetLatency) share("target latency", targetLatency.share);
  else if (targetLatency && !(targetLatency.milliseconds > 0)) {
    throw new ShrinkError(
      "option",
      `target latency: ${targetLatency.milliseconds} ms, expected a time above 0, such as 0.5ms, or a share such as 60%`,
    );
  }
  share("largest accuracy drop", budget.maxAccuracyDrop);
  checkConfidence(budget);
  for (const [name, rise] of [
    ["error rise", budget.maxErrorRise],
    ["output change", budget.maxOutputChange],
  ] as const) {
    if (rise === undefined || rise >= 0) continue;
    throw new ShrinkError("option", `largest ${name}: ${rise}, expected a share of 0% or more`);
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

/** Accuracy that may be lost where nobody says how much: one point. */
const USUAL_DROP = 0.01;
/** Error that may be added: a tenth of what there is, or of the variance of an output that is held to the original's own. */
const USUAL_RISE = 0.1;

/**
 * The budget where none is given: one point of accuracy where there are labels, for outputs without labels a rise of the error
 * by a tenth. Throws an `option` error without data.
 */
export function defaultBudget(terms: readonly OutputTerm[]): Budget {
  if (terms.length === 0) {
    throw new ShrinkError(
      "option",
      "budget: none given, expected how much to remove, such as --remove 30%, as there is no data to measure a loss on",
    );
  }
  const labelled = terms.filter(({ info }) => info.answers?.type === "int32");
  if (labelled.length === 0) return { maxErrorRise: USUAL_RISE };
  return { maxAccuracyDrop: USUAL_DROP, ...(labelled.length < terms.length && { maxOutputChange: USUAL_RISE }) };
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
  const latency = latencyGoal(budget, before);
  if (latency !== undefined && now.latency !== undefined && now.latency <= latency) return "reached the target latency";
  return undefined;
}

/** A rise of the error by this share of its scale is rounding, and breaks no limit. */
const ROUNDING = 1e-7;

/** Why this stage must not be entered, in words; undefined: it may. `scales`: of the outputs, see {@link ErrorScale}. */
export function limitBroken(
  budget: Budget,
  next: Progress,
  before: Progress,
  scales: readonly ErrorScale[] = [],
): string | undefined {
  const { maxAccuracyDrop, maxErrorRise, maxOutputChange, confidence } = budget;
  const tiny = 1e-12; // accuracies are ratios of counts
  const [was, is] = [before.overall ?? before, next.overall ?? next];
  if (maxAccuracyDrop !== undefined) {
    if (confidence !== undefined && (next.highestDrop ?? 0) > maxAccuracyDrop + tiny) {
      return `after one more removal the accuracy may have fallen by ${percent(next.highestDrop)} (upper end of the ${percent(confidence, 0)} interval on held-out samples)`;
    }
    for (const { own, start, of } of confidence === undefined ? byOutput(was, is, scales) : []) {
      if ((start.accuracy ?? 0) - (own.accuracy ?? 0) <= maxAccuracyDrop + tiny) continue;
      return `one more removal would lower the accuracy${of} from ${percent(start.accuracy)} to ${percent(own.accuracy)}`;
    }
  }
  for (const { own, start, of, scale, isRelative } of byOutput(was, is, scales)) {
    const rise = Math.min(maxErrorRise ?? Infinity, isRelative ? (maxOutputChange ?? Infinity) : Infinity);
    if (rise === Infinity) continue;
    const [from, to] = [start.error ?? 0, own.error ?? 0];
    const isNone = isRelative || from <= ROUNDING * scale;
    const most = from + rise * (isNone ? scale : from);
    // an error that is no number is no permitted one
    if (to <= most || to <= from + ROUNDING * scale) continue;
    return isRelative
      ? `one more removal would change the outputs${of} by ${percent(to)} of their variance, ${percent(most)} may be`
      : `one more removal would raise the error${of} from ${rounded(from)} to ${rounded(to)}, ${rounded(most)} may be`;
  }
  return undefined;
}

/** Two qualities output by output, with how their errors are judged. */
function byOutput(
  was: Partial<Quality>,
  is: Partial<Quality>,
  scales: readonly ErrorScale[],
): { start: Partial<Quality>; own: Partial<Quality>; of: string; scale: number; isRelative: boolean }[] {
  if (!was.outputs || !is.outputs) {
    const [{ scale = 0, isRelative = false } = {}] = scales;
    return [{ start: was, own: is, of: "", scale, isRelative }];
  }
  return was.outputs.map((start, at) => {
    const { scale = 0, isRelative = false } = scales[at] ?? {};
    return { start, own: is.outputs?.[at] ?? {}, of: ` of "${start.name}"`, scale, isRelative };
  });
}

function rounded(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** Most bytes that the file may have. */
export function bytesGoal({ targetBytes }: Budget, before: Pick<Progress, "bytes">): number | undefined {
  if (!targetBytes) return undefined;
  return "share" in targetBytes ? targetBytes.share * (before.bytes ?? 0) : targetBytes.bytes;
}

/** Longest time that one run may take, in milliseconds. */
export function latencyGoal({ targetLatency }: Budget, before: Pick<Progress, "latency">): number | undefined {
  if (!targetLatency) return undefined;
  return "share" in targetLatency ? targetLatency.share * (before.latency ?? 0) : targetLatency.milliseconds;
}

/** Number of units that the budget asks to remove. */
export function removalGoal({ remove }: Budget, units: number): number | undefined {
  if (!remove) return undefined;
  return "share" in remove ? Math.round(remove.share * units) : remove.count;
}

/** Whether anything but the supply of units ends the run. */
export function hasGoal(budget: Budget): boolean {
  const { remove, targetMacs, targetParams, targetBytes, targetLatency } = budget;
  return [remove, targetMacs, targetParams, targetBytes, targetLatency].some((goal) => goal !== undefined);
}

/** Whether a budget asks for a network that costs less, and leaves open how many units that takes. */
export function isOfCosts(budget: Budget): boolean {
  return budget.remove === undefined;
}

function percent(share: number | undefined, digits = 2): string {
  return `${((share ?? 0) * 100).toFixed(digits)} %`;
}
