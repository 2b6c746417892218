/** The interactions of a network's units at one stage: pairs, partners and groups, measured and put into words. */
import type { ScoringContext } from "../criteria/criterion.ts";
import { evaluatorIn } from "../criteria/criterion.ts";
import type { Interactions, Partnership, UnitCost, UnitPair } from "../results.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { growGroups, measuredJointCosts } from "./groups.ts";
import { bestPartners, interactionMatrix, lowestPairs, measurePairs, unitsToPair } from "./pairs.ts";
import { order } from "./rank-agreement.ts";
import { nameOf, unitCosts } from "./unit-costs.ts";

/** Pairs listed of each kind. */
const LISTED = 20;

export interface InteractionOptions {
  /** Most units to pair. */
  readonly most: number;
  /** Units that stay in every group. */
  readonly minKeep: number;
  readonly onProgress: (share: number) => void;
}

/**
 * Measures the pairs among the units that are left; undefined where there are fewer than two. `alone` holds the cost of
 * each by number over all groups, `known` failures that have been split already.
 */
export async function interactionsOf(
  context: ScoringContext,
  alone: Float64Array,
  known: readonly UnitCost[],
  { most, minKeep, onProgress }: InteractionOptions,
): Promise<{ interactions: Interactions; evaluations: number } | undefined> {
  const { state, left } = context;
  const error = await context.error();
  const evaluator = evaluatorIn(context);
  const { units } = evaluator.prunable;
  if (left.length < 2) return undefined;
  const ranking = order(left.map((unit) => alone[unit] as number)).map((at) => left[at] as number);
  const { units: paired, chosen } = unitsToPair(ranking, most);
  const byGroup = units.groups.flatMap(({ first, size }) =>
    paired.filter((unit) => unit >= first && unit < first + size),
  );
  const pairs = await measurePairs(evaluator, state, error, byGroup, alone, onProgress);
  const matrix = interactionMatrix(pairs.costs);
  const own = byGroup.map((unit) => alone[unit] as number);
  let jointEvaluations = 0;
  const count = (evaluations: number): void => {
    jointEvaluations += evaluations;
  };
  const grown = await growGroups(byGroup, own, matrix, measuredJointCosts(evaluator, state, error, count), {
    admits: (gone) => keepsEnough(context, gone, minKeep),
  });

  const name = (at: number): ReturnType<typeof nameOf> => nameOf(units, byGroup[at] as number);
  const valueAt = (list: readonly (readonly number[])[], i: number, j: number): number => list[i]?.[j] as number;
  const pair = ([i, j]: [number, number]): UnitPair => ({
    a: name(i),
    b: name(j),
    costA: own[i] as number,
    costB: own[j] as number,
    cost: valueAt(pairs.costs, i, j),
    interaction: valueAt(matrix, i, j),
  });
  const negated = matrix.map((row) => row.map((value) => -value));
  const partners = bestPartners(matrix).map((j, i): Partnership => {
    const [cost, partnerCost, pairCost] = [own[i] as number, own[j] as number, valueAt(pairs.costs, i, j)];
    return { ...name(i), cost, partner: name(j), partnerCost, pairCost, after: pairCost - partnerCost };
  });
  return {
    evaluations: pairs.evaluations + jointEvaluations,
    interactions: {
      units: byGroup.map((_, i) => ({ ...name(i), cost: own[i] as number })),
      of: left.length,
      chosen,
      matrix,
      cancelling: lowestPairs(matrix, LISTED, (value) => value < 0).map(pair),
      covering: lowestPairs(negated, LISTED, (value) => value < 0).map(pair),
      partners: partners.sort((a, b) => b.cost - a.cost),
      groups: grown.map(({ units: own, path }) => ({
        units: own.map((unit) => nameOf(units, unit)),
        joint: path.at(-1) as number,
        parts: own.reduce((sum, unit) => sum + (alone[unit] as number), 0),
        path,
      })),
      failure: pairFailure(await splitsOf(), matrix),
    },
  };

  /** The failures of the paired units, in their order. */
  async function splitsOf(): Promise<UnitCost[]> {
    const find = (unit: number): UnitCost | undefined => {
      const { group, unit: index } = nameOf(units, unit);
      return known.find((cost) => cost.group === group && cost.unit === index);
    };
    const found = byGroup.map(find).filter((cost) => cost !== undefined);
    return found.length === byGroup.length ? found : unitCosts(evaluator, state, byGroup, alone);
  }
}

/** Mean sizes over all pairs of what two taylor2 estimates added up get wrong. */
function pairFailure(splits: readonly UnitCost[], matrix: readonly (readonly number[])[]): Interactions["failure"] {
  let [truncation, diagonal, interaction, pairs] = [0, 0, 0, 0];
  splits.forEach((a, i) => {
    splits.slice(i + 1).forEach((b, after) => {
      truncation += Math.abs(a.truncation + b.truncation);
      diagonal += Math.abs(a.diagonal + b.diagonal);
      interaction += Math.abs(matrix[i]?.[i + 1 + after] as number);
      pairs++;
    });
  });
  return { truncation: truncation / pairs, diagonal: diagonal / pairs, interaction: interaction / pairs };
}

/** Whether every group keeps `minKeep` units when these go. */
function keepsEnough({ prunable, state }: ScoringContext, gone: readonly number[], minKeep: number): boolean {
  const removed: RemovedUnits = state.removed.slice();
  for (const unit of gone) removed[unit] = 1;
  return prunable.units.groups.every(({ first, size }) => {
    const lost = removed.subarray(first, first + size).reduce((sum, one) => sum + one, 0);
    return lost === 0 || size - lost >= minKeep;
  });
}
