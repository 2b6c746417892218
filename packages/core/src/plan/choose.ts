/**
 * The loop of the paper: rank all units, remove the worst, repeat. `once` ranks a single time (Algorithm I), `rerank`
 * after each removal (Algorithm II); both over all groups together.
 */
import type { Criterion } from "../criteria/criterion.ts";
import { ShrinkError } from "../errors.ts";
import { Oracle } from "../measure/oracle.ts";
import { QualityMeter } from "../measure/quality.ts";
import { stateOf, unitsLeft } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { modelSize } from "../onnx/index.ts";
import type { Quality, Removal } from "../results.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
import { sizeAfter } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Group, groupOf } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import { type Budget, goalReached, hasGoal, limitBroken, type Progress, removalGoal } from "./budget.ts";
import { HeldOut } from "./held-out.ts";
import { comparable, perCost, worstBlock } from "./rank.ts";
import { Savings } from "./savings.ts";
import { blockSize, removable, type Selection, selectGroups } from "./select.ts";

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
  /** A part of the calibration data that no unit is scored on; limits count it in. */
  readonly heldOut?: Subject | undefined;
  /** Bytes of the original file, for goals that are a share of it. Default: of the model as it would be written. */
  readonly fileBytes?: number;
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
  readonly trace: readonly Removal[];
  /** Why it stopped, in words. */
  readonly stopped: string;
  /** Whether a goal that was set has been reached. */
  readonly reached: boolean;
  /** Whether it stopped for lack of units. */
  readonly exhausted: boolean;
  readonly before: Progress;
  readonly after: Progress;
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
  const meter = subject && (await QualityMeter.of(subject, intact));
  const testMeter = test && (await QualityMeter.of(test, intact));
  const { heldOut, budget = {} } = options;
  const held = subject && heldOut && (await HeldOut.of(heldOut, subject.data.size, intact, budget));
  try {
    return await removeWorst(prunable, subject, { ...options, meter, testMeter, held });
  } finally {
    await meter?.release();
    await testMeter?.release();
    await held?.release();
  }
}

interface Meters {
  readonly meter: QualityMeter | undefined;
  readonly testMeter: QualityMeter | undefined;
  readonly held: HeldOut | undefined;
}

async function removeWorst(
  prunable: Prunable,
  subject: Subject | undefined,
  options: ChooseOptions & Meters,
): Promise<Chosen> {
  const { criterion, schedule = "rerank", budget = {}, seed = 0, align = 1, meter, testMeter, held } = options;
  const { units } = prunable;
  const groups = selectGroups(units, options);
  const random = randomSource(seed);
  const removed: RemovedUnits = new Uint8Array(units.count);
  const trace: Removal[] = [];
  const oracle = subject && meter && new Oracle(subject, meter.activations, { suffix: meter.suffix });
  const expected = Math.min(removalGoal(budget, units.count) ?? units.count, units.count);
  const measure = async (count: number): Promise<Progress> => {
    const quality = await meter?.measure();
    return {
      ...sizeAfter(prunable, removed),
      ...quality,
      ...(quality && (await held?.measure(quality))),
      ...(budget.targetBytes && { bytes: modelSize(state.model) }),
      removed: count,
    };
  };
  const savings = Savings.of(prunable, budget, criterion);
  let state = stateOf(prunable, removed);
  const intact = await measure(0);
  const before = { ...intact, ...(options.fileBytes !== undefined && { bytes: options.fileBytes }) };
  let now = intact;
  const finish = (stopped: string, reached: boolean, exhausted = false): Chosen => {
    return { removed, trace, stopped, reached, exhausted, before, after: now, evaluations: oracle?.evaluations ?? 0 };
  };
  let scores: Float64Array | undefined;
  let counted = 0; // evaluations that earlier choices took
  let open: { group: Group; left: number } | undefined; // a group that goes on to lose units until its width is a multiple
  let aligned = { removed: removed.slice(), rows: 0, now };
  /** Goes back to where all widths were multiples. */
  const goBack = (): void => {
    removed.set(aligned.removed);
    trace.length = aligned.rows;
    now = aligned.now;
  };

  for (;;) {
    if (!open) {
      aligned = { removed: removed.slice(), rows: trace.length, now };
      const goal = goalReached(budget, now, before, units.count);
      if (goal !== undefined) return finish(goal, true);
    }
    if (options.signal?.aborted) {
      goBack();
      return finish("interrupted", false);
    }
    const candidates = open ? removable([open.group], removed, { minKeep: 0 }) : removable(groups, removed, options);
    if (candidates.length === 0) return finish(noneLeft(units.count - now.removed, align), !hasGoal(budget), true);
    const saved = savings?.perUnit(removed, now);
    if (!scores || schedule === "rerank") {
      const left = schedule === "rerank" ? candidates : unitsLeft(units, removed);
      scores = await criterion.score({
        prunable,
        state,
        left,
        subject,
        error: now.error ?? Number.NaN,
        oracle,
        onlyBest: schedule === "rerank" && (align === 1 || open !== undefined),
        ...(saved && { rank: (unit, score) => perCost(score, saved[unit] as number) }),
        random,
      });
    }
    const spent = (oracle?.evaluations ?? 0) - counted;
    counted += spent;
    const block = worstBlock(comparable(criterion, scores, groups, candidates), groups, candidates, {
      size: (group, left) => (open ? 1 : blockSize(group, left, align)),
      ...(saved && { cost: (group) => saved[group.first] as number }),
    });
    const unit = block[0] as number;
    const group = groupOf(units, unit);
    open = { group, left: (open?.left ?? block.length) - 1 };
    if (open.left === 0) open = undefined;
    removed[unit] = 1;
    state = stateOf(prunable, removed);
    meter?.activations.advance(state);
    testMeter?.activations.advance(state);
    held?.advance(state);
    const after = await measure(now.removed + 1);
    const broken = limitBroken(budget, after, before);
    if (broken !== undefined) {
      goBack();
      return finish(broken, !hasGoal(budget));
    }
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
      ...(after.heldOut && { heldOut: after.heldOut }),
      ...(testMeter && { test: await testMeter.measure() }),
      parameters: after.parameters,
      macs: after.macs,
      certificate: schedule === "rerank" && align === 1 ? (criterion.certificate ?? "heuristic") : "heuristic",
      evaluations: spent,
      candidates: candidates.length,
    });
    now = after;
    options.onProgress?.({ removed: now.removed, expected, units: units.count, quality: now });
  }
}

function noneLeft(rest: number, align: number): string {
  if (rest === 0) return "no more removable units";
  const limits = align > 1 ? "names, group sizes and widths" : "names and group sizes";
  return `no more removable units: ${rest} stay by the limits on ${limits}`;
}
