/**
 * Rows: what a regression of a layer sees of the data. A row is one sample at one position (a pixel of a convolution's
 * output, a token); of layers with very many, the same random positions of every sample are taken.
 */
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { dimsOf } from "../graph/shapes.ts";
import { sizeOf, slice, type Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { State } from "../measure/state.ts";
import { writeModel } from "../onnx/index.ts";
import { regressionOf, type SampledRegression } from "../ops/regression.ts";
import { keptIndexes } from "../surgery/kept.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { hasPlacePerUse } from "../units/tables.ts";
import { randomSource, shuffled } from "../util/random.ts";
import type { Consumer, ConsumerFamily } from "./consumers.ts";
import type { Wanted } from "./outlet.ts";

/** About how many rows of a layer are looked at, at most. */
const MOST_ROWS = 2 ** 15;

/** A consumer at some stage of pruning: the features that are left, and all outputs of the intact layer. */
export interface Layer {
  readonly consumer: Consumer;
  readonly regression: SampledRegression;
  readonly features: number;
  readonly outputs: number;
  /** Per sample. */
  readonly positions: number;
  /** Inputs along the absorbed axis that are left, by their number in the intact layer; undefined: all. */
  readonly keptInputs: readonly number[] | undefined;
}

/** The consumer as it is in a state of a model; undefined where nothing of it is left. */
export function layerAt(consumer: Consumer, intact: Prunable, state: State): Layer | undefined {
  const { model, shapes, removed } = state;
  const id = nodeId(consumer.node);
  const node = model.graph.nodes.find((candidate) => nodeId(candidate) === id);
  const regression = node && regressionOf(node, model, shapes, intact.batching);
  const left = node && dimsOf(shapes, node.inputs[1] as string);
  const dims = dimsOf(intact.shapes, consumer.weights);
  if (!regression || !left || sizeOf(left) === 0) return undefined;
  const [inputAxis, outputAxis] = regression.outputsFirst ? [1, 0] : [0, 1];
  const use = hasPlacePerUse(intact.model.graph, consumer.weights) ? { node: id, slot: 1 } : undefined;
  const weightsInputs = placeKey(consumer.weights, inputAxis, use);
  return {
    consumer,
    regression,
    outputs: dims[outputAxis] as number,
    features: sizeOf(left) / (left[outputAxis] as number),
    positions: sizeOf(dimsOf(intact.shapes, id)) / (dims[outputAxis] as number),
    keptInputs: keptIndexes(intact.units.places, weightsInputs, removed),
  };
}

/** Layers that share their weights, at some stage of pruning. */
export interface LayerFamily {
  readonly layers: readonly [Layer, ...Layer[]];
  /** Names of their biases, each once. */
  readonly biases: readonly string[];
}

/** A family as it is in a state of a model; undefined where nothing of it is left. */
export function familyAt(family: ConsumerFamily, intact: Prunable, state: State): LayerFamily | undefined {
  const [first, ...others] = family.flatMap((consumer) => layerAt(consumer, intact, state) ?? []);
  if (!first) return undefined;
  const biases = [...new Set([first, ...others].map(({ consumer }) => consumer.bias))];
  return { layers: [first, ...others], biases };
}

/** The positions of a layer that are looked at, ascending; undefined: all. */
function chosenPositions({ positions }: Layer, samples: number): number[] | undefined {
  const wanted = Math.max(1, Math.ceil(MOST_ROWS / samples));
  if (positions <= wanted) return undefined;
  return shuffled(positions, randomSource(positions))
    .slice(0, wanted)
    .sort((a, b) => a - b);
}

/** Rows of a layer that are looked at. */
export function rowCount(layer: Layer, samples: number): number {
  return (chosenPositions(layer, samples)?.length ?? layer.positions) * samples;
}

/** The layer's features [rows, features], from its input. */
export function featureRows(b: GraphBuilder, input: string, layer: Layer, samples: number): string {
  const features = layer.regression.features(b, input, chosenPositions(layer, samples));
  return b.reshape(features, [-1, layer.features]);
}

/** Rows [rows, width] of a value that is shaped like the layer's output. */
export function outputRows(b: GraphBuilder, value: string, layer: Layer, width: number, samples: number): string {
  return b.reshape(layer.regression.outputs(b, value, chosenPositions(layer, samples)), [-1, width]);
}

/** A graph that takes a layer's rows from a value that is shaped like its output now: [rows, width]. */
export async function rowReader(
  layer: Layer,
  { runner, samples, type }: Evaluator,
  { model }: State,
  width: number,
): Promise<{ rows(value: Tensor): Promise<Tensor>; release(): Promise<void> }> {
  const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: emptyGraph("rows") });
  const value = b.input("value", type);
  const rows = outputRows(b, value, layer, width, samples.size);
  const session = await runner.load(writeModel({ ...model, graph: b.graph([rows]) }));
  return {
    rows: async (tensor) => (await session.run({ value: tensor }))[rows] as Tensor,
    release: () => session.release(),
  };
}

/** What a layer reads of a chunk, as it runs, and what it is fitted to, [rows, ...] sample by sample. */
export interface LayerRows extends Wanted {
  readonly input: Tensor;
}

/** The rows of a layer chunk by chunk, as often as they are asked for; nothing beyond the memory limit is held. */
export interface RowSource {
  /** Of the input. */
  readonly sampleAxis: number;
  read(chunk: number): Promise<LayerRows>;
  release(): Promise<void>;
}

/**
 * Visits the rows of every chunk: those of the first `fit` samples, which weights are fitted on, and those of the others,
 * which judge. A chunk with both is visited twice. `most`: no more chunks are visited once so many rows are seen.
 */
export async function eachPart(
  source: RowSource,
  { chunks }: Evaluator,
  fit: number,
  visit: (rows: LayerRows, isFit: boolean) => Promise<void>,
  most: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  let seen = 0;
  for (const [index, { from, to }] of chunks.entries()) {
    if (seen >= most) break;
    const { input, rows, thresholds } = await source.read(index);
    seen += rows.dims[0] as number;
    const border = Math.min(Math.max(fit - from, 0), to - from);
    const part = async (first: number, last: number, isFit: boolean): Promise<void> => {
      if (last <= first) return;
      const own = (tensor: Tensor, axis = 0): Tensor => samplesOf(tensor, axis, first, last, to - from);
      const isShared = thresholds.dims[0] === 1 && rows.dims[0] !== 1;
      await visit(
        { input: own(input, source.sampleAxis), rows: own(rows), thresholds: isShared ? thresholds : own(thresholds) },
        isFit,
      );
    };
    await part(0, border, true);
    await part(border, to - from, false);
  }
}

/** Samples first..last-1 of a tensor with equally many indexes along `axis` of each of `count` samples. */
function samplesOf(tensor: Tensor, axis: number, first: number, last: number, count: number): Tensor {
  if (first === 0 && last === count) return tensor;
  const each = (tensor.dims[axis] as number) / count;
  return slice(tensor, axis, first * each, last * each);
}
