/** Whether everything that was planned to go is gone: each initializer of a smaller model has the length that it should. */
import { ShrinkError } from "../errors.ts";
import type { Model } from "../graph/graph.ts";
import { withoutSums } from "../units/branches.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Units } from "../units/units.ts";
import { isEmptied } from "./bypass.ts";
import type { RemovedUnits } from "./kept.ts";

/** Throws a `verification` error for the first initializer that still holds slices of removed units, or too few. */
export function checkCut({ model: whole, units }: Prunable, removed: RemovedUnits, model: Model): void {
  const went = nodesOfBranches(whole, units, removed);
  const nodes = new Map(model.graph.nodes.map((node) => [nodeId(node), node]));
  for (const { id, first, size, places } of units.groups) {
    if (!removed.subarray(first, first + size).includes(1)) continue;
    for (const { value, use, axis, owners } of places) {
      if (!use || !whole.graph.initializers.has(value)) continue;
      const name = nodes.get(use.node)?.inputs[use.slot] ?? "";
      const length = model.graph.initializers.get(name)?.dims[axis];
      const planned = owners.filter((unit) => unit < 0 || !removed[unit]).length;
      const isGone = !nodes.has(use.node) && went.has(use.node);
      if (length === planned || isGone) continue;
      throw new ShrinkError(
        "verification",
        `initializer "${value}": its axis ${axis} is ${length ?? "missing"} in the smaller model, expected ${planned} of ${owners.length} without the removed units of group "${id}"; nothing was written, please report this model's structure`,
      );
    }
  }
}

/** Ids of the nodes that only emptied branches are made of. */
function nodesOfBranches({ graph }: Model, { groups }: Units, removed: RemovedUnits): ReadonlySet<string> {
  const emptied = groups.filter((group) => isEmptied(group, removed));
  if (emptied.length === 0) return new Set();
  const left = new Set(
    withoutSums(
      graph,
      emptied.flatMap(({ branches = [] }) => branches),
    ).map(nodeId),
  );
  return new Set(graph.nodes.map(nodeId).filter((id) => !left.has(id)));
}
