/** What is measured on one trained network. */
import type { AnalyzeSummary, CompareRun, CompareSummary, GainCurve, Quality, Schedule } from "@shrinknet/core";
import type { Experiment, Measure } from "../experiments/experiment.ts";

export const criteria = ["oracle", "taylor1", "taylor2"] as const;
export type CriterionName = (typeof criteria)[number];

/** The results of one experiment with one seed. */
export interface Measured {
  readonly experiment: Experiment;
  readonly seed: number;
  readonly training: { readonly epochs: number; readonly reached: boolean; readonly cached: boolean };
  readonly start: Quality & { readonly test?: Quality };
  readonly layers: CompareSummary["layers"];
  /** One for each of the paper's criteria and schedule, and under rerank one of the exact parabola; down to no units at all. */
  readonly runs: readonly CompareRun[];
  /** By criterion, under rerank, of the units at removals 0, n, 2n, ... */
  readonly gains: Readonly<Record<CriterionName, readonly RemovalGain[]>>;
  /** Every criterion beside the oracle at stages of its run, and why taylor2 fails. Its time is left out (NaN): the same bytes each time. */
  readonly analysis: AnalyzeSummary;
}

/** The gain curve of the unit that goes next after `removed` removals, at that stage. */
export interface RemovalGain extends GainCurve {
  readonly removedBefore: number;
}

/** The run of a criterion under a schedule. */
export function runOf({ runs }: Pick<Measured, "runs">, criterion: string, schedule: Schedule): CompareRun {
  const found = runs.find((run) => run.criterion === criterion && run.schedule === schedule);
  if (!found) throw new Error(`there is no run of ${criterion} under ${schedule}`);
  return found;
}

/** Where a curve is measured. */
export type DataSet = "calibration" | "test";

/** Error or accuracy of a run by units removed: entry 0 is the network as trained. NaN where it has no accuracy. */
export function curveOf(
  measured: Measured,
  criterion: string,
  schedule: Schedule,
  measure: Measure,
  data: DataSet = "calibration",
): number[] {
  const states = [measured.start, ...runOf(measured, criterion, schedule).steps];
  return states.map((state) => (data === "test" ? state.test : state)?.[measure] ?? Number.NaN);
}
