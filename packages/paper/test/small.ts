/** Experiments and results small enough for tests. */
import { type AnalyzeSummary, type CompareRun, range } from "@shrinknet/core";
import type { Experiment, Samples } from "../src/experiments/experiment.ts";
import { experiments } from "../src/experiments/table.ts";
import { type CriterionName, criteria, type Measured } from "../src/measure/measured.ts";

export function experiment(id: string): Experiment {
  const found = experiments.find((one) => one.id === id);
  if (!found) throw new Error(`no experiment ${id}`);
  return found;
}

/** An experiment with few samples, narrow layers and hardly any training. */
export function shrunk(id: string, hidden: readonly number[]): Experiment {
  const full = experiment(id);
  const few = ({ calibration, test }: Samples): Samples => ({
    calibration: range(calibration, 0, 200),
    test: range(test, 0, 100),
  });
  return {
    ...full,
    widths: [full.widths[0] as number, ...hidden, full.widths.at(-1) as number],
    samples: (seed) => few(full.samples(seed)),
    training: { ...full.training, maxEpochs: 2 },
    gainEvery: 3,
  };
}

/** Of nothing. */
const analysis: AnalyzeSummary = {
  ...{ model: "", objective: "sse", seed: 1, samples: 0, layers: [], criteria: [], removed: 0, steps: [], curves: [] },
  ...{ baseline: { units: 0, parameters: 0, macs: 0, bytes: 0, error: 0 }, evaluations: 0, seconds: Number.NaN },
};

/** Made-up measurements: the curves (entry 0 is the start) by criterion, for every schedule; layers in turn unless given. */
export function measured(
  id: string,
  curves: Readonly<Record<CriterionName, { error: readonly number[]; accuracy?: readonly number[] }>>,
  layers: readonly string[] = ["hidden1", "hidden2"],
): Measured {
  const full = experiment(id);
  const run = (criterion: CriterionName, schedule: CompareRun["schedule"]): CompareRun => ({
    ...{ criterion, schedule, compensation: "none", seconds: 0, evaluations: 0 },
    steps: curves[criterion].error.slice(1).map((error, i) => {
      const layer = layers[i % layers.length] as string;
      const accuracy = curves[criterion].accuracy?.[i + 1];
      return {
        removed: i + 1,
        error,
        ...(accuracy !== undefined && { accuracy }),
        group: layer,
        unit: i,
        layer,
        predicted: 1,
      };
    }),
  });
  const { error, accuracy } = curves.oracle;
  return {
    ...{ experiment: full, seed: 1, training: { epochs: 1, reached: true, cached: false } },
    start: { error: error[0] as number, ...(accuracy && { accuracy: accuracy[0] as number }) },
    layers: ["hidden1", "hidden2"].map((layer) => ({ group: layer, layer, kind: "neuron", size: 5 })),
    runs: full.schedules.flatMap((schedule) => criteria.map((criterion) => run(criterion, schedule))),
    gains: { oracle: [], taylor1: [], taylor2: [] },
    analysis,
  };
}
