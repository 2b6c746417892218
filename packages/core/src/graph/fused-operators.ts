/**
 * Fused operators that onnxruntime's optimiser and transformer exports write, and newer ones of ONNX that are made of others.
 */
import { floatAttribute, intAttribute, stringAttribute } from "./attributes.ts";
import { type Fusion, type Fusions, type Parts, withoutEmpty } from "./fused.ts";
import { Attention, MultiHeadAttention, OnnxAttention } from "./fused-attention.ts";
import { EmbedLayerNormalization, RotaryEmbedding } from "./fused-embedding.ts";
import { RootMeanSquare, SkipLayerNormalization, SkipRootMeanSquare } from "./fused-norms.ts";
import type { Attribute, Node } from "./graph.ts";

/** x (1 + erf(x / sqrt 2)) / 2 */
function erfGelu(p: Parts, x: string, output: string): void {
  const bent = p.op("Erf", [p.op("Mul", [x, p.scalar(Math.SQRT1_2)])]);
  const half = p.op("Mul", [x, p.scalar(0.5)]);
  p.op("Mul", [half, p.op("Add", [bent, p.scalar(1)])], {}, output);
}

/** x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 */
function tanhGelu(p: Parts, x: string, output: string): void {
  const cubic = p.op("Mul", [p.op("Mul", [x, p.op("Mul", [x, x])]), p.scalar(0.044715)]);
  const bent = p.op("Tanh", [p.op("Mul", [p.op("Add", [x, cubic]), p.scalar(Math.sqrt(2 / Math.PI))])]);
  const half = p.op("Mul", [x, p.scalar(0.5)]);
  p.op("Mul", [half, p.op("Add", [bent, p.scalar(1)])], {}, output);
}

/** An activation of the sum of the inputs, the second of which may be left out. */
const biased = (activation: (p: Parts, x: string, output: string, node: Node) => void): Fusion => ({
  expand(p, node, output) {
    const [x = "", bias = ""] = node.inputs;
    activation(p, bias === "" ? x : p.op("Add", [x, bias]), output, node);
    return true;
  },
  fuse(parts, node) {
    const [first] = parts;
    if (!first) return undefined;
    const inputs = node.inputs[1] ? first.inputs : first.inputs.slice(0, 1);
    return { inputs, attributes: node.attributes };
  },
});

/** Activations of FusedConv and FusedGemm by name, with the parameters that they take. */
function activated(p: Parts, x: string, node: Node, output: string): boolean {
  const name = stringAttribute(node, "activation", "");
  const parameters = node.attributes.activation_params;
  const [alpha, beta] = parameters?.kind === "floats" ? parameters.value : [];
  const given = (key: string, value: number | undefined): Node["attributes"] =>
    value === undefined ? {} : { [key]: { kind: "float", value } };
  switch (name) {
    case "Relu":
    case "Tanh":
    case "Sigmoid":
      p.op(name, [x], {}, output);
      return true;
    case "LeakyRelu":
      p.op(name, [x], given("alpha", alpha ?? floatAttribute(node, "activation_alpha", 0.01)), output);
      return true;
    case "HardSigmoid":
      p.op(name, [x], { ...given("alpha", alpha), ...given("beta", beta) }, output);
      return true;
    case "Clip":
      if (alpha === undefined || beta === undefined) return false;
      p.op(name, [x, p.scalar(alpha), p.scalar(beta)], {}, output);
      return true;
    default:
      return false;
  }
}

const OWN = new Set(["activation", "activation_params", "activation_alpha", "activation_beta", "activation_gamma"]);
const plainAttributes = ({ attributes }: Node): Node["attributes"] =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => !OWN.has(name)));

const FusedConv: Fusion = {
  expand(p, node, output) {
    const [x = "", w = "", b = "", other = ""] = node.inputs;
    const made = p.op("Conv", withoutEmpty([x, w, b]), plainAttributes(node));
    return activated(p, other === "" ? made : p.op("Add", [made, other]), node, output);
  },
  fuse(parts, node) {
    const [conv, sum] = parts;
    if (!conv) return undefined;
    const other = node.inputs[3] ? sum?.inputs[1] : undefined;
    const inputs = [...conv.inputs, ...Array(3 - conv.inputs.length).fill(""), ...(other ? [other] : [])];
    return { inputs: withoutEmpty(inputs), attributes: { ...node.attributes, ...conv.attributes } };
  },
};

