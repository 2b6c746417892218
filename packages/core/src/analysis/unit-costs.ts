/** Each unit's measured cost beside its Taylor estimates, with the estimates' failure split. */
import { Activations } from "../measure/activations.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { taylorTerms } from "../measure/taylor.ts";
import type { UnitCost, UnitName } from "../results.ts";
import { groupOf, type Units } from "../units/units.ts";
import { bendsOf } from "./bends.ts";
import { splitFailure } from "./failure.ts";

/** Splits taylor2's failure on the given units of a state. `measured` holds their costs, by number over all groups. */
export async function unitCosts(
  subject: Subject,
  state: State,
  units: readonly number[],
  measured: ArrayLike<number>,
): Promise<UnitCost[]> {
  const { slope, bend } = await taylorTerms(subject, state, true);
  const bends = await bendsOf(subject, new Activations(subject, state), units);
  return units.map((unit) =>
    splitFailure(nameOf(subject.prunable.units, unit), {
      measured: measured[unit] as number,
      slope: slope[unit] as number,
      bend: bend[unit] as number,
      exactBend: bends.get(unit) as number,
    }),
  );
}

/** A unit's name, from its number over all groups. */
export function nameOf(units: Units, unit: number): UnitName {
  const { id, first, layer } = groupOf(units, unit);
  return { group: id, unit: unit - first, layer };
}
