/** Follows a run on held-out samples: what limits are judged by beside the samples that choose. */
import { ShrinkError } from "../errors.ts";
import { pairedDrop } from "../measure/correctness.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { QualityMeter } from "../measure/quality.ts";
import type { State } from "../measure/state.ts";
import type { OutputQuality, Quality } from "../results.ts";
import type { Budget, Progress } from "./budget.ts";

export class HeldOut {
  readonly #size: number;
  readonly #meter: QualityMeter;
  /** Samples that choose, to every one that is held out. */
  readonly #fitSize: number;
  /** Right answers of the intact model; only where a confidence is asked for. */
  readonly #intact: Float64Array | undefined;
  readonly #confidence: number | undefined;

  private constructor(size: number, meter: QualityMeter, fitSize: number, intact?: Float64Array, confidence?: number) {
    this.#size = size;
    this.#meter = meter;
    this.#fitSize = fitSize;
    this.#intact = intact;
    this.#confidence = confidence;
  }

  /** Throws a `data` error where the samples are too few for the limit and the confidence, whatever is removed. */
  static async of(
    evaluator: Evaluator,
    fitSize: number,
    intact: State,
    budget: Budget,
    loops = true,
  ): Promise<HeldOut> {
    const { confidence, maxAccuracyDrop } = budget;
    const meter = await QualityMeter.of(evaluator, intact, loops);
    const right = confidence === undefined ? undefined : (await meter.measure()).correctness;
    if (right && maxAccuracyDrop !== undefined && pairedDrop(right, right, confidence).high > maxAccuracyDrop) {
      throw new ShrinkError(
        "data",
        `confidence: ${right.length} held-out samples are too few to show a drop of at most ${maxAccuracyDrop * 100} % with ` +
          `${(confidence ?? 0) * 100} % confidence, even where every answer stays; give more samples, or a larger --hold-out`,
      );
    }
    return new HeldOut(evaluator.samples.size, meter, fitSize, right, confidence);
  }

  /** Goes on to a later state. */
  advance(state: State, fitted: readonly string[] = []): void {
    this.#meter.activations.advance(state, fitted);
  }

  /** Quality at the present state: on the held-out samples, and together with that on the samples that choose. */
  async measure(fit: Quality): Promise<Pick<Progress, "heldOut" | "overall" | "highestDrop">> {
    const { quality: heldOut, correctness: after } = await this.#meter.measure();
    return {
      heldOut,
      overall: together(fit, this.#fitSize, heldOut, this.#size),
      ...(this.#intact && after && { highestDrop: pairedDrop(this.#intact, after, this.#confidence).high }),
    };
  }

  release(): Promise<void> {
    return this.#meter.release();
  }
}

/** Quality over two sets of samples: means by their numbers of samples. */
function together(a: Quality, sizeA: number, b: Quality, sizeB: number): Quality {
  const mean = (p: number, q: number): number => (p * sizeA + q * sizeB) / (sizeA + sizeB);
  const both = <Own extends Pick<Quality, "error" | "accuracy">>(one: Own, other: Own): Own => ({
    ...one,
    error: mean(one.error, other.error),
    ...(one.accuracy !== undefined && other.accuracy !== undefined && { accuracy: mean(one.accuracy, other.accuracy) }),
  });
  const outputs = a.outputs?.map((own, at) => both<OutputQuality>(own, b.outputs?.[at] ?? own));
  return { ...both<Quality>(a, b), ...(outputs && { outputs }) };
}
