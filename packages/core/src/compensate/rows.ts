/**
 * Rows: what a regression of a layer sees of the data. A row is one sample at one position (a pixel of a convolution's
 * output, a token); of layers with very many, the same random positions of every sample are taken.
 */
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { dimsOf } from "../graph/shapes.ts";
import { sizeOf, Tensor } from "../graph/tensor.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";
import type { Regression } from "../ops/rule.ts";
import type { Session } from "../runner.ts";
import { keptIndexes } from "../surgery/cut.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { randomSource, shuffled } from "../util/random.ts";
import { type Consumer, regressionOf } from "./consumers.ts";
import type { Wanted } from "./outlet.ts";
import { emptyMoments, type Moments } from "./ridge.ts";

/** About how many rows of a layer are looked at, at most. */
const MOST_ROWS = 2 ** 15;

/** A consumer at some stage of pruning: the features that are left, and all outputs of the intact layer. */
export interface Layer {
  readonly consumer: Consumer;
  readonly regression: Regression;
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
  const regression = node && regressionOf(node, model, shapes);
  const left = model.graph.initializers.get(consumer.weights)?.dims;
  const { dims } = intact.model.graph.initializers.get(consumer.weights) as Tensor;
  if (!regression || !left || sizeOf(left) === 0) return undefined;
  const [inputAxis, outputAxis] = regression.outputsFirst ? [1, 0] : [0, 1];
  const weightsInputs = placeKey(consumer.weights, inputAxis, { node: id, slot: 1 });
  return {
    consumer,
    regression,
    outputs: dims[outputAxis] as number,
    features: sizeOf(left) / (left[outputAxis] as number),
    positions: sizeOf(dimsOf(intact.shapes, id)) / (dims[outputAxis] as number),
    keptInputs: keptIndexes(intact.units.places, weightsInputs, removed),
  };
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

/** Rows of a value, [rows, width], from [N, positions, width]. */
export function rowsOf(b: GraphBuilder, value: string, layer: Layer, width: number, samples: number): string {
  const chosen = chosenPositions(layer, samples);
  if (!chosen) return b.reshape(value, [-1, width]);
  const apart = b.reshape(value, [-1, layer.positions, width]);
  return b.reshape(b.op("Gather", [apart, b.ints(chosen)], { axis: 1 }), [-1, width]);
}

/**
 * Output rows of layers in the original network, by output name and chunk: what they should go on giving. Values that
 * are no layer's output but are shaped like it may be asked for as well.
 */
export async function originalRows(
  subject: Subject,
  state: State,
  wanted: readonly { readonly layer: Layer; readonly value: string }[],
): Promise<Map<string, Tensor[]>> {
  const { model } = state;
  const b = new GraphBuilder({ opset: opsetOf(model), real: subject.targets.type, base: model.graph });
  const outputs = new Map(
    wanted.map(({ layer, value }) => [
      value,
      rowsOf(b, layer.regression.outputs(b, value), layer, layer.outputs, subject.data.size),
    ]),
  );
  const session = await subject.runner.load(writeModel({ ...model, graph: b.graph([...outputs.values()]) }));
  const rows = new Map([...outputs.keys()].map((value): [string, Tensor[]] => [value, []]));
  try {
    for (const { feeds } of subject.chunks) {
      const result = await session.run(feeds);
      for (const [value, output] of outputs) rows.get(value)?.push(result[output] as Tensor);
    }
  } finally {
    await session.release();
  }
  return rows;
}

/** A graph that takes a layer's rows from a value that is shaped like its output now: [rows, width]. */
export async function rowReader(
  layer: Layer,
  { runner, data, targets }: Subject,
  { model }: State,
  width: number,
): Promise<{ rows(value: Tensor): Promise<Tensor>; release(): Promise<void> }> {
  const b = new GraphBuilder({ opset: opsetOf(model), real: targets.type, base: emptyGraph("rows") });
  const value = b.input("value", targets.type);
  const rows = rowsOf(b, layer.regression.outputs(b, value), layer, width, data.size);
  const session = await runner.load(writeModel({ ...model, graph: b.graph([rows]) }));
  return {
    rows: async (tensor) => (await session.run({ value: tensor }))[rows] as Tensor,
    release: () => session.release(),
  };
}

/** A graph that turns a layer's input x[N, ...] and wanted rows z[rows, outputs] into moments. */
class MomentsGraph {
  readonly #layer: Layer;
  readonly #session: Session;

