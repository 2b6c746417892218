/** Whether units make up a residual stream: what reads them leads to a layer that adds to them again. */
import type { Graph } from "../graph/graph.ts";
import { nodeId } from "./places.ts";

/** `readers`: ids of the nodes that sum over the units; `makers`: of the layers that make them. */
export function isResidual(graph: Graph, readers: readonly string[], makers: ReadonlySet<string>): boolean {
  const wanted = new Set(readers);
  const reached = new Set<string>(); // values
  for (const node of graph.nodes) {
    const id = nodeId(node);
    if (!wanted.has(id) && !node.inputs.some((name) => reached.has(name))) continue;
    if (makers.has(id)) return true;
    for (const name of node.outputs) reached.add(name);
  }
  return false;
}
