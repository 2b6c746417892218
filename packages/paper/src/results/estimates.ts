/** Why the estimates fail: what the analyses of an experiment's networks come down to. */
import type { Agreement, AnalyzedStep, Interactions } from "@shrinknet/core";
import { curveOf, type Measured } from "../measure/measured.ts";
import { area, median } from "./stats.ts";

/** How well a criterion ranks one network's units: medians over the stages of the oracle's run. */
export interface Ranking {
  readonly criterion: string;
  /** Rank correlations with the oracle. */
  readonly spearman: number;
  readonly kendall: number;
  /** Share of the least costly 1, 5 and 10 % of the units (at least one) that are among its lowest. */
  readonly top: readonly number[];
  /** What following it costs for one removal, as a share of what a random pick costs on average: 0 best, 1 no better than chance. */
  readonly regret: number;
  /** The largest over the stages, no median. */
  readonly worstRegret: number;
  /** Share of the stages at which it picks a unit that no other beats. */
  readonly bestPicks: number;
}

/** taylor2 with the exact second derivative; and no estimate at all, but what was measured on the intact network. */
export const EXACT = "exact-parabola";
export const INTACT = "measured-once";

/** Of every criterion that was analyzed, of the exact parabola and of the costs measured on the intact network. */
export function rankingsOf({ analysis }: Pick<Measured, "analysis">): Ranking[] {
  const { steps, criteria } = analysis;
  return [
    ...criteria.map((name) => rankingOf(name, steps, (step) => step.agreement.find((row) => row.criterion === name))),
    rankingOf(EXACT, steps, ({ exactParabola }) => exactParabola),
    rankingOf(INTACT, steps, ({ intactCosts }) => intactCosts),
  ];
}

function rankingOf(
  criterion: string,
  steps: readonly AnalyzedStep[],
  agreementAt: (step: AnalyzedStep) => Omit<Agreement, "criterion"> | undefined,
): Ranking {
  const own = steps.flatMap((step) => {
    const agreement = agreementAt(step);
    return agreement ? [{ ...agreement, regret: agreement.regret / (randomRegret(step) || 1) }] : []; // where all cost the same, 0
  });
  const over = (value: (agreement: Omit<Agreement, "criterion">) => number | undefined): number =>
    medianOf(own.map((agreement) => value(agreement) ?? Number.NaN));
  const shares = steps[0]?.intactCosts.top ?? [];
  return {
    criterion,
    spearman: over(({ spearman }) => spearman),
    kendall: over(({ kendall }) => kendall),
    top: shares.map((_, i) => over(({ top }) => top[i]?.overlap)),
    regret: over(({ regret }) => regret),
    worstRegret: Math.max(...own.map(({ regret }) => regret)),
    bestPicks: own.filter(({ regret }) => regret <= 0).length / own.length,
  };
}

/** Mean cost of the units left, less that of the best one. */
function randomRegret({ costs }: AnalyzedStep): number {
  const measured = costs.map((cost) => cost.measured);
  return measured.reduce((sum, cost) => sum + cost, 0) / measured.length - Math.min(...measured);
}

/**
 * What following a criterion to the end costs: the area under its error curve (rerank), as a multiple of the oracle's.
 * NaN where there is no such run.
 */
export function areaRatio(measured: Measured, criterion: string): number {
  const areaOf = (name: string): number => area(curveOf(measured, name, "rerank", "error"));
  const isRun = measured.runs.some((run) => run.criterion === criterion && run.schedule === "rerank");
  return isRun ? areaOf(criterion) / areaOf("oracle") : Number.NaN;
}

/** What makes taylor2 wrong on one network. */
export interface Causes {
  /** Sum over units of |measured cost - taylor2| / sum of |measured cost|: median over the stages. */
  readonly failure: number;
  /** Shares of the two causes for single units, which add up to 1: medians over the stages. */
  readonly truncation: number;
  readonly diagonal: number;
  /** Shares of the three causes for pairs of units on the intact network, which add up to 1. */
  readonly pair: Interactions["failure"];
  /** What the units that the oracle's run had removed at the last stage cost together, and the sum of what each cost alone on the intact network. */
  readonly joint: number;
  readonly alone: number;
}

export function causesOf({ analysis }: Pick<Measured, "analysis">): Causes {
  const { steps, interactions } = analysis;
  const shares = steps.map(({ failure }) => failure.truncation / (failure.truncation + failure.diagonal));
  const truncation = medianOf(shares);
  const { truncation: pairTruncation = 0, diagonal = 0, interaction = 0 } = interactions?.failure ?? {};
  const all = pairTruncation + diagonal + interaction;
  const last = steps.at(-1);
  return {
    failure: medianOf(steps.map(({ failure }) => failure.failure / failure.measured)),
    ...{ truncation, diagonal: 1 - truncation },
    pair: { truncation: pairTruncation / all, diagonal: diagonal / all, interaction: interaction / all },
    ...{ joint: last?.joint ?? Number.NaN, alone: last?.alone ?? Number.NaN },
  };
}

/** Rankings of several networks of a kind, by criterion: medians over the networks of the medians over stages. */
export function medianRankings(seeds: readonly Measured[]): Map<string, Ranking> {
  const rankings = seeds.map(rankingsOf);
  const names = rankings[0]?.map(({ criterion }) => criterion) ?? [];
  return new Map(
    names.map((criterion, row) => {
      const over = (value: (ranking: Ranking) => number | undefined): number =>
        medianOf(rankings.map((own) => (own[row] && value(own[row])) ?? Number.NaN));
      return [
        criterion,
        {
          criterion,
          spearman: over(({ spearman }) => spearman),
          kendall: over(({ kendall }) => kendall),
          top: (rankings[0]?.[row]?.top ?? []).map((_, i) => over(({ top }) => top[i])),
          regret: over(({ regret }) => regret),
          worstRegret: over(({ worstRegret }) => worstRegret),
          bestPicks: over(({ bestPicks }) => bestPicks),
        },
      ];
    }),
  );
}

/** Causes on several networks of a kind: medians, but means of the shares, so that they still add up to 1. */
export function meanCauses(seeds: readonly Measured[]): Causes {
  const causes = seeds.map(causesOf);
  const mean = (value: (causes: Causes) => number): number =>
    causes.reduce((sum, one) => sum + value(one), 0) / causes.length;
  return {
    failure: medianOf(causes.map(({ failure }) => failure)),
    truncation: mean(({ truncation }) => truncation),
    diagonal: mean(({ diagonal }) => diagonal),
    pair: {
      truncation: mean(({ pair }) => pair.truncation),
      diagonal: mean(({ pair }) => pair.diagonal),
      interaction: mean(({ pair }) => pair.interaction),
    },
    joint: medianOf(causes.map(({ joint }) => joint)),
    alone: medianOf(causes.map(({ alone }) => alone)),
  };
}

/** Of what is a number; NaN where nothing is. */
export function medianOf(values: readonly number[]): number {
  return median(values.filter(Number.isFinite));
}
