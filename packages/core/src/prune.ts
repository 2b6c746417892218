/**
 * The path itself: a model file goes in, its units are measured and removed, a smaller verified file comes out.
 * Follow it from here: each step is one folder.
 */

import { type Bound, bind, mixed } from "./compensate/bind.ts";
import type { Compensation } from "./compensate/compensator.ts";
import { compensationCurves } from "./compensate/replay.ts";
import { verifyRepair } from "./compensate/verify-repair.ts";
import type { Criterion } from "./criteria/criterion.ts";
import { criterionOf, type OracleMode } from "./criteria/index.ts";
import type { RacingOptions } from "./criteria/racing.ts";
import { bindSamples } from "./data/bind.ts";
import type { Dataset } from "./data/dataset.ts";
import { ShrinkError } from "./errors.ts";
import type { Model } from "./graph/graph.ts";
import type { Tensor } from "./graph/tensor.ts";
import { type LatencyOptions, latencyOf } from "./latency/compare.ts";
import { LatencyModel } from "./latency/model.ts";
import type { LatencyTable } from "./latency/table.ts";
import type { CostEstimate } from "./measure/cost.ts";
import type { Evaluation } from "./measure/evaluation.ts";
import { createEvaluator, type Evaluator } from "./measure/evaluator.ts";
import { type ObjectiveOptions, objectivesByOutput } from "./measure/objectives/model-objective.ts";
import { stateOf } from "./measure/state.ts";
import { writeModel } from "./onnx/index.ts";
import { openModel } from "./open.ts";
import { type Attempt, betterFirst } from "./plan/attempt.ts";
import { type Budget, checkBudget, defaultBudget, goalReached, hasGoal, isOfCosts } from "./plan/budget.ts";
import { certificatesOf } from "./plan/certificates.ts";
import { type ChooseProgress, choose, type Schedule } from "./plan/choose.ts";
import { criterionFor, defaultCriterion, defaultObjective } from "./plan/criterion-for.ts";
import { modelHash, type Plan, removedByGroup } from "./plan/plan.ts";
import type { Selection } from "./plan/select.ts";
import { checkReachable, fittingBlock, shortfall } from "./plan/shortfall.ts";
import { heldOutPart, predictionsOf, splitData } from "./plan/split.ts";
import type { LayerWidth, ModelState, PruneSummary } from "./results.ts";
import type { Runner } from "./runner.ts";
import { fileFeeds, fileOf, measuredModel, runsAsStored } from "./surgery/file.ts";
import type { RemovedUnits } from "./surgery/kept.ts";
import { sampleFeeds } from "./surgery/samples.ts";
import { sizeOfFile } from "./surgery/size.ts";
import type { PrepareOptions, Prunable } from "./units/prepare.ts";

