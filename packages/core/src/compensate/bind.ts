/** From a prepared model and samples to what a run measures, with or without compensation. */
import { pick, type Samples } from "../data/samples.ts";
import { ShrinkError } from "../errors.ts";
import { createEvaluator, type Evaluator } from "../measure/evaluator.ts";
import type { ObjectiveOptions } from "../measure/objectives/model-objective.ts";
import type { Runner } from "../runner.ts";
import type { Prunable } from "../units/prepare.ts";
import { randomSource, shuffled } from "../util/random.ts";
import { type Compensation, Compensator } from "./compensator.ts";
import { fittable } from "./consumers.ts";

export interface BindOptions extends ObjectiveOptions {
  readonly runner: Runner;
  readonly data?: Samples | undefined;
  /** A part of the calibration samples that no unit is scored on. */
  readonly heldOut?: Samples | undefined;
  readonly test?: Samples | undefined;
  readonly memory?: number | undefined;
  /** Default `none`. */
  readonly compensate?: Compensation | undefined;
  /** Whether statistics of normalisations are measured anew at the end; default true, with compensation. */
  readonly recalibrate?: boolean | undefined;
}

/** What a run measures. */
export interface Bound {
  /** The prepared model; with a compensator one of the same units whose consumers can be fitted. */
  readonly prunable: Prunable;
  readonly evaluator: Evaluator | undefined;
  readonly heldOut: Evaluator | undefined;
  readonly test: Evaluator | undefined;
  readonly compensator: Compensator | undefined;
}

/**
 * Binds samples to a prepared model. `needsMoments`: the run's criterion asks for the moments of consumers. Throws a `data`
 * error for compensation without data.
 */
export async function bind(prepared: Prunable, options: BindOptions, needsMoments = false): Promise<Bound> {
  const { runner, data, compensate = "none" } = options;
  if (compensate !== "none" && !data) {
    throw new ShrinkError("data", `compensation ${compensate}: needs data, expected samples; give them with --data`);
  }
  const layers = compensate !== "none" || needsMoments ? fittable(prepared) : undefined;
  const prunable = layers?.prunable ?? prepared;
  // the last of the samples are held out of every fit, so they must be a fair part
  const fit = layers && data ? mixed(data) : data;
  const evaluator = fit && (await createEvaluator(prunable, runner, fit, options));
  const others = async (samples: Samples | undefined): Promise<Evaluator | undefined> =>
    samples && (await createEvaluator(prunable, runner, samples, { ...options, like: evaluator }));
  const compensator = layers && evaluator && (await Compensator.of(evaluator, layers, compensate, options.recalibrate));
  return {
    prunable: evaluator?.prunable ?? prunable,
    evaluator,
    heldOut: await others(options.heldOut),
    test: await others(options.test),
    compensator,
  };
}

/** The samples in an order that does not depend on how the file sorts them, so that any part of them is a fair one. */
export function mixed(data: Samples): Samples {
  return pick(data, shuffled(data.size, randomSource(data.size)));
}
