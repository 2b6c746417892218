/**
 * The evaluator: a prepared model, samples and objectives, and with them the one answer that everything asks for: how good a
 * model is on these samples. It hides how samples are fed: several in one run where that is proved to change nothing, else
 * each in a run of its own.
 */
import { bindSamples } from "../data/bind.ts";
import type { Dataset } from "../data/dataset.ts";
import { canStack, feedsOf, type Samples } from "../data/samples.ts";
import { realTypeOf } from "../derive/gate.ts";
import { ONE_BY_ONE } from "../graph/batching.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Model } from "../graph/graph.ts";
import type { Values } from "../graph/pieces.ts";
import { sizeOf, slice, Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Evaluation, EvaluationTally } from "./evaluation.ts";
import { innerDims, samplesFirst } from "./objectives/layout.ts";
import {
  bindObjectives,
  type ObjectiveOptions,
  type OriginalValues,
  type OutputTerm,
  objectiveName,
  targetInputs,
  termError,
} from "./objectives/model-objective.ts";

export interface EvaluatorOptions extends ObjectiveOptions {
  /** Bytes that kept activations may take; what does not fit is computed again. Default 2 GB. */
  readonly memory?: number | undefined;
  /** The evaluator whose weights of outputs are taken over, so that errors on both sets of samples compare. */
  readonly like?: Evaluator | undefined;
  /** The model whose outputs `match` compares with; default the evaluator's own. It has outputs of the same names. */
  readonly reference?: Prunable | undefined;
}

/** Some of the samples, run at once. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
  readonly feeds: Values;
  /** By the graph inputs that take them, see {@link OutputTerm.target}. */
  readonly targets: Values;
}

export interface Evaluator {
  readonly prunable: Prunable;
  readonly runner: Runner;
  readonly samples: Samples;
  /** Names of the objectives, joined by "+". */
  readonly objective: string;
  /** The outputs that are measured, each with its objective. */
  readonly terms: readonly OutputTerm[];
  /** Element type in which errors are computed. */
  readonly type: "float32" | "float64";
  readonly memory: number;
  /** The samples in parts that are small enough to run at once; the same parts for every question. */
  readonly chunks: readonly Chunk[];
  /** Error and correctness of each sample by a model with the prepared model's inputs and outputs; default: itself. */
  evaluate(model?: Model): Promise<Evaluation>;
}

/**
 * Activations of one chunk, all values of the model together, stay below this many elements, or below so many for each weight:
 * a run reads all weights once, however few samples it is for.
 */
const ELEMENTS_PER_CHUNK = 2 ** 24;
const ELEMENTS_PER_WEIGHT = 2;
const SAMPLES_PER_CHUNK = 1024;
/** Chunks end here too, and at 64, 128, ...: what is measured on a part of the data does not depend on chunk sizes. */
const FIRST_PART = 32;
/** Bytes of kept activations where nothing else is said. */
const DEFAULT_MEMORY = 2e9;

/**
 * Binds samples to a prepared model. Throws a `data` error where they do not fit, and an `option` error for objectives or
 * outputs that do not exist.
 */
export async function createEvaluator(
  prunable: Prunable,
  runner: Runner,
  data: Dataset | Samples,
  options: EvaluatorOptions = {},
): Promise<Evaluator> {
  const { memory = DEFAULT_MEMORY, like, reference = prunable } = options;
  const samples = "answers" in data ? data : bindSamples(data, prunable.model.graph.feeds);
  const type = realTypeOf(prunable.model.graph, prunable.shapes);
  const parts = partsToRun(prunable, samples);
  const { batching } = parts;
  const runnable = batching === prunable.batching ? prunable : { ...prunable, batching };
  const feeds = (from: number, to: number): Values => feedsOf(samples, from, to, batching);
  const original: OriginalValues = (values) => valuesOf(reference, runner, samples, parts.ranges, feeds, type, values);
  const terms = await bindObjectives(runnable, samples, type, { ...options, like: like?.terms }, original);
  const chunks = parts.ranges.map(
    ([from, to]): Chunk => ({
      from,
      to,
      feeds: feeds(from, to),
      targets: Object.fromEntries(terms.map(({ target, bound }) => [target, slice(bound.targets, 0, from, to)])),
    }),
  );
  const evaluator: Evaluator = {
    prunable: runnable,
    runner,
    samples,
    objective: objectiveName(terms),
    terms,
    type,
    memory,
    chunks,
    evaluate: (model = prunable.model) => evaluate(evaluator, model),
  };
  return evaluator;
}

