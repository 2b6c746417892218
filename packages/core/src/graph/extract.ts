/** Cutting a piece out of a graph: the part between some given values and some wanted ones. */
import type { Graph, ValueInfo } from "./graph.ts";
import { readsOf } from "./graph.ts";
import type { Shapes } from "./shapes.ts";
import { needed } from "./traverse.ts";

/**
 * The sub-graph that computes `to` from `from`. The values in `from` become graph inputs (type from `shapes`); graph
 * inputs of the whole that are still read stay inputs. Initializers that nobody reads any more are left out.
 */
export function extract(graph: Graph, from: readonly string[], to: readonly string[], shapes: Shapes): Graph {
  const given = new Set(from);
  const nodes = needed(graph, to, given);
  // a node that is needed for one of its outputs makes the given ones anew
  for (const node of nodes) for (const name of node.outputs) given.delete(name);
  const read = new Set(to);
  for (const node of nodes) for (const name of readsOf(node)) read.add(name);
  const inputs: ValueInfo[] = graph.feeds.filter((input) => read.has(input.name) && !given.has(input.name));
  for (const name of given) {
    if (read.has(name)) inputs.push({ name, type: shapes.get(name)?.type ?? "float32" });
  }
  return graph.with({
    inputs,
    outputs: to.map((name) => ({ name })),
    nodes,
    initializers: new Map([...graph.initializers].filter(([name]) => read.has(name) && !given.has(name))),
    valueInfo: new Map(),
  });
}
