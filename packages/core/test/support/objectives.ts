/** Objectives as their documentation states them, in plain loops and double precision. */

/** A column of `match` whose standard deviation is less than this share of its size counts as if it were that. */
const LEAST_DEVIATION = 1e-4;

/**
 * What `match` divides squared distances by: for each column the mean over its elements of their variances over the samples.
 * `columnOf` says which column an element of a sample belongs to; default: all elements are one column.
 */
export function columnVariances(
  rows: readonly ArrayLike<number>[],
  columnOf: (element: number) => number = () => 0,
): number[] {
  const width = (rows[0] as ArrayLike<number>).length;
  const moments: { elements: number; variance: number; square: number }[] = [];
  for (let element = 0; element < width; element++) {
    const values = rows.map((row) => row[element] as number);
    const mean = values.reduce((sum, value) => sum + value, 0) / rows.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows.length;
    const square = values.reduce((sum, value) => sum + value ** 2, 0) / rows.length;
    const column = columnOf(element);
    const own = moments[column] ?? { elements: 0, variance: 0, square: 0 };
    moments[column] = {
      elements: own.elements + 1,
      variance: own.variance + variance,
      square: own.square + square,
    };
  }
  return moments.map(({ elements, variance, square }) =>
    Math.max(variance / elements, (LEAST_DEVIATION ** 2 * square) / elements),
  );
}

/** `match` of each sample: the mean over its elements of the squared distance divided by the variance of the column. */
export function matchErrors(
  rows: readonly ArrayLike<number>[],
  originals: readonly ArrayLike<number>[],
  columnOf: (element: number) => number = () => 0,
): number[] {
  const variances = columnVariances(originals, columnOf);
  return rows.map((row, n) => {
    const original = originals[n] as ArrayLike<number>;
    return Array.from(
      row,
      (value, element) => (value - (original[element] as number)) ** 2 / (variances[columnOf(element)] as number),
    ).reduce((sum, term, _, { length }) => sum + term / length, 0);
  });
}

/** `sse`: half the sum of squared distances. */
export function sseError(row: ArrayLike<number>, targets: ArrayLike<number>): number {
  return Array.from(row, (value, i) => 0.5 * (value - (targets[i] as number)) ** 2).reduce((a, b) => a + b, 0);
}

/** `cross-entropy` of logits with target probabilities, which need not sum to 1. */
export function crossEntropyError(logits: ArrayLike<number>, targets: ArrayLike<number>): number {
  const values = Array.from(logits);
  const largest = Math.max(...values);
  const total = largest + Math.log(values.reduce((sum, value) => sum + Math.exp(value - largest), 0));
  return values.reduce((sum, value, i) => sum - (targets[i] as number) * (value - total), 0);
}

/** A flat array in rows of equal length. */
export function rowsOf(values: ArrayLike<number>, samples: number): number[][] {
  const width = values.length / samples;
  return Array.from({ length: samples }, (_, n) =>
    Array.from({ length: width }, (_, i) => values[n * width + i] as number),
  );
}