  private constructor(layer: Layer, session: Session) {
    this.#layer = layer;
    this.#session = session;
  }

  static async of(layer: Layer, { runner, data, targets }: Subject, { model }: State): Promise<MomentsGraph> {
    const { consumer, regression, features } = layer;
    const b = new GraphBuilder({ opset: opsetOf(model), real: targets.type, base: emptyGraph("moments") });
    b.input(consumer.input, targets.type);
    b.input("wanted", targets.type);
    const rows = rowsOf(b, regression.features(b, consumer.input), layer, features, data.size);
    const [x, z] = [b.cast(rows, "float64"), b.cast("wanted", "float64")];
    const names = [
      b.sum(x, [0]),
      b.sum(z, [0]),
      b.op("MatMul", [b.op("Transpose", [x], { perm: [1, 0] }), b.op("Concat", [x, z], { axis: 1 })]),
      b.sum(b.square(z), [0]),
    ];
    const renamed = names.map((name, i) => b.op("Identity", [name], {}, RESULTS[i] as string));
    const session = await runner.load(writeModel({ ...model, graph: b.graph(renamed) }));
    return new MomentsGraph(layer, session);
  }

  /** Adds the rows of some samples. */
  async add(moments: Moments, input: Tensor, wanted: Tensor): Promise<void> {
    const { consumer, features, outputs } = this.#layer;
    const result = await this.#session.run({ [consumer.input]: input, wanted });
    const [x, z, products, zz] = RESULTS.map((name) => (result[name] as Tensor).data as Float64Array) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    moments.rows += wanted.dims[0] as number;
    accumulate(moments.x, x);
    accumulate(moments.z, z);
    accumulate(moments.zz, zz);
    for (let i = 0; i < features; i++) {
      const row = products.subarray(i * (features + outputs), (i + 1) * (features + outputs));
      accumulate(moments.xx.subarray(i * features, (i + 1) * features), row.subarray(0, features));
      accumulate(moments.xz.subarray(i * outputs, (i + 1) * outputs), row.subarray(features));
    }
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

const RESULTS = ["sum of x", "sum of z", "products", "squares of z"] as const;

/** Moments of the first `fit` samples, which weights are fitted on, and of the others, which choices are made on. */
export interface SplitMoments {
  readonly fit: Moments;
  readonly heldOut: Moments;
}

/** What a layer reads of a chunk, [N, ...], and what it is fitted to. */
export interface LayerRows extends Wanted {
  readonly input: Tensor;
}

/**
 * Streams moments of a layer over the data.
 *
 * @param fit number of samples to fit on
 */
export async function streamMoments(
  layer: Layer,
  subject: Subject,
  state: State,
  fit: number,
  read: (chunk: number) => Promise<LayerRows>,
): Promise<SplitMoments> {
  const graph = await MomentsGraph.of(layer, subject, state);
  const parts = {
    fit: emptyMoments(layer.features, layer.outputs),
    heldOut: emptyMoments(layer.features, layer.outputs),
  };
  try {
    for (const [index, { from, to }] of subject.chunks.entries()) {
      const { input, rows } = await read(index);
      const border = Math.min(Math.max(fit - from, 0), to - from);
      for (const [moments, first, last] of [
        [parts.fit, 0, border],
        [parts.heldOut, border, to - from],
      ] as const) {
        if (last <= first) continue;
        const part = (tensor: Tensor): Tensor => samplesOf(tensor, first, last, to - from);
        await graph.add(moments, part(input), part(rows));
      }
    }
  } finally {
    await graph.release();
  }
  return parts;
}

/** Samples first..last-1 of a tensor whose first axis holds equally many rows of each of `count` samples. */
export function samplesOf(tensor: Tensor, first: number, last: number, count: number): Tensor {
  if (first === 0 && last === count) return tensor;
  const perSample = (tensor.dims[0] as number) / count;
  const width = sizeOf(tensor.dims.slice(1)) * perSample;
  const data = tensor.data.subarray(first * width, last * width);
  return new Tensor(tensor.type, [(last - first) * perSample, ...tensor.dims.slice(1)], data);
}

export function accumulate(sums: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (values[i] as number);
}
