/**
 * Compensation: what surgery does to the consumers of removed units to make up for them, in closed form.
 *
 * Consumers are fitted again in the order of the graph, each from the input that it gets in the smaller network to the
 * output that it gave in the original one, so that errors do not pile up along depth. `mean` fits the bias alone (the
 * removed units' mean output goes into it), `lstsq` weights and bias by ridge least squares.
 */
import type { Model } from "../graph/graph.ts";
import { Tensor } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import type { Activations } from "../measure/activations.ts";
import { type State, stateOf } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";
import { keptIndexes, type RemovedUnits } from "../surgery/cut.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { leastSquares, meanFit, RIDGES } from "./best-fit.ts";
import { type Consumer, type Fittable, withoutIdleBiases } from "./consumers.ts";
import { type Outlet, outletOf, wantedAlone, wantedInSum } from "./outlet.ts";
import { outputChange } from "./output-change.ts";
import { type Adjustment, heldOutChange, outputSteps } from "./output-fit.ts";
import { recalibrated } from "./recalibrate.ts";
import { rectified } from "./rectify.ts";
import { type Fit, type Moments, sumOf } from "./ridge.ts";
import {
  type Layer,
  type LayerRows,
  layerAt,
  originalRows,
  rowCount,
  rowReader,
  type SplitMoments,
  streamMoments,
} from "./rows.ts";
import { sensitivities } from "./sensitivity.ts";

/** What surgery does to the consumers of removed units. */
export type Compensation = "none" | "mean" | "lstsq";

/** Share of the samples that nothing is fitted on: what is chosen by measuring is measured on them. */
export const HELD_OUT = 0.2;

/** Share of the units that may go before sensitivities are measured anew. */
const DRIFT = 0.05;

/** Steps of {@link Compensator.finish}; it ends before where one gains less than a share of what is left. */
const MOST_STEPS = 8;
const LEAST_GAIN = 0.01;

/** Samples that a trial is measured on, about. */
const TRIAL_SAMPLES = 256;

/** Layers with more features than this keep their weights: their least squares would take too long. */
const MOST_FEATURES = 4096;

/** What is known of a consumer at the present stage. */
export interface KnownMoments {
  readonly layer: Layer;
  readonly moments: Moments;
  /** Its original weights [features, outputs]. */
  readonly start: Float64Array;
}

/** What was measured of the network at one stage. */
interface Sensitivity {
  /** Units that were gone then. */
  readonly gone: number;
  readonly byConsumer: ReadonlyMap<Consumer, Float64Array>;
  /** Outputs for the first samples, by chunk. */
  readonly outputs: readonly Tensor[];
}

export class Compensator {
  /** Multiply-accumulates that a repair of all consumers takes, about. */
  readonly macs: number;
  readonly #subject: Subject;
  readonly #fittable: Fittable;
  readonly kind: Compensation;
  readonly #recalibrates: boolean;
  /** Rows of the original network by value and chunk: consumers' outputs, or the sums that they are a part of. */
  readonly #wanted: ReadonlyMap<string, readonly Tensor[]>;
  readonly #outlets: ReadonlyMap<Consumer, Outlet>;
  readonly #samples: number;
  readonly #known = new Map<Consumer, KnownMoments>();
  #sensitivity: Sensitivity = { gone: Number.NaN, byConsumer: new Map(), outputs: [] };
  #weights = new Map<string, Tensor>();
  #written: Prunable | undefined;
  #prunable: Prunable;
  #removed: RemovedUnits;

  private constructor(
    subject: Subject,
    fittable: Fittable,
    kind: Compensation,
    wanted: ReadonlyMap<string, readonly Tensor[]>,
    outlets: ReadonlyMap<Consumer, Outlet>,
    macs: number,
    recalibrates: boolean,
  ) {
    this.macs = macs;
    this.#recalibrates = recalibrates;
    this.#subject = subject;
    this.#fittable = fittable;
    this.kind = kind;
    this.#wanted = wanted;
    this.#outlets = outlets;
    this.#samples = Math.max(1, Math.round(subject.data.size * (1 - HELD_OUT)));
    this.#prunable = fittable.prunable;
    this.#removed = new Uint8Array(fittable.prunable.units.count);
  }