export interface PruneOptions extends Selection, Omit<PrepareOptions, "samples">, ObjectiveOptions {
  readonly runner: Runner;
  /** Calibration samples. May be left out for criteria that need none (`magnitude`, `random`). */
  readonly data?: Dataset | undefined;
  /** Held-out samples: reported on, never used for a choice. */
  readonly test?: Dataset | undefined;
  /** A name or a function value of your own; default: see {@link defaultCriterion}. */
  readonly criterion?: string | Criterion | undefined;
  /**
   * How the oracle measures; default `auto`: by what exact measurement would cost, counted in multiply-accumulates
   * (`oracleCost`). Other criteria do not ask.
   */
  readonly oracle?: OracleMode | "auto";
  /** For `racing`; `auto` takes a shortlist of 20 %. */
  readonly racing?: RacingOptions;
  /** Told before a run of the oracle: how it will measure, what exact measurement would cost, and what to expect. */
  readonly onCost?: ((cost: CostEstimate) => void) | undefined;
  /** What is done to the consumers of removed units; default `none`. Needs data. */
  readonly compensate?: Compensation;
  /** Whether a run with compensation measures statistics of normalisations anew where that helps; default true. */
  readonly recalibrate?: boolean | undefined;
  /** Whether the summary shows what compensation bought: some more passes over the data. Default false. */
  readonly compensationCurves?: boolean;
  /** Default `rerank`. */
  readonly schedule?: Schedule;
  /** Whether units change places after the loop while the error falls; default false. Needs data. */
  readonly polish?: boolean;
  /** When to stop. Default: see `defaultBudget`. */
  readonly budget?: Budget;
  /** Share of the calibration samples that no unit is scored on; see `SplitOptions` for the default. */
  readonly holdOut?: number | undefined;
  /** Where given, the latency of both files is measured at the end. A goal of latency needs it. */
  readonly latency?: LatencyOptions | undefined;
  /** How long cut networks take, measured before, perhaps on another machine; default: a goal of latency has it measured. */
  readonly latencyTable?: LatencyTable | undefined;
  /** Write the result even where a goal could not be reached; default false: that is an error. */
  readonly bestEffort?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Bytes that kept activations may take; default 2 GB. Results do not depend on it. */
  readonly memory?: number | undefined;
  /** Error and accuracy are noted after every so many removals; default: after each where that is cheap. */
  readonly traceEvery?: number | undefined;
  /** Whether the held-out quality is noted with them; default true. Else only at the start and the end. */
  readonly traceTest?: boolean;
  /** Names for the summary. */
  readonly names?: { readonly model: string; readonly out: string };
  /** The run waits for what it returns. */
  readonly onProgress?: ((progress: ChooseProgress) => unknown) | undefined;
  readonly signal?: { readonly aborted: boolean } | undefined;
}

export interface PruneResult {
  /** The smaller ONNX file, verified unless `summary.inDoubt`. */
  readonly bytes: Uint8Array;
  readonly plan: Plan;
  readonly summary: PruneSummary;
}

