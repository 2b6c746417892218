/** Products and factorisations of small matrices in float64, row by row in one array. Larger ones: `algebra.ts`. */

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

/** A[n, k] B[k, m] */
export function product(
  a: Float64Array,
  b: Float64Array,
  { n, k, m }: { readonly n: number; readonly k: number; readonly m: number },
): Float64Array {
  const result = new Float64Array(n * m);
  for (let i = 0; i < n; i++) addRows(result, i, b, 0, k, m, (j) => a[i * k + j] as number);
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