const FusedGemm: Fusion = {
  expand(p, node, output) {
    return activated(p, p.op("Gemm", node.inputs, plainAttributes(node)), node, output);
  },
  fuse: ([gemm], node) => gemm && { inputs: gemm.inputs, attributes: node.attributes },
};

/** alpha A B, each perhaps with its last two axes changed. */
const FusedMatMul: Fusion = {
  expand(p, node, output, { initializers }) {
    const [a = "", b = ""] = node.inputs;
    const [batchA, batchB] = [a, b].map((name) => (initializers.get(name)?.dims.length === 2 ? "" : "..."));
    if (intAttribute(node, "transBatchA", 0) || intAttribute(node, "transBatchB", 0)) return false;
    const [left, right] = [
      intAttribute(node, "transA", 0) ? "ji" : "ij",
      intAttribute(node, "transB", 0) ? "kj" : "jk",
    ];
    const isPlain = left === "ij" && right === "jk";
    const equation: Attribute = { kind: "string", value: `${batchA}${left},${batchB}${right}->${batchA || batchB}ik` };
    const alpha = floatAttribute(node, "alpha", 1);
    const name = alpha === 1 ? output : undefined;
    const product = isPlain ? p.op("MatMul", [a, b], {}, name) : p.op("Einsum", [a, b], { equation }, name);
    if (alpha !== 1) p.op("Mul", [product, p.scalar(alpha)], {}, output);
    return true;
  },
  fuse: ([product], node) => product && { inputs: product.inputs, attributes: node.attributes },
};

/** x sigmoid(alpha x), with this alpha where the node gives none. */
const swish = (alpha: number): Fusion =>
  biased((p, x, output, node) => {
    const slope = floatAttribute(node, "alpha", alpha);
    const scaled = slope === 1 ? x : p.op("Mul", [x, p.scalar(slope)]);
    p.op("Mul", [x, p.op("Sigmoid", [scaled])], {}, output);
  });

/** alpha elu(x / alpha) */
const Celu: Fusion = biased((p, x, output, node) => {
  const alpha = floatAttribute(node, "alpha", 1);
  if (alpha === 1) p.op("Elu", [x], {}, output);
  else p.op("Mul", [p.op("Elu", [p.op("Mul", [x, p.scalar(1 / alpha)])]), p.scalar(alpha)], {}, output);
});

/** x tanh(softplus(x)) */
const Mish: Fusion = biased((p, x, output) => {
  p.op("Mul", [x, p.op("Tanh", [p.op("Softplus", [x])])], {}, output);
});

/** By domain and name. */
export const fusions: Fusions = {
  Attention: OnnxAttention,
  Celu,
  Mish,
  RMSNormalization: RootMeanSquare,
  RotaryEmbedding,
  SimplifiedLayerNormalization: RootMeanSquare,
  Swish: swish(1),
  "com.microsoft.Attention": Attention,
  "com.microsoft.EmbedLayerNormalization": EmbedLayerNormalization,
  "com.microsoft.RotaryEmbedding": RotaryEmbedding,
  "com.microsoft.BiasGelu": biased(erfGelu),
  "com.microsoft.FastGelu": biased(tanhGelu),
  "com.microsoft.FusedConv": FusedConv,
  "com.microsoft.FusedGemm": FusedGemm,
  "com.microsoft.FusedMatMul": FusedMatMul,
  "com.microsoft.Gelu": biased(erfGelu),
  "com.microsoft.MultiHeadAttention": MultiHeadAttention,
  "com.microsoft.QuickGelu": swish(1.702),
  "com.microsoft.SkipLayerNormalization": SkipLayerNormalization,
  "com.microsoft.SkipSimplifiedLayerNormalization": SkipRootMeanSquare,
};
