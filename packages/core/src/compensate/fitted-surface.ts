/** The surface of consumers whose weights are fitted again after every removal. */
import type { KnownMoments } from "./compensator.ts";
import { Covariance, inverse, product, unexplained } from "./ridge.ts";
import { Surface } from "./surface.ts";

/** Ridge, in mean variances of a feature, that draws to the original weights. */
const RIDGE = 1e-2;

export class FittedSurface extends Surface {
  readonly weights: Float64Array;
  /** (H + ridge)^-1 of the features that are left; rows of others are 0. */
  readonly #inverse: Float64Array;

  private constructor(
    known: KnownMoments,
    features: Map<number, readonly number[]>,
    inverted: Float64Array,
    weights: Float64Array,
  ) {
    super(known, features);
    this.#inverse = inverted;
    this.weights = weights;
  }

  static of(known: KnownMoments, byUnit: Map<number, readonly number[]>): FittedSurface {
    const { moments, start, features, outputs } = known;
    const cov = new Covariance(moments);
    const missing = unexplained(moments, start, cov); // C_xz - C start: what the start leaves to explain
    const matrix = cov.matrix;
    let trace = 0;
    for (let i = 0; i < features; i++) trace += matrix[i * features + i] as number;
    for (let i = 0; i < features; i++) {
      const at = i * features + i;
      matrix[at] = (matrix[at] as number) + (RIDGE * trace) / features + Number.MIN_VALUE;
    }
    const inverted = inverse(matrix, features) ?? new Float64Array(features * features);
    const weights = product(inverted, missing, features, outputs);
    for (let at = 0; at < weights.length; at++) weights[at] = (weights[at] as number) + (start[at] as number);
    return new FittedSurface(known, byUnit, inverted, weights);
  }

  clone(): FittedSurface {
    return new FittedSurface(this.known, new Map(this.features), this.#inverse.slice(), this.weights.slice());
  }

  /** w' ((H^-1) of its features)^-1 w. */
  costOf(unit: number, importance: Float64Array): number {
    const own = this.features.get(unit);
    const block = own && this.#block(own);
    if (!block) return 0;
    const { outputs } = this.known;
    const n = own.length;
    let cost = 0;
    for (let a = 0; a < n; a++) {
      const rowA = (own[a] as number) * outputs;
      for (let b = 0; b <= a; b++) {
        const rowB = (own[b] as number) * outputs;
        let sum = 0;
        for (let o = 0; o < outputs; o++) {
          sum += (importance[o] as number) * (this.weights[rowA + o] as number) * (this.weights[rowB + o] as number);
        }
        cost += (a === b ? 1 : 2) * (block[a * n + b] as number) * sum;
      }
    }
    return cost;
  }

  /** Block Gaussian elimination: inverse and best weights without the unit's features. */
  take(unit: number): void {
    const { features, outputs } = this.known;
    const own = this.features.get(unit) ?? [];
    this.features.delete(unit);
    const block = this.#block(own);
    if (!block) return;
    const n = own.length;
    const rows = own.map((j) => this.#inverse.slice(j * features, (j + 1) * features));
    const weights = own.map((j) => this.weights.slice(j * outputs, (j + 1) * outputs));
    for (let i = 0; i < features; i++) {
      for (let a = 0; a < n; a++) {
        let factor = 0;
        for (let b = 0; b < n; b++) factor += (rows[b]?.[i] as number) * (block[b * n + a] as number);
        if (factor === 0) continue;
        subtract(this.#inverse, i * features, rows[a] as Float64Array, factor);
        subtract(this.weights, i * outputs, weights[a] as Float64Array, factor);
      }
    }
    for (const j of own) this.weights.fill(0, j * outputs, (j + 1) * outputs);
  }

  /** Inverse of the block of the inverse of some features; undefined for none. */
  #block(own: readonly number[]): Float64Array | undefined {
    const { features } = this.known;
    const n = own.length;
    const block = new Float64Array(n * n);
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) {
        block[a * n + b] = this.#inverse[(own[a] as number) * features + (own[b] as number)] as number;
      }
    }
    return n > 0 ? inverse(block, n) : undefined;
  }
}

function subtract(target: Float64Array, from: number, row: Float64Array, factor: number): void {
  for (let i = 0; i < row.length; i++) target[from + i] = (target[from + i] as number) - factor * (row[i] as number);
}
