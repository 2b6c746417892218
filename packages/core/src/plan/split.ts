/** How much of the calibration data a run holds out, and what is said of it afterwards. */
import type { Dataset } from "../data.ts";
import { ShrinkError } from "../errors.ts";
import { accuracyByClass, CONFIDENCE, pairedDrop, rightAnswers } from "../measure/answers.ts";
import { HOLD_OUT_SHARE, holdOut } from "../measure/hold-out.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
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
  data: Dataset | undefined,
  { holdOut: asked, budget, seed }: SplitOptions,
): { readonly fit?: Dataset; readonly heldOut?: Dataset } {
  const isCertain = budget?.confidence !== undefined;
  if (isCertain && asked === 0) {
    throw new ShrinkError(
      "option",
      "confidence: is measured on held-out samples, expected a --hold-out above 0%; leave one of the two out",
    );
  }
  if (!data) return {};
  const limited = data.labels && (!budget || budget.maxAccuracyDrop !== undefined);
  const usual = isCertain || (limited && Math.round(HOLD_OUT_SHARE * data.size) >= WORTH_HOLDING_OUT);
  const share = asked ?? (usual ? HOLD_OUT_SHARE : 0);
  return share === 0 ? { fit: data } : holdOut(data, share, seed);
}

/** For the summary: what the held-out samples decided about. */
export function heldOutPart(
  fit: Subject,
  heldOut: Subject,
  { maxAccuracyDrop, maxErrorRise, confidence }: Budget,
): HeldOutPart {
  const [samples, all] = [heldOut.data.size, heldOut.data.size + fit.data.size];
  const uses = [
    ...(maxAccuracyDrop === undefined
      ? []
      : [confidence === undefined ? "the limit on the accuracy, with all others" : "the limit on the accuracy, alone"]),
    ...(maxErrorRise === undefined ? [] : ["the limit on the error, with all others"]),
  ];
  return { samples, share: samples / all, usedFor: uses.join("; ") || "nothing but the report" };
}

/** Right answers of the intact model and of the state, by set of samples; undefined without classes. */
export async function answersOf(
  intact: State,
  state: State,
  {
    fit,
    heldOut,
    test,
    confidence = CONFIDENCE,
  }: {
    readonly fit: Subject | undefined;
    readonly heldOut: Subject | undefined;
    readonly test: Subject | undefined;
    readonly confidence?: number | undefined;
  },
): Promise<PruneSummary["answers"]> {
  const of = async (subject: Subject | undefined): Promise<Sheet | undefined> => {
    const before = subject && (await rightAnswers(subject, intact.model));
    const after = before && (await rightAnswers(subject, state.model));
    return after && { labels: subject.data.labels as Int32Array, before, after };
  };
  const [own, held, tested] = [await of(fit), await of(heldOut), await of(test)];
  if (!own) return undefined;
  const answers = ({ labels, before, after }: Sheet): Answers => ({
    drop: pairedDrop(before, after, confidence),
    classes: accuracyByClass(labels, before, after),
  });
  return {
    calibration: answers(held ? joined(own, held) : own),
    ...(held && { heldOut: answers(held) }),
    ...(tested && { test: answers(tested) }),
  };
}

/** Samples' classes, and whether two models get them right. */
interface Sheet {
  readonly labels: Int32Array;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

function joined(a: Sheet, b: Sheet): Sheet {
  return {
    labels: Int32Array.from([...a.labels, ...b.labels]),
    before: Uint8Array.from([...a.before, ...b.before]),
    after: Uint8Array.from([...a.after, ...b.after]),
  };
}
