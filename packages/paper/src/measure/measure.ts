/** Everything that is measured on one trained network. */
import { type CompareRun, type CompareSummary, compare, type GainCurve, type Quality, type Runner } from "shrinknet";
import type { Experiment } from "../experiments/experiment.ts";
import { type GainOptions, gainsAlong } from "./gains.ts";
import { trainedNetwork } from "./trained.ts";

export const criteria = ["oracle", "taylor1", "taylor2"] as const;
export type CriterionName = (typeof criteria)[number];

export interface MeasureOptions extends Pick<GainOptions, "gains"> {
  readonly runner: Runner;
  readonly seed: number;
  readonly cache: string;
  /** Says what is going on and which share (0 to 1) of this measurement is done. */
  readonly onProgress?: ((text: string, share: number) => void) | undefined;
}

/** The results of one experiment with one seed. */
export interface Measured {
  readonly experiment: Experiment;
  readonly seed: number;
  readonly training: { readonly epochs: number; readonly reached: boolean; readonly cached: boolean };
  readonly start: Quality & { readonly test?: Quality };
  readonly layers: CompareSummary["layers"];
  /** One for each criterion and schedule, down to no units at all. */
  readonly runs: readonly CompareRun[];
  /** By criterion, under rerank, of the units at removals 0, n, 2n, ... */
  readonly gains: Readonly<Record<CriterionName, readonly RemovalGain[]>>;
}

/** The gain curve of the unit that goes next after `removed` removals, at that stage. */
export interface RemovalGain extends GainCurve {
  readonly removedBefore: number;
}

/** Shares of the time that the parts take, about. */
const TRAINING = 0.3;
const RUNS = 0.55;

export async function measureExperiment(experiment: Experiment, options: MeasureOptions): Promise<Measured> {
  const { runner, seed, cache, gains: gainsAt, onProgress } = options;
  const samples = experiment.samples(seed);
  const { file, model, ...training } = await trainedNetwork(experiment, samples, {
    ...{ runner, seed, cache },
    onEpoch: (epoch) => onProgress?.(`training, epoch ${epoch}`, TRAINING * (epoch / experiment.training.maxEpochs)),
  });
  const { schedules } = experiment;
  let last = "";
  let begun = 0;
  const summary = await compare(file, {
    ...{ runner, data: samples.calibration, test: samples.test, criteria, schedules, seed, objective: "sse", minKeep: 0 },
    name: experiment.id,
    onProgress({ criterion, schedule }, { removed, units }) {
      const name = `${criterion}, ${schedule}`;
      if (name !== last) begun++;
      last = name;
      const done = (begun - 1 + removed / units) / (criteria.length * schedules.length);
      onProgress?.(`${name}: ${removed} of ${units} removed`, TRAINING + RUNS * done);
    },
  });
  const gains = await gainsAlong(model, summary, {
    ...{ runner, data: samples.calibration, gains: gainsAt, every: experiment.gainEvery },
    onProgress: (text, share) => onProgress?.(text, TRAINING + RUNS + (1 - TRAINING - RUNS) * share),
  });
  const { error, accuracy, test } = summary.baseline;
  return {
    ...{ experiment, seed, training, layers: summary.layers, runs: summary.runs, gains },
    start: { error, ...(accuracy !== undefined && { accuracy }), ...(test && { test }) },
  };
}

/** The run of a criterion under a schedule. */
export function runOf({ runs }: Pick<Measured, "runs">, criterion: string, schedule: string): CompareRun {
  const found = runs.find((run) => run.criterion === criterion && run.schedule === schedule);
  if (!found) throw new Error(`there is no run of ${criterion} under ${schedule}`);
  return found;
}
