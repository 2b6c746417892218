/**
 * The path itself: a model file goes in, its units are measured and removed, a smaller verified file comes out.
 * Follow it from here: each step is one folder.
 */

import { bind, mixed } from "./compensate/bind.ts";
import type { Compensation } from "./compensate/compensator.ts";
import { prove } from "./compensate/prove.ts";
import { compensationCurves } from "./compensate/replay.ts";
import type { Criterion } from "./criteria/criterion.ts";
import { criterionOf, type OracleMode } from "./criteria/index.ts";
import type { RacingOptions } from "./criteria/racing.ts";
import { bindInputs, type Dataset } from "./data.ts";
import { ShrinkError } from "./errors.ts";
import type { Graph } from "./graph/graph.ts";
import type { ProbeOptions } from "./graph/made-up.ts";
import type { CostEstimate } from "./measure/cost.ts";
import { type LatencyOptions, latencyOf } from "./measure/latency.ts";
import type { ObjectiveName } from "./measure/objective.ts";
import { qualityOf } from "./measure/quality.ts";
import { stateOf } from "./measure/state.ts";
import { type Subject, subjectOf } from "./measure/subject.ts";
import { readModel, writeModel } from "./onnx/index.ts";
import { type Budget, checkBudget, goalReached } from "./plan/budget.ts";
import { certificatesOf } from "./plan/certificates.ts";
import { type ChooseProgress, choose, type Schedule } from "./plan/choose.ts";
import { criterionFor, defaultCriterion } from "./plan/criterion-for.ts";
import { modelHash, type Plan, removedByGroup } from "./plan/plan.ts";
import type { Selection } from "./plan/select.ts";
import { checkReachable, shortfall } from "./plan/shortfall.ts";
import { answersOf, heldOutPart, splitData } from "./plan/split.ts";
import type { LayerWidth, ModelState, PruneSummary } from "./results.ts";
import type { Runner } from "./runner.ts";
import type { RemovedUnits } from "./surgery/kept.ts";
import { sampleFeeds } from "./surgery/samples.ts";
import { sizeAfter } from "./surgery/size.ts";
import { type Prunable, prepare } from "./units/prepare.ts";

export interface PruneOptions extends Selection, ProbeOptions {
  readonly runner: Runner;
  /** Calibration samples. May be left out for criteria that need none (`magnitude`, `random`). */
  readonly data?: Dataset | undefined;
  /** Held-out samples: reported on, never used for a choice. */
  readonly test?: Dataset | undefined;
  /** A name or a function value of your own; default: see {@link defaultCriterion}. */
  readonly criterion?: string | Criterion;
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
  /** Default: see {@link objectiveFor}. */
  readonly objective?: ObjectiveName | undefined;
  /** When to stop. Default: when accuracy on the calibration data has dropped by one point, or the error by 10 %. */
  readonly budget?: Budget;
  /** Share of the calibration samples that no unit is scored on; see {@link SplitOptions} for the default. */
  readonly holdOut?: number | undefined;
  /** Where given, the latency of both files is measured at the end. */
  readonly latency?: LatencyOptions | undefined;
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
  readonly onProgress?: ((progress: ChooseProgress) => void) | undefined;
  readonly signal?: { readonly aborted: boolean } | undefined;
}

export interface PruneResult {
  /** The smaller ONNX file, verified. */
  readonly bytes: Uint8Array;
  readonly plan: Plan;
  readonly summary: PruneSummary;
}

