/** What the core's tests share: prepared models, data, removals, and the full re-evaluation that others are held to. */

import { nodeRunner } from "@shrinknet/runtime";
import type { Dataset } from "../src/data.ts";
import type { Model } from "../src/graph/graph.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import { Activations } from "../src/measure/activations.ts";
import { Oracle } from "../src/measure/oracle.ts";
import { qualityOf } from "../src/measure/quality.ts";
import { stateOf } from "../src/measure/state.ts";
import type { Subject } from "../src/measure/subject.ts";
import { writeModel } from "../src/onnx/index.ts";
import type { Runner } from "../src/runner.ts";
import type { RemovedUnits } from "../src/surgery/kept.ts";
import { verify } from "../src/surgery/verify.ts";
import { type Prunable, prepare } from "../src/units/prepare.ts";

export const runner: Runner = nodeRunner();

/** Samples in memory. */
export function dataset(inputs: Readonly<Record<string, Tensor>>, rest: Partial<Dataset> = {}): Dataset {
  const size = Object.values(inputs)[0]?.dims[0] ?? 0;
  return { source: "test data", size, inputs, ...rest };
}

/** Removal of the given units, by group id and index, or by number over all groups. */
export function removal(
  { units }: Prunable,
  gone: Readonly<Record<string, readonly number[]>> | readonly number[],
): RemovedUnits {
  const removed = new Uint8Array(units.count);
  if (Array.isArray(gone)) for (const unit of gone as readonly number[]) removed[unit] = 1;
  else {
    for (const [id, indexes] of Object.entries(gone as Readonly<Record<string, readonly number[]>>)) {
      const group = units.groups.find((candidate) => candidate.id === id);
      if (!group) throw new Error(`no group ${id}, only ${units.groups.map((candidate) => candidate.id).join(", ")}`);
      for (const index of indexes) removed[group.first + index] = 1;
    }
  }
  return removed;
}

/** Group sizes by id. */
export function sizes({ units }: Prunable): Record<string, number> {
  return Object.fromEntries(units.groups.map((group) => [group.id, group.size]));
}

/** Bytes of the model without the removed units. */
export function cutBytes(prunable: Prunable, removed: RemovedUnits): Uint8Array {
  return writeModel(stateOf(prunable, removed).model);
}

/** Largest relative difference between the cut file and the gated original, as `verify` measures it. */
export async function cutDifference(
  original: Model,
  prunable: Prunable,
  removed: RemovedUnits,
  feeds: Readonly<Record<string, Tensor>>,
  on: Runner = runner,
): Promise<number> {
  return verify(prunable, original, removed, cutBytes(prunable, removed), [feeds], on);
}

/** Prepares a model on onnxruntime. */
export function prepared(model: Model): Promise<Prunable> {
  return prepare(model, runner);
}

/** Oracle scores' errors by unit, after the given removals one after another: all the ways the oracle has. */
export async function oracleErrors(
  subject: Subject,
  steps: readonly RemovedUnits[],
  units: readonly number[],
  { loops = true }: { readonly loops?: boolean } = {},
): Promise<Map<number, number>> {
  const { prunable } = subject;
  const activations = new Activations(subject, stateOf(prunable, removal(prunable, [])));
  const oracle = new Oracle(subject, activations, { loops });
  let errors = new Map<number, number>();
  for (const [at, removed] of steps.entries()) {
    activations.advance(stateOf(prunable, removed));
    const left = units.filter((unit) => !removed[unit]);
    errors = await oracle.errorsWithout(at < steps.length - 1 ? left.slice(0, 2) : left);
  }
  return errors;
}

/** Error of the model without the removed units, by running all of it. */
export async function errorWithout(subject: Subject, removed: RemovedUnits): Promise<number> {
  return (await qualityOf(subject, stateOf(subject.prunable, removed).model)).error;
}
