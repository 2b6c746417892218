/** Runs of several criteria and schedules on one model, side by side. Nothing is written. */
import type { Criterion } from "./criteria/criterion.ts";
import { criterionOf } from "./criteria/index.ts";
import type { Dataset } from "./data.ts";
import type { ProbeOptions } from "./graph/shapes.ts";
import type { ObjectiveName } from "./measure/objective.ts";
import { subjectOf } from "./measure/subject.ts";
import { readModel } from "./onnx/index.ts";
import type { Budget } from "./plan/budget.ts";
import { type ChooseProgress, choose, type Schedule } from "./plan/choose.ts";
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
  /** How far each run goes; default: every unit but one of each group. */
  readonly budget?: Budget;
  readonly seed?: number;
  /** Name for the summary. */
  readonly name?: string;
  readonly onProgress?:
    | ((run: { criterion: string; schedule: Schedule }, progress: ChooseProgress) => void)
    | undefined;
  readonly signal?: { readonly aborted: boolean } | undefined;
}

/** Removes units by each criterion under each schedule and notes the error after every removal. */
export async function compare(file: Uint8Array, options: CompareOptions): Promise<CompareSummary> {
  const { runner, data, criteria = ["oracle", "taylor1", "taylor2"], schedules = ["rerank"], seed = 0 } = options;
  const chosen = criteria.map(criterionOf);
  const model = readModel(file);
  const prunable = await prepare(model, runner, withDataShapes(model.graph, options));
  const subject = await subjectOf(prunable, runner, data, options.objective);
  const test = options.test && (await subjectOf(prunable, runner, options.test, options.objective));
  const intact = new Uint8Array(prunable.units.count);
  const baseline = await stateOfModel(prunable, intact, file.byteLength, subject, test);
  const runs: CompareRun[] = [];
  for (const schedule of schedules) {
    for (const criterion of chosen) {
      const started = Date.now();
      const run = await choose(prunable, subject, {
        ...options,
        criterion,
        schedule,
        seed,
        test,
        traceEvery: 1, // the curves are what is asked for
        budget: options.budget ?? {},
        onProgress: (progress) => options.onProgress?.({ criterion: criterion.name, schedule }, progress),
      });
      const seconds = (Date.now() - started) / 1000;
      runs.push({
        criterion: criterion.name,
        schedule,
        steps: run.trace.map(stepOf),
        seconds,
        evaluations: run.evaluations,
      });
    }
  }
  return {
    model: options.name ?? "",
    objective: subject.objective.name,
    baseline,
    layers: prunable.units.groups.map(({ id, layer, kind, size }) => ({ group: id, layer, kind, size })),
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
