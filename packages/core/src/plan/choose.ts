/**
 * The loop of the paper: rank all units, remove the worst, repeat. `once` ranks a single time (Algorithm I), `rerank`
 * after each removal (Algorithm II); both over all groups together.
 */
import type { Criterion } from "../criteria/criterion.ts";
import { ShrinkError } from "../errors.ts";
import { Oracle } from "../measure/oracle.ts";
import { type State, stateOf, unitsLeft } from "../measure/state.ts";
import { qualityOf, type Subject } from "../measure/subject.ts";
import type { Quality, Removal } from "../results.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
import { sizeAfter } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import { groupOf } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import { type Budget, goalReached, hasGoal, limitBroken, type Progress } from "./budget.ts";
import { comparable, lowest } from "./rank.ts";
import { removable, type Selection, selectGroups } from "./select.ts";

export type Schedule = "once" | "rerank";

export interface ChooseOptions extends Selection {
  readonly criterion: Criterion;
  /** Default `rerank`. */
  readonly schedule?: Schedule;
  readonly budget?: Budget;
  /** Default 0. */
  readonly seed?: number;
  /** Held-out data whose quality is noted after each removal. Never used for a choice. */
  readonly test?: Subject | undefined;
  /** Whether the quality after each removal is measured where the budget does not need it; default true. */
  readonly trace?: boolean;
  readonly onProgress?: ((progress: ChooseProgress) => void) | undefined;
  /** Ends the run after the removal at hand when aborted. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

export interface ChooseProgress {
  readonly removed: number;
  /** How many removals there will be, as far as is known. */
  readonly expected: number;
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
  const { criterion, schedule = "rerank", budget = {}, seed = 0, test, minKeep = 1, trace = true } = options;
  const { units } = prunable;
  if (criterion.needsData && !subject) {
    throw new ShrinkError("data", `criterion ${criterion.name}: needs data, expected samples; give them with --data`);
  }
  const groups = selectGroups(units, options);
  const random = randomSource(seed);
  const removed: RemovedUnits = new Uint8Array(units.count);
  const rows: Removal[] = [];
  let state = stateOf(prunable, removed);
  const oracle = subject && new Oracle(subject, state);
  const measure =
    trace || budget.maxAccuracyDrop !== undefined || budget.maxErrorRise !== undefined || schedule === "rerank";
  const progressOf = async (of: State, count: number): Promise<Progress> => ({
    ...sizeAfter(prunable, of.removed),
    ...(subject && measure && (await qualityOf(subject, of.model))),
    removed: count,
  });
  const before = await progressOf(state, 0);
  let now = before;
  let scores: Float64Array | undefined;
  const finish = (stopped: string, reached: boolean): Chosen => ({
    removed,
    trace: rows,
    stopped,
    reached,
    evaluations: oracle?.evaluations ?? 0,
  });

  for (;;) {
    const goal = goalReached(budget, now, before, units.count);
    if (goal !== undefined) return finish(goal, true);
    if (options.signal?.aborted) return finish("interrupted", false);
    const candidates = removable(groups, removed, minKeep);
    if (candidates.length === 0) {
      const rest = units.count - now.removed;
      return finish(`no more removable units: ${rest} stay by the limits on names and group sizes`, !hasGoal(budget));
    }
    if (!scores || schedule === "rerank") {
      const left = schedule === "rerank" ? candidates : unitsLeft(units, removed);
      const context = { prunable, state, left, subject, error: now.error ?? Number.NaN, oracle, random };
      scores = await criterion.score(context);
    }
    const ranked = comparable(criterion, scores, groups, candidates);
    const unit = lowest(ranked, candidates);
    removed[unit] = 1;
    const next = stateOf(prunable, removed);
    const after = await progressOf(next, now.removed + 1);
    const broken = limitBroken(budget, after, before);
    if (broken !== undefined) {
      removed[unit] = 0;
      return finish(broken, !hasGoal(budget));
    }
    const group = groupOf(units, unit);
    const score = scores[unit] as number;
    rows.push({
      step: after.removed,
      group: group.id,
      unit: unit - group.first,
      layer: group.layer,
      score,
      ...(criterion.inErrorUnits && criterion.needsData && { predicted: score }),
      error: after.error ?? Number.NaN,
      ...(after.accuracy !== undefined && { accuracy: after.accuracy }),
      ...(test && { test: await qualityOf(test, next.model) }),
      parameters: after.parameters,
      macs: after.macs,
    });
    state = next;
    now = after;
    oracle?.advance(state);
    options.onProgress?.({ removed: now.removed, expected: expectedRemovals(budget, units.count), quality: now });
  }
}

function expectedRemovals({ remove }: Budget, units: number): number {
  if (!remove) return units;
  return "share" in remove ? Math.round(remove.share * units) : Math.min(units, remove.count);
}
