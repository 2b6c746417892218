/** Makes a model ready: bring it into the form the rules read, learn its shapes, find its units. */

import { opsetOf } from "../graph/builder.ts";
import { foldByRunning } from "../graph/fold.ts";
import { freeBatch, hasFixedBatch } from "../graph/free-batch.ts";
import type { Model } from "../graph/graph.ts";
import { foldConstants, removeDead, runPasses } from "../graph/passes.ts";
import { type ProbeOptions, probeShapes, type Shapes } from "../graph/shapes.ts";
import { removeChannelShuffles } from "../graph/shuffle.ts";
import type { Runner } from "../runner.ts";
import { findUnits } from "./find.ts";
import type { Units } from "./units.ts";

/** A model with everything known that measuring and cutting need. Never changed. */
export interface Prunable {
  /** The model with constants folded and dead nodes removed; computes the same as the file. */
  readonly model: Model;
  readonly shapes: Shapes;
  readonly units: Units;
}

/**
 * Prepares a model for measuring and cutting. Runs it on made-up samples to learn its shapes; a batch axis that the file
 * fixes to 1 is freed where that provably changes nothing.
 */
export async function prepare(model: Model, runner: Runner, options: ProbeOptions = {}): Promise<Prunable> {
  const simple = { ...model, graph: runPasses(model.graph, [foldConstants, removeDead]) };
  const folded = await foldByRunning(simple, runner);
  let prunable = { model: folded, shapes: await probeShapes(folded, runner, options) };
  if (hasFixedBatch(folded.graph)) {
    const freed = await freeBatch(folded, runner, prunable.shapes);
    if (freed) prunable = { model: freed, shapes: await probeShapes(freed, runner, options) };
  }
  const graph = removeChannelShuffles(prunable.model.graph, prunable.shapes);
  const shapes = new Map(prunable.shapes);
  for (const [name, { type, dims }] of graph.initializers) shapes.set(name, { type, dims });
  const ready = { model: { ...prunable.model, graph }, shapes };
  return { ...ready, units: findUnits(graph, ready.shapes, opsetOf(model)) };
}
