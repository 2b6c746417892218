/** Walks over graphs: what depends on what, and pieces of a graph between given values. */
import { type Graph, type Node, readsOf } from "./graph.ts";

/** Names of all values that depend on one of `from` (those included). */
export function downstream(graph: Graph, from: Iterable<string>): Set<string> {
  const reached = new Set(from);
  for (const node of graph.nodes) {
    if (readsOf(node).some((name) => reached.has(name))) for (const name of node.outputs) if (name) reached.add(name);
  }
  return reached;
}

/** The nodes that are needed to compute `to` when the values in `given` are known, in topological order. */
export function needed(graph: Graph, to: Iterable<string>, given: ReadonlySet<string> = new Set()): Node[] {
  const wanted = new Set(to);
  for (const name of given) wanted.delete(name);
  const nodes: Node[] = [];
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i] as Node;
    if (!node.outputs.some((name) => wanted.has(name))) continue;
    nodes.push(node);
    for (const name of readsOf(node)) if (!given.has(name)) wanted.add(name);
  }
  return nodes.reverse();
}