/** Runs a model over all samples. */
async function evaluate({ terms, runner, chunks, type, samples }: Evaluator, model: Model): Promise<Evaluation> {
  const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: model.graph });
  targetInputs(b, terms);
  const errors = terms.map((term) => termError(b, term, term.value));
  const values = [...new Set(terms.map(({ value }) => value))];
  const session = await runner.load(writeModel({ ...model, graph: b.graph([...new Set([...values, ...errors])]) }));
  const tally = new EvaluationTally(terms, samples.size);
  try {
    for (const chunk of chunks) {
      const result = await session.run({ ...chunk.feeds, ...chunk.targets }, [...new Set([...values, ...errors])]);
      for (const [at, term] of terms.entries()) {
        tally.add(at, chunk, result[term.value] as Tensor, result[errors[at] as string] as Tensor);
      }
    }
  } finally {
    await session.release();
  }
  return tally.evaluation();
}

/** Growing parts of the samples that end where chunks end: 32, 64, 128, ... samples, then all. */
export function partsOf(samples: number): number[] {
  const parts: number[] = [];
  for (let part = FIRST_PART; part < samples; part *= 2) parts.push(part);
  return [...parts, samples];
}

/** Ranges of samples that run at once, and how they are stacked. */
function partsToRun(
  prunable: Prunable,
  samples: Samples,
): { ranges: [from: number, to: number][]; batching: Prunable["batching"] } {
  const { size } = samples;
  const batching = canStack(samples, prunable.batching) ? prunable.batching : ONE_BY_ONE;
  const most = batching === ONE_BY_ONE ? 1 : samplesPerChunk(prunable);
  const parts = partsOf(size);
  const ranges: [number, number][] = [];
  for (let from = 0, to: number; from < size; from = to) {
    to = Math.min(from + most, parts.find((part) => part > from) as number);
    ranges.push([from, to]);
  }
  return { ranges, batching };
}

function samplesPerChunk({ shapes, model }: Prunable): number {
  let [perSample, weights] = [0, 0];
  for (const [name, shape] of shapes) {
    const { size } = model.graph.initializers.get(name) ?? {};
    if (size === undefined) perSample += sizeOf(shape.dims);
    else weights += size;
  }
  const most = Math.max(ELEMENTS_PER_CHUNK, ELEMENTS_PER_WEIGHT * weights);
  return Math.max(1, Math.min(SAMPLES_PER_CHUNK, Math.floor(most / Math.max(1, perSample))));
}

/** Values of a model for all samples, with the sample axis first. */
async function valuesOf(
  { model }: Prunable,
  runner: Runner,
  samples: Samples,
  ranges: readonly [from: number, to: number][],
  feeds: (from: number, to: number) => Values,
  type: "float32" | "float64",
  values: Parameters<OriginalValues>[0],
): Promise<Tensor[]> {
  const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: model.graph });
  const names = values.map(({ value, layout }) => samplesFirst(b, value, layout));
  const session = await runner.load(writeModel({ ...model, graph: b.graph(names) }));
  const dims = values.map(({ layout }) => [samples.size, ...innerDims(layout)]);
  const all = dims.map((own) => (type === "float64" ? new Float64Array(sizeOf(own)) : new Float32Array(sizeOf(own))));
  try {
    for (const [from, to] of ranges) {
      const result = await session.run(feeds(from, to), names);
      for (const [at, name] of names.entries()) {
        const width = sizeOf((dims[at] as number[]).slice(1));
        (all[at] as Float32Array).set((result[name] as Tensor).data as Float32Array, from * width);
      }
    }
  } finally {
    await session.release();
  }
  return dims.map((own, at) => new Tensor(type, own, all[at] as Float32Array));
}