/** Makes a model smaller. Throws a `ShrinkError` where something is wrong; the input is never changed. */
export async function prune(file: Uint8Array, given: PruneOptions): Promise<PruneResult> {
  const started = Date.now();
  const { objective = defaultObjective(given.compensate ?? "none", given) } = given;
  const options = { ...given, objective };
  const { runner, schedule = "rerank", seed = 0, compensate = "none", names = { model: "", out: "" } } = options;
  const asked = criterionOf(options.criterion ?? defaultCriterion(compensate));
  const { original, prepared, stored, samples, assumed } = await openModel(file, options);
  const parts = splitData(samples, { ...options, seed });
  const test = options.test && bindSamples(options.test, original.graph.feeds);
  const withData = { ...options, data: parts.fit, heldOut: parts.heldOut, test };
  const first = await bind(prepared, withData, asked.needsMoments);
  const { prunable, evaluator } = first;
  const none = new Uint8Array(prunable.units.count);
  const passStarted = Date.now();
  const intact = await evaluateAll(first, stateOf(prepared, none).model);
  const passSeconds = ((Date.now() - passStarted) / 1000) * shareOfFit(first);
  const before = modelState(prepared, none, { model: original, bytes: file.byteLength }, intact);
  const budget = options.budget ?? defaultBudget(evaluator?.terms ?? []);
  checkBudget(budget, evaluator && before);
  const start = { ...before, removed: 0 };
  if (!options.bestEffort) checkReachable(prepared, budget, { ...options, block: 1 }, start);
  const isPerUnit = !isOfCosts(budget) || (options.oracle ?? "auto") !== "auto";
  const { block: whole = isPerUnit ? 1 : (runner.channelBlock ?? 1) } = options;
  const block = fittingBlock(prepared, budget, { ...options, block: whole }, start);
  const widths = { align: options.align, block };

  const one = sampleFeeds(prunable, evaluator, 1)[0] ?? {};
  const times = await latencyModel(file, prepared, { ...options, block, budget, feeds: one });
  const fitting = criterionFor(asked, { ...options, compensate, budget, schedule, evaluator, passSeconds, widths });
  const isRacing = fitting.mode === "racing" && parts.fit && !first.compensator;
  const raced = isRacing
    ? await createEvaluator(prunable, runner, mixed(parts.fit), { ...options, like: evaluator })
    : undefined;
  const isFollowed = options.traceTest ?? true;
  const attempt = async (criterion: Criterion, bound: Bound): Promise<Attempt> => {
    const { compensator, heldOut } = bound;
    const followed = isFollowed ? bound.test : undefined;
    const how = {
      ...options,
      block,
      latency: times,
      passSeconds,
      criterion,
      schedule,
      seed,
      budget,
      compensator,
      heldOut,
      test: followed,
      fileSize: before,
    };
    return { criterion, bound, chosen: await choose(bound.prunable, raced ?? bound.evaluator, how) };
  };
  const asAsked = await attempt(fitting.criterion, first);
  const { rival } = fitting.criterion;
  const [{ criterion, bound, chosen }, other] =
    rival && asAsked.chosen.stopped !== "interrupted"
      ? await betterFirst(asAsked, await attempt(rival, await bind(prepared, withData, rival.needsMoments)), budget)
      : [asAsked];
  const { compensator } = bound;
  const { removed, prunable: repaired } = chosen;
  const end = stateOf(repaired, removed);
  const { model } = end;
  const bytes = fileOf(prepared, model, removed);
  const size = { ...chosen.after, ...sizeOfFile(repaired, removed, model), bytes: bytes.byteLength };

  // what was counted is checked on the real file
  const reached =
    chosen.reached &&
    (!hasGoal(budget) || goalReached(budget, size, chosen.before, prunable.units.count) !== undefined);
  if (!reached && !options.bestEffort && chosen.stopped !== "interrupted") {
    throw shortfall(prunable, budget, { ...chosen, after: size });
  }
  const feeds = sampleFeeds(prunable, evaluator);
  const verification = await verifyRepair({ original, prepared, compensator, removed, bytes, feeds, runner });
  const pruned = await evaluateAll(bound, prepared.stored ? measuredModel(prepared, bytes) : model);
  const after = modelState(repaired, removed, { model, bytes: bytes.byteLength }, pruned);
  const latency =
    options.latency &&
    runsAsStored(prepared) &&
    (await latencyOf(
      runner,
      { before: options.fix ? writeModel(stored) : file, after: bytes },
      fileFeeds(prepared, one),
      options.latency,
    ));
  const isShown = options.compensationCurves && chosen.stopped !== "interrupted";
  const curves = isShown
    ? await compensationCurves(
        prepared,
        { trace: chosen.trace, intact: before },
        { ...options, compensate, data: parts.fit, test: isFollowed ? test : undefined },
      )
    : [];
  const unfitted = compensator?.unfitted ?? [];
  const predictions = predictionsOf(beforeAfter(bound, intact, pruned), budget.confidence);
  const decision = {
    criterion: criterion.name,
    schedule,
    objective: evaluator?.objective ?? "none",
    compensation: compensate,
    seed,
  };
  return {
    bytes,
    plan: {
      format: "shrinknet-plan",
      version: 1,
      modelHash: modelHash(file),
      ...decision,
      ...(evaluator && original.graph.outputs.length > 1 && { outputs: objectivesByOutput(evaluator.terms) }),
      ...(chosen.polish && chosen.polish.swaps > 0 && { polished: true }),
      ...(compensate !== "none" &&
        parts.fit &&
        parts.heldOut && { holdOut: parts.heldOut.size / (parts.heldOut.size + parts.fit.size) }),
      ...(compensate !== "none" && options.recalibrate === false && { recalibrate: false }),
      ...(options.minKeep === 0 && { minKeep: 0 }),
      ...(options.untie && { untie: true }),
      ...(options.kinds && { kinds: options.kinds }),
      ...(options.fix && { fix: options.fix }),
      ...(times && { latencyTable: times.table }),
      removed: removedByGroup(prunable.units, removed),
    },
    summary: {
      ...names,
      ...decision,
      ...(other && { alsoTried: other.criterion.name }),
      before,
      after,
      removed: chosen.trace,
      certificates: certificatesOf(chosen.trace),
      layers: layerWidths(prunable, removed),
      evaluations: chosen.evaluations,
      seconds: (Date.now() - started) / 1000,
      verified: verification.difference,
      allowance: verification.allowance,
      ...(verification.isInDoubt && { inDoubt: true }),
      stopped: chosen.stopped,
      ...(assumed.length > 0 && { assumed }),
      ...(chosen.polish && { polish: chosen.polish }),
      ...(evaluator && bound.heldOut && { heldOut: heldOutPart(evaluator, bound.heldOut, budget) }),
      ...(predictions && { answers: predictions }),
      ...(latency && { latency }),
      ...(curves.length > 0 && { compensationCurves: curves }),
      ...(unfitted.length > 0 && { unfitted }),
    },
  };
}