  /** `subject` is one of the fittable model, its samples in a random order: the last of them are held out. */
  static async of(subject: Subject, fittable: Fittable, kind: Compensation, recalibrate = true): Promise<Compensator> {
    const { prunable, consumers } = fittable;
    const intact = stateOf(prunable, new Uint8Array(prunable.units.count));
    const layers = consumers.flatMap((consumer) => layerAt(consumer, prunable, intact) ?? []);
    const outlets = new Map(
      consumers.map((consumer) => [consumer, outletOf(prunable.model.graph, consumer, consumers)]),
    );
    const wanted = layers.map((layer) => {
      const { consumer } = layer;
      return { layer, value: outlets.get(consumer)?.sum?.value ?? consumer.output };
    });
    const macs = kind === "none" ? 0 : layers.reduce((sum, layer) => sum + fitMacs(layer, subject.data.size), 0);
    return new Compensator(
      subject,
      fittable,
      kind,
      await originalRows(subject, intact, wanted),
      outlets,
      macs,
      recalibrate,
    );
  }

  /** The model, not cut, with the weights that go with the units removed so far. */
  get prunable(): Prunable {
    return this.#prunable;
  }

  /** The same as it is written: without biases that were added and are not used. */
  get written(): Prunable {
    this.#written ??= {
      ...this.#prunable,
      model: withoutIdleBiases(this.#prunable.model, this.#fittable.added),
    };
    return this.#written;
  }

