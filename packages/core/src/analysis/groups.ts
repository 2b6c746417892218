/** Groups of units that cancel each other, grown greedily from pairs. */

import type { Evaluator } from "../measure/evaluator.ts";
import type { State } from "../measure/state.ts";
import { lowestPairs, oracleWithout } from "./pairs.ts";

export interface GrowthOptions {
  /** Most groups; default 4. */
  readonly groups?: number;
  /** Most units in a group; default 8. */
  readonly size?: number;
  /** Whether a set of units may go at all: some layer may have to keep one. Default: any may. */
  readonly admits?: (units: readonly number[]) => boolean;
}

/** A saving counts from this share of the strongest one (of a group: of its first pair's) on; less may be rounding. */
const LEAST_SHARE = 0.05;

export interface GrownGroup {
  /** In the order in which they joined. */
  readonly units: readonly number[];
  /** Cost of the first, the first two, ... all of them. */
  readonly path: readonly number[];
}

/** Cost of removing `chosen` and one more, by that one. */
export type JointCosts = (chosen: readonly number[], more: readonly number[]) => Promise<ReadonlyMap<number, number>>;

/** Joint costs by the oracle, at a state with the given error. `onMeasured` is told of every candidate evaluation. */
export function measuredJointCosts(
  evaluator: Evaluator,
  state: State,
  error: number,
  onMeasured: (evaluations: number) => void = () => {},
): JointCosts {
  return async (chosen, more) => {
    const oracle = oracleWithout(evaluator, state, chosen);
    const errors = await oracle.errorsWithout(more);
    onMeasured(oracle.evaluations);
    return new Map([...errors].map(([unit, without]) => [unit, without - error]));
  };
}

/**
 * Grows groups of units whose joint removal costs less than the sum of their own costs. The pair with the lowest
 * interaction starts a group; then the unit that lowers (joint cost - sum of own costs) most joins, while one does. Units
 * of a finished group are out of the next ones.
 *
 * `units[i]` costs `alone[i]` by itself and interacts with `units[j]` by `matrix[i][j]`.
 */
export async function growGroups(
  units: readonly number[],
  alone: readonly number[],
  matrix: readonly (readonly number[])[],
  jointCosts: JointCosts,
  { groups = 4, size = 8, admits = () => true }: GrowthOptions = {},
): Promise<GrownGroup[]> {
  const costOf = new Map(units.map((unit, i) => [unit, alone[i] as number]));
  const taken = new Set<number>();
  const grown: GrownGroup[] = [];
  const lowest = matrix.reduce((least, row) => row.reduce((a, b) => Math.min(a, b), least), 0);
  for (const [i, j] of lowestPairs(matrix, Number.POSITIVE_INFINITY, (value) => value < lowest * LEAST_SHARE)) {
    if (grown.length === groups) break;
    const chosen = [units[i] as number, units[j] as number];
    if (chosen.some((unit) => taken.has(unit)) || !admits(chosen)) continue;
    const [first, second] = [alone[i] as number, alone[j] as number];
    const saving = -((matrix[i] as readonly number[])[j] as number);
    const path = [first, first + second - saving];
    while (chosen.length < size) {
      const more = units.filter((unit) => !taken.has(unit) && !chosen.includes(unit) && admits([...chosen, unit]));
      const joint = path.at(-1) as number;
      let best: { unit: number; cost: number; gain: number } | undefined;
      for (const [unit, cost] of more.length > 0 ? await jointCosts(chosen, more) : []) {
        const gain = joint + (costOf.get(unit) as number) - cost;
        if (gain > (best?.gain ?? saving * LEAST_SHARE)) best = { unit, cost, gain };
      }
      if (!best) break;
      chosen.push(best.unit);
      path.push(best.cost);
    }
    for (const unit of chosen) taken.add(unit);
    grown.push({ units: chosen, path });
  }
  return grown;
}
