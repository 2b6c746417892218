/**
 * Least squares from moments, in float64: what a layer's weights should be when some of its input is gone, without
 * seeing the samples again.
 *
 * Layers that share their weights are one regression. Each bias has moments of its own, of the rows of the layers that add
 * it, and centres them by itself; the weights come from all of them together. Mostly there is one layer and one bias.
 */
import type { Algebra, Factor } from "./algebra.ts";

/** Sums over rows (samples and positions) of features x[F] and wanted outputs z[O]. */
export interface Moments {
  readonly features: number;
  readonly outputs: number;
  rows: number;
  /** x: [F], z: [O], x x': [F, F], x z': [F, O], z^2: [O]. */
  readonly x: Float64Array;
  readonly z: Float64Array;
  readonly xx: Float64Array;
  readonly xz: Float64Array;
  readonly zz: Float64Array;
}

/** A layer as numbers: outputs = x * weights[F, O] + bias[O], with one or several biases. */
export interface Fit {
  readonly weights: Float64Array;
  readonly biases: readonly Float64Array[];
}

/** Takes the weights and biases of one output over from another fit. */
export function copyOutput(from: Fit, to: Fit, output: number): void {
  const outputs = to.biases[0]?.length ?? 0;
  to.biases.forEach((bias, k) => {
    bias[output] = from.biases[k]?.[output] as number;
  });
  for (let at = output; at < to.weights.length; at += outputs) to.weights[at] = from.weights[at] as number;
}

export function emptyMoments(features: number, outputs: number): Moments {
  return {
    features,
    outputs,
    rows: 0,
    x: new Float64Array(features),
    z: new Float64Array(outputs),
    xx: new Float64Array(features * features),
    xz: new Float64Array(features * outputs),
    zz: new Float64Array(outputs),
  };
}

/** Moments of the rows of both. */
export function sumOf(a: Moments, b: Moments): Moments {
  const add = (p: Float64Array, q: Float64Array): Float64Array => p.map((value, i) => value + (q[i] as number));
  return {
    features: a.features,
    outputs: a.outputs,
    rows: a.rows + b.rows,
    x: add(a.x, b.x),
    z: add(a.z, b.z),
    xx: add(a.xx, b.xx),
    xz: add(a.xz, b.xz),
    zz: add(a.zz, b.zz),
  };
}

/** Covariance of the features, times rows: sum of (x - mean)(x - mean)', [F, F], each bias's rows by their own mean. */
export class Covariance {
  readonly matrix: Float64Array;
  readonly #features: number;
  #product: { readonly weights: Float64Array; readonly result: Float64Array } | undefined;

  /** @param moments by bias */
  constructor(moments: readonly Moments[]) {
    const features = moments[0]?.features ?? 0;
    this.matrix = new Float64Array(features * features);
    this.#features = features;
    for (const { rows, x, xx } of moments) {
      for (let i = 0; i < features; i++) {
        const mean = (x[i] as number) / rows;
        for (let j = 0; j < features; j++) {
          const at = i * features + j;
          this.matrix[at] = (this.matrix[at] as number) + ((xx[at] as number) - mean * (x[j] as number));
        }
      }
    }
  }

  /** Times weights [F, O]; those of the last question are not multiplied again. */
  async times(weights: Float64Array, algebra: Algebra): Promise<Float64Array> {
    const n = this.#features;
    if (this.#product?.weights !== weights) {
      const outputs = n > 0 ? weights.length / n : 0;
      this.#product = { weights, result: await algebra.product(this.matrix, weights, n, n, outputs) };
    }
    return this.#product.result;
  }
}

/** By bias: see {@link meanBias}. */
export function meanBiases(moments: readonly Moments[], weights: Float64Array): Float64Array[] {
  return moments.map((one) => meanBias(one, weights));
}

/** What weights leave to explain: C_xz - C weights, [F, O], with C the covariance. */
export async function unexplained(
  moments: readonly Moments[],
  weights: Float64Array,
  cov: Covariance,
  algebra: Algebra,
): Promise<Float64Array> {
  const missing = (await cov.times(weights, algebra)).map((value) => -value);
  for (const { features, outputs, rows, x, z, xz } of moments) {
    for (let i = 0; i < features; i++) {
      const mean = (x[i] as number) / rows;
      for (let o = 0; o < outputs; o++) {
        const at = i * outputs + o;
        missing[at] = (missing[at] as number) + ((xz[at] as number) - mean * (z[o] as number));
      }
    }
  }
  return missing;
}

