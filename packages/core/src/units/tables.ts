/**
 * Tables: constants that stay computed because folding them would make the file larger, and that operators without a rule
 * have a part in, such as positions that Range counts. Units cannot be followed into them. Instead every node that reads one
 * may take the indexes that it needs, as from an initializer; surgery puts a Gather in between.
 */
import { constantNodes } from "../graph/constant-values.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { ruleFor } from "../ops/index.ts";

const known = new WeakMap<Graph, ReadonlySet<Node>>();

/** The nodes that make tables. */
export function tableNodes(graph: Graph): ReadonlySet<Node> {
  const found = known.get(graph);
  if (found) return found;
  const nodes = new Set<Node>();
  for (const node of constantNodes(graph)) {
    const readsTable = node.inputs.some((name) => nodes.has(graph.value(name)?.producer as Node));
    if (readsTable || !ruleFor(node)?.ties) nodes.add(node);
  }
  known.set(graph, nodes);
  return nodes;
}

/** Whether each use of a value has places of its own: initializers and tables. */
export function hasPlacePerUse(graph: Graph, name: string): boolean {
  if (graph.initializers.has(name)) return true;
  const maker = graph.value(name)?.producer;
  return maker !== undefined && tableNodes(graph).has(maker);
}
