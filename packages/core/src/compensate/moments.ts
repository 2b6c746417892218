/** Moments of a layer's rows, streamed over the data: what least squares need to know of the samples. */
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { concat, type Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { State } from "../measure/state.ts";
import { writeModel } from "../onnx/index.ts";
import type { Session } from "../runner.ts";
import { emptyMoments, type Moments } from "./ridge.ts";
import { eachPart, featureRows, type Layer, type LayerRows, type RowSource } from "./rows.ts";

/** A graph that turns a layer's input x[N, ...] and wanted rows z[rows, outputs] into moments. */
class MomentsGraph {
  readonly #layer: Layer;
  readonly #session: Session;

  private constructor(layer: Layer, session: Session) {
    this.#layer = layer;
    this.#session = session;
  }

  static async of(layer: Layer, { runner, samples, type }: Evaluator, { model }: State): Promise<MomentsGraph> {
    const { consumer } = layer;
    const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: emptyGraph("moments") });
    b.input(consumer.input, type);
    b.input("wanted", type);
    const rows = featureRows(b, consumer.input, layer, samples.size);
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

/** Inputs that wait for more rows take no more bytes than this, about. */
const WAITING_BYTES = 2 ** 26;

/**
 * Rows that wait until there are as many as features: products are as large for a few rows as for many, and have to be added up.
 */
class WaitingRows {
  readonly #add: (input: Tensor, wanted: Tensor) => Promise<void>;
  readonly #features: number;
  readonly #sampleAxis: number;
  #inputs: Tensor[] = [];
  #wanted: Tensor[] = [];

  constructor(
    add: (input: Tensor, wanted: Tensor) => Promise<void>,
    { features }: Layer,
    { sampleAxis }: Pick<RowSource, "sampleAxis">,
  ) {
    this.#add = add;
    this.#features = features;
    this.#sampleAxis = sampleAxis;
  }

  async push(input: Tensor, wanted: Tensor): Promise<void> {
    this.#inputs.push(input);
    this.#wanted.push(wanted);
    const rows = this.#wanted.reduce((sum, { dims }) => sum + (dims[0] as number), 0);
    const bytes = this.#inputs.reduce((sum, { byteLength }) => sum + byteLength, 0);
    if (rows >= this.#features || bytes >= WAITING_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const [inputs, wanted] = [this.#inputs, this.#wanted];
    if (inputs.length === 0) return;
    [this.#inputs, this.#wanted] = [[], []];
    const joined = (all: readonly Tensor[], axis: number): Tensor =>
      all.length === 1 ? (all[0] as Tensor) : concat(all, axis);
    await this.#add(joined(inputs, this.#sampleAxis), joined(wanted, 0));
  }
}

const RESULTS = ["sum of x", "sum of z", "products", "squares of z"] as const;

/** Moments of the first `fit` samples, which weights are fitted on, and of the others, which choices are made on. */
export interface SplitMoments {
  readonly fit: Moments;
  readonly heldOut: Moments;
}

/**
 * Streams moments of a layer over the data. `fit`: number of samples to fit on. `most`: see {@link eachPart}. Takes as much memory
 * for any number of samples.
 */
export async function streamMoments(
  layer: Layer,
  evaluator: Evaluator,
  state: State,
  fit: number,
  source: RowSource,
  most?: number,
): Promise<SplitMoments> {
  const graph = await MomentsGraph.of(layer, evaluator, state);
  const parts = {
    fit: emptyMoments(layer.features, layer.outputs),
    heldOut: emptyMoments(layer.features, layer.outputs),
  };
  const waiting = (moments: Moments): WaitingRows =>
    new WaitingRows((input, wanted) => graph.add(moments, input, wanted), layer, source);
  const [toFit, heldOut] = [waiting(parts.fit), waiting(parts.heldOut)];
  try {
    const add = ({ input, rows }: LayerRows, isFit: boolean): Promise<void> =>
      (isFit ? toFit : heldOut).push(input, rows);
    await eachPart(source, evaluator, fit, add, most);
    await toFit.flush();
    await heldOut.flush();
  } finally {
    await graph.release();
  }
  return parts;
}

/** Adds values to sums in place. */
export function accumulate(sums: Float64Array, values: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (values[i] as number);
}
