/**
 * Pairs of units: what removals of single units cannot see.
 *
 * The error without i and j, for all j, is one sweep of the oracle over the network that has lost i.
 */
import { Activations } from "../measure/activations.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { Oracle } from "../measure/oracle.ts";
import { type State, stateOf } from "../measure/state.ts";

/** The network with some units gone, ready to be asked what one more would cost. */
export function oracleWithout(evaluator: Evaluator, { removed }: State, units: readonly number[]): Oracle {
  const gone = removed.slice();
  for (const unit of units) gone[unit] = 1;
  return new Oracle(evaluator, new Activations(evaluator, stateOf(evaluator.prunable, gone)));
}

export interface PairCosts {
  /** costs[i][j]: change of the error when units[i] and units[j] both go; on the diagonal that of units[i] alone. */
  readonly costs: readonly (readonly number[])[];
  /** Candidate evaluations. */
  readonly evaluations: number;
}

/**
 * Measures all pairs of `units` at a state with the given error. `alone` is the cost of each unit, by number over all
 * groups.
 */
export async function measurePairs(
  evaluator: Evaluator,
  state: State,
  error: number,
  units: readonly number[],
  alone: ArrayLike<number>,
  onProgress?: (share: number) => void,
): Promise<PairCosts> {
  const costs = units.map((unit, i) => units.map((_, j) => (i === j ? (alone[unit] as number) : 0)));
  let evaluations = 0;
  for (const [i, unit] of units.entries()) {
    const others = units.slice(i + 1);
    if (others.length === 0) break;
    const oracle = oracleWithout(evaluator, state, [unit]);
    const errors = await oracle.errorsWithout(others);
    others.forEach((other, at) => {
      const cost = (errors.get(other) as number) - error;
      (costs[i] as number[])[i + 1 + at] = cost;
      (costs[i + 1 + at] as number[])[i] = cost;
    });
    evaluations += oracle.evaluations;
    onProgress?.(evaluations / ((units.length * (units.length - 1)) / 2));
  }
  return { costs, evaluations };
}

/** I(i, j) = E(without i and j) - E(without i) - E(without j) + E, from pair costs; 0 on the diagonal. */
export function interactionMatrix(costs: readonly (readonly number[])[]): number[][] {
  const own = costs.map((row, i) => row[i] as number);
  return costs.map((row, i) => row.map((cost, j) => (i === j ? 0 : cost - (own[i] as number) - (own[j] as number))));
}

/** Index pairs i < j in ascending order of their value, at most `count`, and only those that `admit`s. */
export function lowestPairs(
  matrix: readonly (readonly number[])[],
  count: number,
  admit: (value: number) => boolean = () => true,
): [i: number, j: number][] {
  const pairs = matrix.flatMap((row, i) =>
    row.flatMap((value, j) => (i < j && admit(value) ? [{ value, pair: [i, j] as [number, number] }] : [])),
  );
  return pairs
    .sort((a, b) => a.value - b.value)
    .slice(0, count)
    .map(({ pair }) => pair);
}

/** For each index the other with the lowest value; of equals the first. */
export function bestPartners(matrix: readonly (readonly number[])[]): number[] {
  return matrix.map((row, i) => {
    let best = i === 0 ? 1 : 0;
    row.forEach((value, j) => {
      if (j !== i && value < (row[best] as number)) best = j;
    });
    return best;
  });
}

/**
 * The units to pair: all of them where they are at most `most`, else half of that many from the least costly and half from
 * the most costly. `ranking` holds units from the least to the most costly.
 */
export function unitsToPair(ranking: readonly number[], most: number): { units: number[]; chosen: string } {
  if (ranking.length <= most) return { units: [...ranking], chosen: "all" };
  const half = Math.floor(most / 2);
  return {
    units: [...ranking.slice(0, half), ...ranking.slice(-half)],
    chosen: `the ${half} least and the ${half} most costly`,
  };
}
