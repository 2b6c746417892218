/** Attention as plain operators. */
import { causalTerm, maskTerms, termOfTrue } from "./attention-masks.ts";
import { floatAttribute, intAttribute, intsAttribute } from "./attributes.ts";
import { type Fusion, int, ints, type Parts, withoutEmpty } from "./fused.ts";
import type { Graph, Node, ValueInfo } from "./graph.ts";
import { concat, float32, int64, slice } from "./tensor.ts";

/** Self-attention over packed q, k and v, without earlier states. */
export const Attention: Fusion = {
  expand(p, node, output, graph) {
    const [x = "", w = "", b = "", mask = "", past = "", added = "", ...others] = node.inputs;
    const columns = graph.initializers.get(w)?.dims[1];
    const heads = intAttribute(node, "num_heads", 0);
    const isSingle = !node.outputs.slice(1).some((name) => name !== "");
    const isKnown = past === "" && !others.some((name) => name !== "") && isSingle;
    const rest = ["do_rotary", "past_present_share_buffer"].some((name) => intAttribute(node, name, 0));
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
    const terms = maskTerms(p, node, { mask, scores, graph });
    if (!terms) return false;
    const summed = p.op("Transpose", [weighed(p, scaled, withAdded(added, terms), v)], { perm: ints([0, 2, 1, 3]) });
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
    const size = Number(graph.initializers.get(apart?.inputs[1] ?? "")?.numbers[4]);
    return {
      inputs: withoutEmpty([
        product.inputs[0] as string,
        weights,
        bias,
        node.inputs[3] ?? "",
        "",
        addedTo(parts, node),
      ]),
      attributes: {
        ...node.attributes,
        num_heads: int(heads),
        ...scaleAgain(parts, graph, size),
      },
    };
  },
};

/** Where both operators of onnxruntime take what is added to scores [N or 1, heads or 1, T, S]. */
const ADDED = 5;

/** What a node adds to scores comes first: {@link addedTo} finds it there. */
const withAdded = (added: string, terms: readonly string[]): string[] => [...(added === "" ? [] : [added]), ...terms];

/** softmax(scores + terms) v */
function weighed(p: Parts, scores: string, terms: readonly string[], v: string, output?: string): string {
  const all = terms.reduce((sum, term) => p.op("Add", [sum, term]), scores);
  return p.op("MatMul", [p.op("Softmax", [all], { axis: int(-1) }), v], {}, output);
}

/** What the parts add to scores first, where the node adds something: they are the last that is multiplied. */
function addedTo(parts: readonly Node[], node: Node, slot: number = ADDED): string {
  const scores = parts.findLast(({ opType }) => opType === "Mul")?.outputs[0];
  const sum = parts.find(({ opType, inputs }) => opType === "Add" && inputs[0] === scores);
  return node.inputs[slot] ? (sum?.inputs[1] ?? "") : "";
}

/** Projected q, k and v [N, T, heads * size], with a bias and something added to the scores, without earlier states. */
export const MultiHeadAttention: Fusion = {
  expand(p, node, output, graph) {
    const [q = "", k = "", v = "", bias = "", padding = "", added = "", ...states] = node.inputs;
    const heads = intAttribute(node, "num_heads", 0);
    const isSingle = !node.outputs.slice(1).some((name) => name !== "");
    const isKnown = k !== "" && v !== "" && !states.some((name) => name !== "") && isSingle;
    const all = bias === "" ? undefined : graph.initializers.get(bias);
    if (!isKnown || heads === 0 || (bias !== "" && !all)) return false;
    const columns = widthOf(graph, q) ?? (all?.size ?? 0) / 3; // of queries and keys each
    const [queries, keys, values] = [q, k, v].map((x, at) => {
      const own = all
        ? p.op("Add", [x, p.constant(slice(all, 0, at * columns, at === 2 ? all.size : (at + 1) * columns))])
        : x;
      const apart = p.op("Reshape", [own, p.constant(int64([0, 0, heads, -1]))]);
      return p.op("Transpose", [apart], { perm: ints(at === 1 ? [0, 2, 3, 1] : [0, 2, 1, 3]) });
    }) as [string, string, string];
    const scores = p.op("Mul", [
      p.op("MatMul", [queries, keys]),
      scaleOf(p, node, queries, sizeOfHead(graph, q, heads)),
    ]);
    const terms = maskTerms(p, node, { mask: padding, scores, graph });
    if (!terms) return false;
    const summed = p.op("Transpose", [weighed(p, scores, withAdded(added, terms), values)], {
      perm: ints([0, 2, 1, 3]),
    });
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
    return {
      inputs: withoutEmpty([...projected, bias, node.inputs[4] ?? "", addedTo(parts, node)]),
      attributes: {
        ...node.attributes,
        num_heads: int(heads),
        ...scaleAgain(parts, graph, sizeOfHead(graph, projected[0] ?? "", heads)),
      },
      ...(bias !== "" && { initializers: new Map([[bias, concat(biases, 0)]]) }),
    };
  },
};

