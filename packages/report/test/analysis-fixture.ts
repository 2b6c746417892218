import type { Agreement, AnalyzedStep, AnalyzeSummary, UnitCost, UnitName } from "@shrinknet/core";
import { gainFixture, pruneFixture, random } from "./fixtures.ts";

export interface AnalysisOptions {
  readonly layers?: readonly string[];
  /** Units of each layer. */
  readonly size?: number;
  readonly steps?: number;
  readonly interactions?: boolean;
  readonly criteria?: readonly string[];
}

/** A made-up analysis: the shape is right, the numbers mean nothing. */
export function analysisFixture(options: AnalysisOptions = {}): AnalyzeSummary {
  const { layers = ["fc1", "fc2"], size = 4, steps = 3, interactions = true } = options;
  const { criteria = ["taylor1", "taylor2", "taylor2-unsigned", "magnitude"] } = options;
  const next = random(11);
  const units = layers.flatMap((layer, at) =>
    Array.from({ length: size }, (_, unit): UnitName => ({ group: `g${at}`, unit, layer })),
  );
  const costs = units.map((name): UnitCost => {
    const [taylor2, diagonal, truncation] = [next() - 0.2, next() / 10, next() * 3];
    return { ...name, measured: taylor2 + diagonal + truncation, taylor1: next() / 5, taylor2, diagonal, truncation };
  });
  const sum = (size: (cost: UnitCost) => number): number => costs.reduce((all, cost) => all + Math.abs(size(cost)), 0);
  const own = costs.map(({ measured }) => measured);
  const matrix = units.map(() => units.map(() => 0));
  units.forEach((_, i) => {
    units.slice(i + 1).forEach((_, after) => {
      const value = next() - 0.7;
      (matrix[i] as number[])[i + 1 + after] = value;
      (matrix[i + 1 + after] as number[])[i] = value;
    });
  });
  const at = (i: number, j: number): number => matrix[i]?.[j] ?? 0;
  const pair = (i: number, j: number) => ({
    a: units[i] as UnitName,
    b: units[j] as UnitName,
    costA: own[i] as number,
    costB: own[j] as number,
    cost: (own[i] as number) + (own[j] as number) + at(i, j),
    interaction: at(i, j),
  });
  const agreement = (criterion: string, isRanking = true): Agreement => ({
    criterion,
    spearman: isRanking ? next() : Number.NaN,
    kendall: isRanking ? next() : Number.NaN,
    top: [0.01, 0.05, 0.1].map((share) => ({ share, count: 1, overlap: Math.round(next()) })),
    regret: next(),
  });
  return {
    model: "digits.onnx",
    objective: "sse",
    seed: 0,
    samples: 500,
    baseline: pruneFixture().before,
    layers: layers.map((layer, i) => ({ group: `g${i}`, layer, kind: "neuron", size })),
    criteria,
    removed: 5,
    steps: Array.from(
      { length: steps },
      (_, i): AnalyzedStep => ({
        removed: i * 2,
        left: units.length - i * 2,
        error: 10 + i ** 3,
        accuracy: 0.99 - i / 100,
        agreement: criteria.map((criterion, k) => ({
          ...agreement(criterion, k !== 3),
          ...(i === 1 && { regret: 0 }),
        })),
        exactParabola: agreement("exact parabola"),
        intactCosts: agreement("intact costs"),
        failure: {
          units: units.length,
          measured: sum(({ measured }) => measured),
          failure: sum(({ measured, taylor2 }) => measured - taylor2),
          truncation: sum(({ truncation }) => truncation),
          diagonal: sum(({ diagonal }) => diagonal),
        },
        costs,
        joint: i ** 3,
        alone: i * 1.5,
      }),
    ),
    ...(interactions && {
      interactions: {
        units: units.map((name, i) => ({ ...name, cost: own[i] as number })),
        of: units.length,
        chosen: "all",
        matrix,
        cancelling: [pair(0, 1), pair(2, 3)],
        covering: [pair(0, 2)],
        partners: units.map((name, i) => {
          const j = i === 0 ? 1 : 0;
          const { cost: pairCost } = pair(i, j);
          const partnerCost = own[j] as number;
          return {
            ...name,
            cost: own[i] as number,
            partner: units[j] as UnitName,
            partnerCost,
            pairCost,
            after: pairCost - partnerCost,
          };
        }),
        groups: [{ units: units.slice(0, 3), joint: 1, parts: 4, path: [2, 3, 1] }],
        failure: { truncation: 1, diagonal: 0.1, interaction: 0.5 },
      },
    }),
    curves: costs.slice(0, 2).map((cost) => ({
      why: "The largest truncation.",
      cost,
      curve: { ...gainFixture(), group: cost.group, unit: cost.unit, layer: cost.layer },
    })),
    evaluations: 123,
    seconds: 4,
  };
}
