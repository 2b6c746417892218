/** Criteria beside the oracle at one step: what each ranks, and how that agrees with what was measured. */
import type { Criterion, ScoringContext } from "../criteria/criterion.ts";
import { comparable } from "../plan/rank.ts";
import type { Agreement } from "../results.ts";
import { kendall, regret, spearman, topOverlap } from "./rank-agreement.ts";

/** Shares of the ranking whose overlap is noted. */
const TOP_SHARES = [0.01, 0.05, 0.1];

/** Scores the units that are left by each criterion and compares with their measured costs, by unit. */
export async function agreementOf(
  context: ScoringContext,
  criteria: readonly Criterion[],
  costs: Float64Array,
): Promise<Agreement[]> {
  const { left, prunable } = context;
  const measured = left.map((unit) => costs[unit] as number);
  const result: Agreement[] = [];
  for (const criterion of criteria) {
    const scores = comparable(criterion, await criterion.score(context), prunable.units.groups, left);
    const own = left.map((unit) => scores[unit] as number);
    result.push({ criterion: criterion.name, ...compareRankings(measured, own) });
  }
  return result;
}

/** Every measure of agreement of `scores` with measured costs, unit by unit. */
export function compareRankings(measured: readonly number[], scores: readonly number[]): Omit<Agreement, "criterion"> {
  return {
    spearman: spearman(measured, scores),
    kendall: kendall(measured, scores),
    top: TOP_SHARES.map((share) => {
      const count = Math.max(1, Math.round(share * measured.length));
      return { share, count, overlap: topOverlap(measured, scores, count) };
    }),
    regret: regret(measured, scores),
  };
}