/** What scores are multiplied with: the given scale, or one over the root of the heads' size, which may be known. */
function scaleOf(p: Parts, node: Node, queries: string, known: number | undefined): string {
  const given = floatAttribute(node, "scale", 0);
  if (given !== 0 || known !== undefined) return p.scalar(given || 1 / Math.sqrt(known as number));
  const size = p.op("Gather", [p.op("Shape", [queries]), p.constant(int64([3], []))], { axis: int(0) });
  const root = p.op("Sqrt", [p.op("Cast", [size], { to: int(1) })]);
  return p.op("Div", [p.constant(float32([1], [])), root]);
}

/**
 * Attention of ONNX 23 without caches: Q, K and V [N, T, heads * size], where keys and values may have fewer heads, each of which
 * serves as many heads of the queries; or [N, heads, T, size] with as many heads.
 */
export const OnnxAttention: Fusion = {
  expand(p, node, output, graph) {
    const [q = "", k = "", v = "", mask = "", ...states] = node.inputs;
    const heads = intAttribute(node, "q_num_heads", 0);
    const keyHeads = intAttribute(node, "kv_num_heads", 0);
    const isSingle = !node.outputs.slice(1).some((name) => name !== "");
    const isOther = intAttribute(node, "qk_matmul_output_mode", 0) !== 0;
    if (states.some((name) => name !== "") || !isSingle || isOther) return false;
    if (heads === 0 && new Set([q, k, v].map((x) => declaredDim(graph, x, 1))).size > 1) return false;
    const apart = (x: string, own: number): string => p.op("Reshape", [x, p.constant(int64([0, 0, own, -1]))]);
    const turned = (x: string): string => p.op("Transpose", [x], { perm: ints([0, 2, 1, 3]) });
    const cut = heads === 0 ? [q, k, v] : [apart(q, heads), apart(k, keyHeads), apart(v, keyHeads)];
    const served = p.constant(int64(Array.from({ length: heads }, (_, head) => Math.floor((head * keyHeads) / heads))));
    const [queries = "", keys = "", values = ""] = cut.map((x, at) => {
      const whole = heads === 0 ? x : turned(x);
      return at === 0 || heads === keyHeads ? whole : p.op("Gather", [whole, served], { axis: int(1) });
    });
    const products = p.op("MatMul", [queries, p.op("Transpose", [keys], { perm: ints([0, 1, 3, 2]) })]);
    const scaled = p.op("Mul", [products, scaleOf(p, node, queries, sizeOfHead(graph, q, heads))]);
    const cap = floatAttribute(node, "softcap", 0);
    const scores = cap === 0 ? scaled : capped(p, scaled, cap);
    const terms = mask === "" ? [] : [isTruth(graph, mask) ? termOfTrue(p, mask) : mask];
    if (intAttribute(node, "is_causal", 0)) terms.push(causalTerm(p, scores));
    const summed = weighed(p, scores, terms, values, heads === 0 ? output : undefined);
    if (heads > 0) p.op("Reshape", [turned(summed), p.constant(int64([0, 0, -1]))], {}, output);
    return true;
  },
  fuse(parts, node, graph) {
    const mask = node.inputs[3] ? addedTo(parts, node, 3) : "";
    if (intAttribute(node, "q_num_heads", 0) === 0) {
      const [turned, products] = [parts[0], parts[1]];
      const last = parts.at(-1);
      const inputs = [products?.inputs[0], turned?.inputs[0], last?.inputs[1]].map((name) => name ?? "");
      return {
        inputs: withoutEmpty([...inputs, mask]),
        attributes: { ...node.attributes, ...scaleAgain(parts, graph) },
      };
    }
    const shapes = parts.filter(({ opType }) => opType === "Reshape").slice(0, 3);
    const [heads, keyHeads] = shapes.map(({ inputs }) => graph.initializers.get(inputs[1] ?? "")?.numbers[2]);
    if (heads === undefined || keyHeads === undefined) return undefined;
    const inputs = shapes.map((part) => part.inputs[0] ?? "");
    const attributes = {
      ...node.attributes,
      q_num_heads: int(heads),
      kv_num_heads: int(keyHeads),
      ...scaleAgain(parts, graph, sizeOfHead(graph, inputs[0] ?? "", heads)),
    };
    return { inputs: withoutEmpty([...inputs, mask]), attributes };
  },
};

