/** What an evaluation gives: error and correctness of every sample, by output and together. */
import { sizeOf, type Tensor } from "../graph/tensor.ts";
import type { OutputQuality, Quality } from "../results.ts";
import type { OutputTerm } from "./objectives/model-objective.ts";

/** One output of one model on all samples. */
export interface OutputEvaluation {
  readonly output: string;
  readonly objective: string;
  /** By sample. */
  readonly errors: Float64Array;
  /** By sample: the share of its positions whose class is right, 0 or 1 where there is one; undefined without labels. */
  readonly correctness: Float64Array | undefined;
  /** By sample: the share of its positions whose class is that of the original; undefined where nothing says what a class is. */
  readonly agreement: Float64Array | undefined;
}

export class Evaluation {
  readonly outputs: readonly OutputEvaluation[];
  /** By sample: the sum over outputs. */
  readonly errors: Float64Array;
  /** By sample: the mean over outputs with labels; undefined without any. */
  readonly correctness: Float64Array | undefined;

  constructor(outputs: readonly OutputEvaluation[], size: number) {
    this.outputs = outputs;
    this.errors = new Float64Array(size);
    for (const { errors } of outputs)
      for (let n = 0; n < size; n++) this.errors[n] = at(this.errors, n) + at(errors, n);
    const labelled = outputs.flatMap(({ correctness }) => correctness ?? []);
    const known = outputs.filter(({ correctness }) => correctness !== undefined);
    this.correctness =
      labelled.length === 0
        ? undefined
        : Float64Array.from(
            { length: size },
            (_, n) =>
              known.reduce((sum, { correctness }) => sum + at(correctness as Float64Array, n), 0) / known.length,
          );
  }

  /** Means over all samples. */
  get quality(): Quality {
    const accuracy = this.correctness && mean(this.correctness);
    return {
      error: mean(this.errors),
      ...(accuracy !== undefined && { accuracy }),
      ...(this.outputs.length > 1 && { outputs: this.outputs.map(outputQuality) }),
    };
  }
}

/** Means over all samples of one output. */
export function outputQuality({ output, objective, errors, correctness, agreement }: OutputEvaluation): OutputQuality {
  return {
    name: output,
    objective,
    error: mean(errors),
    ...(correctness && { accuracy: mean(correctness) }),
    ...(agreement && { agreement: mean(agreement) }),
  };
}

/** Adds up an evaluation chunk by chunk. */
export class EvaluationTally {
  readonly #terms: readonly OutputTerm[];
  readonly #outputs: OutputEvaluation[];
  readonly #size: number;

  constructor(terms: readonly OutputTerm[], size: number) {
    this.#terms = terms;
    this.#size = size;
    this.#outputs = terms.map((term): OutputEvaluation => {
      const isLabelled = term.info.answers?.type === "int32";
      const hasClasses = !term.objective.needsAnswers && term.info.classAxis !== undefined && classCount(term) > 1;
      return {
        output: term.output,
        objective: term.objective.name,
        errors: new Float64Array(size),
        correctness: isLabelled ? new Float64Array(size) : undefined,
        agreement: hasClasses ? new Float64Array(size) : undefined,
      };
    });
  }

  /** `value` in the model's layout and `errors` [n] of the samples from..to-1, by the output at a place in the terms. */
  add(
    place: number,
    { from, to }: { readonly from: number; readonly to: number },
    value: Tensor,
    errors: Tensor,
  ): void {
    const own = this.#outputs[place] as OutputEvaluation;
    const term = this.#terms[place] as OutputTerm;
    own.errors.set(Float64Array.from(errors.numbers as ArrayLike<number>), from);
    if (!own.correctness && !own.agreement) return;
    const predicted = predictions(term, value, to - from);
    const perSample = predicted.length / (to - from);
    if (own.correctness) {
      const labels = (term.info.answers as Tensor).data as Int32Array;
      share(own.correctness, from, predicted, labels.subarray(from * perSample, to * perSample), perSample);
    }
    if (own.agreement) {
      const { targets } = term.bound;
      const width = sizeOf(term.info.dims);
      const rows = (targets.data as Float32Array).subarray(from * width, to * width);
      share(own.agreement, from, predicted, classesOf(rows, term.info.dims, term.info.classAxis ?? 0), perSample);
    }
  }

  evaluation(): Evaluation {
    return new Evaluation(this.#outputs, this.#size);
  }
}

/** By sample: the share of its positions at which both are the same. */
function share(into: Float64Array, from: number, predicted: Int32Array, expected: Int32Array, perSample: number): void {
  for (let i = 0; i < predicted.length; i++) {
    const n = from + Math.floor(i / perSample);
    if (predicted[i] === expected[i]) into[n] = at(into, n) + 1 / perSample;
  }
  // sums of shares are rounded; all right is 1
  for (let n = from; n < from + predicted.length / perSample; n++)
    into[n] = Math.round(at(into, n) * perSample) / perSample;
}

function classCount({ info }: OutputTerm): number {
  return info.classAxis === undefined ? 1 : (info.dims[info.classAxis] as number);
}

/** The class with the largest number at each position, [samples * positions]; the first of equals. */
function predictions(term: OutputTerm, value: Tensor, samples: number): Int32Array {
  const { info, layout } = term;
  const rows = toSamplesFirst(value.numbers, layout.axis, layout.dims, samples);
  if (classCount(term) > 1) return classesOf(rows, info.dims, info.classAxis ?? 0);
  // one number says how likely the second class is
  const threshold = info.lastOperator === "Sigmoid" && !term.bound.beforeLast ? 0.5 : 0;
  return Int32Array.from(rows, (one) => (one > threshold ? 1 : 0));
}

/** Largest along an axis of [samples, ...dims]. */
function classesOf(rows: ArrayLike<number>, dims: readonly number[], axis: number): Int32Array {
  const classes = dims[axis] as number;
  const inner = sizeOf(dims.slice(axis + 1));
  const outer = rows.length / (classes * inner);
  const result = new Int32Array(outer * inner);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const start = o * classes * inner + i;
      let best = 0;
      for (let c = 1; c < classes; c++) if (at(rows, start + c * inner) > at(rows, start + best * inner)) best = c;
      result[o * inner + i] = best;
    }
  }
  return result;
}

/** Elements in the order [samples, ...inner dims] from the model's layout. */
function toSamplesFirst(
  numbers: ArrayLike<number>,
  axis: number | undefined,
  dims: readonly number[],
  samples: number,
): ArrayLike<number> {
  if (axis === undefined || axis === 0) return numbers;
  const [outer, own, inner] = [sizeOf(dims.slice(0, axis)), dims[axis] as number, sizeOf(dims.slice(axis + 1))];
  const result = new Float64Array(numbers.length);
  let from = 0;
  for (let o = 0; o < outer; o++) {
    for (let n = 0; n < samples; n++) {
      for (let k = 0; k < own; k++) {
        const to = ((n * own + k) * outer + o) * inner;
        for (let i = 0; i < inner; i++) result[to + i] = at(numbers, from++);
      }
    }
  }
  return result;
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (let n = 0; n < values.length; n++) sum += at(values, n);
  return sum / values.length;
}

function at(values: ArrayLike<number>, index: number): number {
  return values[index] as number;
}
