/**
 * Least squares from moments, in float64: what a layer's weights should be when some of its input is gone, without
 * seeing the samples again.
 *
 * Layers that share their weights are one regression. Each bias has moments of its own, of the rows of the layers that add
 * it, and centres them by itself; the weights come from all of them together. Mostly there is one layer and one bias.
 */

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
  times(weights: Float64Array): Float64Array {
    const n = this.#features;
    if (this.#product?.weights !== weights) {
      this.#product = { weights, result: product(this.matrix, weights, n, weights.length / n) };
    }
    return this.#product.result;
  }
}

/** By bias: see {@link meanBias}. */
export function meanBiases(moments: readonly Moments[], weights: Float64Array): Float64Array[] {
  return moments.map((one) => meanBias(one, weights));
}

/** What weights leave to explain: C_xz - C weights, [F, O], with C the covariance. */
export function unexplained(moments: readonly Moments[], weights: Float64Array, cov: Covariance): Float64Array {
  const missing = cov.times(weights).map((value) => -value);
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
  readonly #factor: Float64Array;

  private constructor(ridge: number, cov: Covariance, factor: Float64Array) {
    this.ridge = ridge;
    this.#covariance = cov;
    this.#factor = factor;
  }

  /** Undefined where there is no solution in float64. */
  static of(
    moments: readonly Moments[],
    ridge: number,
    cov: Covariance = new Covariance(moments),
  ): RidgeSolver | undefined {
    const features = moments[0]?.features ?? 0;
    const { matrix } = cov;
    let trace = 0;
    for (let i = 0; i < features; i++) trace += matrix[i * features + i] as number;
    const lambda = ridge * (trace / features);
    const factor = matrix.slice();
    for (let i = 0; i < features; i++) factor[i * features + i] = (factor[i * features + i] as number) + lambda;
    return factorise(factor, features) ? new RidgeSolver(ridge, cov, factor) : undefined;
  }

  /** `moments`: the same x, any z. */
  fit(moments: readonly Moments[], start: Float64Array): Fit {
    const { features = 0, outputs = 0 } = moments[0] ?? {};
    const change = unexplained(moments, start, this.#covariance); // (C + lambda) (W - start) = C_xz - C start
    solveFactored(this.#factor, features, change, outputs);
    const weights = change.map((value, at) => value + (start[at] as number));
    return { weights, biases: meanBiases(moments, weights) };
  }
}

/** By output: sum over the rows of all biases of (z - x W - b)^2. */
export function squaredErrors(moments: readonly Moments[], { weights, biases }: Fit): Float64Array {
  const errors = new Float64Array(moments[0]?.outputs ?? 0);
  moments.forEach((one, k) => {
    squaredErrorsOf(one, weights, biases[k] as Float64Array).forEach((error, o) => {
      errors[o] = (errors[o] as number) + error;
    });
  });
  return errors;
}

/** The same for the rows of one bias. `fitted`: x x' W, where it is known. */
export function squaredErrorsOf(
  moments: Moments,
  weights: Float64Array,
  bias: Float64Array,
  fitted: Float64Array = product(moments.xx, weights, moments.features, moments.outputs),
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

/** Cholesky factor in place, lower triangle; false where the matrix is not positive definite. */
export function factorise(a: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    const rowI = i * n;
    for (let j = 0; j <= i; j++) {
      const rowJ = j * n;
      const sum = (a[rowI + j] as number) - dot(a, rowI, rowJ, j);
      if (i !== j) a[rowI + j] = sum / (a[rowJ + j] as number);
      else if (sum > 0) a[rowI + i] = Math.sqrt(sum);
      else return false;
    }
  }
  return true;
}

/** Sum of a[p + k] a[q + k], in four chains so that they overlap in the processor. */
function dot(a: Float64Array, p: number, q: number, length: number): number {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  let k = 0;
  for (; k + 3 < length; k += 4) {
    s0 += (a[p + k] as number) * (a[q + k] as number);
    s1 += (a[p + k + 1] as number) * (a[q + k + 1] as number);
    s2 += (a[p + k + 2] as number) * (a[q + k + 2] as number);
    s3 += (a[p + k + 3] as number) * (a[q + k + 3] as number);
  }
  for (; k < length; k++) s0 += (a[p + k] as number) * (a[q + k] as number);
  return s0 + s1 + (s2 + s3);
}

/** Solves A X = B in place for B[n, m], given A's factor. */
export function solveFactored(factor: Float64Array, n: number, b: Float64Array, m: number): void {
  for (let i = 0; i < n; i++) {
    addRows(b, i, b, 0, i, m, (k) => -(factor[i * n + k] as number));
    divideRow(b, i, factor[i * n + i] as number, m);
  }
  for (let i = n - 1; i >= 0; i--) {
    addRows(b, i, b, i + 1, n, m, (k) => -(factor[k * n + i] as number));
    divideRow(b, i, factor[i * n + i] as number, m);
  }
}

/** The inverse of a positive definite matrix; undefined where it is not. */
export function inverse(a: Float64Array, n: number): Float64Array | undefined {
  const factor = a.slice();
  if (!factorise(factor, n)) return undefined;
  const result = new Float64Array(n * n);
  for (let i = 0; i < n; i++) result[i * n + i] = 1;
  solveFactored(factor, n, result, n);
  return result;
}

/** A[n, n] B[n, m] */
export function product(a: Float64Array, b: Float64Array, n: number, m: number): Float64Array {
  const result = new Float64Array(n * m);
  for (let i = 0; i < n; i++) addRows(result, i, b, 0, n, m, (k) => a[i * n + k] as number);
  return result;
}

/** Row i of `to` += rows k of `b` times their factors, `from` <= k < `end`; four at a time, as memory is what it waits for. */
function addRows(
  to: Float64Array,
  i: number,
  b: Float64Array,
  from: number,
  end: number,
  m: number,
  factorOf: (k: number) => number,
): void {
  const [first, last] = [i * m, (i + 1) * m];
  let k = from;
  for (; k + 3 < end; k += 4) {
    const [f0, f1, f2, f3] = [factorOf(k), factorOf(k + 1), factorOf(k + 2), factorOf(k + 3)];
    if (f0 === 0 && f1 === 0 && f2 === 0 && f3 === 0) continue;
    let at = k * m;
    for (let o = first; o < last; o++, at++) {
      to[o] =
        (to[o] as number) +
        (f0 * (b[at] as number) + f1 * (b[at + m] as number)) +
        (f2 * (b[at + 2 * m] as number) + f3 * (b[at + 3 * m] as number));
    }
  }
  for (; k < end; k++) {
    const factor = factorOf(k);
    if (factor === 0) continue;
    let at = k * m;
    for (let o = first; o < last; o++, at++) to[o] = (to[o] as number) + factor * (b[at] as number);
  }
}

function divideRow(b: Float64Array, i: number, by: number, m: number): void {
  for (let o = i * m; o < (i + 1) * m; o++) b[o] = (b[o] as number) / by;
}
