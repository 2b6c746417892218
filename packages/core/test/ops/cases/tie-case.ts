/** Small graphs through which units pass. */
import type { Node } from "../../../src/graph/graph.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import { node, random } from "../../support/build.ts";

/**
 * A layer "first" makes `h` from `x`, `nodes` lead from `h` to `z`, and a dense layer "last" reads `z`. Dense: x[N, 3],
 * h[N, width]. Image: x[N, 2, 5, 5], h[N, width, 4, 4], and z is made flat for the last layer.
 */
export interface Case {
  readonly nodes: readonly Node[];
  readonly initializers?: Readonly<Record<string, Tensor>>;
  /** Units of "first"; default 4. */
  readonly width?: number;
  readonly image?: boolean;
  /** Elements of z for one sample; 0: `z` is the output itself. Default: as many as `h` has. */
  readonly into?: number;
  readonly opset?: number;
  /** Groups found: size by id. */
  readonly groups?: Readonly<Record<string, number>>;
  /** Part of the reason why "first" is frozen. */
  readonly frozen?: string;
}

const r = random(3);
export const t = (...dims: number[]): Tensor => r.tensor(dims);
/** A dense layer from x (or `from`) to `y`, and its weights. */
export const layer = (
  y: string,
  from: number,
  to: number,
  x = "x",
): { node: Node; weights: Record<string, Tensor> } => ({
  node: node("Gemm", [x, `${y}.w`, `${y}.b`], [y]),
  weights: { [`${y}.w`]: t(from, to), [`${y}.b`]: t(to) },
});
export const first4 = { first: 4 };
