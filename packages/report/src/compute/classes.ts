import type { ClassAccuracy, PruneSummary } from "@shrinknet/core";

/** One class on one set of samples; accuracies as shares, 0 to 1. */
export interface ClassChange extends ClassAccuracy {
  /** Accuracy after - accuracy before. */
  readonly change: number;
}

/** One class on all sets that have samples of it. */
export interface ClassRow {
  readonly class: number;
  readonly calibration?: ClassChange;
  readonly test?: ClassChange;
}

/** A row per class, the one that lost most first (on test data where there is any, else on calibration data); ties by class. */
export function computeClassRows({ answers }: Pick<PruneSummary, "answers">): ClassRow[] {
  if (!answers) return [];
  const by = (classes: readonly ClassAccuracy[] = []): Map<number, ClassChange> =>
    new Map(classes.map((one) => [one.class, { ...one, change: one.after - one.before }]));
  const [calibration, test] = [by(answers.calibration.classes), by(answers.test?.classes)];
  const names = [...new Set([...calibration.keys(), ...test.keys()])];
  const lost = (name: number): number =>
    (answers.test ? test : calibration).get(name)?.change ?? Number.POSITIVE_INFINITY;
  return names
    .sort((a, b) => Math.sign(lost(a) - lost(b)) || a - b)
    .map((name) => {
      const [own, held] = [calibration.get(name), test.get(name)];
      return { class: name, ...(own && { calibration: own }), ...(held && { test: held }) };
    });
}
