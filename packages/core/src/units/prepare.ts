/** Makes a model ready: bring it into the form the rules read, learn its shapes, find its units. */

import { opsetOf } from "../graph/builder.ts";
import { foldByRunning } from "../graph/fold.ts";
import { freeBatch, hasFixedBatch } from "../graph/free-batch.ts";
import type { Model } from "../graph/graph.ts";
import type { ProbeOptions } from "../graph/made-up.ts";
import { foldConstants, removeDead, runPasses } from "../graph/passes.ts";
import { probeShapes, type Shapes } from "../graph/shapes.ts";
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
  const probed = hasFixedBatch(folded.graph)
    ? await freeBatch(folded, runner, options)
    : { model: folded, shapes: await probeShapes(folded, runner, options) };
  const graph = removeChannelShuffles(probed.model.graph, probed.shapes);
  const shapes = new Map(probed.shapes);
  for (const [name, { type, dims }] of graph.initializers) shapes.set(name, { type, dims });
  const ready = { model: { ...probed.model, graph }, shapes };
  return { ...ready, units: findUnits(graph, ready.shapes, opsetOf(model)) };
}