/** What a goal of latency goes by; undefined without one. */
async function latencyModel(
  file: Uint8Array,
  prepared: Prunable,
  options: PruneOptions & { readonly budget: Budget; readonly feeds: Readonly<Record<string, Tensor>> },
): Promise<LatencyModel | undefined> {
  const { budget, latencyTable, latency, runner, feeds } = options;
  if (!budget.targetLatency) return undefined;
  const hash = modelHash(file);
  if (latencyTable) return LatencyModel.from(prepared, latencyTable, hash);
  if (!latency) {
    throw new ShrinkError(
      "option",
      "target latency: nothing to measure it by, expected latency with a clock, or a table",
    );
  }
  return LatencyModel.learn(prepared, { ...options, runner, clock: () => latency.clock(), feeds, modelHash: hash });
}

/** The sets of samples of a run. */
interface Evaluators {
  readonly evaluator: Evaluator | undefined;
  readonly heldOut: Evaluator | undefined;
  readonly test: Evaluator | undefined;
}

/** What a model gives on each set of samples: one pass over each. */
export interface Evaluations {
  readonly fit?: Evaluation | undefined;
  readonly heldOut?: Evaluation | undefined;
  readonly test?: Evaluation | undefined;
}

/** Runs a model over all sets of samples. */
export async function evaluateAll(
  { evaluator, heldOut, test }: Evaluators,
  model: Parameters<Evaluator["evaluate"]>[0],
): Promise<Evaluations> {
  return {
    fit: await evaluator?.evaluate(model),
    heldOut: await heldOut?.evaluate(model),
    test: await test?.evaluate(model),
  };
}

/** The samples that choose, as a share of all. */
function shareOfFit({ evaluator, heldOut, test }: Evaluators): number {
  const size = (one: Evaluator | undefined): number => one?.samples.size ?? 0;
  const all = size(evaluator) + size(heldOut) + size(test);
  return all > 0 ? size(evaluator) / all : 0;
}

function beforeAfter(
  { evaluator, heldOut, test }: Evaluators,
  before: Evaluations,
  after: Evaluations,
): Parameters<typeof predictionsOf>[0] {
  const both = (of: Evaluator | undefined, was: Evaluation | undefined, is: Evaluation | undefined) =>
    of && was && is ? { evaluator: of, before: was, after: is } : undefined;
  return {
    fit: both(evaluator, before.fit, after.fit),
    heldOut: both(heldOut, before.heldOut, after.heldOut),
    test: both(test, before.test, after.test),
  };
}

/** Quality of the model without the removed units, and the size of its file. */
export function modelState(
  prunable: Prunable,
  removed: RemovedUnits,
  file: { readonly model: Model; readonly bytes: number },
  { fit, heldOut, test }: Evaluations,
): ModelState {
  return {
    units: prunable.units.count - removed.reduce((sum, gone) => sum + gone, 0),
    ...sizeOfFile(prunable, removed, file.model),
    bytes: file.bytes,
    ...(fit?.quality ?? { error: Number.NaN }),
    ...(heldOut && { heldOut: heldOut.quality }),
    ...(test && { test: test.quality }),
  };
}

/** Widths of all groups' layers before and after. */
export function layerWidths({ units }: Prunable, removed: RemovedUnits): LayerWidth[] {
  return units.groups.map((group) => {
    const gone = removed.subarray(group.first, group.first + group.size).reduce((sum, one) => sum + one, 0);
    return { group: group.id, layer: group.layer, kind: group.kind, before: group.size, after: group.size - gone };
  });
}
