/** What layers of integers share. */
import type { Backward, Port, Ties } from "./rule.ts";

/** Integer weights minus their zero points, as reals. */
export function realWeights({ b, node, dims, X }: Backward, axis: number): string {
  const weights = b.cast(X(1), b.real);
  if (!node.inputs[3]) return weights;
  const zero = b.cast(X(3), b.real);
  const rank = dims(1).length;
  if (dims(3).length === 0 || rank === 0) return b.sub(weights, zero);
  return b.sub(
    weights,
    b.reshape(
      zero,
      dims(1).map((_, at) => (at === axis ? -1 : 1)),
    ),
  );
}

/** Zero points of the data are one in all; those of the weights perhaps one for each output. */
export function tieZeroPoints(t: Ties, y: Port, axis: number): void {
  for (const slot of [2, 3]) {
    const zeros = t.X(slot);
    if (zeros?.dims.length !== 1) continue;
    if (slot === 3 && zeros.dims[0] === y.dims[axis]) t.tie(zeros, 0, y, axis);
    else t.pass(zeros, 0);
  }
}
