/**
 * Means over units, as normalisations take them: a unit that is removed leaves the mean too, the sum as well as the number of what
 * it is taken over. So means are read as sums divided by a number that is itself a sum, over ones: a gate on both computes what the
 * smaller file will. Written again as the operators that they were.
 */
import { floatAttribute, intAttribute, intsAttribute, normalAxis } from "./attributes.ts";
import { onnxType } from "./builder.ts";
import { expandFused, type FusedNodes, type Fusions, fuseAgain, int, type Parts } from "./fused.ts";
import type { Graph, Node } from "./graph.ts";
import type { Shapes, ValueShape } from "./shapes.ts";
import { type ElementType, type Tensor, tensorOf } from "./tensor.ts";

/** `Equal` compares reals from this opset on. */
const LEAST_OPSET = 11;

/** One mean while it is made: sum and number of what it is taken over, by the nodes that compute them. */
class Means {
  readonly #sum: (x: string) => string;
  readonly #parts: Parts;
  readonly #count: string;

  /** `x`: what is averaged over `axes`; others averaged the same way have its shape. */
  constructor(parts: Parts, x: string, { type, axes, ...form }: MeanForm) {
    this.#parts = parts;
    this.#sum = (value) => parts.reduce("ReduceSum", value, axes, form);
    this.#count = this.#sum(parts.op("Cast", [parts.op("Equal", [x, x])], { to: int(onnxType[type]) }));
  }

  of(x: string, output?: string): string {
    return this.#parts.op("Div", [this.#sum(x), this.#count], {}, output);
  }
}

interface MeanForm {
  readonly type: ElementType;
  readonly axes: readonly number[];
  readonly keepdims?: number;
  readonly axesName?: string | undefined;
}

/** Operators that average over axes, as plain ones; of what runs in `shapes`. */
function fusions(shapes: Shapes, opset: number): Fusions {
  const real = (name: string): { readonly type: ElementType; readonly rank: number } | undefined => {
    const shape = shapes.get(name);
    const isReal = shape?.type === "float32" || shape?.type === "float64";
    return opset >= LEAST_OPSET && isReal ? { type: shape.type, rank: shape.dims.length } : undefined;
  };
  const isSingle = (node: Node): boolean => !node.outputs.slice(1).some((name) => name !== "");
  return {
    ReduceMean: {
      expand(p, node, output, { initializers }) {
        const [x = ""] = node.inputs;
        const found = real(x);
        const axes = found && meanAxes(node, found.rank, initializers);
        if (!found || !axes) return false;
        const keepdims = intAttribute(node, "keepdims", 1);
        new Means(p, x, { ...found, axes, keepdims, axesName: node.inputs[1] }).of(x, output);
        return true;
      },
      fuse: (parts, node) => ({ inputs: [inputOf(parts), ...node.inputs.slice(1)], attributes: node.attributes }),
    },
    LayerNormalization: {
      expand(p, node, output) {
        const [x = "", gamma = "", beta = ""] = node.inputs;
        const found = real(x);
        if (!found || !isSingle(node)) return false;
        const first = normalAxis(intAttribute(node, "axis", -1), found.rank);
        if (first !== found.rank - 1) return false;
        const means = new Means(p, x, { ...found, axes: [first] });
        const centred = p.op("Sub", [x, means.of(x)]);
        const variance = means.of(p.op("Mul", [centred, centred]));
        const normal = p.op("Div", [centred, deviation(p, node, variance, found.type)]);
        const scaled = p.op("Mul", [normal, gamma], {}, beta === "" ? output : undefined);
        if (beta !== "") p.op("Add", [scaled, beta], {}, output);
        return true;
      },
      fuse: scaledAgain,
    },
  };
}

/** The square root of variance + epsilon. */
function deviation(p: Parts, node: Node, variance: string, type: ElementType): string {
  const epsilon = tensorOf(type, [floatAttribute(node, "epsilon", 1e-5)], []);
  return p.op("Sqrt", [p.op("Add", [variance, p.constant(epsilon)])]);
}

