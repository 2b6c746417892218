/** The surface of consumers whose weights are fitted again after every removal. */
import type { Algebra } from "./algebra.ts";
import type { KnownMoments } from "./compensator.ts";
import { Covariance, unexplained } from "./ridge.ts";
import { inverse, product } from "./small-matrices.ts";
import { minor, rowsOf, Surface, type Trial, weightedSum } from "./surface.ts";

/** Ridge, in mean variances of a feature, that draws to the original weights. */
const RIDGE = 1e-2;

/** What changes as units go. */
interface Parts {
  /** Best weights [F, O] of the features that are left; rows of others are 0. */
  readonly weights: Float64Array;
  /** (H + ridge)^-1 of the features that are left; rows and columns of others are 0. */
  readonly inverse: Float64Array;
}

export class FittedSurface extends Surface {
  readonly #algebra: Algebra;
  #parts: Parts;

  private constructor(known: KnownMoments, features: Map<number, readonly number[]>, parts: Parts, algebra: Algebra) {
    super(known, features);
    this.#parts = parts;
    this.#algebra = algebra;
  }

  static async of(
    known: KnownMoments,
    byUnit: Map<number, readonly number[]>,
    algebra: Algebra,
  ): Promise<FittedSurface> {
    const { moments, start, features, outputs } = known;
    const cov = new Covariance(moments);
    const missing = await unexplained(moments, start, cov, algebra); // C_xz - C start: what the start leaves to explain
    const matrix = cov.matrix;
    let trace = 0;
    for (let i = 0; i < features; i++) trace += matrix[i * features + i] as number;
    for (let i = 0; i < features; i++) {
      const at = i * features + i;
      matrix[at] = (matrix[at] as number) + (RIDGE * trace) / features + Number.MIN_VALUE;
    }
    const inverted = (await algebra.inverse(matrix, features)) ?? new Float64Array(features * features);
    const weights = await algebra.product(inverted, missing, features, features, outputs);
    for (let at = 0; at < weights.length; at++) weights[at] = (weights[at] as number) + (start[at] as number);
    return new FittedSurface(known, byUnit, { weights, inverse: inverted }, algebra);
  }

  get weights(): Float64Array {
    return this.#parts.weights;
  }

  clone(): FittedSurface {
    return new FittedSurface(this.known, new Map(this.features), this.#parts, this.#algebra);
  }

  /** A unit costs w' ((H^-1) of its features)^-1 w; block Gaussian elimination says what the others cost behind it. */
  trial(units: readonly number[], importance: Float64Array): Trial {
    const { own, places } = this.placesOf(units);
    return new FittedTrial(
      places,
      minor(this.#parts.inverse, this.known.features, own),
      this.weighted(own, importance),
    );
  }

  async jointCost(units: readonly number[], importance: Float64Array): Promise<number> {
    const { features, outputs } = this.known;
    const { own } = this.placesOf(units);
    const factor = await this.#algebra.factorise(minor(this.#parts.inverse, features, own), own.length);
    if (!factor) return 0;
    const gone = rowsOf(this.weights, outputs, own);
    return weightedSum(importance, gone, await this.#algebra.solve(factor, gone, outputs));
  }

  /** Block Gaussian elimination: inverse and best weights without the units' features. */
  async take(units: readonly number[]): Promise<void> {
    const { features, outputs } = this.known;
    const { own } = this.placesOf(units);
    for (const unit of units) this.features.delete(unit);
    if (own.length === 0) return;
    this.version++;
    const n = own.length;
    const { weights, inverse: all } = this.#parts;
    const block = await this.#algebra.inverse(minor(all, features, own), n);
    if (!block) return;
    const [rows, gone] = [rowsOf(all, features, own), rowsOf(weights, outputs, own)];
    const factors = await this.#algebra.product(block, rows, n, n, features); // of each feature, [n, F]
    const form = "a' b" as const;
    const next = {
      inverse: await this.#algebra.subtract(all, factors, rows, { n: features, k: n, m: features, form }),
      weights: await this.#algebra.subtract(weights, factors, gone, { n: features, k: n, m: outputs, form }),
    };
    for (const j of own) {
      next.weights.fill(0, j * outputs, (j + 1) * outputs);
      next.inverse.fill(0, j * features, (j + 1) * features);
      for (let i = 0; i < features; i++) next.inverse[i * features + j] = 0;
    }
    this.#parts = next;
  }
}

/** The elimination seen by some features alone: their block of the inverse, and the products of their weights. */
class FittedTrial implements Trial {
  readonly #places: ReadonlyMap<number, readonly number[]>;
  readonly #size: number;
  readonly #inverse: Float64Array;
  readonly #weighted: Float64Array;

  constructor(places: ReadonlyMap<number, readonly number[]>, inverted: Float64Array, weighted: Float64Array) {
    this.#places = places;
    this.#inverse = inverted;
    this.#weighted = weighted;
    this.#size = Math.sqrt(inverted.length);
  }

  costOf(unit: number): number {
    const own = this.#places.get(unit) ?? [];
    const block = own.length > 0 ? inverse(minor(this.#inverse, this.#size, own), own.length) : undefined;
    const weighted = minor(this.#weighted, this.#size, own);
    return block?.reduce((sum, value, at) => sum + value * (weighted[at] as number), 0) ?? 0;
  }

  take(unit: number): void {
    const own = this.#places.get(unit) ?? [];
    const n = own.length;
    const block = n > 0 ? inverse(minor(this.#inverse, this.#size, own), n) : undefined;
    if (!block) return;
    const size = this.#size;
    const [rows, products] = [rowsOf(this.#inverse, size, own), rowsOf(this.#weighted, size, own)];
    const factors = product(block, rows, { n, k: n, m: size }); // K', [n, size]
    const inner = product(minor(this.#weighted, size, own), factors, { n, k: n, m: size });
    // inverse - K rows; weighted - K products - products' K' + K (weighted of own) K'
    for (let i = 0; i < size; i++) {
      for (let a = 0; a < n; a++) {
        const factor = factors[a * size + i] as number;
        const product = products[a * size + i] as number;
        for (let j = 0; j < size; j++) {
          const [at, from] = [i * size + j, a * size + j];
          this.#inverse[at] = (this.#inverse[at] as number) - factor * (rows[from] as number);
          this.#weighted[at] =
            (this.#weighted[at] as number) +
            factor * ((inner[from] as number) - (products[from] as number)) -
            product * (factors[from] as number);
        }
      }
    }
  }
}
