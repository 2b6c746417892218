/** The surface of consumers whose weights stay as they are: units that go are made up for by the bias alone. */
import type { KnownMoments } from "./compensator.ts";
import { Covariance, unexplained } from "./ridge.ts";
import { Surface } from "./surface.ts";

export class FixedSurface extends Surface {
  readonly weights: Float64Array;
  readonly #covariance: Float64Array;
  /** Covariance of the features with the error so far, [F, O]. */
  readonly #error: Float64Array;

  private constructor(
    known: KnownMoments,
    features: Map<number, readonly number[]>,
    parts: { readonly weights: Float64Array; readonly covariance: Float64Array; readonly error: Float64Array },
  ) {
    super(known, features);
    this.weights = parts.weights;
    this.#covariance = parts.covariance;
    this.#error = parts.error;
  }

  static of(known: KnownMoments, features: Map<number, readonly number[]>): FixedSurface {
    const cov = new Covariance(known.moments);
    const error = unexplained(known.moments, known.start, cov);
    return new FixedSurface(known, features, { weights: known.start.slice(), covariance: cov.matrix, error });
  }

  clone(): FixedSurface {
    return new FixedSurface(this.known, new Map(this.features), {
      weights: this.weights.slice(),
      covariance: this.#covariance,
      error: this.#error.slice(),
    });
  }

  costOf(unit: number, importance: Float64Array): number {
    const { outputs, features } = this.known;
    const own = this.features.get(unit) ?? [];
    let cost = 0;
    for (const a of own) {
      for (let o = 0; o < outputs; o++) {
        let change = 2 * (this.#error[a * outputs + o] as number);
        for (const b of own) {
          change += (this.#covariance[a * features + b] as number) * (this.weights[b * outputs + o] as number);
        }
        cost += (importance[o] as number) * (this.weights[a * outputs + o] as number) * change;
      }
    }
    return cost;
  }

  take(unit: number): void {
    const { outputs, features } = this.known;
    for (const b of this.features.get(unit) ?? []) {
      for (let i = 0; i < features; i++) {
        const factor = this.#covariance[i * features + b] as number;
        for (let o = 0; o < outputs; o++) {
          const at = i * outputs + o;
          this.#error[at] = (this.#error[at] as number) + factor * (this.weights[b * outputs + o] as number);
        }
      }
    }
    for (const b of this.features.get(unit) ?? []) this.weights.fill(0, b * outputs, (b + 1) * outputs);
    this.features.delete(unit);
  }
}
