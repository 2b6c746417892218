/**
 * The loop of the paper: rank all units, remove the worst, repeat. `once` ranks a single time (Algorithm I), `rerank`
 * after each removal (Algorithm II); both over all groups together.
 */
import type { Criterion } from "../criteria/criterion.ts";
import { ShrinkError } from "../errors.ts";
import { Oracle } from "../measure/oracle.ts";
import { unitsLeft } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import type { Quality, Removal } from "../results.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
import type { Prunable } from "../units/prepare.ts";
import { groupOf } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import { type Budget, goalReached, hasGoal, limitBroken, type Progress, removalGoal } from "./budget.ts";
import { comparable, lowest } from "./rank.ts";
import { removable, type Selection, selectGroups } from "./select.ts";
import { affordableTrace } from "./trace-every.ts";
import { Trail } from "./trail.ts";

export type Schedule = "once" | "rerank";

export interface ChooseOptions extends Selection {
  readonly criterion: Criterion;
  /** Default `rerank`. */
  readonly schedule?: Schedule;
  readonly budget?: Budget;
  /** Default 0. */
  readonly seed?: number;
  /** Held-out data whose quality is noted where that of the calibration data is. Never used for a choice. */
  readonly test?: Subject | undefined;
  /**
   * Error and accuracy are noted after every so many removals, at the end, and where the criterion needs the error;
   * default: after each where that is cheap, see {@link affordableTrace}. Limits of the budget hold at every removal
   * before the one that is reported to break them.
   */
  readonly traceEvery?: number | undefined;
  readonly onProgress?: ((progress: ChooseProgress) => void) | undefined;
  /** Ends the run after the removal at hand when aborted. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

export interface ChooseProgress {
  readonly removed: number;
  /** How many removals there will be: as asked, or by how far its goals are by now; at most. */
  readonly expected: number;
  /** Removable units of the intact model. */
  readonly units: number;
  /** At the stage at hand, where it is measured. */
  readonly quality: Partial<Quality>;
}

export interface Chosen {
  readonly removed: RemovedUnits;
  readonly trace: readonly Removal[];
  /** Why it stopped, in words. */
  readonly stopped: string;
  /** Whether a goal that was set has been reached. */
  readonly reached: boolean;
  /** Candidate evaluations by the oracle. */
  readonly evaluations: number;
}

/** Chooses units to remove until the budget stops it. */
export async function choose(
  prunable: Prunable,
  subject: Subject | undefined,
  options: ChooseOptions,
): Promise<Chosen> {
  const { criterion, test } = options;
  if (criterion.needsData && !subject) {
    throw new ShrinkError("data", `criterion ${criterion.name}: needs data, expected samples; give them with --data`);
  }
  const trail = await Trail.start(prunable, subject, test);
  try {
    return await removeWorst(prunable, subject, trail, options);
  } finally {
    await trail.release();
  }
}

async function removeWorst(
  prunable: Prunable,
  subject: Subject | undefined,
  trail: Trail,
  options: ChooseOptions,
): Promise<Chosen> {
  const { criterion, schedule = "rerank", budget = {}, seed = 0, minKeep = 1 } = options;
  const { units } = prunable;
  const groups = selectGroups(units, options);
  const random = randomSource(seed);
  const { meter, before } = trail;
  const oracle = subject && meter && new Oracle(subject, meter.activations, { suffix: meter.suffix });
  const every = options.traceEvery ?? (subject ? affordableTrace(prunable, subject.data.size, budget) : 1);
  const whyNot = (stage: Progress): string | undefined => limitBroken(budget, stage, before);
  const isTooFar = (): boolean => trail.isMeasured && whyNot(trail.now) !== undefined;
  let scores: Float64Array | undefined;
  let counted = { evaluations: 0, macs: 0 }; // what earlier choices took

  for (;;) {
    if (trail.sinceMeasured >= every) await trail.measure();
    if (isTooFar()) return finish({ stopped: await trail.retreat(whyNot), reached: !hasGoal(budget) });
    const { now, state } = trail;
    if (now.removed > 0) {
      const expected = expectedRemovals(budget, now, before, units.count);
      options.onProgress?.({ removed: now.removed, expected, units: units.count, quality: now });
    }
    const candidates = removable(groups, state.removed, minKeep);
    const end = endOf(now, candidates);
    if (end) {
      await trail.measure();
      if (isTooFar()) continue;
      return finish(end);
    }
    if (!scores || schedule === "rerank") {
      const left = schedule === "rerank" ? candidates : unitsLeft(units, state.removed);
      scores = await criterion.score({
        prunable,
        state,
        left,
        subject,
        error: async () => (await trail.measure()).error ?? Number.NaN,
        oracle,
        onlyBest: schedule === "rerank",
        random,
      });
      if (isTooFar()) continue;
    }
    const spent = { evaluations: oracle?.evaluations ?? 0, macs: oracle?.macs ?? 0 };
    const unit = lowest(comparable(criterion, scores, groups, candidates), candidates);
    const group = groupOf(units, unit);
    const score = scores[unit] as number;
    trail.remove(unit, {
      group: group.id,
      unit: unit - group.first,
      layer: group.layer,
      score,
      ...(criterion.inErrorUnits && criterion.needsData && { predicted: score }),
      certificate: schedule === "rerank" ? (criterion.certificate ?? "heuristic") : "heuristic",
      evaluations: spent.evaluations - counted.evaluations,
      work: (spent.macs - counted.macs) / (subject?.data.size ?? 1),
      candidates: schedule === "rerank" || now.removed === 0 ? candidates.length : 0,
    });
    counted = spent;
  }

  /** Why the run is done at this stage; undefined: it goes on. */
  function endOf(now: Progress, candidates: readonly number[]): { stopped: string; reached: boolean } | undefined {
    const goal = goalReached(budget, now, before, units.count);
    if (goal !== undefined) return { stopped: goal, reached: true };
    if (options.signal?.aborted) return { stopped: "interrupted", reached: false };
    if (candidates.length > 0) return undefined;
    const rest = units.count - now.removed;
    const stopped = `no more removable units: ${rest} stay by the limits on names and group sizes`;
    return { stopped, reached: !hasGoal(budget) };
  }

  function finish(end: { stopped: string; reached: boolean }): Chosen {
    return { removed: trail.state.removed, trace: trail.rows, ...end, evaluations: oracle?.evaluations ?? 0 };
  }
}

/** Removals until the first goal is reached, if they go on as they have so far; all units where there is no goal. */
function expectedRemovals(budget: Budget, now: Progress, before: Progress, units: number): number {
  const share = (of: "macs" | "parameters", target: number | undefined): number =>
    target === undefined ? 0 : (before[of] - now[of]) / ((1 - target) * before[of]);
  const done = Math.max(share("macs", budget.targetMacs), share("parameters", budget.targetParams));
  const byTargets = done > 0 ? Math.max(now.removed, Math.round(now.removed / done)) : units;
  return Math.min(removalGoal(budget, units) ?? units, byTargets, units);
}
