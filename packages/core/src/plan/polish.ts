/**
 * Polish: after the loop, units change places while the measured error falls. A trial puts a removed unit back and lets the
 * criterion choose another one of its group (a step of floating search; Pudil, Novovicova and Kittler 1994). The network
 * without that one is measured, repaired as the run repairs it. Widths stay as they are, and with them every size; a swap
 * that a limit of the budget forbids is not made.
 */
import type { Compensator } from "../compensate/compensator.ts";
import type { Criterion } from "../criteria/criterion.ts";
import type { Oracle } from "../measure/oracle.ts";
import { unitsLeft } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import type { Polish } from "../results.ts";
import { groupOf } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import type { Progress } from "./budget.ts";
import { Ranking } from "./rank.ts";
import { FEWEST, shareOfTrials } from "./trace-every.ts";
import type { Trail } from "./trail.ts";

/** By how much the error must fall, relative to itself, for a swap to be more than rounding. */
const ROUNDING = 1e-6;

export interface PolishContext {
  readonly subject: Subject;
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
 * Swaps units of the trail's present stage, which is measured, until every removed unit has been tried since the last swap, or
 * as many trials are made as a run can afford ({@link shareOfTrials}). Leaves the trail at the best stage, measured.
 */
export async function polish(trail: Trail, context: PolishContext): Promise<Polish> {
  const { subject, oracle, criterion, compensator, permits, onTrial, signal } = context;
  const { prunable, data } = subject;
  /** Scores are measured errors: where the unit that came back is the best one to go, no other has to be tried. */
  const isMeasured = criterion.certificate === "exact" && !compensator;
  const random = randomSource(context.seed);
  const errorBefore = trail.now.error as number;
  let best = errorBefore;
  let { removed } = trail.state;
  const queue = [...removed.keys()].filter((unit) => removed[unit]);
  let [trials, swaps, idle] = [0, 0, 0];
  const macs = oracle.macs;
  const share = (): number =>
    shareOfTrials(prunable, data.size, trials, { repair: compensator?.macs ?? 0, candidates: oracle.macs - macs });
  while (idle < queue.length && (trials < FEWEST || share() < 1) && !signal?.aborted) {
    const back = queue.shift() as number;
    const out = await swapFor(back);
    trials++;
    idle = out === undefined ? idle + 1 : 0;
    queue.push(out ?? back);
    if (out !== undefined) {
      swaps++;
      removed = trail.state.removed;
      best = trail.now.error as number;
      trail.noteSwap(back, out);
    }
    onTrial?.({ trials, swaps });
  }
  if (trail.state.removed !== removed) {
    await trail.visit(removed);
    await trail.look();
  }
  return { trials, swaps, errorBefore, errorAfter: trail.now.error as number, settled: idle >= queue.length };

  /** The unit that should go in place of one that is removed; the trail is then at that stage. Undefined: none. */
  async function swapFor(back: number): Promise<number | undefined> {
    const trial = removed.slice();
    trial[back] = 0;
    await trail.visit(trial);
    const group = groupOf(prunable.units, back);
    const left = unitsLeft(prunable.units, trial).filter((unit) => groupOf(prunable.units, unit) === group);
    const scores = await criterion.score({
      prunable,
      state: trail.state,
      left,
      subject,
      error: async () => (await trail.look()).error as number,
      oracle,
      compensator,
      onlyBest: isMeasured,
      random,
    });
    const others = left.filter((unit) => unit !== back);
    const [out] = new Ranking(criterion, scores).worst([{ group, units: isMeasured ? left : others }]);
    if (out === undefined || out === back) return undefined;
    trial[out] = 1;
    await trail.visit(trial);
    const stage = await trail.look();
    return (stage.error as number) < best - ROUNDING * Math.abs(best) && permits(stage) ? out : undefined;
  }
}
