/** Runs of several criteria and schedules on one model, side by side. Nothing is written. */
import { bind } from "./compensate/bind.ts";
import type { Compensation } from "./compensate/compensator.ts";
import type { Criterion } from "./criteria/criterion.ts";
import { criterionOf } from "./criteria/index.ts";
import type { Dataset } from "./data.ts";
import type { ProbeOptions } from "./graph/made-up.ts";
import type { ObjectiveName } from "./measure/objective.ts";
import type { Subject } from "./measure/subject.ts";
import { readModel } from "./onnx/index.ts";
import type { Budget } from "./plan/budget.ts";
import { type ChooseProgress, choose, type Schedule } from "./plan/choose.ts";
import { underRepair } from "./plan/criterion-for.ts";
import type { Selection } from "./plan/select.ts";
import { stateOfModel, withDataShapes } from "./prune.ts";
import type { CompareRun, CompareStep, CompareSummary, Removal } from "./results.ts";
import type { Runner } from "./runner.ts";
import { prepare } from "./units/prepare.ts";

export interface CompareOptions extends Selection, ProbeOptions {
  readonly runner: Runner;
  readonly data: Dataset;
  readonly test?: Dataset | undefined;
  /** Default oracle, taylor1, taylor2. */
  readonly criteria?: readonly (string | Criterion)[];
  /** Default rerank. */
  readonly schedules?: readonly Schedule[];
  readonly objective?: ObjectiveName | undefined;
  /** What is done to the consumers of removed units, each in runs of its own; default `none`. */
  readonly compensations?: readonly Compensation[];
  /** How far each run goes; default: every unit but one of each group. */
  readonly budget?: Budget;
  readonly seed?: number;
  /** Name for the summary. */
  readonly name?: string;
  readonly onProgress?:
    | ((run: { criterion: string; schedule: Schedule; compensation: Compensation }, progress: ChooseProgress) => void)
    | undefined;
  readonly signal?: { readonly aborted: boolean } | undefined;
}

/** Removes units by each criterion under each schedule and notes the error after every removal. */
export async function compare(file: Uint8Array, options: CompareOptions): Promise<CompareSummary> {
  const { runner, data, criteria = ["oracle", "taylor1", "taylor2"], schedules = ["rerank"], seed = 0 } = options;
  const { compensations = ["none"] } = options;
  for (const asked of criteria) criterionOf(asked); // refuses an unknown name before anything runs
  const model = readModel(file);
  const prepared = await prepare(model, runner, withDataShapes(model.graph, options));
  const { subject, test } = await bind(prepared, { runner, data, test: options.test, objective: options.objective });
  const intact = new Uint8Array(prepared.units.count);
  const baseline = await stateOfModel(prepared, intact, file.byteLength, subject, test);
  const runs: CompareRun[] = [];
  for (const compensate of compensations) {
    for (const schedule of schedules) {
      for (const asked of criteria) {
        const criterion = criterionOf(asked); // anew: what it has seen belongs to one run
        const started = Date.now();
        const bound = await bind(prepared, { ...options, compensate }, criterion.needsMoments);
        const run = await choose(bound.prunable, bound.subject, {
          ...options,
          criterion: underRepair(criterion, compensate),
          schedule,
          seed,
          test: bound.test,
          compensator: bound.compensator,
          traceEvery: 1, // the curves are what is asked for
          budget: options.budget ?? {},
          onProgress: (progress) =>
            options.onProgress?.({ criterion: criterion.name, schedule, compensation: compensate }, progress),
        });
        const seconds = (Date.now() - started) / 1000;
        runs.push({
          criterion: criterion.name,
          schedule,
          compensation: compensate,
          steps: run.trace.map(stepOf),
          seconds,
          evaluations: run.evaluations,
        });
      }
    }
  }
  return {
    model: options.name ?? "",
    objective: (subject as Subject).objective.name,
    baseline,
    layers: prepared.units.groups.map(({ id, layer, kind, size }) => ({ group: id, layer, kind, size })),
    runs,
  };
}

function stepOf({ step, error, accuracy, test, group, unit, layer, predicted }: Removal): CompareStep {
  return {
    removed: step,
    error,
    ...(accuracy !== undefined && { accuracy }),
    ...(test && { test }),
    group,
    unit,
    layer,
    predicted: predicted ?? null,
  };
}