  /**
   * Fits all consumers that notice the removals since the last call, and leaves the activations at the repaired network.
   * Returns them, by their nodes' first outputs.
   */
  async repair(activations: Activations, removed: RemovedUnits): Promise<string[]> {
    const { units, model } = this.#fittable.prunable;
    const before = this.#removed;
    const changed = units.groups
      .filter((group) => {
        for (let unit = group.first; unit < group.first + group.size; unit++)
          if (removed[unit] !== before[unit]) return true;
        return false;
      })
      .flatMap((group) => group.sinks.map((sink) => sink.node));
    this.#removed = removed.slice();
    const noticed = downstream(model.graph, changed);
    activations.advance(stateOf(this.#prunable, removed));
    const fitted: string[] = [];
    for (const consumer of this.#fittable.consumers) {
      const id = nodeId(consumer.node);
      const other = this.#outlets.get(consumer)?.sum?.other;
      if (!noticed.has(id) && !(other !== undefined && noticed.has(other))) continue;
      this.#known.delete(consumer);
      if (this.kind === "none" || !(await this.#fit(consumer, activations))) continue;
      activations.advance(stateOf(this.#prunable, removed), [id]);
      fitted.push(id);
    }
    return fitted;
  }

  /** Moments of what a consumer reads now and of what it should give, over all samples; undefined where it is gone. */
  async momentsOf(consumer: Consumer, activations: Activations): Promise<KnownMoments | undefined> {
    const known = this.#known.get(consumer);
    if (known) return known;
    const layer = layerAt(consumer, this.#fittable.prunable, activations.state);
    if (!layer || layer.features > MOST_FEATURES) return undefined;
    const { fit, heldOut } = await this.#moments(layer, activations);
    return this.#keep(layer, sumOf(fit, heldOut));
  }

  /**
   * What the network's output notices of errors in each consumer's outputs, by output of the intact layer; see
   * {@link sensitivities}. Measured anew now and then, as units go.
   */
  async sensitivityOf(consumer: Consumer, { state }: Activations): Promise<Float64Array | undefined> {
    const { units } = this.#fittable.prunable;
    const gone = state.removed.reduce((sum, one) => sum + one, 0);
    const { gone: then } = this.#sensitivity;
    const isStale = !(then <= gone && gone <= then + DRIFT * units.count);
    const isRepaired = state.removed.every((one, unit) => one === this.#removed[unit]);
    if (Number.isNaN(then) || (isStale && isRepaired)) {
      const layers = this.#fittable.consumers.flatMap((one) => layerAt(one, this.#fittable.prunable, state) ?? []);
      const outputs = await this.#outputs(state.model);
      const found = await sensitivities(this.#subject, state, layers, outputs);
      const byConsumer = new Map<Consumer, Float64Array>();
      for (const [layer, values] of found) {
        const all = new Float64Array(layer.outputs);
        const kept = this.#keptOutputs(layer.consumer, state);
        for (const [i, value] of values.entries()) all[kept ? (kept[i] as number) : i] = value;
        byConsumer.set(layer.consumer, all);
      }
      this.#sensitivity = { gone, byConsumer, outputs };
    }
    const kept = this.#keptOutputs(consumer, state);
    const isLeft = kept && new Set(kept);
    return this.#sensitivity.byConsumer.get(consumer)?.map((value, o) => (isLeft?.has(o) === false ? 0 : value));
  }

  /** Changes whenever sensitivities are measured anew. */
  get sensitivityStage(): object {
    return this.#sensitivity;
  }

  /**
   * Change of the network's outputs ({@link outputChange}), summed over the samples, if `removed` were gone and some consumers
   * had other weights. Measured on a part of the samples.
   */
  async changeOf(
    fits: readonly { readonly layer: Layer; readonly fit: Fit }[],
    removed: RemovedUnits,
  ): Promise<number> {
    const { outputs } = this.#sensitivity;
    const after = await this.#outputs(stateOf(this.withFits(fits), removed).model);
    let change = 0;
    let samples = 0;
    for (const [chunk, before] of outputs.entries()) {
      const rows = before.dims[0] as number;
      const now = (after[chunk] as Tensor).numbers;
      change += outputChange(this.#subject.objective, before.numbers, now, before.dims.at(-1) as number);
      samples += rows;
    }
    return change * (this.#subject.data.size / samples);
  }

  /**
   * The end of a run: statistics of normalisations are measured anew ({@link recalibrated}), then all consumers are fitted
   * together to the original network's outputs ({@link outputSteps}); each only if that brings the outputs for the held-out
   * samples closer. Returns the consumers that have changed, as {@link repair} does.
   */
  async finish(activations: Activations): Promise<string[]> {
    if (this.kind === "none" || !this.#removed.includes(1)) return [];
    const subject = this.#subject;
    const intact = stateOf(this.#fittable.prunable, new Uint8Array(this.#removed.length));
    const original = await this.#outputs(intact.model, subject.data.size);
    const shared = { subject, original, fit: this.#samples };
    let outputs = await this.#outputs(activations.state.model, subject.data.size);
    let best = heldOutChange(shared, outputs);
    const fitted = new Set<string>();
    /** Keeps other weights where they bring the outputs closer. */
    const keepIfCloser = async (weights: ReadonlyMap<string, Tensor>): Promise<boolean> => {
      const trial = await this.#outputs(stateOf(this.#with(weights), this.#removed).model, subject.data.size);
      const change = heldOutChange(shared, trial);
      if (!(change < best)) return false;
      [best, outputs] = [change, trial];
      this.#weights = new Map([...this.#weights, ...weights]);
      this.#prunable = this.#with(weights);
      this.#written = undefined;
      return true;
    };
    if (this.#recalibrates) {
      const statistics = await recalibrated(this.#fittable.prunable, subject, intact, activations.state, this.#samples);
      if (statistics.size > 0 && (await keepIfCloser(statistics))) {
        for (const { node } of this.#fittable.consumers) fitted.add(nodeId(node));
      }
    }
    if (this.kind !== "lstsq") return [...fitted];
    for (let step = 0; step < MOST_STEPS; step++) {
      const from = this.#prunable;
      const before = best;
      const state = stateOf(from, this.#removed);
      const layers = this.#fittable.consumers.flatMap((consumer) => {
        const layer = layerAt(consumer, this.#fittable.prunable, state);
        const width = layer && (this.#keptOutputs(consumer, state)?.length ?? layer.outputs);
        return layer && width ? [{ layer, width }] : [];
      });
      let isCloser = false;
      for (const adjustments of await outputSteps({ ...shared, state, layers, outputs })) {
        const weights = new Map(adjustments.flatMap((one) => this.#adjusted(one, from, state)));
        isCloser = (await keepIfCloser(weights)) || isCloser;
      }
      if (!isCloser) break;
      const isEnough = best > (1 - LEAST_GAIN) * before;
      for (const { layer } of layers) fitted.add(nodeId(layer.consumer.node));
      if (isEnough) break;
    }
    return [...fitted];
  }

  /** The present model with other weights. */
  #with(weights: ReadonlyMap<string, Tensor>): Prunable {
    const { model } = this.#prunable;
    const initializers = new Map([...model.graph.initializers, ...weights]);
    return { ...this.#prunable, model: { ...model, graph: model.graph.with({ initializers }) } };
  }

  /** Weights and bias of a consumer after an adjustment of the outputs that are left. */
  #adjusted(
    { layer, scale, weights: added, bias }: Adjustment,
    { model }: Prunable,
    state: State,
  ): [name: string, tensor: Tensor][] {
    const { consumer, outputs } = layer;
    const { initializers } = model.graph;
    const [oldWeights, oldBias] = [consumer.weights, consumer.bias].map((name) => initializers.get(name)) as [
      Tensor,
      Tensor,
    ];
    const weights = (oldWeights.data as Float32Array).slice();
    const biases = (oldBias.data as Float32Array).slice();
    const kept = this.#keptOutputs(consumer, state) ?? Array.from({ length: outputs }, (_, o) => o);
    const keptAt = new Map(kept.map((o, i) => [o, i]));
    eachWeight(layer, oldWeights, (at, place) => {
      const i = keptAt.get(at % outputs);
      if (i === undefined) return;
      const change = added?.[Math.floor(at / outputs) * kept.length + i] ?? 0;
      weights[place] = (weights[place] as number) * (scale[i] as number) + change;
    });
    for (const [i, o] of kept.entries()) biases[o] = (biases[o] as number) * (scale[i] as number) + (bias[i] as number);
    return [
      [consumer.weights, new Tensor(oldWeights.type, oldWeights.dims, weights)],
      [consumer.bias, new Tensor(oldBias.type, oldBias.dims, biases)],
    ];
  }

  /** The present model, not cut, with other fits of some consumers. */
  withFits(fits: readonly { readonly layer: Layer; readonly fit: Fit }[]): Prunable {
    const { initializers } = this.#prunable.model.graph;
    return this.#with(new Map(fits.flatMap(({ layer, fit }) => this.#tensorsOf(layer, fit, initializers))));
  }

  /** The network's outputs for the first samples, by chunk. */
  async #outputs(model: Model, samples = TRIAL_SAMPLES): Promise<Tensor[]> {
    const { objective, runner, chunks } = this.#subject;
    const outputs = [{ name: objective.value }];
    const session = await runner.load(writeModel({ ...model, graph: model.graph.with({ outputs }) }));
    try {
      const result: Tensor[] = [];
      for (const { from, feeds } of chunks) {
        if (from < samples) result.push((await session.run(feeds))[objective.value] as Tensor);
      }
      return result;
    } finally {
      await session.release();
    }
  }

  /** The consumers that can be fitted, in topological order. */
  get consumers(): readonly Consumer[] {
    return this.#fittable.consumers;
  }

  #keep(layer: Layer, moments: Moments): KnownMoments {
    const known = { layer, moments, start: this.#originalFit(layer).weights };
    this.#known.set(layer.consumer, known);
    return known;
  }

  /** Gives a consumer the weights that fit what it reads now. */
  async #fit(consumer: Consumer, activations: Activations): Promise<boolean> {
    const { state } = activations;
    const layer = layerAt(consumer, this.#fittable.prunable, state);
    if (!layer) return false;
    const original = this.#originalFit(layer);
    const rows = await this.#rowsOf(layer, activations);
    const moments = await streamMoments(
      layer,
      this.#subject,
      state,
      this.#samples,
      async (chunk) => rows[chunk] as LayerRows,
    );
    if (this.kind === "mean" || layer.features > MOST_FEATURES) {
      this.#store(layer, meanFit(moments, original).fit);
      return true;
    }
    const { fit, solver } = leastSquares(moments, original);
    const { isRectified, scale } = this.#outlets.get(consumer) as Outlet;
    const request = { layer, subject: this.#subject, state, fit: this.#samples, rows, moments: moments.fit };
    const signs = scale.map((factor) => (factor < 0 ? -1 : 1));
    const start = original.weights;
    this.#store(layer, isRectified && solver ? await rectified({ ...request, signs, solver, start }, fit) : fit);
    this.#keep(layer, sumOf(moments.fit, moments.heldOut));
    return true;
  }

  async #moments(layer: Layer, activations: Activations): Promise<SplitMoments> {
    const rows = await this.#rowsOf(layer, activations);
    return streamMoments(
      layer,
      this.#subject,
      activations.state,
      this.#samples,
      async (chunk) => rows[chunk] as LayerRows,
    );
  }

  /** By chunk: what a layer reads now, and what it is fitted to. */
  async #rowsOf(layer: Layer, activations: Activations): Promise<LayerRows[]> {
    const { state } = activations;
    const { input, output } = layer.consumer;
    const outlet = this.#outlets.get(layer.consumer) as Outlet;
    const { sum } = outlet;
    const kept = this.#keptOutputs(layer.consumer, state);
    const others = sum && (await rowReader(layer, this.#subject, state, kept?.length ?? layer.outputs));
    const reader = await activations.reader(sum ? [input, sum.other] : [input]);
    const original = this.#wanted.get(sum?.value ?? output) as readonly Tensor[];
    const result: LayerRows[] = [];
    try {
      for (const [chunk, rows] of original.entries()) {
        const values = await reader.read(chunk);
        const wanted =
          sum && others
            ? wantedInSum(outlet, rows, await others.rows(values[sum.other] as Tensor), kept)
            : wantedAlone(outlet, rows);
        result.push({ input: values[input] as Tensor, ...wanted });
      }
    } finally {
      await reader.release();
      await others?.release();
    }
    return result;
  }

  /** Outputs of a consumer that are left; undefined: all. */
  #keptOutputs({ bias }: Consumer, { removed }: State): readonly number[] | undefined {
    const { units, model } = this.#fittable.prunable;
    const holder = model.graph.value(bias)?.uses[0];
    const axis = (model.graph.initializers.get(bias)?.dims.length ?? 1) - 1;
    return (
      holder &&
      keptIndexes(units.places, placeKey(bias, axis, { node: nodeId(holder.node), slot: holder.slot }), removed)
    );
  }

  /** The original weights of what is left of a layer. */
  #originalFit(layer: Layer): Fit {
    const { initializers } = this.#fittable.prunable.model.graph;
    const [stored, bias] = [layer.consumer.weights, layer.consumer.bias].map((name) => initializers.get(name)) as [
      Tensor,
      Tensor,
    ];
    const numbers = stored.numbers;
    const weights = new Float64Array(layer.features * layer.outputs);
    eachWeight(layer, stored, (at, place) => {
      weights[at] = numbers[place] as number;
    });
    return { weights, bias: Float64Array.from(bias.numbers as ArrayLike<number>) };
  }

  #store(layer: Layer, fit: Fit): void {
    const { model } = this.#fittable.prunable;
    this.#weights = new Map([...this.#weights, ...this.#tensorsOf(layer, fit, model.graph.initializers)]);
    const initializers = new Map([...model.graph.initializers, ...this.#weights]);
    this.#prunable = { ...this.#fittable.prunable, model: { ...model, graph: model.graph.with({ initializers }) } };
    this.#written = undefined;
  }

  /** Weights and bias of the intact layer with the fit in its place. */
  #tensorsOf(
    layer: Layer,
    fit: Fit,
    initializers: ReadonlyMap<string, Tensor>,
  ): readonly (readonly [name: string, tensor: Tensor])[] {
    const { weights, bias } = layer.consumer;
    const [oldWeights, oldBias] = [weights, bias].map((name) => initializers.get(name)) as [Tensor, Tensor];
    const newWeights = (oldWeights.data as Float32Array).slice();
    eachWeight(layer, oldWeights, (at, place) => {
      newWeights[place] = fit.weights[at] as number;
    });
    const newBias = (oldBias.data as Float32Array).slice();
    newBias.set(fit.bias);
    return [
      [weights, new Tensor(oldWeights.type, oldWeights.dims, newWeights)],
      [bias, new Tensor(oldBias.type, oldBias.dims, newBias)],
    ];
  }
}

/** Multiply-accumulates of one fit: moments of the rows, and a factorisation for every ridge. */
function fitMacs(layer: Layer, samples: number): number {
  const { features, outputs } = layer;
  return (
    rowCount(layer, samples) * features * (features + outputs) + RIDGES.length * features ** 2 * (features + outputs)
  );
}

/** Visits every weight that is left: its place in [features, outputs] and in the intact layer's tensor. */
function eachWeight(layer: Layer, { size }: Tensor, visit: (at: number, place: number) => void): void {
  const { features, outputs, regression, keptInputs } = layer;
  const { span, outputsFirst } = regression;
  const allFeatures = size / outputs;
  for (let f = 0; f < features; f++) {
    const index = Math.floor(f / span);
    const feature = (keptInputs ? (keptInputs[index] as number) : index) * span + (f % span);
    for (let o = 0; o < outputs; o++) {
      visit(f * outputs + o, outputsFirst ? o * allFeatures + feature : feature * outputs + o);
    }
  }
}
