/** Makes a model ready: bring it into the form the rules read, learn its shapes, find its units. */

import { opsetOf } from "../graph/builder.ts";
import type { Model } from "../graph/graph.ts";
import { foldConstants, removeDead, runPasses } from "../graph/passes.ts";
import { type ProbeOptions, probeShapes, type Shapes } from "../graph/shapes.ts";
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

/** Prepares a model for measuring and cutting. Runs it on two made-up samples to learn its shapes. */
export async function prepare(model: Model, runner: Runner, options: ProbeOptions = {}): Promise<Prunable> {
  const graph = runPasses(model.graph, [foldConstants, removeDead]);
  const folded = { ...model, graph };
  const shapes = await probeShapes(folded, runner, options);
  return { model: folded, shapes, units: findUnits(graph, shapes, opsetOf(model)) };
}
