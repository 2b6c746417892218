/** What is measured: a prunable model, data to run it on, and the error to measure. */
import { bindInputs, type Dataset, slice } from "../data.ts";
import { realTypeOf } from "../derive/gate.ts";
import { ShrinkError } from "../errors.ts";
import { hasFixedBatch } from "../graph/free-batch.ts";
import { dimsOf } from "../graph/shapes.ts";
import { sizeOf, Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Runner, Session } from "../runner.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Objective, type ObjectiveName, objectiveFor, targetsOf } from "./objective.ts";

export interface Subject {
  readonly prunable: Prunable;
  readonly runner: Runner;
  readonly objective: Objective;
  /** Inputs by name, `labels` if there are any; checked against the model. */
  readonly data: Dataset;
  /** Targets[N, ...output dims] in the model's real type. */
  readonly targets: Tensor;
  /** Bytes that kept activations may take; what does not fit is computed again. */
  readonly memory: number;
  /** The data in pieces that are small enough to run at once; the same pieces for every question. */
  readonly chunks: readonly Chunk[];
}

/** One piece of the data. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
  readonly feeds: Readonly<Record<string, Tensor>>;
  readonly targets: Tensor;
}

/** Activations of one chunk, all values of the model together, stay below this many elements. */
const ELEMENTS_PER_CHUNK = 2 ** 24;
const SAMPLES_PER_CHUNK = 1024;
/** Chunks end here too, and at 64, 128, ...: what is measured on a part of the data hangs on no size of chunks. */
const FIRST_PART = 32;
/** Bytes of kept activations where nothing else is said. */
const DEFAULT_MEMORY = 2e9;

/**
 * Binds data to a prepared model. Throws a `data` error where they do not fit. `objective` defaults as
 * {@link objectiveFor} says; `original` is asked for the targets of `match` and defaults to the model itself.
 */
export async function subjectOf(
  prunable: Prunable,
  runner: Runner,
  dataset: Dataset,
  objectiveName?: ObjectiveName,
  memory: number = DEFAULT_MEMORY,
): Promise<Subject> {
  const { model, shapes } = prunable;
  const data = bindInputs(dataset, model.graph.feeds);
  const objective = objectiveFor(model.graph, shapes, data, objectiveName);
  const type = realTypeOf(model.graph, shapes);
  const outputDims = dimsOf(shapes, objective.value);
  const followsSamples = hasFixedBatch(model.graph)
    ? outputDims[0] === 1
    : shapes.get(objective.value)?.batchAxis === 0;
  if (outputDims.length === 0 || !followsSamples) {
    throw new ShrinkError(
      "model",
      `output "${objective.value}": its first axis does not follow the samples, expected one row for each sample of the input`,
    );
  }
  const perChunk = samplesPerChunk(prunable);
  const blank = new Tensor(
    type,
    [0, ...outputDims.slice(1)],
    type === "float64" ? new Float64Array(0) : new Float32Array(0),
  );
  const draft: Subject = { prunable, runner, objective, data, targets: blank, memory, chunks: [] };
  const targets =
    objective.name === "match" ? await originalOutputs(draft, perChunk) : targetsOf(data, outputDims, type);
  return { ...draft, targets, chunks: chunksOf(data, targets, perChunk) };
}

function samplesPerChunk({ shapes, model }: Prunable): number {
  if (hasFixedBatch(model.graph)) return 1;
  let perSample = 0;
  for (const [name, shape] of shapes) if (!model.graph.initializers.has(name)) perSample += sizeOf(shape.dims);
  return Math.max(1, Math.min(SAMPLES_PER_CHUNK, Math.floor(ELEMENTS_PER_CHUNK / Math.max(1, perSample))));
}

/** Growing parts of the data that end where chunks end: 32, 64, 128, ... samples, then all. */
export function partsOf(samples: number): number[] {
  const parts: number[] = [];
  for (let part = FIRST_PART; part < samples; part *= 2) parts.push(part);
  return [...parts, samples];
}

/** The data in pieces of at most `perChunk` samples that end where its parts do. */
export function chunksOf(data: Dataset, targets: Tensor, perChunk: number): Chunk[] {
  const chunks: Chunk[] = [];
  const parts = partsOf(data.size);
  for (let from = 0, to: number; from < data.size; from = to) {
    to = Math.min(from + perChunk, parts.find((part) => part > from) as number);
    const { targets: ownTargets } = slice({ ...data, targets }, from, to);
    chunks.push({ from, to, feeds: slice(data, from, to).inputs, targets: ownTargets as Tensor });
  }
  return chunks;
}

async function originalOutputs(
  { prunable, runner, data, objective, targets }: Subject,
  perChunk: number,
): Promise<Tensor> {
  const { model, shapes } = prunable;
  const session: Session = await runner.load(writeModel(model));
  try {
    const dims = dimsOf(shapes, objective.value);
    const width = sizeOf(dims.slice(1));
    const all = new (targets.type === "float64" ? Float64Array : Float32Array)(data.size * width);
    for (const chunk of chunksOf(data, new Tensor(targets.type, [data.size, 0], all.subarray(0, 0)), perChunk)) {
      const result = await session.run(chunk.feeds, [objective.value]);
      all.set((result[objective.value] as Tensor).data as Float32Array, chunk.from * width);
    }
    return new Tensor(targets.type, [data.size, ...dims.slice(1)], all);
  } finally {
    await session.release();
  }
}
