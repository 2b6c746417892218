/**
 * The same shapes for less work: layers that sum over their inputs with weights sum over as few as they can, since no
 * shape depends on the length of a sum. What the values are is lost, and the weights are not needed.
 */
import { intAttribute } from "./attributes.ts";
import { GraphBuilder, opsetOf } from "./builder.ts";
import { type Graph, type Model, type Node, readsOf } from "./graph.ts";
import { allocate, sizeOf, Tensor } from "./tensor.ts";
import { valueKinds } from "./value-kinds.ts";

/** Operators whose output is as long as some of their inputs say, by value: those that come after input 0. */
const LENGTHS_FROM_REALS = new Set(["Resize", "Upsample"]);

/** A sum that was cut short. */
export interface ShortSum {
  readonly node: Node;
  /** What it sums over: this axis of this value, which must have this length for the weights. */
  readonly value: string;
  readonly axis: number;
  readonly length: number;
}

/**
 * The model's graph with the sums of Conv, ConvTranspose, Gemm and MatMul cut short: all values have the shapes that they
 * have in the model. The graph itself where something else than a real is computed from the sums, such as the place of a
 * maximum, on which a shape could hang. What no longer shows when the graph runs is whether the inputs fit the weights.
 */
export function shortenSums(model: Model): { readonly graph: Graph; readonly sums: readonly ShortSum[] } {
  const { graph } = model;
  const sums: ShortSum[] = [];
  const { reals } = valueKinds(graph);
  const b = GraphBuilder.around(graph, opsetOf(model));
  const changed = new Set<string>(); // values that are not those of the model
  for (const node of graph.nodes) {
    const sum = sumOf(node, graph);
    b.append(sum ? shortened(b, graph, node, sum) : node);
    if (sum) sums.push({ node, ...sum });
    const isChanged = sum !== undefined || readsOf(node).some((name) => changed.has(name));
    if (!isChanged || (node.domain === "" && node.opType === "Shape")) continue;
    const outputs = node.outputs.filter((name) => graph.value(name)?.uses.length || graph.value(name)?.isOutput);
    const setsLengths = LENGTHS_FROM_REALS.has(node.opType) && node.inputs.slice(1).some((name) => changed.has(name));
    if (setsLengths || !outputs.every((name) => reals.has(name))) return { graph, sums: [] };
    for (const name of outputs) changed.add(name);
  }
  return { graph: b.graph(graph.outputs), sums };
}

/** The axes that a node sums over, and how long they must be at least. */
interface Sum extends Omit<ShortSum, "node"> {
  readonly left: number;
  readonly weightAxis: number;
  readonly weightLeft: number;
}

function shortened(b: GraphBuilder, graph: Graph, node: Node, sum: Sum): Node {
  const [x, w, ...rest] = node.inputs as [string, string, ...string[]];
  const { type, dims } = graph.initializers.get(w) as Tensor;
  const shortDims = dims.map((dim, axis) => (axis === sum.weightAxis ? sum.weightLeft : dim));
  const zeros = new Tensor(type, shortDims, allocate(type, sizeOf(shortDims)));
  return { ...node, inputs: [b.slice(x, sum.axis, 0, sum.left), b.tensor(zeros, `${w}/short`), ...rest] };
}

/** The sum of a node over weights; undefined where it has none, or none that can be shorter. */
function sumOf(node: Node, { initializers }: Graph): Sum | undefined {
  const [value = "", w = ""] = node.inputs;
  const dims = initializers.get(w)?.dims;
  if (!dims || node.domain !== "") return undefined;
  const groups = intAttribute(node, "group", 1);
  const sum = (axis: number, weightAxis: number, left = 1, weightLeft = 1): Sum | undefined => {
    const length = ((dims[weightAxis] as number) / weightLeft) * left;
    return length > left ? { value, axis, length, left, weightAxis, weightLeft } : undefined;
  };
  switch (node.opType) {
    case "Conv":
      return sum(1, 1, groups); // W[out, in / groups, ...]
    case "ConvTranspose":
      return sum(1, 0, groups, groups); // W[in, out / groups, ...]
    case "Gemm":
      return sum(intAttribute(node, "transA", 0) === 1 ? 0 : 1, intAttribute(node, "transB", 0) === 1 ? 1 : 0);
    case "MatMul":
      return dims.length > 1 ? sum(-1, dims.length - 2) : undefined; // W[..., in, out]
    default:
      return undefined;
  }
}
