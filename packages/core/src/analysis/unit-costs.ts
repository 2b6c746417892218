/** Each unit's measured cost beside its Taylor estimates, with the estimates' failure split. */
import { Activations } from "../measure/activations.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { State } from "../measure/state.ts";
import { taylorTerms } from "../measure/taylor.ts";
import type { UnitCost, UnitName } from "../results.ts";
import { groupOf, type Units } from "../units/units.ts";
import { curvaturesOf } from "./curvatures.ts";
import { splitFailure } from "./failure.ts";

/** Splits taylor2's failure on the given units of a state. `measured` holds their costs, by number over all groups. */
export async function unitCosts(
  evaluator: Evaluator,
  state: State,
  units: readonly number[],
  measured: ArrayLike<number>,
): Promise<UnitCost[]> {
  const { gradient, curvature } = await taylorTerms(evaluator, state, { second: true });
  const curvatures = await curvaturesOf(evaluator, new Activations(evaluator, state), units);
  return units.map((unit) =>
    splitFailure(nameOf(evaluator.prunable.units, unit), {
      measured: measured[unit] as number,
      gradient: gradient[unit] as number,
      curvature: curvature[unit] as number,
      exactCurvature: curvatures.get(unit) as number,
    }),
  );
}

/** A unit's name, from its number over all groups. */
export function nameOf(units: Units, unit: number): UnitName {
  const { id, first, layer } = groupOf(units, unit);
  return { group: id, unit: unit - first, layer };
}
