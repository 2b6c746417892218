/** Makes a model ready: bring it into the form the rules read, learn its shapes, find its units. */

import {
  type Batching,
  isBatched,
  isFixed,
  isIndependent,
  ONE_BY_ONE,
  runBoth,
  stack,
  withFreeAxes,
  withNotedShapes,
} from "../graph/batching.ts";
import { bodyShapes } from "../graph/body-shapes.ts";
import { foldByRunning } from "../graph/fold.ts";
import type { Model } from "../graph/graph.ts";
import { type InputLayout, inputLayouts, isAmbiguous, type ProbeOptions } from "../graph/input-layout.ts";
import { foldConstants, removeDead, runPasses } from "../graph/passes.ts";
import type { Values } from "../graph/pieces.ts";
import { probeRun } from "../graph/probe-run.ts";
import { withRowSums } from "../graph/row-sums.ts";
import {
  batchingOf,
  fixedOutputs,
  isFollowed,
  probeFeeds,
  probeShapes,
  type Shapes,
  shapesOf,
} from "../graph/shapes.ts";
import { removeChannelShuffles } from "../graph/shuffle.ts";
import type { Stored } from "../graph/stored-types.ts";
import { dropZeroStates } from "../graph/zero-states.ts";
import type { Runner } from "../runner.ts";
import type { FixedInputs } from "../specialise.ts";
import { withAveragedUnits } from "./averaged.ts";
import type { UnitOptions } from "./find.ts";
import type { Units } from "./units.ts";

/** A model with everything known that measuring and cutting need. Never changed. */
export interface Prunable {
  /** The model with constants folded and dead nodes removed; computes the same as the file. */
  readonly model: Model;
  readonly shapes: Shapes;
  /** How samples go through it. */
  readonly batching: Batching;
  readonly units: Units;
  /** How its units were found. */
  readonly options?: UnitOptions | undefined;
  /** What the file stores otherwise: in half precision, or packed. */
  readonly stored?: Stored | undefined;
}

/** Which kinds of units are found, and whether layers that share weights are cut each by itself. */
export interface PrepareOptions extends ProbeOptions, Pick<UnitOptions, "kinds" | "untie"> {
  /** Inputs that become constants before anything else happens, by name; see `specialise.ts`. Default none. */
  readonly fix?: FixedInputs | undefined;
}

/**
 * Prepares a model for cutting. Runs it on real samples or dummy inputs to learn its shapes; a sample axis that the file fixes
 * to 1 is freed where that provably changes nothing. That samples do not influence each other is not proved for others: see
 * {@link prepareForData}.
 */
export async function prepare(model: Model, runner: Runner, options: PrepareOptions = {}): Promise<Prunable> {
  const simple = { ...model, graph: runPasses(model.graph, [foldConstants, dropZeroStates, removeDead]) };
  const folded = await foldByRunning(simple, runner);
  const probed = await probe(folded, runner, options);
  const graph = removeChannelShuffles(probed.model.graph, probed.shapes);
  const shapes = new Map([...probed.shapes, ...(await bodyShapes(probed.model, probed.shapes, runner))]);
  for (const [name, { type, dims }] of graph.initializers) shapes.set(name, { type, dims });
  const { batching } = probed;
  return { batching, ...withAveragedUnits({ ...probed.model, graph }, shapes, options) };
}

/** Samples that prove a batching. */
const PROVING = 3;

/**
 * Prepares a model for measuring. `samples`: at least one feed, exactly as the model takes it. Samples run together only where
 * every output gives for some of them together what it gives for each alone, and the rows of each follow each other.
 */
export async function prepareForData(
  model: Model,
  runner: Runner,
  samples: readonly Values[],
  options: PrepareOptions = {},
): Promise<Prunable> {
  const prepared = await prepare(model, runner, { ...options, samples });
  const isProved = !isBatched(prepared.batching) || (await isProvedBy(prepared, runner, { ...options, samples }));
  return isProved ? prepared : { ...prepared, batching: ONE_BY_ONE };
}

async function isProvedBy(prunable: Prunable, runner: Runner, options: ProbeOptions): Promise<boolean> {
  const { model, batching, shapes } = prunable;
  const feeds = probeFeeds(inputLayouts(model.graph, options), PROVING, options.samples);
  const proof = await runBoth(withRowSums(model, shapes), runner, feeds, batching);
  return proof !== undefined && isIndependent(proof, fixedOutputs(model.graph));
}

interface ProbedModel {
  readonly model: Model;
  readonly shapes: Shapes;
  readonly batching: Batching;
}

/** The shapes of a model, perhaps with its sample axes freed, and how samples go through it. */
async function probe(model: Model, runner: Runner, options: ProbeOptions): Promise<ProbedModel> {
  const layouts = inputLayouts(model.graph, options);
  const batching = batchingOf(layouts);
  if (isFixed(model.graph, batching)) {
    const single = layouts.map((layout) => ({ ...layout, sampleAxis: undefined }));
    return (
      (await freed(model, runner, layouts, options)) ?? {
        model,
        ...(await probeShapes(model, runner, options, single)),
      }
    );
  }
  const probed = await probeShapes(model, runner, options, layouts);
  if (isBatched(probed.batching) || !isBatched(batching)) return { model, ...probed };
  if (isAmbiguous(model.graph)) {
    const others = inputLayouts(model.graph, options, 1);
    const second = await probeShapes(model, runner, options, others).catch(() => undefined);
    if (second && isBatched(second.batching)) return { model, ...second };
  }
  return (await freed(model, runner, layouts, options)) ?? { model, ...probed };
}

/** The model with free sample axes; undefined where that would change what it computes. */
async function freed(
  model: Model,
  runner: Runner,
  layouts: readonly InputLayout[],
  { samples }: ProbeOptions,
): Promise<ProbedModel | undefined> {
  const batching = batchingOf(layouts);
  const feeds = probeFeeds(layouts, PROVING, samples);
  const all = stack(feeds, batching);
  if (!all) return undefined;
  const alone = await probeRun(model, runner, feeds);
  const [one] = alone;
  if (!one || one instanceof Error) throw one;
  const graph = withFreeAxes(model.graph, batching, one);
  const [run] = await probeRun({ ...model, graph }, runner, [all]).catch((refusal: Error) => [refusal]);
  if (!run || run instanceof Error) return undefined;
  const together = { run, samples: PROVING };
  const outputs = alone.map((each) => (each instanceof Error ? {} : each.outputs));
  if (
    !isFollowed(graph, one, together) ||
    !isIndependent({ alone: outputs, together: run.outputs }, fixedOutputs(graph))
  )
    return undefined;
  const shapes = shapesOf(graph, layouts, one, { together });
  const noted = withNotedShapes(graph, model.graph, (name) => shapes.get(name)?.batchAxis);
  return { model: { ...model, graph: noted }, shapes, batching };
}
