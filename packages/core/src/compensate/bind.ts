/** From a prepared model and data to what a run measures, with or without compensation. */
import { type Dataset, reorder } from "../data.ts";
import { ShrinkError } from "../errors.ts";
import type { ObjectiveName } from "../measure/objective.ts";
import { type Subject, subjectOf } from "../measure/subject.ts";
import type { Runner } from "../runner.ts";
import type { Prunable } from "../units/prepare.ts";
import { randomSource, shuffled } from "../util/random.ts";
import { type Compensation, Compensator } from "./compensator.ts";
import { fittable } from "./consumers.ts";

export interface BindOptions {
  readonly runner: Runner;
  readonly data?: Dataset | undefined;
  readonly test?: Dataset | undefined;
  readonly objective?: ObjectiveName | undefined;
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
  readonly subject: Subject | undefined;
  readonly test: Subject | undefined;
  readonly compensator: Compensator | undefined;
}

/**
 * Binds data to a prepared model. `needsMoments`: the run's criterion asks for the moments of consumers. Throws a `data`
 * error for compensation without data.
 */
export async function bind(prepared: Prunable, options: BindOptions, needsMoments = false): Promise<Bound> {
  const { runner, data, test, objective, memory, compensate = "none" } = options;
  if (compensate !== "none" && !data) {
    throw new ShrinkError("data", `compensation ${compensate}: needs data, expected samples; give them with --data`);
  }
  const layers = compensate !== "none" || needsMoments ? fittable(prepared) : undefined;
  const prunable = layers?.prunable ?? prepared;
  const subjectFor = async (samples: Dataset | undefined): Promise<Subject | undefined> =>
    samples && (await subjectOf(prunable, runner, samples, objective, memory));
  // the last of the samples are held out of every fit, so they must be a fair part
  const subject = await subjectFor(layers && data ? mixed(data) : data);
  const compensator = layers && subject && (await Compensator.of(subject, layers, compensate, options.recalibrate));
  return { prunable, subject, test: await subjectFor(test), compensator };
}

/** The samples in an order that does not depend on how the file sorts them, so that any part of them is a fair one. */
export function mixed(data: Dataset): Dataset {
  return reorder(data, shuffled(data.size, randomSource(data.size)));
}
