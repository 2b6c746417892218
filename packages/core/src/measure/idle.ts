/**
 * Idle units: removed, but still computed by the model that is measured, which reads them with weights of 0. Runtimes
 * compute convolutions in blocks of channels and are slow at widths in between, so a layer shrinks by whole blocks here.
 * What comes out is the same as without these units but for rounding, unless one of them gives no finite number: 0 times that
 * is not 0, for the gates of verification neither. Written files hold none.
 */
import type { Node } from "../graph/graph.ts";
import { Tensor } from "../graph/tensor.ts";
import { regressionOf } from "../ops/regression.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Group } from "../units/units.ts";

/** Groups whose units may stay idle: channels that only layers of weights read, each with weights of its own. */
export function idleGroups({ model, shapes, batching, units }: Prunable): Group[] {
  const { graph } = model;
  const nodes = new Map(graph.nodes.map((node) => [nodeId(node), node]));
  return units.groups.filter(({ kind, sinks }) => {
    if (kind !== "channel") return false;
    return sinks.every(({ node: id, slot }) => {
      const node = nodes.get(id);
      const name = node?.inputs[1] ?? "";
      if (slot !== 0 || !graph.initializers.has(name) || graph.value(name)?.uses.length !== 1) return false;
      return node !== undefined && regressionOf(node, model, shapes, batching) !== undefined;
    });
  });
}

/**
 * Which of the removed units are cut, so that the widths of the given groups are multiples of `block`, or whole. The others
 * stay idle. Those that were cut before go first.
 */
export function cutInBlocks(
  groups: readonly Group[],
  removed: RemovedUnits,
  before: RemovedUnits,
  block: number,
): RemovedUnits {
  const cut = removed.slice();
  for (const { first, size } of groups) {
    const gone = Array.from({ length: size }, (_, unit) => first + unit).filter((unit) => removed[unit]);
    if (gone.length === size) continue;
    const width = Math.min(size, Math.ceil((size - gone.length) / block) * block);
    const order = gone.toSorted((a, b) => (before[b] as number) - (before[a] as number) || a - b);
    for (const unit of order.slice(size - width)) cut[unit] = 0;
  }
  return cut;
}

/** The same model with zeros in all weights that read units that are removed and not cut. */
export function withIdle(prunable: Prunable, removed: RemovedUnits, cut: RemovedUnits): Prunable {
  const isIdle = (unit: number): boolean => unit >= 0 && removed[unit] === 1 && cut[unit] === 0;
  const { model, shapes, batching, units } = prunable;
  const groups = units.groups.filter(({ first, size }) =>
    cut.subarray(first, first + size).some((_, i) => isIdle(first + i)),
  );
  if (groups.length === 0) return prunable;
  const nodes = new Map(model.graph.nodes.map((node) => [nodeId(node), node]));
  const initializers = new Map(model.graph.initializers);
  for (const sink of groups.flatMap((group) => group.sinks)) {
    const node = nodes.get(sink.node) as Node;
    const name = node.inputs[1] as string;
    const { dims } = initializers.get(name) as Tensor;
    const outputs = regressionOf(node, model, shapes, batching)?.outputsFirst ? 0 : dims.length - 1;
    for (const axis of dims.keys()) {
      const owners = units.places.get(placeKey(name, axis, { node: sink.node, slot: 1 }))?.owners;
      if (axis === outputs || !owners) continue;
      initializers.set(name, zeroed(initializers.get(name) as Tensor, axis, owners, isIdle));
    }
  }
  return { ...prunable, model: { ...model, graph: model.graph.with({ initializers }) } };
}

function zeroed(tensor: Tensor, axis: number, owners: Int32Array, isIdle: (unit: number) => boolean): Tensor {
  const inner = tensor.dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const values = tensor.data.slice();
  for (let at = 0; at < values.length; at++) {
    if (isIdle(owners[Math.floor(at / inner) % owners.length] as number)) values[at] = 0;
  }
  return new Tensor(tensor.type, tensor.dims, values);
}
