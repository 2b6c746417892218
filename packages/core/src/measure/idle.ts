/**
 * Idle units: removed, but still computed by the model that is measured, which reads them with weights of 0. Runtimes
 * compute convolutions in blocks of channels and are slow at widths in between, so a layer shrinks by whole blocks here.
 * What comes out is the same as without these units, beyond rounding; written files hold none.
 */
import { type Tensor, tensorOf } from "../graph/tensor.ts";
import { regressionOf } from "../ops/regression.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Group } from "../units/units.ts";

/** Groups whose units may stay idle: channels that only layers of weights read, each with weights of its own. */
export function idleGroups({ model, shapes, units }: Prunable): Group[] {
  const { graph } = model;
  const nodes = new Map(graph.nodes.map((node) => [nodeId(node), node]));
  return units.groups.filter(({ kind, sinks }) => {
    if (kind !== "channel") return false;
    return sinks.every(({ node: id, slot }) => {
      const node = nodes.get(id);
      const weights = graph.value(node?.inputs[1] ?? "");
      return slot === 0 && weights?.uses.length === 1 && node && regressionOf(node, model, shapes) !== undefined;
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

/** The same model with zeros in all weights that read, or make, units that are removed and not cut. */
export function withIdle(prunable: Prunable, removed: RemovedUnits, cut: RemovedUnits): Prunable {
  const isIdle = (unit: number): boolean => unit >= 0 && removed[unit] === 1 && cut[unit] === 0;
  const { model, units } = prunable;
  const nodes = new Map(model.graph.nodes.map((node) => [nodeId(node), node]));
  const initializers = new Map(model.graph.initializers);
  let changed = false;
  for (const { first, size, sinks } of units.groups) {
    if (!removed.subarray(first, first + size).some((_, i) => isIdle(first + i))) continue;
    changed = true;
    for (const sink of sinks) {
      const name = nodes.get(sink.node)?.inputs[1] as string;
      const weights = initializers.get(name) as Tensor;
      weights.dims.forEach((_, axis) => {
        const owners = units.places.get(placeKey(name, axis, { node: sink.node, slot: 1 }))?.owners;
        if (owners?.some(isIdle))
          initializers.set(name, zeroed(initializers.get(name) as Tensor, axis, owners, isIdle));
      });
    }
  }
  return changed ? { ...prunable, model: { ...model, graph: model.graph.with({ initializers }) } } : prunable;
}

function zeroed(tensor: Tensor, axis: number, owners: Int32Array, isIdle: (unit: number) => boolean): Tensor {
  const inner = tensor.dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const values = Float64Array.from(tensor.numbers);
  for (let at = 0; at < values.length; at++) {
    if (isIdle(owners[Math.floor(at / inner) % owners.length] as number)) values[at] = 0;
  }
  return tensorOf(tensor.type as "float32", values, tensor.dims);
}