/** The bias that makes the mean output right: mean z - mean x * weights. */
export function meanBias({ features, outputs, rows, x, z }: Moments, weights: Float64Array): Float64Array {
  const bias = z.map((sum) => sum / rows);
  for (let i = 0; i < features; i++) {
    const mean = (x[i] as number) / rows;
    for (let o = 0; o < outputs; o++) bias[o] = (bias[o] as number) - mean * (weights[i * outputs + o] as number);
  }
  return bias;
}

/**
 * Ridge regression that draws to a start instead of to 0: minimises |z - x W - b|^2 + lambda |W - start|^2 with lambda =
 * `ridge` times the mean variance of the features. Factorised once, for any z.
 */
export class RidgeSolver {
  readonly ridge: number;
  readonly #covariance: Covariance;
  readonly #factor: Factor;
  readonly #algebra: Algebra;

  private constructor(ridge: number, cov: Covariance, factor: Factor, algebra: Algebra) {
    this.ridge = ridge;
    this.#covariance = cov;
    this.#factor = factor;
    this.#algebra = algebra;
  }

  /** Undefined where there is no solution in float64. */
  static async of(
    moments: readonly Moments[],
    ridge: number,
    algebra: Algebra,
    cov: Covariance = new Covariance(moments),
  ): Promise<RidgeSolver | undefined> {
    const features = moments[0]?.features ?? 0;
    const { matrix } = cov;
    let trace = 0;
    for (let i = 0; i < features; i++) trace += matrix[i * features + i] as number;
    const lambda = ridge * (trace / features);
    const ridged = matrix.slice();
    for (let i = 0; i < features; i++) ridged[i * features + i] = (ridged[i * features + i] as number) + lambda;
    const factor = await algebra.factorise(ridged, features);
    return factor && new RidgeSolver(ridge, cov, factor, algebra);
  }

  /** `moments`: the same x, any z. */
  async fit(moments: readonly Moments[], start: Float64Array): Promise<Fit> {
    const { outputs = 0 } = moments[0] ?? {};
    // (C + lambda) (W - start) = C_xz - C start
    const missing = await unexplained(moments, start, this.#covariance, this.#algebra);
    const weights = await this.#algebra.solve(this.#factor, missing, outputs);
    for (let at = 0; at < weights.length; at++) weights[at] = (weights[at] as number) + (start[at] as number);
    return { weights, biases: meanBiases(moments, weights) };
  }
}

/** By output: sum over the rows of all biases of (z - x W - b)^2. */
export async function squaredErrors(
  moments: readonly Moments[],
  { weights, biases }: Fit,
  algebra: Algebra,
): Promise<Float64Array> {
  const errors = new Float64Array(moments[0]?.outputs ?? 0);
  for (const [k, one] of moments.entries()) {
    const fitted = await fittedBy(one, weights, algebra);
    for (const [o, error] of squaredErrorsOf(one, weights, biases[k] as Float64Array, fitted).entries()) {
      errors[o] = (errors[o] as number) + error;
    }
  }
  return errors;
}

/** x x' W */
export function fittedBy(
  { xx, features, outputs }: Moments,
  weights: Float64Array,
  algebra: Algebra,
): Promise<Float64Array> {
  return algebra.product(xx, weights, features, features, outputs);
}

/** The same for the rows of one bias. `fitted`: see {@link fittedBy}. */
export function squaredErrorsOf(
  moments: Moments,
  weights: Float64Array,
  bias: Float64Array,
  fitted: Float64Array,
): Float64Array {
  const { features, outputs, rows, x, z, xz, zz } = moments;
  const errors = zz.map(
    (square, o) => square - 2 * (bias[o] as number) * (z[o] as number) + rows * (bias[o] as number) ** 2,
  );
  for (let i = 0; i < features; i++) {
    for (let o = 0; o < outputs; o++) {
      const at = i * outputs + o;
      const slope = (fitted[at] as number) - 2 * (xz[at] as number) + 2 * (bias[o] as number) * (x[i] as number);
      errors[o] = (errors[o] as number) + (weights[at] as number) * slope;
    }
  }
  return errors;
}
