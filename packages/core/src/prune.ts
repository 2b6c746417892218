/**
 * The path itself: a model file goes in, its units are measured and removed, a smaller verified file comes out.
 * Follow it from here: each step is one folder.
 */

import type { Criterion } from "./criteria/criterion.ts";
import { criterionOf, type OracleMode, oracleBy } from "./criteria/index.ts";
import { oracle } from "./criteria/oracle.ts";
import type { RacingOptions } from "./criteria/racing.ts";
import { bindInputs, type Dataset, reorder } from "./data.ts";
import { ShrinkError } from "./errors.ts";
import type { Graph } from "./graph/graph.ts";
import type { ProbeOptions } from "./graph/shapes.ts";
import { type OracleCost, oracleCost } from "./measure/cost.ts";
import type { ObjectiveName } from "./measure/objective.ts";
import { qualityOf } from "./measure/quality.ts";
import { stateOf } from "./measure/state.ts";
import { type Subject, subjectOf } from "./measure/subject.ts";
import { readModel, writeModel } from "./onnx/index.ts";
import { type Budget, checkBudget, removalGoal } from "./plan/budget.ts";
import { type ChooseProgress, choose, type Schedule } from "./plan/choose.ts";
import { modelHash, type Plan, removedByGroup } from "./plan/plan.ts";
import type { Selection } from "./plan/select.ts";
import type { LayerWidth, ModelState, PruneSummary } from "./results.ts";
import type { Runner } from "./runner.ts";
import type { RemovedUnits } from "./surgery/cut.ts";
import { sampleFeeds } from "./surgery/samples.ts";
import { sizeAfter } from "./surgery/size.ts";
import { verify } from "./surgery/verify.ts";
import { type Prunable, prepare } from "./units/prepare.ts";
import { randomSource } from "./util/random.ts";

export interface PruneOptions extends Selection, ProbeOptions {
  readonly runner: Runner;
  /** Calibration samples. May be left out for criteria that need none (`magnitude`, `random`). */
  readonly data?: Dataset | undefined;
  /** Held-out samples: reported on, never used for a choice. */
  readonly test?: Dataset | undefined;
  /** A name or a function value of your own; default `oracle`. */
  readonly criterion?: string | Criterion;
  /**
   * How the oracle measures; default `auto`: by what exact measurement would cost, counted in multiply-accumulates
   * ({@link oracleCost}). Other criteria do not ask.
   */
  readonly oracle?: OracleMode | "auto";
  /** For `racing`; `auto` takes a shortlist of 20 %. */
  readonly racing?: RacingOptions;
  /** Told before a run of the oracle: how it will measure and what exact measurement would cost. */
  readonly onCost?: ((cost: OracleCost) => void) | undefined;
  /** Default `rerank`. */
  readonly schedule?: Schedule;
  /** Default: see {@link objectiveFor}. */
  readonly objective?: ObjectiveName | undefined;
  /** When to stop. Default: when accuracy on the calibration data has dropped by one point, or the error by 10 %. */
  readonly budget?: Budget;
  /** Write the result even where a goal could not be reached; default false: that is an error. */
  readonly bestEffort?: boolean;
  /** Default 0. */
  readonly seed?: number;
  /** Bytes that kept activations may take; default 2 GB. Results do not depend on it. */
  readonly memory?: number | undefined;
  /** Whether the held-out quality is noted after every removal; default true. Else only at the start and the end. */
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
  const { runner, schedule = "rerank", seed = 0, names = { model: "", out: "" } } = options;
  const asked = criterionOf(options.criterion ?? "oracle");
  const original = readModel(file);
  const prunable = await prepare(original, runner, withDataShapes(original.graph, options));
  const subject = options.data && (await subjectOf(prunable, runner, options.data, options.objective, options.memory));
  const test = options.test && (await subjectOf(prunable, runner, options.test, options.objective, options.memory));
  const before = await stateOfModel(prunable, new Uint8Array(prunable.units.count), file.byteLength, subject, test);
  const budget = options.budget ?? defaultBudget(subject && before);
  checkBudget(budget, subject && before);

  const { criterion, mode } =
    asked === oracle && subject ? oracleFor(subject, budget, options) : { criterion: asked, mode: "exact" };
  const racing = mode === "racing" && options.data;
  const measured = racing
    ? await subjectOf(prunable, runner, mixed(racing), options.objective, options.memory)
    : subject;
  const followed = (options.traceTest ?? true) ? test : undefined;
  const chosen = await choose(prunable, measured, { ...options, criterion, schedule, seed, budget, test: followed });
  if (!chosen.reached && !options.bestEffort && chosen.stopped !== "interrupted") {
    throw new ShrinkError(
      "budget",
      `target: not reached after removing ${chosen.trace.length} of ${prunable.units.count} units (${chosen.stopped}); relax a limit, or accept what was reached with --best-effort`,
    );
  }
  const bytes = writeModel(stateOf(prunable, chosen.removed).model);
  const verified = await verify(prunable, original, chosen.removed, bytes, sampleFeeds(prunable, subject), runner);
  const after = await stateOfModel(prunable, chosen.removed, bytes.byteLength, subject, test);
  const decision = {
    criterion: criterion.name,
    schedule,
    objective: subject?.objective.name ?? "none",
    compensation: "none",
    seed,
  };
  return {
    bytes,
    plan: {
      format: "shrinknet-plan",
      version: 1,
      modelHash: modelHash(file),
      ...decision,
      removed: removedByGroup(prunable.units, chosen.removed),
    },
    summary: {
      ...names,
      ...decision,
      before,
      after,
      removed: chosen.trace,
      layers: layerWidths(prunable, chosen.removed),
      evaluations: chosen.evaluations,
      seconds: (Date.now() - started) / 1000,
      verified,
      stopped: chosen.stopped,
    },
  };
}

/** The samples in an order that does not depend on how the file sorts them, so that any part of them is a fair one. */
function mixed(data: Dataset): Dataset {
  const random = randomSource(data.size);
  const order = Array.from({ length: data.size }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return reorder(data, order);
}

/** The oracle in the way that was asked for, or that fits the cost. */
function oracleFor(
  { prunable, data }: Subject,
  budget: Budget,
  { oracle: asked = "auto", racing, onCost }: PruneOptions,
): { criterion: Criterion; mode: OracleMode } {
  const { count } = prunable.units;
  const cost = oracleCost(prunable, data.size, removalGoal(budget, count) ?? Math.ceil(count / 2));
  const mode = asked === "auto" ? cost.mode : asked;
  onCost?.({ ...cost, mode });
  return { criterion: oracleBy(mode, { ...(asked === "auto" && { shortlist: 0.2 }), ...racing }), mode };
}

/** Size and quality of the model without the removed units. */
export async function stateOfModel(
  prunable: Prunable,
  removed: RemovedUnits,
  bytes: number,
  subject: Subject | undefined,
  test: Subject | undefined,
): Promise<ModelState> {
  const state = stateOf(prunable, removed); // its model is only made where there is data to run it on
  return {
    units: prunable.units.count - removed.reduce((sum, gone) => sum + gone, 0),
    ...sizeAfter(prunable, removed),
    bytes,
    ...(subject ? await qualityOf(subject, state.model) : { error: Number.NaN }),
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
