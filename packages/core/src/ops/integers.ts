/** What layers of integers share. */
import type { Backward } from "./rule.ts";

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
