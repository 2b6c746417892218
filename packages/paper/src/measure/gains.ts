/** Gain curves along a run: of each unit that is about to be removed, at the stage at which it is. */
import {
  type CompareRun,
  type CompareSummary,
  createEvaluator,
  type Dataset,
  gainCurves,
  type Model,
  prepare,
  type Runner,
} from "@shrinknet/core";
import { type CriterionName, criteria, type RemovalGain } from "./measured.ts";

export interface GainOptions {
  readonly runner: Runner;
  readonly data: Dataset;
  /** Gains to measure at. */
  readonly gains: readonly number[];
  /** Every so-manyth removal. */
  readonly every: number;
  readonly onProgress?: (text: string, share: number) => void;
}

/** The paper's gains: 0 to 10 in equal steps. */
export function gainsUpTo10(step: number): number[] {
  return Array.from({ length: Math.round(10 / step) + 1 }, (_, i) => Number((i * step).toPrecision(12)));
}

/** Gain curves of the units removed at 0, `every`, 2 `every`, ... removals, for every criterion under `rerank`. */
export async function gainsAlong(
  model: Model,
  { runs }: CompareSummary,
  { runner, data, gains, every, onProgress }: GainOptions,
): Promise<Record<CriterionName, readonly RemovalGain[]>> {
  const prunable = await prepare(model, runner);
  const evaluator = await createEvaluator(prunable, runner, data, { objective: "sse" });
  const numberOf = ({ group, unit }: CompareRun["steps"][number]): number => {
    return (prunable.units.groups.find(({ id }) => id === group)?.first ?? Number.NaN) + unit;
  };
  const result: Record<CriterionName, RemovalGain[]> = { oracle: [], taylor1: [], taylor2: [] };
  for (const [at, criterion] of criteria.entries()) {
    const steps = runs.find((run) => run.criterion === criterion && run.schedule === "rerank")?.steps ?? [];
    const removed = new Uint8Array(prunable.units.count);
    for (const [removedBefore, step] of steps.entries()) {
      const unit = numberOf(step);
      if (removedBefore % every === 0) {
        const curves = await gainCurves(evaluator, { units: [unit], gains, removed });
        result[criterion].push(...curves.map((curve) => ({ ...curve, removedBefore })));
        onProgress?.(`gain curves, ${criterion}`, (at + removedBefore / steps.length) / criteria.length);
      }
      removed[unit] = 1;
    }
  }
  return result;
}
