/** How often a run can afford to measure how good the network still is. */

import { sizeAfter } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Budget, removalGoal } from "./budget.ts";

/** Multiply-accumulates that all passes of a run may take together: some ten seconds. */
const AFFORDABLE_MACS = 5e11;
/** Measured stages that a run has in any case, as far as its length is known; and trials of its polish. */
export const FEWEST = 10;

/** Multiply-accumulates that all repairs of a run may take together where they are made for the trace alone: some seconds. */
const AFFORDABLE_REPAIRS = 2e10;

/**
 * After how many removals to measure: 1 where a pass for each is cheap. Counted, so the same on every machine. `repair`:
 * multiply-accumulates of the repair that comes with a measured stage; undefined: there is none.
 */
export function affordableTrace(prunable: Prunable, samples: number, budget: Budget, repair?: number): number {
  const { count } = prunable.units;
  const { macs } = sizeAfter(prunable, new Uint8Array(count));
  const share = 1 - Math.min(budget.targetMacs ?? 1, budget.targetParams ?? 1); // roughly that of the units to go
  const removals = Math.min(removalGoal(budget, count) ?? (share > 0 ? share * count : count), count);
  const affordable = AFFORDABLE_MACS / Math.max(1, macs * samples);
  const passes =
    repair === undefined
      ? Math.max(FEWEST, affordable)
      : Math.max(1, Math.min(affordable, AFFORDABLE_REPAIRS / Math.max(1, repair)));
  return Math.max(1, Math.ceil(removals / passes));
}

/**
 * How much of what a run can afford some trials of its polish take; 1 is all of it. Counted, so the same on every machine.
 * A trial is two passes over the data and two repairs, and what the oracle has run for it (`candidates`, in
 * multiply-accumulates of all trials).
 */
export function shareOfTrials(
  prunable: Prunable,
  samples: number,
  trials: number,
  { repair, candidates }: { readonly repair: number; readonly candidates: number },
): number {
  const { macs } = sizeAfter(prunable, new Uint8Array(prunable.units.count));
  return (2 * trials * macs * samples + candidates) / AFFORDABLE_MACS + (2 * trials * repair) / AFFORDABLE_REPAIRS;
}
