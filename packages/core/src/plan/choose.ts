/**
 * The loop of the paper: rank all units, remove the worst, repeat. `once` ranks a single time (Algorithm I), `rerank`
 * after each removal (Algorithm II); both over all groups together.
 */
import type { Compensator } from "../compensate/compensator.ts";
import type { Criterion } from "../criteria/criterion.ts";
import { ShrinkError } from "../errors.ts";
import { Oracle } from "../measure/oracle.ts";
import { QualityMeter } from "../measure/quality.ts";
import { stateOf, unitsLeft } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import type { Quality, Removal } from "../results.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
import { sizeAfter } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import { groupOf } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import { type Budget, goalReached, hasGoal, limitBroken, type Progress, removalGoal } from "./budget.ts";
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
  /** What makes up for removals; without it consumers stay as they are. */
  readonly compensator?: Compensator | undefined;
  /** Held-out data whose quality is noted after each removal. Never used for a choice. */
  readonly test?: Subject | undefined;
  readonly onProgress?: ((progress: ChooseProgress) => void) | undefined;
  /** Ends the run after the removal at hand when aborted. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

export interface ChooseProgress {
  readonly removed: number;
  /** How many removals there will be, as far as is known. */
  readonly expected: number;
  /** Removable units of the intact model. */
  readonly units: number;
  readonly quality: Partial<Quality>;
}

export interface Chosen {
  readonly removed: RemovedUnits;
  /** The model, not cut, with the weights that compensation has left. */
  readonly prunable: Prunable;
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
  const intact = stateOf(prunable, new Uint8Array(prunable.units.count));
  const loops = options.compensator === undefined;
  const meter = subject && (await QualityMeter.of(subject, intact, loops));
  const testMeter = test && (await QualityMeter.of(test, intact, loops));
  try {
    return await removeWorst(prunable, subject, { ...options, meter, testMeter });
  } finally {
    await meter?.release();
    await testMeter?.release();
  }
}

interface Meters {
  readonly meter: QualityMeter | undefined;
  readonly testMeter: QualityMeter | undefined;
}

async function removeWorst(
  prunable: Prunable,
  subject: Subject | undefined,
  options: ChooseOptions & Meters,
): Promise<Chosen> {
  const { criterion, schedule = "rerank", budget = {}, seed = 0, minKeep = 1, meter, testMeter, compensator } = options;
  const { units } = prunable;
  const groups = selectGroups(units, options);
  const random = randomSource(seed);
  const removed: RemovedUnits = new Uint8Array(units.count);
  const trace: Removal[] = [];
  const oracle =
    subject && meter && new Oracle(subject, meter.activations, { suffix: meter.suffix, loops: !compensator });
  const expected = Math.min(removalGoal(budget, units.count) ?? units.count, units.count);
  const measure = async (count: number): Promise<Progress> => ({
    ...sizeAfter(compensator?.written ?? prunable, removed),
    ...(await meter?.measure()),
    removed: count,
  });
  let state = stateOf(prunable, removed);
  const advance = async (): Promise<void> => {
    const fitted = compensator && meter ? await compensator.repair(meter.activations, removed) : [];
    state = stateOf(compensator?.prunable ?? prunable, removed);
    meter?.activations.advance(state, fitted);
    testMeter?.activations.advance(state, fitted);
  };
  const finish = (stopped: string, reached: boolean): Chosen => {
    const written = compensator?.written ?? prunable;
    return { removed, prunable: written, trace, stopped, reached, evaluations: oracle?.evaluations ?? 0 };
  };
  const before = await measure(0);
  let now = before;
  let scores: Float64Array | undefined;
  let counted = 0; // evaluations that earlier choices took

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
      scores = await criterion.score({
        prunable,
        state,
        left,
        subject,
        error: now.error ?? Number.NaN,
        oracle,
        compensator,
        onlyBest: schedule === "rerank",
        random,
      });
    }
    const spent = (oracle?.evaluations ?? 0) - counted;
    counted += spent;
    const unit = lowest(comparable(criterion, scores, groups, candidates), candidates);
    removed[unit] = 1;
    await advance();
    const after = await measure(now.removed + 1);
    const broken = limitBroken(budget, after, before);
    if (broken !== undefined) {
      removed[unit] = 0;
      await advance();
      return finish(broken, !hasGoal(budget));
    }
    const group = groupOf(units, unit);
    const score = scores[unit] as number;
    trace.push({
      step: after.removed,
      group: group.id,
      unit: unit - group.first,
      layer: group.layer,
      score,
      ...(criterion.inErrorUnits && criterion.needsData && { predicted: score }),
      error: after.error ?? Number.NaN,
      ...(after.accuracy !== undefined && { accuracy: after.accuracy }),
      ...(testMeter && { test: await testMeter.measure() }),
      parameters: after.parameters,
      macs: after.macs,
      certificate: schedule === "rerank" ? (criterion.certificate ?? "heuristic") : "heuristic",
      evaluations: spent,
      candidates: candidates.length,
    });
    now = after;
    options.onProgress?.({ removed: now.removed, expected, units: units.count, quality: now });
  }
}
