import type { CompareRun, CompareSummary } from "@shrinknet/core";
import { runLabel } from "./curves.ts";

/** One row of the comparison table. */
export interface RunSummary {
  readonly criterion: string;
  readonly schedule: string;
  /** Units removed before calibration accuracy is first more than `points` below the start; left out without accuracy. */
  readonly removedAtDrop?: number;
  /** The same on test data. */
  readonly testRemovedAtDrop?: number;
  /** Area under the calibration error against units removed, from 0 to `upTo` (error times units); NaN if an error is missing or not finite. */
  readonly errorArea: number;
  readonly seconds: number;
  readonly evaluations: number;
}

export interface RunSummaries {
  /** Removals that every run made: the areas reach as far, so that they can be compared. */
  readonly upTo: number;
  readonly runs: readonly RunSummary[];
}

/** One row per run. `drop` is the loss of accuracy that counts, as a share; default 0.01, one point. */
export function computeRunSummaries(summary: CompareSummary, drop = 0.01): RunSummaries {
  const upTo = summary.runs.length > 0 ? Math.min(...summary.runs.map((run) => run.steps.length)) : 0;
  const runs = summary.runs.map((run): RunSummary => {
    const own = removedAtDrop([summary.baseline, ...run.steps], drop);
    const test = removedAtDrop([summary.baseline.test, ...run.steps.map((step) => step.test)], drop);
    return {
      criterion: runLabel(run),
      schedule: run.schedule,
      ...(own === undefined ? {} : { removedAtDrop: own }),
      ...(test === undefined ? {} : { testRemovedAtDrop: test }),
      errorArea: errorArea(summary.baseline.error, run, upTo),
      seconds: run.seconds,
      evaluations: run.evaluations,
    };
  });
  return { upTo, runs };
}

/** How many removals pass before the accuracy first falls more than `drop` below the first; a later recovery does not count. */
function removedAtDrop(states: readonly ({ accuracy?: number } | undefined)[], drop: number): number | undefined {
  const start = states[0]?.accuracy;
  if (typeof start !== "number" || !Number.isFinite(start)) return undefined;
  const lost = states.findIndex((state) => !(start - (state?.accuracy ?? Number.NaN) <= drop + 1e-9));
  return lost < 0 ? states.length - 1 : lost - 1;
}

/** Trapezoids of width one between neighbouring removals. */
function errorArea(baseline: number, run: CompareRun, upTo: number): number {
  const errors = [baseline, ...run.steps.slice(0, upTo).map((step) => step.error)];
  let area = 0;
  for (let i = 1; i < errors.length; i++) area += ((errors[i - 1] ?? Number.NaN) + (errors[i] ?? Number.NaN)) / 2;
  return area;
}
