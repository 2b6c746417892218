/** A square around the middle of a matrix cell, in cells: x to the right, y downward. */
export interface Square {
  readonly x1: number;
  readonly x2: number;
  readonly y1: number;
  readonly y2: number;
  readonly value: number;
}

/**
 * A symmetric matrix as squares: negative entries above the diagonal, positive ones below it, each kind to its own scale (the largest fills its
 * cell, area is in proportion), of each kind the `most` of largest size.
 */
export function computeSquares(
  matrix: readonly (readonly number[])[],
  most: number,
): { readonly negative: readonly Square[]; readonly positive: readonly Square[] } {
  const entries = matrix.flatMap((row, i) =>
    row.flatMap((value, j) => (i < j && Number.isFinite(value) ? [{ i, j, value }] : [])),
  );
  const kind = (sign: 1 | -1): Square[] => {
    const own = entries.filter(({ value }) => value * sign > 0).sort((a, b) => (b.value - a.value) * sign);
    const largest = Math.abs(own[0]?.value ?? 1);
    return own.slice(0, most).map(({ i, j, value }): Square => {
      const [x, y] = sign < 0 ? [j + 0.5, i + 0.5] : [i + 0.5, j + 0.5];
      const half = Math.sqrt(Math.abs(value) / largest) / 2;
      return { x1: x - half, x2: x + half, y1: y - half, y2: y + half, value };
    });
  };
  return { negative: kind(-1), positive: kind(1) };
}
