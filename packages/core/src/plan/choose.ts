/**
 * The loop of the paper: rank all units, remove the worst, repeat. `once` ranks a single time (Algorithm I), `rerank`
 * after each removal (Algorithm II); both over all groups together.
 */
import type { Compensator } from "../compensate/compensator.ts";
import { type Criterion, type Scorer, type ScoringContext, started } from "../criteria/criterion.ts";
import { ShrinkError } from "../errors.ts";
import type { LatencyModel } from "../latency/model.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { Oracle } from "../measure/oracle.ts";
import { unitsLeft } from "../measure/state.ts";
import type { Polish, Quality, Removal } from "../results.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import type { Prunable } from "../units/prepare.ts";
import { groupOf } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import {
  type Budget,
  type ErrorScale,
  goalReached,
  hasGoal,
  latencyGoal,
  limitBroken,
  type Progress,
  removalGoal,
} from "./budget.ts";
import { type Choice, type FileSize, PruningHistory } from "./history.ts";
import { polish } from "./polish.ts";
import { perCost, Ranking } from "./rank.ts";
import { type Outlook, RepairPace } from "./repair-pace.ts";
import { Savings } from "./savings.ts";
import { Candidates, goInBlocks, moveSize, noneLeft, type Selection, selectGroups, unitsInside } from "./select.ts";
import { Stages } from "./stages.ts";

type Joining = NonNullable<Scorer["joint"]>;

export type Schedule = "once" | "rerank";

export interface ChooseOptions extends Selection {
  readonly criterion: Criterion;
  /** Default `rerank`. */
  readonly schedule?: Schedule;
  readonly budget?: Budget;
  /** Default 0. */
  readonly seed?: number;
  /** What makes up for removals; without it consumers stay as they are. Their repair comes with each measured stage. */
  readonly compensator?: Compensator | undefined;
  /** Held-out data whose quality is noted where that of the calibration data is. Never used for a choice. */
  readonly test?: Evaluator | undefined;
  /**
   * Error and accuracy are noted after every so many removals, at the end, and where the criterion needs the error;
   * default: after each where that is cheap, see `affordableTrace`. Limits of the budget hold at every removal
   * before the one that is reported to break them.
   */
  readonly traceEvery?: number | undefined;
  /** Whether units change places after the loop while the error falls, see {@link polish}; default false. Needs data. */
  readonly polish?: boolean | undefined;
  /** A part of the calibration data that no unit is scored on; limits count it in. */
  readonly heldOut?: Evaluator | undefined;
  /** Size of the original file, for goals that are a share of it. Default: of the model as it would be written. */
  readonly fileSize?: FileSize | undefined;
  /** Seconds that one pass over the data took; for what is told of the time left. */
  readonly passSeconds?: number | undefined;
  /** Says how long a run takes; for a goal of latency. */
  readonly latency?: LatencyModel | undefined;
  /** The run waits for what it returns: it may pause the run, or let others have the thread. */
  readonly onProgress?: ((progress: ChooseProgress) => unknown) | undefined;
  /** Ends the run after the removal at hand when aborted. */
  readonly signal?: { readonly aborted: boolean } | undefined;
}

export interface ChooseProgress {
  readonly removed: number;
  /** How many removals there will be: as asked, or by how far its goals are by now; at most. */
  readonly expected: number;
  /** Removable units of the intact model. */
  readonly units: number;
  readonly quality: Partial<Quality>;
  /** What has gone so far, as the summary will say it. It goes on growing: copy what is kept. */
  readonly trace?: readonly Removal[];
  /** After the loop: the swaps so far. */
  readonly polish?: Pick<Polish, "trials" | "swaps">;
  /** Behind all that: the repaired consumers are fitted together, which may take longer than the loop. */
  readonly lastFit?: boolean;
  /** Of runs with repair whose goal is a cost; from before the first removal on. */
  readonly outlook?: Outlook | undefined;
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
  /** Whether it stopped for lack of units. */
  readonly exhausted: boolean;
  readonly before: Progress;
  readonly after: Progress;
  /** Candidate evaluations by the oracle. */
  readonly evaluations: number;
  readonly polish?: Polish;
}

/** Chooses units to remove until the budget stops it. */
export async function choose(
  prunable: Prunable,
  evaluator: Evaluator | undefined,
  options: ChooseOptions,
): Promise<Chosen> {
  const { criterion } = options;
  if (criterion.needsData && !evaluator) {
    throw new ShrinkError("data", `criterion ${criterion.name}: needs data, expected samples; give them with --data`);
  }
  if (options.polish && !evaluator) {
    throw new ShrinkError("data", "polish: measures swaps, expected samples; give them with --data, or leave it out");
  }
  const history = await PruningHistory.start(prunable, evaluator, options);
  try {
    return await removeWorst(prunable, evaluator, history, options);
  } finally {
    await history.release();
  }
}

