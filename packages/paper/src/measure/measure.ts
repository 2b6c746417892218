/** Everything that is measured on one trained network. */
import { analyze, type CompareOptions, compare, exactParabola, type Runner } from "@shrinknet/core";
import type { Experiment } from "../experiments/experiment.ts";
import { type GainOptions, gainsAlong } from "./gains.ts";
import { criteria, type Measured } from "./measured.ts";
import { trainedNetwork } from "./trained.ts";

export interface MeasureOptions extends Pick<GainOptions, "gains"> {
  readonly runner: Runner;
  readonly seed: number;
  readonly cache: string;
  /** Says what is going on and which share (0 to 1) of this measurement is done. */
  readonly onProgress?: ((text: string, share: number) => void) | undefined;
}

/** Shares of the time that the parts take, about; the rest is the analysis. */
const TRAINING = 0.15;
const RUNS = 0.45;
const GAINS = 0.1;

/** At how many stages the oracle's run is analyzed, from the intact network to 60 % removed. */
const STAGES = 8;

export async function measureExperiment(experiment: Experiment, options: MeasureOptions): Promise<Measured> {
  const { runner, seed, cache, gains: gainsAt, onProgress } = options;
  const samples = experiment.samples(seed);
  const { file, model, ...training } = await trainedNetwork(experiment, samples, {
    ...{ runner, seed, cache },
    onEpoch: (epoch) => onProgress?.(`training, epoch ${epoch}`, TRAINING * (epoch / experiment.training.maxEpochs)),
  });
  const { schedules } = experiment;
  let begun = 0;
  let last = "";
  const asked: CompareOptions = {
    ...{ runner, data: samples.calibration, test: samples.test, seed, objective: "sse", minKeep: 0 },
    name: experiment.id,
    onProgress({ criterion, schedule }, { removed, units }) {
      const name = `${criterion}, ${schedule}`;
      if (name !== last) begun++;
      last = name;
      const done = (begun - 1 + removed / units) / (criteria.length * schedules.length + 1);
      onProgress?.(`${name}: ${removed} of ${units} removed`, TRAINING + RUNS * done);
    },
  };
  const summary = await compare(file, { ...asked, criteria, schedules });
  const { runs: exact } = await compare(file, { ...asked, criteria: [exactParabola], schedules: ["rerank"] });
  const gains = await gainsAlong(model, summary, {
    ...{ runner, data: samples.calibration, gains: gainsAt, every: experiment.gainEvery },
    onProgress: (text, share) => onProgress?.(text, TRAINING + RUNS + GAINS * share),
  });
  const analysis = await analyze(file, {
    ...{ runner, data: samples.calibration, steps: STAGES, seed, objective: "sse", minKeep: 0 },
    name: `${experiment.id}, seed ${seed}`,
    onProgress: (text, share) => onProgress?.(text, TRAINING + RUNS + GAINS + (1 - TRAINING - RUNS - GAINS) * share),
  });
  const { error, accuracy, test } = summary.baseline;
  return {
    ...{ experiment, seed, training, layers: summary.layers, runs: [...summary.runs, ...exact], gains },
    analysis: { ...analysis, seconds: Number.NaN },
    start: { error, ...(accuracy !== undefined && { accuracy }), ...(test && { test }) },
  };
}
