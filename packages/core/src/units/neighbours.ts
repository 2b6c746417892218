/** Groups that meet in a layer. */
import { nodeId } from "./places.ts";
import type { Prunable } from "./prepare.ts";
import type { Group } from "./units.ts";

/** By group: the groups that share a node with it, itself among them. */
export function neighboursOf({ model, units }: Prunable): ReadonlyMap<Group, readonly Group[]> {
  const nodesOf = new Map<string, string[]>(); // that make or read a value
  for (const node of model.graph.nodes) {
    for (const name of [...node.inputs, ...node.outputs])
      nodesOf.set(name, [...(nodesOf.get(name) ?? []), nodeId(node)]);
  }
  const touched = new Map<Group, ReadonlySet<string>>();
  for (const group of units.groups) {
    touched.set(group, new Set(group.places.flatMap(({ use, value }) => use?.node ?? nodesOf.get(value) ?? [])));
  }
  const byNode = new Map<string, Group[]>();
  for (const [group, nodes] of touched)
    for (const node of nodes) byNode.set(node, [...(byNode.get(node) ?? []), group]);
  return new Map(
    [...touched].map(([group, nodes]) => [group, [...new Set([...nodes].flatMap((node) => byNode.get(node) ?? []))]]),
  );
}