async function removeWorst(
  prunable: Prunable,
  evaluator: Evaluator | undefined,
  history: PruningHistory,
  options: ChooseOptions,
): Promise<Chosen> {
  const { schedule = "rerank", budget = {}, seed = 0, compensator } = options;
  const criterion = started(options.criterion, { prunable, evaluator });
  const { units } = prunable;
  const candidates = new Candidates(selectGroups(units, options), options);
  const random = randomSource(seed);
  const { meter, before } = history;
  const oracle =
    evaluator && meter && new Oracle(evaluator, meter.activations, { suffix: meter.suffix, loops: !compensator });
  const stages = Stages.of(evaluator, budget, { every: options.traceEvery, repair: compensator?.macs });
  const inBlocks = goInBlocks(options) || units.groups.some(({ isWhole }) => isWhole);
  const scales = errorScales(evaluator);
  const { latency } = options;
  const savings = Savings.of(prunable, budget, criterion, { latency, inBlocks });
  const whyNot = (stage: Progress): string | undefined => limitBroken(budget, stage, before, scales);
  const isTooFar = (): boolean => history.isMeasured && whyNot(history.now) !== undefined;
  const isPredicted = (criterion.predictsError ?? criterion.inErrorUnits) && criterion.needsData;
  const pace =
    compensator && stages.areRepairs ? new RepairPace(compensator, options.passSeconds ?? 0, stages) : undefined;
  let ranking: Ranking | undefined;
  let counted = { evaluations: 0, macs: 0 }; // what earlier choices took

  for (;;) {
    if (stages.isDue(history.now, units.count, history.sinceMeasured)) {
      await history.measure();
      pace?.repaired();
    }
    if (isTooFar()) return await finish({ stopped: await history.retreat(whyNot), reached: !hasGoal(budget) });
    const { now, state } = history;
    const { removed } = state;
    if (now.removed > 0) {
      const expected = expectedRemovals(budget, now, before, units.count);
      const outlook = pace?.outlook(budget, now, before, expected - now.removed);
      const { rows: trace } = history;
      await options.onProgress?.({ removed: now.removed, expected, units: units.count, quality: now, trace, outlook });
    }
    const parts = candidates.without(removed);
    const count = parts.reduce((sum, part) => sum + part.units.length, 0);
    const end = endOf(now, count);
    if (end) {
      const time = latencyGoal(budget, before);
      if (end.reached && time !== undefined) {
        await history.settleLatency(time);
        if (history.now.removed > 0 && !endOf(history.now, count)) continue; // it takes longer than was thought
      }
      await history.measure();
      if (isTooFar()) continue;
      return await finish(end);
    }
    const saved = savings?.perUnit(removed, now);
    const toGo = savings?.toGo(now, budget, before.bytes) ?? Number.POSITIVE_INFINITY;
    const context: ScoringContext = {
      prunable,
      state,
      left: schedule === "rerank" ? parts.flatMap((part) => part.units) : unitsLeft(units, removed),
      evaluator,
      error: async () => (await history.measure()).error ?? Number.NaN,
      oracle,
      compensator,
      onlyBest: schedule === "rerank" && !inBlocks,
      ...(saved && { rank: (unit, score) => perCost(score, saved[unit] as number) }),
      random,
    };
    if (!ranking || schedule === "rerank") {
      ranking = new Ranking(criterion, await criterion.score(context));
      if (isTooFar()) continue;
      if (now.removed === 0 && pace) {
        pace.ranked();
        const expected = removalGoal(budget, units.count) ?? units.count;
        const share = Math.min(budget.targetMacs ?? 1, budget.targetParams ?? 1); // roughly that of the units that stay
        const outlook = pace.outlook(budget, now, before, (1 - share) * units.count);
        await options.onProgress?.({ removed: 0, expected, units: units.count, quality: now, outlook });
      }
    }
    const { scores } = ranking;
    const asked = schedule === "rerank" || now.removed === 0 ? count : 0;
    const { units: picked, score: joint } = await ranking.worst(parts, {
      size: (group, left) => moveSize(group, left, options),
      ...(saved && { cost: (group, size) => Math.min(saved[group.first] as number, toGo / size) }),
      ...(criterion.joint &&
        schedule === "rerank" && {
          joint: (part, size) => (criterion.joint as Joining)(context, part, size, scores),
        }),
    });
    const without = removed.slice();
    for (const unit of picked) without[unit] = 1;
    const block = [...picked, ...unitsInside(units, groupOf(units, picked[0] as number), without)];
    const spent = { evaluations: oracle?.evaluations ?? 0, macs: oracle?.macs ?? 0 };
    for (const [place, unit] of block.entries()) {
      const group = groupOf(units, unit);
      const score = scores[unit] as number;
      const [isFirst, isLast] = [place === 0, place === block.length - 1];
      const choice: Choice = {
        group: group.id,
        unit: unit - group.first,
        layer: group.layer,
        score,
        ...(isPredicted && isLast && { predicted: joint }),
        certificate: schedule === "rerank" && !inBlocks ? (criterion.certificate ?? "heuristic") : "heuristic",
        evaluations: isFirst ? spent.evaluations - counted.evaluations : 0,
        work: isFirst ? (spent.macs - counted.macs) / (evaluator?.samples.size ?? 1) : 0,
        candidates: isFirst ? asked : 0,
      };
      history.remove(unit, choice, !isFirst);
    }
    counted = spent;
  }

  /** Why the run is done at this stage; undefined: it goes on. */
  function endOf(now: Progress, candidatesLeft: number): End | undefined {
    const goal = goalReached(budget, now, before, units.count);
    if (goal !== undefined) return { stopped: goal, reached: true };
    if (options.signal?.aborted) return { stopped: "interrupted", reached: false };
    if (candidatesLeft > 0) return undefined;
    return { stopped: noneLeft(units.count - now.removed, options), reached: !hasGoal(budget), exhausted: true };
  }

  async function finish({ stopped, reached, exhausted = false }: End): Promise<Chosen> {
    const isRepaired = compensator !== undefined && compensator.kind !== "none";
    const whole = pace && { repairs: 0, expected: 1, seconds: pace.lastSeconds };
    if (isRepaired) await tellEnd({ lastFit: true, outlook: whole });
    await history.repair();
    const polished = await polishAll();
    if (isRepaired && polished) await tellEnd({ lastFit: true });
    await history.finish();
    return {
      removed: history.state.removed,
      prunable: compensator?.written ?? prunable,
      trace: history.rows,
      stopped: polished && options.signal?.aborted ? "interrupted" : stopped,
      reached,
      exhausted,
      before,
      after: history.now,
      evaluations: oracle?.evaluations ?? 0,
      ...(polished && { polish: polished }),
    };
  }

  /** What goes on behind the last removal. */
  async function tellEnd(what: Pick<ChooseProgress, "polish" | "lastFit" | "outlook">): Promise<void> {
    const removed = history.rows.length;
    await options.onProgress?.({ removed, expected: removed, units: units.count, quality: history.now, ...what });
  }

  async function polishAll(): Promise<Polish | undefined> {
    if (!options.polish || !evaluator || !oracle || options.signal?.aborted) return undefined;
    return polish(history, {
      evaluator,
      oracle,
      criterion,
      compensator,
      seed,
      permits: (stage) => whyNot(stage) === undefined,
      onTrial: (done) => tellEnd({ polish: done }),
      signal: options.signal,
    });
  }
}

/** How the errors of the outputs are judged by limits. */
function errorScales(evaluator: Evaluator | undefined): ErrorScale[] {
  return (evaluator?.terms ?? []).map(({ output, bound }) => ({
    output,
    scale: bound.scale,
    isRelative: bound.isRelative ?? false,
  }));
}

interface End {
  readonly stopped: string;
  readonly reached: boolean;
  readonly exhausted?: boolean;
}

/** Removals until the first goal is reached, if they go on as they have so far; all units where there is no goal. */
function expectedRemovals(budget: Budget, now: Progress, before: Progress, units: number): number {
  const share = (of: "macs" | "parameters", target: number | undefined): number =>
    target === undefined ? 0 : (before[of] - now[of]) / ((1 - target) * before[of]);
  const time = latencyGoal(budget, before);
  const [whole, is] = [before.latency ?? 0, now.latency ?? 0];
  const byTime = time === undefined ? 0 : (whole - is) / Math.max(1e-9, whole - time);
  const done = Math.max(share("macs", budget.targetMacs), share("parameters", budget.targetParams), byTime);
  const byTargets = done > 0 ? Math.max(now.removed, Math.round(now.removed / done)) : units;
  return Math.min(removalGoal(budget, units) ?? units, byTargets, units);
}
