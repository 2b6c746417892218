/**
 * Scales and zero points that a file stores beside its packed weights: parameters that the model that is measured does not hold.
 * Constants of fused operators are the other way round.
 */
import type { Packed } from "../graph/packed-weights.ts";
import type { Prunable } from "../units/prepare.ts";
import type { RemovedUnits } from "./kept.ts";
import { keptIn } from "./kept-in.ts";

/** How many more parameters the file holds, without the removed units. A scale that several weights share counts once. */
export function packedParameters(prunable: Prunable, removed: RemovedUnits): number {
  const { stored } = prunable;
  if (!stored) return 0;
  const keptOf = keptIn(prunable, removed);
  const shared = new Set<string>();
  let sum = [...stored.fused.values(), ...stored.means.values()].reduce((reals, one) => reals - one.scalars, 0);
  const made = new Set([...stored.quantised.values()].flatMap(({ reals }) => reals)); // scales of biases, which no file holds
  for (const [weight, packed] of stored.packed) {
    const { axis, node } = packed;
    const [, scale] = node.inputs;
    if (scale !== undefined && made.has(scale)) continue;
    if (axis === undefined && scale !== undefined && shared.has(scale)) continue;
    if (scale !== undefined) shared.add(scale);
    const length = axis === undefined ? 1 : (keptOf(weight, axis)?.length ?? packed.inputs[1]?.size ?? 0);
    sum += length * perIndex(packed);
  }
  return sum;
}

/** Zero points of int32 are no parameters, as they are 0. */
function perIndex({ inputs: [stored, scale, zero] }: Packed): number {
  if (!scale) return 0;
  return zero && stored?.type !== "int32" ? 2 : 1;
}
