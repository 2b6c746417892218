/**
 * The last layer in closed form. Where nothing follows its sums z[n, j] and the error is sum_j v[j] (z - t)[n, j]^2 with targets
 * t, removing unit k with outputs o[n, k] and weights w[k, j] changes the error by exactly
 *
 *     sum_j v[j] w[k, j] (q[k] w[k, j] - 2 c[k, j]),   c[k, j] = sum_n o[n, k] (z - t)[n, j],  q[k] = sum_n o[n, k]^2
 *
 * When unit m goes, z loses o[m] w[m], so c follows from the products sum_n o[n, k] o[n, m] alone: one for each unit that is
 * left, whatever the number of outputs.
 */

/** The layer as it is held: its inputs by index, outputs by column. */
export interface LastLayer {
  /** weights[inputs, outputs] row-major. */
  readonly weights: Float32Array;
  readonly outputs: number;
  /** v, by output. */
  readonly importance: Float64Array;
  /** Outputs of the unit at an index, by sample; those of removed units too. */
  rowOf(input: number): Float32Array;
  /** Sums minus targets by sample, of an output. */
  residual(output: number): Float64Array;
}

/** c and q of one input. */
interface Moments {
  readonly c: Float64Array;
  readonly q: number;
}

export class QuadraticEnd {
  readonly #layer: LastLayer;
  readonly #moments = new Map<number, Moments>();

  constructor(layer: LastLayer) {
    this.#layer = layer;
  }

  /** To be called where outputs of units have changed. */
  forget(): void {
    this.#moments.clear();
  }

  /** Goes on to the inputs that are left; the layer holds their rows and its sums already. */
  advance(left: readonly number[]): void {
    const { outputs, weights } = this.#layer;
    if (left.some((input) => !this.#moments.has(input))) {
      const residuals = Array.from({ length: outputs }, (_, j) => this.#layer.residual(j));
      this.#moments.clear();
      for (const input of left) {
        const row = this.#layer.rowOf(input);
        this.#moments.set(input, { c: Float64Array.from(residuals, (one) => dot(row, one)), q: dot(row, row) });
      }
      return;
    }
    const kept = new Set(left);
    for (const gone of [...this.#moments.keys()].filter((input) => !kept.has(input))) {
      this.#moments.delete(gone);
      const row = this.#layer.rowOf(gone);
      for (const [input, { c }] of this.#moments) {
        const product = dot(this.#layer.rowOf(input), row);
        for (let j = 0; j < outputs; j++) {
          c[j] = (c[j] as number) - (weights[gone * outputs + j] as number) * product;
        }
      }
    }
  }

  /** Change of the error without the unit at an index. */
  costOf(input: number): number {
    const { outputs, weights, importance } = this.#layer;
    const { c, q } = this.#moments.get(input) as Moments;
    let cost = 0;
    for (let j = 0; j < outputs; j++) {
      const weight = weights[input * outputs + j] as number;
      cost += (importance[j] as number) * weight * (q * weight - 2 * (c[j] as number));
    }
    return cost;
  }
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let n = 0; n < a.length; n++) sum += (a[n] as number) * (b[n] as number);
  return sum;
}
