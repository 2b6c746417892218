/** What an experiment of the paper is, as data. */
import type { Dataset, Schedule } from "@shrinknet/core";

/** Samples to train on and to choose units by, and samples that are only reported on. */
export interface Samples {
  readonly calibration: Dataset;
  readonly test: Dataset;
}

/** What a curve shows. */
export type Measure = "error" | "accuracy";

/** A published curve and which of our runs it stands beside. */
export interface PublishedFigure {
  /** Its name in data/curves.csv. */
  readonly figure: string;
  readonly schedule: Schedule;
  readonly measure: Measure;
  /**
   * The error that counts as 100 %, as ours and the paper's are sums over different numbers of samples: that without any
   * unit (default), or that after the oracle's first removal, where the question is how it compares with the start.
   */
  readonly relativeTo?: "empty" | "first removal";
}

/** When training ends: the paper's starting accuracy, or its error per sample. */
export type Goal = { readonly accuracy: number } | { readonly meanError: number };

export interface Training {
  readonly goal: Goal;
  /** Samples in a step. */
  readonly batch: number;
  /** Step size of Adam in the first epoch. */
  readonly rate: number;
  /** Its factor from epoch to epoch; default 1. */
  readonly decay?: number;
  /** Looks at the goal after which training ends without it. */
  readonly maxEpochs: number;
  /** Steps between two looks at the goal; default: one pass over the data. */
  readonly steps?: number;
  /** Weights start this many times as large as Glorot's; default 1. */
  readonly spread?: number;
}

export interface Experiment {
  readonly id: string;
  readonly title: string;
  /** Widths from input to output; hidden units are logistic. */
  readonly widths: readonly number[];
  /** Operator on the outputs; undefined: linear. */
  readonly output?: "Sigmoid" | "Softmax";
  /** The samples of a seed. */
  samples(seed: number): Samples;
  /** The samples in words. */
  readonly data: string;
  readonly training: Training;
  readonly schedules: readonly Schedule[];
  readonly figures: readonly PublishedFigure[];
  /** Gain curves are measured for every so-manyth removal. */
  readonly gainEvery: number;
}

/** Removable units: all hidden ones. */
export function unitsOf({ widths }: Pick<Experiment, "widths">): number {
  return widths.slice(1, -1).reduce((sum, width) => sum + width, 0);
}
