/** A run of choices, and which of two has the better end. */
import type { Bound } from "../compensate/bind.ts";
import type { Criterion } from "../criteria/criterion.ts";
import { stateOf } from "../measure/state.ts";
import { type Budget, hasGoal } from "./budget.ts";
import type { Chosen } from "./choose.ts";

/** What a run chose by a criterion. */
export interface Attempt {
  readonly criterion: Criterion;
  readonly bound: Bound;
  readonly chosen: Chosen;
}

/**
 * Both attempts, the better one first: that reaches the goal, with the lower error on the samples that nothing was fitted on;
 * without a goal the one with fewer multiply-accumulates left.
 */
export async function betterFirst(a: Attempt, b: Attempt, budget: Budget): Promise<[better: Attempt, other: Attempt]> {
  return (await isBetter(b, a, budget)) ? [b, a] : [a, b];
}

async function isBetter(one: Attempt, than: Attempt, budget: Budget): Promise<boolean> {
  const [a, b] = [one.chosen, than.chosen];
  if (a.reached !== b.reached) return a.reached;
  if (!hasGoal(budget)) return a.after.macs < b.after.macs;
  return (await unseenError(one)) < (await unseenError(than));
}

/** The mean error over the held-out samples and those that the repair judges its fits by. */
async function unseenError({ bound, chosen }: Attempt): Promise<number> {
  const { evaluator, heldOut, compensator } = bound;
  const { model } = stateOf(chosen.prunable, chosen.removed);
  const errors = [
    ...((await evaluator?.evaluate(model))?.errors.subarray(compensator?.fitSamples ?? 0) ?? []),
    ...((await heldOut?.evaluate(model))?.errors ?? []),
  ];
  return errors.reduce((sum, error) => sum + error, 0) / errors.length;
}
