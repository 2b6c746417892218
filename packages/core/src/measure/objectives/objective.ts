/**
 * An objective is a record: how wrong one output of a model is, as a non-negative number for each sample, and the derivatives
 * of that at the output. One file each; a user may pass one of their own. The error E of a model is the sum over its outputs,
 * each by its own objective, as a mean over samples.
 */
import type { GraphBuilder } from "../../graph/builder.ts";
import type { Tensor } from "../../graph/tensor.ts";
import type { ColumnPart } from "./columns.ts";

/** One output as an objective sees it: values come with the sample axis first, [N, ...dims]. */
export interface OutputInfo {
  /** Of the model. */
  readonly name: string;
  /** For messages: the file that answers come from. */
  readonly source: string;
  /** Element type in which errors are computed. */
  readonly type: "float32" | "float64";
  /** Of one sample, without the sample axis. */
  readonly dims: readonly number[];
  /** Operator that makes the output, such as Softmax or Sigmoid; undefined where nothing does. */
  readonly lastOperator: string | undefined;
  /** The axis of {@link dims} that holds classes; undefined where there is none. */
  readonly classAxis: number | undefined;
  /** The axis of {@link dims} whose positions mean different things; undefined: all elements mean the same. */
  readonly columnAxis: number | undefined;
  /** Columns along that axis that one layer makes, in order. */
  readonly columnParts: readonly ColumnPart[];
  /** Labels (int32) or targets (reals), [samples, ...]; undefined where there are none for this output. */
  readonly answers: Tensor | undefined;
  /** Samples. */
  readonly size: number;
  /** For messages: where in the file each sample stands; undefined: in its order. */
  readonly positions?: readonly number[] | undefined;
  /** Whether the model has no other output. */
  readonly isOnly: boolean;
}

/** What a sample's error would be at worst, and how it is computed. */
export interface BoundObjective {
  /** Whether the value before a final Softmax, LogSoftmax or Sigmoid is compared in place of the output. */
  readonly beforeLast?: boolean;
  /** [samples, ...], fed with each chunk of samples. */
  readonly targets: Tensor;
  /** Mean error of the best constant answer. Limits on the rise of an error that is 0 are shares of it. */
  readonly scale: number;
  /** Whether errors are shares of {@link scale} by themselves. */
  readonly isRelative?: boolean;
  /** Appends the error of each sample: [N]. `value` and `target` have the sample axis first. */
  error(b: GraphBuilder, value: string, target: string): string;
  /** Appends dE/dvalue and the diagonal of d2E/dvalue^2, both shaped like the value. */
  derivatives(b: GraphBuilder, value: string, target: string): { gradient: string; curvature: string };
  /** What the loops of a dense tail need to know; left out where they cannot compute it. */
  readonly loop?: ObjectiveLoop | undefined;
  /** How far two outputs are apart where no answers are asked; default: half the squared distance. */
  readonly distance?: OutputDistance;
  /** Weights that other sets of samples are to take over, see `Original.like`. */
  readonly columnWeights?: Float64Array;
}

/**
 * An error that the loops of dense tails compute: the sum over outputs of weight * (value - target)^2, or the cross-entropy
 * of logits with target probabilities.
 */
export type ObjectiveLoop =
  | { readonly kind: "squares"; readonly weights: Float64Array }
  | { readonly kind: "cross-entropy" };

/**
 * Distance of two outputs in units of the error: the sum of weight * (difference)^2, with a weight for each column (or one for
 * all), or the divergence of the classes' probabilities.
 */
export type OutputDistance =
  | { readonly kind: "squares"; readonly weights: Float64Array }
  | { readonly kind: "divergence" };

/** Values of the original model for the output, and how they are weighed; see {@link Objective.bind}. */
export interface Original {
  /** [samples, ...dims] */
  values(): Promise<Tensor>;
  /** The weights of another set of samples, to be used for these too. */
  readonly like: BoundObjective | undefined;
}

export interface Objective {
  readonly name: string;
  /** Whether it compares with labels or targets, or with the original model's own output. */
  readonly needsAnswers: boolean;
  /** Whether it is what most people would want for this output; of all that are, the first in the list is taken. */
  suits(output: OutputInfo): boolean;
  /** Fits it to an output. Throws a `data` error where the answers do not fit. */
  bind(output: OutputInfo, original: Original): Promise<BoundObjective> | BoundObjective;
}

/** All axes of a value with the sample axis first, but that. */
export function innerAxes({ dims }: Pick<OutputInfo, "dims">): number[] {
  return dims.map((_, axis) => axis + 1);
}
