/** Opening a model: the file is read, prepared, and where there is data fitted to it. */
import { bindSamples } from "./data/bind.ts";
import type { Dataset } from "./data/dataset.ts";
import { feedDims, type Samples, someFeeds } from "./data/samples.ts";
import { ShrinkError } from "./errors.ts";
import type { Graph, Model } from "./graph/graph.ts";
import { freeAxes } from "./graph/input-layout.ts";
import { refuseRandomness } from "./graph/randomness.ts";
import { readingOf, type Stored } from "./graph/stored-types.ts";
import { inlineFunctions, readModel } from "./onnx/index.ts";
import type { AssumedLength } from "./results.ts";
import type { Runner } from "./runner.ts";
import { specialise } from "./specialise.ts";
import { withSums } from "./surgery/file.ts";
import { type PrepareOptions, type Prunable, prepare, prepareForData } from "./units/prepare.ts";

export interface OpenOptions extends Omit<PrepareOptions, "samples"> {
  readonly runner: Runner;
  readonly data?: Dataset | undefined;
  /** Whether the model is only looked at: then it may give something else at every run. Default false. */
  readonly looksOnly?: boolean;
}

export interface OpenedModel {
  /** As it was read: in float32 where the file has half precision or packed weights, with means over units as sums. */
  readonly original: Model;
  readonly prepared: Prunable;
  /** As the file has it, but for what was specialised. */
  readonly stored: Model;
  readonly samples: Samples | undefined;
  /** Lengths that neither the file nor the data nor the options state. */
  readonly assumed: readonly AssumedLength[];
}

/** Length of axes that nobody states: of a sequence, mostly. What can be cut does not depend on it, MACs do. */
const FREE_LENGTH = 16;

/** Feeds of real samples that a model is probed with. */
const PROBES = 3;

/**
 * Reads and prepares a model. Where there is data, its samples say how long axes are that the file leaves open, and prove
 * whether several of them may run together. Throws `model` and `data` errors: for
 * what `readModel`, `prepare` and `bindSamples` refuse, and for models that draw random numbers or are in training mode.
 */
export async function openModel(
  file: Uint8Array | Model,
  { runner, data, looksOnly = false, ...probe }: OpenOptions,
): Promise<OpenedModel> {
  const read = await specialise(
    inlineFunctions(file instanceof Uint8Array ? readModel(file) : file),
    runner,
    probe.fix,
  );
  const reading = readingOf(read);
  const original = reading?.model ?? read;
  if (!looksOnly) refuseRandomness(original.graph);
  refuseReserved(original.graph);
  if (!data) {
    const { prepared, assumed } = await prepareAssuming(original, runner, probe);
    return { ...withStored(original, prepared, reading?.stored), stored: read, samples: undefined, assumed };
  }
  const samples = bindSamples(data, original.graph.feeds);
  const shapes = { ...feedDims(samples), ...probe.shapes };
  const prepared = await prepareForData(original, runner, someFeeds(samples, PROBES), { ...probe, shapes });
  return { ...withStored(original, prepared, reading?.stored), stored: read, samples, assumed: [] };
}

/** Both with what the file stores otherwise. */
function withStored(
  original: Model,
  prepared: Prunable,
  stored: Stored | undefined,
): Pick<OpenedModel, "original" | "prepared"> {
  const means = prepared.stored?.means;
  if (!means) return { original, prepared: { ...prepared, ...(stored && { stored }) } };
  const all = stored ? { ...stored, means } : prepared.stored;
  return { original: withSums(original, prepared), prepared: { ...prepared, stored: all } };
}

/** Axes that nobody fixes are taken to be of some length; where the model does not run so, the error says which is missing. */
async function prepareAssuming(
  original: Model,
  runner: Runner,
  probe: PrepareOptions,
): Promise<Pick<OpenedModel, "prepared" | "assumed">> {
  const { shapes = {}, freeLength = FREE_LENGTH } = probe;
  const assumed = original.graph.feeds
    .filter(({ name }) => !shapes[name])
    .flatMap((input) => freeAxes(input).map((axis) => ({ input: input.name, axis, length: freeLength })));
  if (assumed.length === 0) return { prepared: await prepare(original, runner, probe), assumed };
  const prepared = await prepare(original, runner, { ...probe, freeLength }).catch(() =>
    prepare(original, runner, { ...probe, freeLength: undefined }),
  );
  return { prepared, assumed };
}

/** Gains, targets and steps are inputs of the graphs that are built around a model; their names begin so. */
const RESERVED = "shrinknet/";

function refuseReserved(graph: Graph): void {
  const names = [...graph.inputs.map(({ name }) => name), ...graph.nodes.flatMap(({ outputs }) => outputs)];
  const taken = [...names, ...graph.initializers.keys()].find((name) => name.startsWith(RESERVED));
  if (taken === undefined) return;
  throw new ShrinkError(
    "model",
    `value "${taken}": its name begins with "${RESERVED}", which is used while measuring, expected another; rename it`,
  );
}
