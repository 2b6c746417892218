/**
 * Fused operators of onnxruntime's own domain, as its optimiser and transformer exports write them: read as the plain operators that
 * they stand for, so that all that is known of those holds, and fused again when they are written.
 */
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from "./attributes.ts";
import type { Attribute, Graph, Node } from "./graph.ts";
import { float32, int64, isFloat, type Tensor } from "./tensor.ts";

/** A fused node and the plain ones that stand for it. */
export interface Fused {
  readonly node: Node;
  /** Outputs of the plain nodes, in their order. */
  readonly parts: readonly string[];
  /** Reals among the constants that they read: the file does not hold them. */
  readonly reals: readonly string[];
}

/** By the first output. */
export type FusedNodes = ReadonlyMap<string, Fused>;

/** The plain nodes of one fused node while they are made. */
export class Parts {
  readonly nodes: Node[] = [];
  readonly constants: Map<string, Tensor> = new Map();
  readonly #output: string;
  /** Of the fused node; the first part has it too. */
  readonly #name: string;

  constructor(output: string, name: string) {
    this.#output = output;
    this.#name = name || output;
  }

  /** Appends a node; `output`: default a name of its own. */
  op(opType: string, inputs: readonly string[], attributes: Node["attributes"] = {}, output?: string): string {
    const twins = this.nodes.filter((node) => node.opType === opType).length; // the same names, whatever parts are left out
    const name = output ?? `${this.#output}/${opType}${twins}`;
    const own = this.nodes.length === 0 ? this.#name : `${name}/plain`;
    this.nodes.push({ name: own, opType, domain: "", inputs, outputs: [name], attributes });
    return name;
  }

  constant(tensor: Tensor): string {
    const name = `${this.#output}/constant${this.constants.size}`;
    this.constants.set(name, tensor);
    return name;
  }

  scalar(value: number): string {
    return this.constant(float32([value], []));
  }
}

export interface Fusion {
  /** Appends what the node stands for; its last part gives `output`. False for forms that are not known. */
  expand(parts: Parts, node: Node, output: string, tensor: (name: string) => Tensor | undefined): boolean;
  /** Inputs and attributes of the fused node, from its parts as they are now; undefined: the parts stay. */
  fuse(parts: readonly Node[], node: Node, graph: Graph): Refused | undefined;
}

interface Refused extends Pick<Node, "inputs" | "attributes"> {
  /** What it stores otherwise than its parts. */
  readonly initializers?: ReadonlyMap<string, Tensor>;
}

const ints = (value: readonly number[]): Attribute => ({ kind: "ints", value });
const int = (value: number): Attribute => ({ kind: "int", value });
const withoutEmpty = (inputs: readonly string[]): string[] => {
  const all = [...inputs];
  while (all.at(-1) === "") all.pop();
  return all;
};

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

const SkipLayerNormalization: Fusion = {
  expand(p, node, output) {
    const [x = "", skip = "", gamma = "", beta = "", bias = ""] = node.inputs;
    if (node.outputs.slice(1).some((name) => name !== "")) return false;
    const sum = p.op("Add", [x, skip]);
    const shifted = bias === "" ? sum : p.op("Add", [sum, bias]);
    const epsilon = floatAttribute(node, "epsilon", 1e-12);
    const attributes: Node["attributes"] = { axis: int(-1), epsilon: { kind: "float", value: epsilon } };
    p.op("LayerNormalization", withoutEmpty([shifted, gamma, beta]), attributes, output);
    return true;
  },
  fuse(parts, node) {
    const [sum, normalized] = [parts[0], parts.at(-1)];
    if (!sum || !normalized) return undefined;
    const [, gamma = "", beta = ""] = normalized.inputs;
    const bias = node.inputs[4] ? (parts[1]?.inputs[1] ?? "") : "";
    return { inputs: withoutEmpty([...sum.inputs, gamma, beta, bias]), attributes: node.attributes };
  },
};

/** Self-attention over packed q, k and v, without masks and earlier states. */
const Attention: Fusion = {
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

/** What is read as plain operators, by domain and name. */
export type Fusions = Readonly<Record<string, Fusion>>;

export const fusions: Fusions = {
  "com.microsoft.Attention": Attention,
  "com.microsoft.BiasGelu": biased(erfGelu),
  "com.microsoft.FastGelu": biased(tanhGelu),
  "com.microsoft.FusedConv": FusedConv,
  "com.microsoft.FusedGemm": FusedGemm,
  "com.microsoft.Gelu": biased(erfGelu),
  "com.microsoft.QuickGelu": biased((p, x, output, node) => {
    p.op("Mul", [x, p.op("Sigmoid", [p.op("Mul", [x, p.scalar(floatAttribute(node, "alpha", 1.702))])])], {}, output);
  }),
  "com.microsoft.SkipLayerNormalization": SkipLayerNormalization,
};

const keyOf = ({ domain, opType }: Node): string => (domain === "" ? opType : `${domain}.${opType}`);

/** The graph with plain operators in place of fused ones, as far as their forms are known; of those nodes that are wanted. */
export function expandFused(
  graph: Graph,
  fusions: Fusions,
  isWanted: (node: Node) => boolean = () => true,
): { readonly graph: Graph; readonly fused: FusedNodes } {
  const fused = new Map<string, Fused>();
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const fusion = isWanted(node) ? fusions[keyOf(node)] : undefined;
    const [output = ""] = node.outputs;
    if (!fusion || output === "") return [node];
    const parts = new Parts(output, node.name);
    if (!fusion.expand(parts, node, output, (name) => graph.initializers.get(name))) return [node];
    for (const [name, tensor] of parts.constants) initializers.set(name, tensor);
    const names = parts.nodes.flatMap((part) => part.outputs);
    const reals = [...parts.constants].filter(([, { type }]) => isFloat(type)).map(([name]) => name);
    fused.set(output, { node, parts: names, reals });
    return parts.nodes;
  });
  return { graph: fused.size > 0 ? graph.with({ nodes, initializers }) : graph, fused };
}

/** The graph with its fused operators again, where all their parts are still there. */
export function fuseAgain(graph: Graph, fused: FusedNodes, fusions: Fusions): Graph {
  if (fused.size === 0) return graph;
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const instead = new Map<Node, Node>();
  const stored = new Map(graph.initializers);
  const gone = new Set<Node>();
  for (const { node, parts } of fused.values()) {
    const now = parts.map((name) => makers.get(name));
    const inner = parts.slice(0, -1);
    const isReadElsewhere = inner.some((name) => {
      const { uses = [], isOutput = false } = graph.value(name) ?? {};
      return isOutput || uses.some((use) => !now.includes(use.node));
    });
    if (isReadElsewhere || !now.every((part) => part !== undefined)) continue;
    const made = fusions[keyOf(node)]?.fuse(now as Node[], node, graph);
    if (!made) continue;
    const { initializers: own = new Map<string, Tensor>(), inputs, attributes } = made;
    for (const [name, tensor] of own) stored.set(name, tensor);
    instead.set(now.at(-1) as Node, { ...node, inputs, attributes });
    for (const part of now) gone.add(part as Node);
  }
  const nodes = graph.nodes.flatMap((node) => instead.get(node) ?? (gone.has(node) ? [] : [node]));
  const read = new Set([...nodes.flatMap(({ inputs }) => inputs), ...graph.outputs.map(({ name }) => name)]);
  const isLeft = (name: string): boolean => read.has(name) || ![...gone].some(({ inputs }) => inputs.includes(name)); // what only parts read goes with them
  return graph.with({ nodes, initializers: new Map([...stored].filter(([name]) => isLeft(name))) });
}
