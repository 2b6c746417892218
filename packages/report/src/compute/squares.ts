/** A square around the middle of a matrix cell, in cells: x to the right, y downward. */
export interface Square {
  readonly x1: number;
  readonly x2: number;
  readonly y1: number;
  readonly y2: number;
  readonly value: number;
}

/** Squares of the `most` entries of largest size below the diagonal of a symmetric matrix; the largest fills its cell, area is in proportion. */
export function computeSquares(
  matrix: readonly (readonly number[])[],
  most: number,
): { squares: Square[]; largest: number } {
  const entries = matrix.flatMap((row, y) =>
    row.flatMap((value, x) => (x < y && Number.isFinite(value) && value !== 0 ? [{ x, y, value }] : [])),
  );
  entries.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
  const largest = Math.abs(entries[0]?.value ?? 0);
  const squares = entries.slice(0, most).map(({ x, y, value }): Square => {
    const half = Math.sqrt(Math.abs(value) / largest) / 2;
    return { x1: x + 0.5 - half, x2: x + 0.5 + half, y1: y + 0.5 - half, y2: y + 0.5 + half, value };
  });
  return { squares, largest };
}
