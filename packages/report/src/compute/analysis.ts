import type { AnalyzedStep, AnalyzeSummary, CancellingGroup } from "@shrinknet/core";
import type { Point, Series } from "../series.ts";

/** A criterion's agreement with the oracle over all steps. Means leave out steps where a measure is not defined. */
export interface MeanAgreement {
  readonly criterion: string;
  readonly spearman: number;
  readonly kendall: number;
  /** Overlaps by share of the ranking. */
  readonly top: readonly { readonly share: number; readonly overlap: number }[];
  /** Share of steps at which it picks a unit that costs no more than the best. */
  readonly right: number;
  /** Mean and largest regret, in units of the error. */
  readonly regret: number;
  readonly worst: number;
}

/** One row per criterion, from the best agreement (by Spearman) to the worst. */
export function computeMeanAgreement({ criteria, steps }: AnalyzeSummary): MeanAgreement[] {
  const rows = criteria.map((criterion): MeanAgreement => {
    const own = steps.flatMap((step) => step.agreement.filter((agreement) => agreement.criterion === criterion));
    const regrets = own.map(({ regret }) => regret);
    return {
      criterion,
      spearman: mean(own.map(({ spearman }) => spearman)),
      kendall: mean(own.map(({ kendall }) => kendall)),
      top: (own[0]?.top ?? []).map(({ share }, i) => ({
        share,
        overlap: mean(own.map(({ top }) => top[i]?.overlap ?? Number.NaN)),
      })),
      right: regrets.filter((regret) => regret <= 0).length / regrets.length,
      regret: mean(regrets),
      worst: regrets.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    };
  });
  const key = ({ spearman }: MeanAgreement): number => (Number.isFinite(spearman) ? spearman : -2);
  return rows.sort((a, b) => key(b) - key(a));
}

/** A line per criterion of `criteria`, in their order: one measure of agreement at each step, against units removed. */
export function computeAgreementLines(
  { steps }: AnalyzeSummary,
  measure: "spearman" | "regret",
  criteria: readonly string[],
): Series[] {
  return criteria.map((name) => ({
    name,
    points: steps.map(({ removed, agreement }) => [
      removed,
      agreement.find(({ criterion }) => criterion === name)?.[measure] ?? Number.NaN,
    ]),
  }));
}

/** Sizes of taylor2's failure and its two causes at each step, per unit left, against units removed. */
export function computeFailureLines(steps: readonly AnalyzedStep[]): Series[] {
  const line = (name: string, size: (step: AnalyzedStep) => number): Series => ({
    name,
    points: steps.map((step) => [step.removed, size(step) / step.failure.units]),
  });
  return [
    line("measured cost", ({ failure }) => failure.measured),
    line("taylor2's failure", ({ failure }) => failure.failure),
    line("of it truncation", ({ failure }) => failure.truncation),
    line("of it diagonal", ({ failure }) => failure.diagonal),
  ];
}

/** How well units are ranked where one cause or two are out of the way, at each step: Spearman's rank correlation, against units removed. */
export function computeCauseLines(steps: readonly AnalyzedStep[]): Series[] {
  const line = (name: string, spearman: (step: AnalyzedStep) => number | undefined): Series => ({
    name,
    points: steps.map((step) => [step.removed, spearman(step) ?? Number.NaN]),
  });
  return [
    line("taylor2", ({ agreement }) => agreement.find(({ criterion }) => criterion === "taylor2")?.spearman),
    line("exact parabola", ({ exactParabola }) => exactParabola.spearman),
    line("measured, on the intact network", ({ intactCosts }) => intactCosts.spearman),
  ];
}

/** A line per group: the change of the error as its units go one after another. */
export function computeGroupPaths(groups: readonly CancellingGroup[]): Series[] {
  return groups.map(({ path }, i) => ({
    name: `group ${i + 1}`,
    points: [[0, 0], ...path.map((cost, at): Point => [at + 1, cost])],
  }));
}

/** Truncation's and the diagonal's shares of their sum, 0 to 1; NaN where both are 0. */
export function computeShares({ truncation, diagonal }: { truncation: number; diagonal: number }): {
  truncation: number;
  diagonal: number;
} {
  const all = truncation + diagonal;
  return { truncation: truncation / all, diagonal: diagonal / all };
}

function mean(values: readonly number[]): number {
  const finite = values.filter((value) => typeof value === "number" && Number.isFinite(value));
  return finite.length === 0 ? Number.NaN : finite.reduce((a, b) => a + b, 0) / finite.length;
}
