/** How much of the calibration data a run holds out, and what is said of it afterwards. */
import type { Samples } from "../data/samples.ts";
import { ShrinkError } from "../errors.ts";
import { accuracyByClass, CONFIDENCE, pairedDrop } from "../measure/correctness.ts";
import type { Evaluation } from "../measure/evaluation.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { HOLD_OUT_SHARE, holdOut } from "../measure/hold-out.ts";
import type { Answers, HeldOutPart, PruneSummary } from "../results.ts";
import type { Budget } from "./budget.ts";

/** Fewer held-out samples than this tell too little to go without them. */
const WORTH_HOLDING_OUT = 100;

export interface SplitOptions {
  /**
   * Share of the calibration samples that no unit is scored on, 0 to 1. Default: 20 % where there is a limit on the accuracy
   * and that is at least 100 samples, or a confidence asks for it; else 0.
   */
  readonly holdOut?: number | undefined;
  /** Undefined: the default budget. */
  readonly budget?: Budget | undefined;
  readonly seed: number;
}

/** The samples that choose, and those that are held out. Throws an `option` error for a confidence without any. */
export function splitData(
  data: Samples | undefined,
  { holdOut: asked, budget, seed }: SplitOptions,
): { readonly fit?: Samples; readonly heldOut?: Samples } {
  const isCertain = budget?.confidence !== undefined;
  if (isCertain && asked === 0) {
    throw new ShrinkError(
      "option",
      "confidence: is measured on held-out samples, expected a --hold-out above 0%; leave one of the two out",
    );
  }
  if (!data) return {};
  const isLabelled = Object.values(data.answers).some(({ type }) => type === "int32");
  const limited = isLabelled && (!budget || budget.maxAccuracyDrop !== undefined);
  const usual = isCertain || (limited && Math.round(HOLD_OUT_SHARE * data.size) >= WORTH_HOLDING_OUT);
  const share = asked ?? (usual ? HOLD_OUT_SHARE : 0);
  return share === 0 ? { fit: data } : holdOut(data, share, seed);
}

/** For the summary: what the held-out samples decided about. */
export function heldOutPart(
  fit: Evaluator,
  heldOut: Evaluator,
  { maxAccuracyDrop, maxErrorRise, confidence }: Budget,
): HeldOutPart {
  const [samples, all] = [heldOut.samples.size, heldOut.samples.size + fit.samples.size];
  const uses = [
    ...(maxAccuracyDrop === undefined
      ? []
      : [confidence === undefined ? "the limit on the accuracy, with all others" : "the limit on the accuracy, alone"]),
    ...(maxErrorRise === undefined ? [] : ["the limit on the error, with all others"]),
  ];
  return { samples, share: samples / all, usedFor: uses.join("; ") || "nothing but the report" };
}

/** The same samples before and after. */
export interface BeforeAfter {
  readonly evaluator: Evaluator;
  readonly before: Evaluation;
  readonly after: Evaluation;
}

/** The fall of accuracy, by set of samples; undefined without labels. `calibration` is all of it, a held-out part included. */
export function predictionsOf(
  {
    fit,
    heldOut,
    test,
  }: {
    readonly fit: BeforeAfter | undefined;
    readonly heldOut: BeforeAfter | undefined;
    readonly test: BeforeAfter | undefined;
  },
  confidence: number = CONFIDENCE,
): PruneSummary["answers"] {
  const [own, held, tested] = [sheetOf(fit), sheetOf(heldOut), sheetOf(test)];
  if (!own) return undefined;
  const answers = ({ labels, before, after }: Sheet): Answers => ({
    drop: pairedDrop(before, after, confidence),
    classes: labels ? accuracyByClass(labels, before, after) : [],
  });
  return {
    calibration: answers(held ? joined(own, held) : own),
    ...(held && { heldOut: answers(held) }),
    ...(tested && { test: answers(tested) }),
  };
}

/** Correctness of two models by sample, and the samples' classes where each has one. */
interface Sheet {
  readonly labels: Int32Array | undefined;
  readonly before: Float64Array;
  readonly after: Float64Array;
}

function sheetOf(both: BeforeAfter | undefined): Sheet | undefined {
  const { before, after } = { before: both?.before.correctness, after: both?.after.correctness };
  if (!both || !before || !after) return undefined;
  const labelled = both.evaluator.terms.flatMap(({ info }) => (info.answers?.type === "int32" ? [info.answers] : []));
  const [labels] = labelled;
  const isPerSample = labelled.length === 1 && labels?.size === before.length;
  return { labels: isPerSample ? (labels.data as Int32Array) : undefined, before, after };
}

function joined(a: Sheet, b: Sheet): Sheet {
  return {
    labels: a.labels && b.labels && Int32Array.from([...a.labels, ...b.labels]),
    before: Float64Array.from([...a.before, ...b.before]),
    after: Float64Array.from([...a.after, ...b.after]),
  };
}
