/** Runs of several criteria and schedules on one model, side by side. Nothing is written. */
import { bind } from "./compensate/bind.ts";
import type { Compensation } from "./compensate/compensator.ts";
import type { Criterion } from "./criteria/criterion.ts";
import { criterionOf } from "./criteria/index.ts";
import { bindSamples } from "./data/bind.ts";
import type { Dataset } from "./data/dataset.ts";
import type { LatencyOptions } from "./latency/compare.ts";
import { latencyAlong } from "./latency/trajectory.ts";
import type { Evaluator } from "./measure/evaluator.ts";
import type { ObjectiveOptions } from "./measure/objectives/model-objective.ts";
import { openModel } from "./open.ts";
import type { Budget } from "./plan/budget.ts";
import { type ChooseProgress, choose, type Schedule } from "./plan/choose.ts";
import { underRepair } from "./plan/criterion-for.ts";
import type { Selection } from "./plan/select.ts";
import { evaluateAll, modelState } from "./prune.ts";
import type { CompareRun, CompareStep, CompareSummary, Removal } from "./results.ts";
import type { Runner } from "./runner.ts";
import { runsAsStored } from "./surgery/file.ts";
import { sampleFeeds } from "./surgery/samples.ts";
import type { PrepareOptions } from "./units/prepare.ts";
import { median } from "./util/median.ts";

export interface CompareOptions extends Selection, Omit<PrepareOptions, "samples">, ObjectiveOptions {
  readonly runner: Runner;
  readonly data: Dataset;
  readonly test?: Dataset | undefined;
  /** Default oracle, taylor1, taylor2. */
  readonly criteria?: readonly (string | Criterion)[];
  /** Default rerank. */
  readonly schedules?: readonly Schedule[];
  /** What is done to the consumers of removed units, each in runs of its own; default `none`. */
  readonly compensations?: readonly Compensation[];
  /** How far each run goes; default: every unit but one of each group. */
  readonly budget?: Budget;
  readonly seed?: number;
  /** Where given, networks are timed at eighths of each run. */
  readonly latency?: LatencyOptions | undefined;
  /** Name for the summary. */
  readonly name?: string;
  readonly onProgress?:
    | ((
        run: { criterion: string; schedule: Schedule; compensation: Compensation },
        progress: ChooseProgress,
      ) => unknown)
    | undefined;
  readonly signal?: { readonly aborted: boolean } | undefined;
}

/** Removes units by each criterion under each schedule and notes the error after every removal. */
export async function compare(file: Uint8Array, options: CompareOptions): Promise<CompareSummary> {
  const { criteria = ["oracle", "taylor1", "taylor2"], schedules = ["rerank"], seed = 0 } = options;
  const { compensations = ["none"], latency, ...shared } = options;
  for (const asked of criteria) criterionOf(asked); // refuses an unknown name before anything runs
  const { original, prepared, samples } = await openModel(file, options);
  const given = { ...options, data: samples, test: options.test && bindSamples(options.test, original.graph.feeds) };
  const shown = await bind(prepared, given);
  const intact = new Uint8Array(prepared.units.count);
  const evaluations = await evaluateAll(shown, prepared.model);
  const baseline = modelState(prepared, intact, { model: original, bytes: file.byteLength }, evaluations);
  const runs: CompareRun[] = [];
  const feeds = sampleFeeds(prepared, shown.evaluator, 1)[0] ?? {};
  const originals: number[] = [];
  for (const compensate of compensations) {
    for (const schedule of schedules) {
      for (const asked of criteria) {
        const criterion = criterionOf(asked);
        const started = Date.now();
        const bound = await bind(prepared, { ...given, compensate }, criterion.needsMoments);
        const run = await choose(bound.prunable, bound.evaluator, {
          ...shared,
          criterion: underRepair(criterion, compensate),
          schedule,
          seed,
          test: bound.test,
          heldOut: undefined,
          compensator: bound.compensator,
          traceEvery: 1, // the curves are what is asked for
          budget: options.budget ?? {},
          onProgress: (progress) =>
            options.onProgress?.({ criterion: criterion.name, schedule, compensation: compensate }, progress),
        });
        const seconds = (Date.now() - started) / 1000;
        const isTimed = latency && runsAsStored(prepared);
        const timing = { runner: options.runner, clock: () => latency?.clock() ?? 0, feeds };
        const times = isTimed ? await latencyAlong(prepared, file, run.trace, timing) : undefined;
        if (times?.original !== undefined) originals.push(times.original);
        runs.push({
          criterion: criterion.name,
          schedule,
          compensation: compensate,
          steps: run.trace.map((removal) => stepOf(removal, times?.stages.get(removal.step))),
          seconds,
          evaluations: run.evaluations,
        });
      }
    }
  }
  return {
    model: options.name ?? "",
    objective: (shown.evaluator as Evaluator).objective,
    baseline,
    ...(originals.length > 0 && { latency: median(originals) }),
    layers: prepared.units.groups.map(({ id, layer, kind, size }) => ({ group: id, layer, kind, size })),
    runs,
  };
}

function stepOf(
  { step, error, accuracy, test, group, unit, layer, predicted }: Removal,
  latency: number | undefined,
): CompareStep {
  return {
    removed: step,
    error,
    ...(accuracy !== undefined && { accuracy }),
    ...(test && { test }),
    group,
    unit,
    layer,
    predicted: predicted ?? null,
    ...(latency !== undefined && { latency }),
  };
}