/** Makes a model smaller. Throws a {@link ShrinkError} where something is wrong; the input is never changed. */
export async function prune(file: Uint8Array, options: PruneOptions): Promise<PruneResult> {
  const started = Date.now();
  const { runner, schedule = "rerank", seed = 0, compensate = "none", names = { model: "", out: "" } } = options;
  const asked = criterionOf(options.criterion ?? defaultCriterion(compensate));
  const original = readModel(file);
  const prepared = await prepare(original, runner, withDataShapes(original.graph, options));
  const parts = splitData(options.data && bindInputs(options.data, original.graph.feeds), { ...options, seed });
  const bound = await bind(prepared, { ...options, data: parts.fit }, asked.needsMoments);
  const { prunable, subject, test, compensator } = bound;
  const measuredOn = (data: Dataset | undefined): Promise<Subject> | undefined =>
    data && subjectOf(prunable, runner, data, options.objective, options.memory);
  const heldOut = await measuredOn(parts.heldOut);
  const intact = stateOf(prepared, new Uint8Array(prunable.units.count));
  const passStarted = Date.now();
  const before = await stateOfModel(prepared, intact.removed, file.byteLength, subject, test, heldOut);
  const samples = (subject?.data.size ?? 0) + (test?.data.size ?? 0) + (heldOut?.data.size ?? 0);
  const passSeconds = ((Date.now() - passStarted) / 1000 / samples) * (subject?.data.size ?? 0);
  const budget = options.budget ?? defaultBudget(subject && before);
  checkBudget(budget, subject && before);
  if (!options.bestEffort) checkReachable(prepared, budget, options, { ...before, removed: 0 });

  const { criterion, mode } = criterionFor(asked, { ...options, compensate, budget, schedule, subject, passSeconds });
  const measured = mode === "racing" && parts.fit && !compensator ? await measuredOn(mixed(parts.fit)) : subject;
  const followed = (options.traceTest ?? true) ? test : undefined;
  const chosen = await choose(prunable, measured, {
    ...options,
    criterion,
    schedule,
    seed,
    budget,
    compensator,
    heldOut,
    test: followed,
    fileBytes: file.byteLength,
  });
  const { removed, prunable: repaired } = chosen;
  const bytes = writeModel(stateOf(repaired, removed).model);
  const end = { ...chosen.after, bytes: bytes.byteLength };
  // what was counted is checked on the real file
  const fits = !budget.targetBytes || goalReached(budget, end, chosen.before, prunable.units.count) !== undefined;
  const reached = chosen.reached && fits;
  if (!reached && !options.bestEffort && chosen.stopped !== "interrupted") {
    throw shortfall(prunable, budget, { ...chosen, after: end });
  }
  const feeds = sampleFeeds(prunable, subject);
  const verified = await prove({ original, prepared, compensator, removed, bytes, feeds, runner });
  const after = await stateOfModel(repaired, removed, bytes.byteLength, subject, test, heldOut);
  const { confidence } = budget;
  const answers = await answersOf(intact, stateOf(repaired, removed), { fit: subject, heldOut, test, confidence });
  const one = sampleFeeds(prunable, subject, 1)[0] ?? {};
  const latency = options.latency && (await latencyOf(runner, { before: file, after: bytes }, one, options.latency));
  const isShown = options.compensationCurves && chosen.stopped !== "interrupted";
  const curves = isShown
    ? await compensationCurves(
        prepared,
        { trace: chosen.trace, intact: before },
        { ...options, compensate, data: parts.fit, ...(!followed && { test: undefined }) },
      )
    : [];
  const unfitted = compensator?.unfitted ?? [];
  const decision = {
    criterion: criterion.name,
    schedule,
    objective: subject?.objective.name ?? "none",
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
      ...(chosen.polish && chosen.polish.swaps > 0 && { polished: true }),
      ...(compensate !== "none" &&
        parts.fit &&
        parts.heldOut && {
          holdOut: parts.heldOut.size / (parts.heldOut.size + parts.fit.size),
        }),
      ...(compensate !== "none" && options.recalibrate === false && { recalibrate: false }),
      ...(options.minKeep === 0 && { minKeep: 0 }),
      removed: removedByGroup(prunable.units, removed),
    },
    summary: {
      ...names,
      ...decision,
      before,
      after,
      removed: chosen.trace,
      certificates: certificatesOf(chosen.trace),
      layers: layerWidths(prunable, removed),
      evaluations: chosen.evaluations,
      seconds: (Date.now() - started) / 1000,
      verified,
      stopped: chosen.stopped,
      ...(chosen.polish && { polish: chosen.polish }),
      ...(subject && heldOut && { heldOut: heldOutPart(subject, heldOut, budget) }),
      ...(answers && { answers }),
      ...(latency && { latency }),
      ...(curves.length > 0 && { compensationCurves: curves }),
      ...(unfitted.length > 0 && { unfitted }),
    },
  };
}

/** Size and quality of the model without the removed units. */
export async function stateOfModel(
  prunable: Prunable,
  removed: RemovedUnits,
  bytes: number,
  subject: Subject | undefined,
  test: Subject | undefined,
  heldOut?: Subject,
): Promise<ModelState> {
  const state = stateOf(prunable, removed); // its model is only made where there is data to run it on
  return {
    units: prunable.units.count - removed.reduce((sum, gone) => sum + gone, 0),
    ...sizeAfter(prunable, removed),
    bytes,
    ...(subject ? await qualityOf(subject, state.model) : { error: Number.NaN }),
    ...(heldOut && { heldOut: await qualityOf(heldOut, state.model) }),
    ...(test && { test: await qualityOf(test, state.model) }),
  };
}

/** Widths of all groups' layers before and after. */
export function layerWidths({ units }: Prunable, removed: RemovedUnits): LayerWidth[] {
  return units.groups.map((group) => {
    const gone = removed.subarray(group.first, group.first + group.size).reduce((sum, one) => sum + one, 0);
    return { group: group.id, layer: group.layer, kind: group.kind, before: group.size, after: group.size - gone };
  });
}

/** One point of accuracy where that can be measured, else 10 % more error. */
function defaultBudget(before: ModelState | undefined): Budget {
  if (!before) {
    throw new ShrinkError(
      "option",
      "budget: none given, expected how much to remove, such as --remove 30%, as there is no data to measure a loss on",
    );
  }
  return before.accuracy === undefined ? { maxErrorRise: 0.1 } : { maxAccuracyDrop: 0.01 };
}

/**
 * Dims of free axes come from the data where the caller gives none. Throws a `data` error where the data does not fit.
 */
export function withDataShapes(
  graph: Graph,
  { shapes, data }: ProbeOptions & { readonly data?: Dataset | undefined },
): ProbeOptions {
  if (!data) return { shapes };
  const { inputs } = bindInputs(data, graph.feeds);
  const fromData = Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, tensor.dims]));
  return { shapes: { ...fromData, ...shapes } };
}
