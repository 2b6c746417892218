/**
 * Polish: after the loop, units change places while the measured error falls. A trial puts a removed unit back and lets the
 * criterion choose another one of its group (a step of floating search; Pudil, Novovicova and Kittler 1994). The network
 * without that one is measured, repaired as the run repairs it. Widths stay as they are, and with them every size; a swap
 * that a limit of the budget forbids is not made.
 */
import type { Compensator } from "../compensate/compensator.ts";
import type { Criterion } from "../criteria/criterion.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { Oracle } from "../measure/oracle.ts";
import { unitsLeft } from "../measure/state.ts";
import type { Polish } from "../results.ts";
import { groupOf } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import type { Progress } from "./budget.ts";
import type { PruningHistory } from "./history.ts";
import { Ranking } from "./rank.ts";
import { FEWEST, shareOfTrials } from "./trace-every.ts";

/** By how much the error must fall, relative to itself, for a swap to be more than rounding. */
const ROUNDING = 1e-6;

export interface PolishContext {
  readonly evaluator: Evaluator;
  readonly oracle: Oracle;
  readonly criterion: Criterion;
  readonly compensator: Compensator | undefined;
  readonly seed: number;
  /** Whether a stage keeps the limits of the budget. */
  permits(stage: Progress): boolean;
  readonly onTrial?: (done: Pick<Polish, "trials" | "swaps">) => void;
  readonly signal?: { readonly aborted: boolean } | undefined;
}

/**
 * Swaps units of the history's present stage, which is measured, until every removed unit has been tried since the last swap, or
 * as many trials are made as a run can afford ({@link shareOfTrials}). Leaves the history at the best stage, measured.
 */
export async function polish(history: PruningHistory, context: PolishContext): Promise<Polish> {
  const { evaluator, oracle, criterion, compensator, permits, onTrial, signal } = context;
  const { prunable, samples } = evaluator;
  /** Scores are measured errors: where the unit that came back is the best one to go, no other has to be tried. */
  const isMeasured = criterion.certificate === "exact" && !compensator;
  const random = randomSource(context.seed);
  const errorBefore = history.now.error as number;
  let best = errorBefore;
  let { removed } = history.state;
  const queue = [...removed.keys()].filter((unit) => removed[unit]);
  let [trials, swaps, idle] = [0, 0, 0];
  const macs = oracle.macs;
  const share = (): number =>
    shareOfTrials(prunable, samples.size, trials, { repair: compensator?.macs ?? 0, candidates: oracle.macs - macs });
  while (idle < queue.length && (trials < FEWEST || share() < 1) && !signal?.aborted) {
    const back = queue.shift() as number;
    const out = await swapFor(back);
    trials++;
    idle = out === undefined ? idle + 1 : 0;
    queue.push(out ?? back);
    if (out !== undefined) {
      swaps++;
      removed = history.state.removed;
      best = history.now.error as number;
      history.noteSwap(back, out);
    }
    onTrial?.({ trials, swaps });
  }
  if (history.state.removed !== removed) {
    await history.visit(removed);
    await history.look();
  }
  return { trials, swaps, errorBefore, errorAfter: history.now.error as number, settled: idle >= queue.length };

  /** The unit that should go in place of one that is removed; the history is then at that stage. Undefined: none. */
  async function swapFor(back: number): Promise<number | undefined> {
    const trial = removed.slice();
    trial[back] = 0;
    await history.visit(trial);
    const group = groupOf(prunable.units, back);
    const left = unitsLeft(prunable.units, trial).filter((unit) => groupOf(prunable.units, unit) === group);
    const scores = await criterion.score({
      prunable,
      state: history.state,
      left,
      evaluator,
      error: async () => (await history.look()).error as number,
      oracle,
      compensator,
      onlyBest: isMeasured,
      random,
    });
    const others = left.filter((unit) => unit !== back);
    const { units } = await new Ranking(criterion, scores).worst([{ group, units: isMeasured ? left : others }]);
    const [out] = units;
    if (out === undefined || out === back) return undefined;
    trial[out] = 1;
    await history.visit(trial);
    const stage = await history.look();
    return (stage.error as number) < best - ROUNDING * Math.abs(best) && permits(stage) ? out : undefined;
  }
}
