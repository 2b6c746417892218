/** What the core's tests share: prepared models, data, removals, and the full re-evaluation that others are held to. */

import { nodeRunner } from "@shrinknet/runtime/node";
import type { Dataset } from "../src/data/dataset.ts";
import { feedsOf } from "../src/data/samples.ts";
import { GAINS, gainsTensor, gateModel, realTypeOf } from "../src/derive/gate.ts";
import type { Model } from "../src/graph/graph.ts";
import type { Values } from "../src/graph/pieces.ts";
import { slice, type Tensor } from "../src/graph/tensor.ts";
import { Activations } from "../src/measure/activations.ts";
import type { Evaluator } from "../src/measure/evaluator.ts";
import type { OutputTerm } from "../src/measure/objectives/model-objective.ts";
import { Oracle } from "../src/measure/oracle.ts";
import { stateOf } from "../src/measure/state.ts";
import { writeModel } from "../src/onnx/index.ts";
import type { Runner } from "../src/runner.ts";
import { fileOf, withSums } from "../src/surgery/file.ts";
import type { RemovedUnits } from "../src/surgery/kept.ts";
import { verify } from "../src/surgery/verify.ts";
import { type PrepareOptions, type Prunable, prepare } from "../src/units/prepare.ts";
import { closeTo } from "./support/build.ts";

export const runner: Runner = nodeRunner();

/** Samples in memory. */
export function dataset(inputs: Readonly<Record<string, Tensor>>, rest: Partial<Dataset> = {}): Dataset {
  return { source: "test data", inputs, ...rest };
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
  return fileOf(prunable, stateOf(prunable, removed).model, removed);
}

/** The feeds of single samples that a feed of several holds; it itself where samples run one by one. */
export function singly({ batching: { axes } }: Prunable, feeds: Values): Values[] {
  const stacked = Object.entries(feeds).find(([name]) => axes.has(name));
  const count = stacked ? (stacked[1].dims[axes.get(stacked[0]) as number] as number) : 1;
  return Array.from({ length: count }, (_, n) =>
    Object.fromEntries(
      Object.entries(feeds).map(([name, tensor]) => {
        const axis = axes.get(name);
        return [name, axis === undefined ? tensor : slice(tensor, axis, n, n + 1)];
      }),
    ),
  );
}

/**
 * Largest difference of the cut file to the gated original, as a share of the largest value of the output. Throws where
 * verification, which judges column by column and by what rounding does to the model, refuses the file.
 */
export async function cutDifference(
  whole: Model,
  prunable: Prunable,
  removed: RemovedUnits,
  feeds: Values,
): Promise<number> {
  const original = withSums(whole, prunable);
  const bytes = cutBytes(prunable, removed);
  await verify({ prunable, original, removed, bytes, feeds: singly(prunable, feeds), runner });
  const gains = gainsTensor(
    Float64Array.from(removed, (gone) => 1 - gone),
    removed.length,
    realTypeOf(original.graph, prunable.shapes),
  );
  const gated = await runner.load(writeModel(gateModel(original, prunable.shapes, prunable.units).model));
  const file = await runner.load(bytes);
  const [expected, found] = [await gated.run({ ...feeds, [GAINS]: gains }), await file.run(feeds)];
  await Promise.all([gated.release(), file.release()]);
  return Math.max(...Object.entries(expected).map(([name, tensor]) => closeTo(found[name] as Tensor, tensor)));
}

/** Prepares a model on onnxruntime. */
export function prepared(model: Model, options: PrepareOptions = {}): Promise<Prunable> {
  return prepare(model, runner, options);
}

/** Oracle scores' errors by unit, after the given removals one after another: all the ways the oracle has. */
export async function oracleErrors(
  evaluator: Evaluator,
  steps: readonly RemovedUnits[],
  units: readonly number[],
  { loops = true }: { readonly loops?: boolean } = {},
): Promise<Map<number, number>> {
  const { prunable } = evaluator;
  const activations = new Activations(evaluator, stateOf(prunable, removal(prunable, [])));
  const oracle = new Oracle(evaluator, activations, { loops });
  let errors = new Map<number, number>();
  for (const [at, removed] of steps.entries()) {
    activations.advance(stateOf(prunable, removed));
    const left = units.filter((unit) => !removed[unit]);
    errors = await oracle.errorsWithout(at < steps.length - 1 ? left.slice(0, 2) : left);
  }
  return errors;
}

/** All samples of an evaluator as one feed. */
export function allFeeds({ samples, prunable }: Evaluator): Values {
  return feedsOf(samples, 0, samples.size, prunable.batching);
}

/** The only output that is measured. */
export function onlyTerm({ terms }: Evaluator): OutputTerm {
  const [term] = terms;
  if (!term || terms.length > 1) throw new Error(`${terms.length} outputs are measured`);
  return term;
}

/** Error of the model without the removed units, by running all of it. */
export async function errorWithout(evaluator: Evaluator, removed: RemovedUnits): Promise<number> {
  return (await evaluator.evaluate(stateOf(evaluator.prunable, removed).model)).quality.error;
}
