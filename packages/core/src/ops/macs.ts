/**
 * Multiply-accumulates of a node: by its operator's rule, or by this table for operators that are only counted, those of
 * quantised and of fused graphs. Their units are not followed.
 */
import { intAttribute, intsAttribute } from "../graph/attributes.ts";
import type { Node } from "../graph/graph.ts";
import { sizeOf } from "../graph/tensor.ts";
import { ruleFor } from "./index.ts";
import type { OpRule } from "./rule.ts";

type Macs = NonNullable<OpRule["macs"]>;

/** X[N, Cin, ...], W[Cout, Cin / group, ...kernel] in input `slot` -> Y[N, Cout, ...]. */
const convolution =
  (slot: number): Macs =>
  ({ dims, outDims }) =>
    sizeOf(outDims()) * sizeOf(dims(slot).slice(1));

/** A[..., M, K] -> Y[..., M, N]; with `transA` A is stored [..., K, M]. */
const product: Macs = ({ node, dims, outDims }) =>
  sizeOf(outDims()) * (dims(0).at(intAttribute(node, "transA", 0) ? -2 : -1) ?? 0);

/** X[N, T, features], W[features, q + k + v widths]: the projection, then scores and sums over all T positions. */
const attention: Macs = ({ node, dims, outDims }) => {
  const [samples = 0, steps = 0, features = 0] = dims(0);
  const columns = dims(1).at(-1) ?? 0;
  const queries = intsAttribute(node, "qkv_hidden_sizes")?.[0] ?? columns / 3;
  const all = steps + (dims(4).at(-2) ?? 0); // positions that are kept from before
  return samples * steps * (features * columns + all * (queries + (outDims().at(-1) ?? 0)));
};

/** Q[N, T, queries], K[N, S, ...] -> Y[N, T, values]; K may be packed with Q or V, or be given head by head. */
const multiHeadAttention: Macs = ({ dims, outDims }) => {
  const [samples = 0, steps = 0] = dims(0);
  const queries = sizeOf(dims(0).slice(2)) / (dims(0).length === 5 ? 3 : 1); // [N, T, heads, 3, size]
  const keys = dims(1);
  const all = keys.length === 0 ? steps : ((keys.length === 4 ? keys[2] : keys[1]) ?? 0); // [N, heads, S, size]
  const past = dims(6).at(-2) ?? 0;
  return samples * steps * (all + past) * (queries + (outDims().at(-1) ?? 0));
};

/** Q[N, T, width] or [N, heads, T, size], K likewise over S positions, perhaps with a cache [N, heads, P, size]. */
const onnxAttention: Macs = ({ dims, outDims }) => {
  const [queries, keys] = [dims(0), dims(1)];
  const all = (keys.at(-2) ?? 0) + (dims(4).at(-2) ?? 0);
  return sizeOf(queries) * all + sizeOf(outDims()) * all;
};

/** By domain and operator. */
const counted: Readonly<Record<string, Macs>> = {
  Attention: onnxAttention,
  QLinearConv: convolution(3),
  QLinearMatMul: product,
  "com.microsoft.Attention": attention,
  "com.microsoft.DynamicQuantizeMatMul": product,
  "com.microsoft.FusedConv": convolution(1),
  "com.microsoft.FusedGemm": product,
  "com.microsoft.FusedMatMul": product,
  "com.microsoft.MatMulIntegerToFloat": product,
  "com.microsoft.MatMulNBits": ({ node, outDims }) => sizeOf(outDims()) * intAttribute(node, "K", 0),
  "com.microsoft.MultiHeadAttention": multiHeadAttention,
  "com.microsoft.QGemm": product,
};

/** Names of the operators that are counted and have no rule. */
export const countedOperators: readonly string[] = Object.keys(counted);

/** Multiply-accumulates of a node for one sample; 0 for operators that are not counted. */
export function macsOf(request: Parameters<Macs>[0]): number {
  const { node } = request;
  const count = ruleFor(node)?.macs ?? counted[nameOf(node)];
  return count?.(request) ?? 0;
}

function nameOf({ domain, opType }: Node): string {
  return domain === "" ? opType : `${domain}.${opType}`;
}
