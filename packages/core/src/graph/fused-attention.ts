/** Attention as plain operators. */
import { floatAttribute, intAttribute, intsAttribute } from "./attributes.ts";
import { type Fusion, int, ints, type Parts, withoutEmpty } from "./fused.ts";
import type { Node } from "./graph.ts";
import { concat, float32, int64, slice } from "./tensor.ts";

/** Self-attention over packed q, k and v, without masks and earlier states. */
export const Attention: Fusion = {
  expand(p, node, output, tensor) {
    const [x = "", w = "", b = "", ...others] = node.inputs;
    const columns = tensor(w)?.dims[1];
    const heads = intAttribute(node, "num_heads", 0);
    const isKnown = !others.some((name) => name !== "") && !node.outputs.slice(1).some((name) => name !== "");
    const rest = ["unidirectional", "do_rotary", "past_present_share_buffer"].some((name) =>
      intAttribute(node, name, 0),
    );
    if (!columns || heads === 0 || !isKnown || rest || intsAttribute(node, "qkv_hidden_sizes")) return false;
    const size = columns / 3 / heads;
    const product = p.op("MatMul", [x, w]);
    const packed = b === "" ? product : p.op("Add", [product, b]);
    const apart = p.op("Reshape", [packed, p.constant(int64([0, 0, 3, heads, size]))]);
    const turned = p.op("Transpose", [apart], { perm: ints([2, 0, 3, 1, 4]) });
    const [q, k, v] = [0, 1, 2].map((at) => {
      return p.op("Gather", [turned, p.constant(int64([at], []))], { axis: int(0) });
    }) as [string, string, string];
    const scores = p.op("MatMul", [q, p.op("Transpose", [k], { perm: ints([0, 1, 3, 2]) })]);
    const scaled = p.op("Mul", [scores, p.scalar(floatAttribute(node, "scale", 1 / Math.sqrt(size)))]);
    const weights = p.op("Softmax", [scaled], { axis: int(-1) });
    const summed = p.op("Transpose", [p.op("MatMul", [weights, v])], { perm: ints([0, 2, 1, 3]) });
    p.op("Reshape", [summed, p.constant(int64([0, 0, columns / 3]))], {}, output);
    return true;
  },
  fuse(parts, node, graph) {
    const [product, ...others] = parts;
    const sum = node.inputs[2] ? others[0] : undefined;
    const apart = parts.find(({ opType }) => opType === "Reshape");
    const heads = graph.initializers.get(apart?.inputs[1] ?? "")?.numbers[3];
    const weights = product?.inputs[1];
    if (!product || weights === undefined || heads === undefined) return undefined;
    const bias = sum?.inputs.find((name) => name !== product.outputs[0]) ?? "";
    const { scale } = node.attributes;
    const size = Number(graph.initializers.get(apart?.inputs[1] ?? "")?.numbers[4]);
    return {
      inputs: withoutEmpty([product.inputs[0] as string, weights, bias]),
      attributes: {
        ...node.attributes,
        num_heads: int(heads),
        ...(scale && { scale: { kind: "float", value: floatAttribute(node, "scale", 1 / Math.sqrt(size)) } as const }),
      },
    };
  },
};

/** Projected q, k and v [N, T, heads * size], with a bias and something added to the scores, without earlier states. */
export const MultiHeadAttention: Fusion = {
  expand(p, node, output, tensor) {
    const [q = "", k = "", v = "", bias = "", padding = "", added = "", ...states] = node.inputs;
    const heads = intAttribute(node, "num_heads", 0);
    const isSingle = !node.outputs.slice(1).some((name) => name !== "");
    const isKnown = k !== "" && v !== "" && padding === "" && !states.some((name) => name !== "") && isSingle;
    const all = bias === "" ? undefined : tensor(bias);
    if (!isKnown || heads === 0 || (bias !== "" && !all) || intAttribute(node, "unidirectional", 0)) return false;
    const columns = (all?.size ?? 0) / 3; // of q, k and v each
    const [queries, keys, values] = [q, k, v].map((x, at) => {
      const own = all ? p.op("Add", [x, p.constant(slice(all, 0, at * columns, (at + 1) * columns))]) : x;
      const apart = p.op("Reshape", [own, p.constant(int64([0, 0, heads, -1]))]);
      return p.op("Transpose", [apart], { perm: ints(at === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3]) });
    }) as [string, string, string];
    const scores = p.op("Mul", [p.op("MatMul", [queries, keys]), scaleOf(p, node, queries)]);
    const weights = p.op("Softmax", [added === "" ? scores : p.op("Add", [scores, added])], { axis: int(-1) });
    const summed = p.op("Transpose", [p.op("MatMul", [weights, values])], { perm: ints([0, 2, 1, 3]) });
    p.op("Reshape", [summed, p.constant(int64([0, 0, -1]))], {}, output);
    return true;
  },
  fuse(parts, node, graph) {
    const shapes = parts.filter(({ opType }) => opType === "Reshape").slice(0, 3);
    const sums = node.inputs[3] ? parts.filter(({ opType }) => opType === "Add").slice(0, 3) : [];
    const heads = graph.initializers.get(shapes[0]?.inputs[1] ?? "")?.numbers[2];
    if (heads === undefined) return undefined;
    const projected = (node.inputs[3] ? sums : shapes).map(({ inputs }) => inputs[0] ?? "");
    const biases = sums.flatMap(({ inputs }) => graph.initializers.get(inputs[1] ?? "") ?? []);
    if (node.inputs[3] && biases.length < 3) return undefined;
    const bias = node.inputs[3] ?? "";
    const softmax = parts.findIndex(({ opType }) => opType === "Softmax");
    const added = node.inputs[5] ? (parts[softmax - 1]?.inputs[1] ?? "") : "";
    return {
      inputs: withoutEmpty([...projected, bias, "", added]),
      attributes: { ...node.attributes, num_heads: int(heads) },
      ...(bias !== "" && { initializers: new Map([[bias, concat(biases, 0)]]) }),
    };
  },
};

/** What scores are multiplied with: the given scale, or one over the root of the heads' size. */
function scaleOf(p: Parts, node: Node, queries: string): string {
  const given = floatAttribute(node, "scale", 0);
  if (given !== 0) return p.scalar(given);
  const size = p.op("Gather", [p.op("Shape", [queries]), p.constant(int64([3], []))], { axis: int(0) });
  const root = p.op("Sqrt", [p.op("Cast", [size], { to: int(1) })]);
  return p.op("Div", [p.constant(float32([1], [])), root]);
}
