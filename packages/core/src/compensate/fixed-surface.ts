/** The surface of consumers whose weights stay as they are: units that go are made up for by the bias alone. */
import type { Algebra } from "./algebra.ts";
import type { KnownMoments } from "./compensator.ts";
import { Covariance, unexplained } from "./ridge.ts";
import { minor, rowsOf, Surface, type Trial, weightedSum } from "./surface.ts";

export class FixedSurface extends Surface {
  readonly weights: Float64Array;
  readonly #algebra: Algebra;
  readonly #covariance: Float64Array;
  /** Covariance of the features with the error so far, [F, O]. */
  readonly #error: Float64Array;

  private constructor(
    known: KnownMoments,
    features: Map<number, readonly number[]>,
    parts: { readonly weights: Float64Array; readonly covariance: Float64Array; readonly error: Float64Array },
    algebra: Algebra,
  ) {
    super(known, features);
    this.#algebra = algebra;
    this.weights = parts.weights;
    this.#covariance = parts.covariance;
    this.#error = parts.error;
  }

  static async of(
    known: KnownMoments,
    features: Map<number, readonly number[]>,
    algebra: Algebra,
  ): Promise<FixedSurface> {
    const cov = new Covariance(known.moments);
    const error = await unexplained(known.moments, known.start, cov, algebra);
    const parts = { weights: known.start.slice(), covariance: cov.matrix, error };
    return new FixedSurface(known, features, parts, algebra);
  }

  clone(): FixedSurface {
    const parts = { weights: this.weights.slice(), covariance: this.#covariance, error: this.#error.slice() };
    return new FixedSurface(this.known, new Map(this.features), parts, this.#algebra);
  }

  /** w' C w + 2 e' w, with e the covariance of the units' features with the error so far. */
  async jointCost(units: readonly number[], importance: Float64Array): Promise<number> {
    const { features, outputs } = this.known;
    const { own } = this.placesOf(units);
    const size = own.length;
    const gone = rowsOf(this.weights, outputs, own);
    const change = await this.#algebra.product(minor(this.#covariance, features, own), gone, size, size, outputs);
    const error = rowsOf(this.#error, outputs, own);
    for (let at = 0; at < change.length; at++) change[at] = (change[at] as number) + 2 * (error[at] as number);
    return weightedSum(importance, gone, change);
  }

  trial(units: readonly number[], importance: Float64Array): Trial {
    const { outputs, features } = this.known;
    const { own, places } = this.placesOf(units);
    const size = own.length;
    const squares = this.weighted(own, importance);
    const slopes = new Float64Array(size);
    for (const [a, feature] of own.entries()) {
      let slope = 0;
      for (let o = 0; o < outputs; o++) {
        const at = feature * outputs + o;
        slope += 2 * (importance[o] as number) * (this.weights[at] as number) * (this.#error[at] as number);
      }
      slopes[a] = slope;
      for (const [b, other] of own.entries()) {
        const at = a * size + b;
        squares[at] = (squares[at] as number) * (this.#covariance[feature * features + other] as number);
      }
    }
    return {
      costOf(unit) {
        let cost = 0;
        for (const a of places.get(unit) ?? []) {
          cost += slopes[a] as number;
          for (const b of places.get(unit) ?? []) cost += squares[a * size + b] as number;
        }
        return cost;
      },
      take(unit) {
        for (const b of places.get(unit) ?? []) {
          for (let a = 0; a < size; a++) slopes[a] = (slopes[a] as number) + 2 * (squares[a * size + b] as number);
        }
      },
    };
  }

  async take(units: readonly number[]): Promise<void> {
    const { outputs, features } = this.known;
    const { own } = this.placesOf(units);
    for (const unit of units) this.features.delete(unit);
    if (own.length > 0) this.version++;
    for (const b of own) {
      for (let i = 0; i < features; i++) {
        const factor = this.#covariance[i * features + b] as number;
        for (let o = 0; o < outputs; o++) {
          const at = i * outputs + o;
          this.#error[at] = (this.#error[at] as number) + factor * (this.weights[b * outputs + o] as number);
        }
      }
    }
    for (const b of own) this.weights.fill(0, b * outputs, (b + 1) * outputs);
  }
}