/** The scale that the parts have, as an attribute: heads may have lost dimensions, and it stays. Left out where it is that of heads of `size`. */
function scaleAgain(parts: readonly Node[], graph: Graph, size?: number): Node["attributes"] {
  const scores = parts.find(({ opType }) => opType === "Softmax")?.inputs[0];
  const isScale = ({ opType, inputs }: Node): boolean => {
    return opType === "Mul" && graph.initializers.get(inputs[1] ?? "")?.size === 1 && inputs[0] !== scores;
  };
  const factor = graph.initializers.get(parts.find(isScale)?.inputs[1] ?? "")?.numbers[0];
  if (factor === undefined || (size !== undefined && Math.fround(1 / Math.sqrt(size)) === factor)) return {};
  return { scale: { kind: "float", value: factor } };
}

/** Numbers of one head of the queries, as far as what makes them tells. */
function sizeOfHead(graph: Graph, queries: string, heads: number): number | undefined {
  const width = widthOf(graph, queries);
  return width === undefined ? undefined : width / (heads || 1);
}

/** The last axis of a value, as far as what declares or makes it tells. */
function widthOf(graph: Graph, name: string): number | undefined {
  const declared = graph.initializers.get(name)?.dims ?? declaredShape(graph, name);
  const last = declared?.at(-1);
  if (typeof last === "number") return last;
  const maker = graph.value(name)?.producer;
  if (!maker) return undefined;
  const [a = "", b = ""] = maker.inputs;
  if (maker.opType === "MatMul") return widthOf(graph, b);
  if (maker.opType === "Gemm") return graph.initializers.get(b)?.dims.at(intAttribute(maker, "transB", 0) ? 0 : 1);
  if (maker.opType === "Add") return [a, b].map((input) => widthOf(graph, input)).find((width) => width !== undefined);
  return maker.opType === "RotaryEmbedding" || maker.opType === "LayerNormalization" ? widthOf(graph, a) : undefined;
}

/** cap tanh(x / cap) */
function capped(p: Parts, x: string, cap: number): string {
  return p.op("Mul", [p.op("Tanh", [p.op("Mul", [x, p.scalar(1 / cap)])]), p.scalar(cap)]);
}

/** What is declared of an axis; undefined where nothing is. */
function declaredDim(graph: Graph, name: string, axis: number): number | string | null | undefined {
  return declaredShape(graph, name)?.[axis];
}

const declaredShape = (graph: Graph, name: string): ValueInfo["shape"] =>
  (graph.feeds.find((feed) => feed.name === name) ?? graph.valueInfo.get(name))?.shape;

const TRUTHS = new Set(["And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Xor"]);

/** Whether a value is true or false, as far as what declares or makes it tells. */
function isTruth(graph: Graph, name: string): boolean {
  const declared = graph.feeds.find((feed) => feed.name === name) ?? graph.valueInfo.get(name);
  const type = graph.initializers.get(name)?.type ?? declared?.type;
  if (type !== undefined) return type === "bool";
  const maker = graph.value(name)?.producer;
  if (!maker) return false;
  if (maker.opType === "Cast") return intAttribute(maker, "to", 1) === BOOL;
  if (TRUTHS.has(maker.opType)) return true;
  const isMoved = ["Unsqueeze", "Reshape", "Expand", "Slice", "Gather", "Transpose", "Identity"].includes(maker.opType);
  return isMoved && isTruth(graph, maker.inputs[0] ?? "");
}

/** ONNX's number of the element type. */
const BOOL = 9;
