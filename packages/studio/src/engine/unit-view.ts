/** Everything there is to see of one unit. */
import {
  Activations,
  type Evaluator,
  type Group,
  gainCurves,
  Oracle,
  stateOf,
  type Tensor,
  taylorTerms,
  unitsLeft,
} from "@shrinknet/core";
import type { Picture, UnitName, UnitView } from "../backend/backend.ts";
import { weightsOf } from "./picture.ts";

const GAINS = Array.from({ length: 41 }, (_, at) => at / 20); // 0 to 2
const EXCITING = 8;

/** All but the drawing. `costs`: of all units, by number. */
export async function unitView(
  evaluator: Evaluator,
  { group: id, unit }: UnitName,
  costs: Float64Array,
  picture: Picture | undefined,
): Promise<Omit<UnitView, "chart">> {
  const { prunable } = evaluator;
  const group = prunable.units.groups.find((one) => one.id === id);
  if (!group || unit >= group.size) throw new RangeError(`unit ${id}:${unit}: is not in this model`);
  const number = group.first + unit;
  const [curve] = await gainCurves(evaluator, { units: [number], gains: GAINS });
  const state = stateOf(prunable, new Uint8Array(prunable.units.count));
  const { gradient, curvature } = await taylorTerms(evaluator, state, { second: true });
  const slope = gradient[number] as number;
  const weights = weightsOf(prunable, group, unit, picture);
  const partner = await partnerOf(evaluator, number, costs);
  return {
    group: id,
    unit,
    layer: group.layer,
    cost: costs[number] as number,
    taylor1: -slope,
    taylor2: -slope + (curvature[number] as number) / 2,
    curve: curve as UnitView["curve"],
    ...(weights && { weights }),
    exciting: await excitingSamples(evaluator, group, unit),
    ...(partner && { partner }),
  };
}

/** The unit whose removal together with this one costs least beyond what both cost alone. */
async function partnerOf(evaluator: Evaluator, unit: number, costs: Float64Array): Promise<UnitView["partner"]> {
  const { prunable } = evaluator;
  const gone = new Uint8Array(prunable.units.count);
  gone[unit] = 1;
  const others = unitsLeft(prunable.units, gone).filter((other) => other !== unit);
  if (others.length === 0) return undefined;
  const intact = (await evaluator.evaluate()).quality.error;
  const oracle = new Oracle(evaluator, new Activations(evaluator, stateOf(prunable, gone)));
  const errors = await oracle.errorsWithout(others);
  const interaction = (other: number): number => (errors.get(other) as number) - intact - (costs[other] as number);
  const best = others.reduce((a, b) => (interaction(b) < interaction(a) ? b : a));
  const group = prunable.units.groups.findLast(({ first }) => first <= best) as Group;
  return {
    group: group.id,
    unit: best - group.first,
    alone: costs[best] as number,
    together: (errors.get(best) as number) - intact,
  };
}

/** The samples where the unit's output is largest anywhere. */
async function excitingSamples(evaluator: Evaluator, group: Group, unit: number): Promise<UnitView["exciting"]> {
  const { prunable, chunks } = evaluator;
  const place =
    group.places.find(({ use, value }) => !use && value === group.sinks[0]?.value) ??
    group.places.find(({ use, value }) => !use && prunable.shapes.get(value)?.batchAxis === 0);
  if (!place || prunable.shapes.get(place.value)?.batchAxis !== 0 || place.axis === 0) return [];
  const index = place.owners.indexOf(group.first + unit);
  const activations = new Activations(evaluator, stateOf(prunable, new Uint8Array(prunable.units.count)));
  await activations.keep([place.value]);
  const found = chunks.flatMap(({ from, to }, chunk) => {
    const tensor = activations.get(chunk, place.value);
    return Array.from({ length: to - from }, (_, n) => ({
      sample: from + n,
      activation: strongest(tensor, n, place.axis, index),
    }));
  });
  return found.sort((a, b) => b.activation - a.activation).slice(0, EXCITING);
}

/** The largest value of sample n at an index along an axis. */
function strongest({ numbers, dims }: Tensor, n: number, axis: number, index: number): number {
  const after = dims.slice(axis + 1).reduce((product, dim) => product * dim, 1);
  const own = dims[axis] as number;
  const before = dims.slice(1, axis).reduce((product, dim) => product * dim, 1);
  let most = Number.NEGATIVE_INFINITY;
  for (let b = 0; b < before; b++)
    for (let a = 0; a < after; a++)
      most = Math.max(most, numbers[((n * before + b) * own + index) * after + a] as number);
  return most;
}
