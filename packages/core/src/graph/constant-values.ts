/**
 * Values that are computed from initializers alone. Most become initializers before anything else happens; those that would
 * make the file larger stay as nodes: a weight behind Cast, or one that other nodes read as it is stored.
 */
import { type Graph, type Node, readsOf } from "./graph.ts";

/** Different from run to run. */
const RANDOM = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Multinomial",
  "Bernoulli",
]);

/** Operators that give the elements of input 0 in another form. */
const CARRIERS = new Set([
  "Cast",
  "DequantizeLinear",
  "Flatten",
  "Identity",
  "Reshape",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

const known = new WeakMap<Graph, ReadonlySet<Node>>();

/** The nodes that read nothing but initializers and each other's outputs. */
export function constantNodes(graph: Graph): ReadonlySet<Node> {
  const found = known.get(graph);
  if (found) return found;
  const values = new Set(graph.initializers.keys());
  const constant = new Set<Node>();
  for (const node of graph.nodes) {
    const hasBody = Object.values(node.attributes).some(({ kind }) => kind === "graph");
    if (hasBody || RANDOM.has(node.opType) || node.domain !== "") continue;
    if (!readsOf(node).every((name) => values.has(name))) continue;
    if (node.inputs.length === 0 && node.opType !== "Constant") continue;
    constant.add(node);
    for (const name of node.outputs) if (name !== "") values.add(name);
  }
  known.set(graph, constant);
  return constant;
}

/** Whether a value is an initializer or computed from initializers alone. */
export function isConstant(graph: Graph, name: string): boolean {
  if (graph.initializers.has(name)) return true;
  const maker = graph.value(name)?.producer;
  return maker !== undefined && constantNodes(graph).has(maker);
}

/**
 * The initializers that hold a weight: the one whose elements the value has, in whatever form, or where the value is
 * computed from several, all of them. None for a value that is not constant.
 */
export function weightsBehind(graph: Graph, name: string): readonly string[] {
  if (graph.initializers.has(name)) return [name];
  const maker = graph.value(name)?.producer;
  if (!maker || !constantNodes(graph).has(maker)) return [];
  const inputs = CARRIERS.has(maker.opType) ? maker.inputs.slice(0, 1) : maker.inputs;
  return [...new Set(inputs.flatMap((input) => weightsBehind(graph, input)))];
}
