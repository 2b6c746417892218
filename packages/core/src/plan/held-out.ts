/** Follows a run on held-out samples: what limits are judged by beside the samples that choose. */
import { ShrinkError } from "../errors.ts";
import { pairedDrop, rightAnswers } from "../measure/answers.ts";
import { QualityMeter } from "../measure/quality.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import type { Quality } from "../results.ts";
import type { Budget, Progress } from "./budget.ts";

export class HeldOut {
  readonly #subject: Subject;
  readonly #meter: QualityMeter;
  /** Samples that choose, to every one that is held out. */
  readonly #fitSize: number;
  /** Right answers of the intact model; only where a confidence is asked for. */
  readonly #intact: Uint8Array | undefined;
  readonly #confidence: number | undefined;

  private constructor(
    subject: Subject,
    meter: QualityMeter,
    fitSize: number,
    intact?: Uint8Array,
    confidence?: number,
  ) {
    this.#subject = subject;
    this.#meter = meter;
    this.#fitSize = fitSize;
    this.#intact = intact;
    this.#confidence = confidence;
  }

  /** Throws a `data` error where the samples are too few for the limit and the confidence, whatever is removed. */
  static async of(subject: Subject, fitSize: number, intact: State, budget: Budget, loops = true): Promise<HeldOut> {
    const { confidence, maxAccuracyDrop } = budget;
    const right = confidence === undefined ? undefined : await rightAnswers(subject, intact.model);
    if (right && maxAccuracyDrop !== undefined && pairedDrop(right, right, confidence).high > maxAccuracyDrop) {
      throw new ShrinkError(
        "data",
        `confidence: ${right.length} held-out samples are too few to show a drop of at most ${maxAccuracyDrop * 100} % with ` +
          `${(confidence ?? 0) * 100} % confidence, even where every answer stays; give more samples, or a larger --hold-out`,
      );
    }
    return new HeldOut(subject, await QualityMeter.of(subject, intact, loops), fitSize, right, confidence);
  }

  /** Goes on to a later state. */
  advance(state: State, fitted: readonly string[] = []): void {
    this.#meter.activations.advance(state, fitted);
  }

  /** Quality at the present state: on the held-out samples, and together with that on the samples that choose. */
  async measure(fit: Quality): Promise<Pick<Progress, "heldOut" | "overall" | "highestDrop">> {
    const heldOut = await this.#meter.measure();
    const { state } = this.#meter.activations;
    const after = this.#intact && (await rightAnswers(this.#subject, state.model));
    return {
      heldOut,
      overall: together(fit, this.#fitSize, heldOut, this.#subject.data.size),
      ...(this.#intact && after && { highestDrop: pairedDrop(this.#intact, after, this.#confidence).high }),
    };
  }

  release(): Promise<void> {
    return this.#meter.release();
  }
}

/** Quality over two sets of samples: errors add up, accuracies by their numbers of samples. */
function together(a: Quality, sizeA: number, b: Quality, sizeB: number): Quality {
  const error = a.error + b.error;
  if (a.accuracy === undefined || b.accuracy === undefined) return { error };
  return { error, accuracy: (a.accuracy * sizeA + b.accuracy * sizeB) / (sizeA + sizeB) };
}