/** What the parts of a mean are taken over: the first of them, which makes the ones, reads it. */
const inputOf = (parts: readonly Node[]): string => parts[0]?.inputs[0] ?? "";

/** A normalisation whose last parts are `* gamma` and, where it has one, `+ beta`. */
function scaledAgain(parts: readonly Node[], node: Node): Pick<Node, "inputs" | "attributes"> {
  const last = (opType: string): string => parts.findLast((part) => part.opType === opType)?.inputs[1] ?? "";
  const shift = node.inputs[2] ? [last("Add")] : [];
  return { inputs: [inputOf(parts), last("Mul"), ...shift], attributes: node.attributes };
}

/** The averaged axes of a ReduceMean; undefined where they are not constant, or all. */
function meanAxes(node: Node, rank: number, initializers: ReadonlyMap<string, Tensor>): readonly number[] | undefined {
  const given = node.inputs[1] ? initializers.get(node.inputs[1])?.numbers : intsAttribute(node, "axes");
  if (!given || given.length === 0) return undefined;
  return Array.from(given, (axis) => normalAxis(axis, rank));
}

export interface UnitMeans {
  readonly graph: Graph;
  readonly shapes: Shapes;
  /** What was expanded. */
  readonly means: FusedNodes;
}

/** Expands means and normalisations that take one, of those nodes that are wanted (default: all), and gives the shapes of their parts. */
export function expandMeans(
  graph: Graph,
  shapes: Shapes,
  opset: number,
  isWanted: (node: Node) => boolean = () => true,
): UnitMeans {
  const { graph: expanded, fused } = expandFused(graph, fusions(shapes, opset), opset, isWanted);
  const all = new Map(shapes);
  const parts = new Set([...fused.values()].flatMap((one) => one.parts));
  for (const node of expanded.nodes) {
    const [output = ""] = node.outputs;
    if (!parts.has(output)) continue;
    for (const name of node.inputs) {
      const constant = expanded.initializers.get(name);
      if (constant && !all.has(name)) all.set(name, { type: constant.type, dims: constant.dims });
    }
    if (!all.has(output)) all.set(output, shapeOfPart(node, all, expanded));
  }
  return { graph: expanded, shapes: all, means: fused };
}

/** The operators again. */
export function withMeans(graph: Graph, means: FusedNodes): Graph {
  return fuseAgain(graph, means, fusions(new Map(), 0));
}

/** Of a node between the inputs and the output of an expanded one. */
function shapeOfPart(node: Node, shapes: Shapes, graph: Graph): ValueShape {
  const [first, second] = node.inputs.map((name) => shapes.get(name) as ValueShape) as [ValueShape, ValueShape?];
  const { type, dims, batchAxis } = second && second.dims.length > first.dims.length ? second : first;
  switch (node.opType) {
    case "Equal":
      return { type: "bool", dims, batchAxis };
    case "Cast":
      return { type: node.attributes.to?.value === onnxType.float64 ? "float64" : "float32", dims, batchAxis };
    case "ReduceSum":
      return reduced(first, node, graph);
    default:
      return { type, dims, batchAxis };
  }
}

function reduced({ type, dims, batchAxis }: ValueShape, node: Node, graph: Graph): ValueShape {
  const given = node.inputs[1] ? graph.initializers.get(node.inputs[1])?.numbers : intsAttribute(node, "axes");
  const axes = new Set(Array.from(given ?? [], (axis) => normalAxis(axis, dims.length)));
  if (intAttribute(node, "keepdims", 1) === 1) {
    return { type, dims: dims.map((dim, axis) => (axes.has(axis) ? 1 : dim)), batchAxis };
  }
  const before = batchAxis === undefined ? 0 : [...axes].filter((axis) => axis < batchAxis).length;
  const left = dims.filter((_, axis) => !axes.has(axis));
  return { type, dims: left, batchAxis: batchAxis === undefined ? undefined : batchAxis - before };
}
