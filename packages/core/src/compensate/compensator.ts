/**
 * Compensation: what surgery does to the consumers of removed units to make up for them, in closed form.
 *
 * Consumers are fitted again in the order of the graph, each from the input that it gets in the smaller network to the
 * output that it gave in the original one, so that errors do not pile up along depth. `mean` fits the bias alone (the
 * removed units' mean output goes into it), `lstsq` weights and bias by ridge least squares.
 */
import type { Tensor } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import type { Activations } from "../measure/activations.ts";
import { HOLD_OUT_SHARE } from "../measure/hold-out.ts";
import { stateOf } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import type { Unfitted } from "../results.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { leastSquares, meanFit, RIDGES } from "./best-fit.ts";
import { type Consumer, type Fittable, keptOutputs, MOST_FEATURES, unfitted, withoutIdleBiases } from "./consumers.ts";
import { lastFit, withWeights } from "./last-fit.ts";
import { type SplitMoments, streamMoments } from "./moments.ts";
import { OriginalRows } from "./original-rows.ts";
import { type Outlet, outletOf, wantedAlone, wantedInSum } from "./outlet.ts";
import { rectified } from "./rectify.ts";
import { type Fit, type Moments, sumOf } from "./ridge.ts";
import { type Layer, layerAt, type RowSource, rowCount, rowReader } from "./rows.ts";
import { Sensitivities } from "./sensitivities.ts";
import { fitIn, withFit } from "./weights.ts";

/** What surgery does to the consumers of removed units. */
export type Compensation = "none" | "mean" | "lstsq";

/** What is known of a consumer at the present stage. */
export interface KnownMoments {
  readonly layer: Layer;
  readonly moments: Moments;
  /** Its original weights [features, outputs]. */
  readonly start: Float64Array;
}

export class Compensator {
  readonly kind: Compensation;
  /** Multiply-accumulates that a repair of all consumers takes, about. */
  readonly macs: number;
  readonly sensitivities: Sensitivities;
  readonly #subject: Subject;
  readonly #fittable: Fittable;
  readonly #recalibrates: boolean;
  /** Of the original network: consumers' outputs, or the sums that they are a part of. */
  readonly #wanted: OriginalRows;
  readonly #outlets: ReadonlyMap<Consumer, Outlet>;
  /** Samples to fit on; the others judge. */
  readonly #samples: number;
  readonly #known = new Map<Consumer, KnownMoments>();
  #weights: ReadonlyMap<string, Tensor> = new Map();
  #prunable: Prunable;
  #written: Prunable | undefined;
  #removed: RemovedUnits;

  private constructor(parts: {
    readonly subject: Subject;
    readonly fittable: Fittable;
    readonly kind: Compensation;
    readonly wanted: OriginalRows;
    readonly outlets: ReadonlyMap<Consumer, Outlet>;
    readonly macs: number;
    readonly recalibrates: boolean;
  }) {
    const { subject, fittable } = parts;
    this.kind = parts.kind;
    this.macs = parts.macs;
    this.sensitivities = new Sensitivities(subject, fittable);
    this.#subject = subject;
    this.#fittable = fittable;
    this.#recalibrates = parts.recalibrates;
    this.#wanted = parts.wanted;
    this.#outlets = parts.outlets;
    this.#samples = Math.max(1, Math.round(subject.data.size * (1 - HOLD_OUT_SHARE)));
    this.#prunable = fittable.prunable;
    this.#removed = new Uint8Array(fittable.prunable.units.count);
  }

  /** `subject` is one of the fittable model, its samples in a random order: the last of them are held out. */
  static async of(subject: Subject, fittable: Fittable, kind: Compensation, recalibrates = true): Promise<Compensator> {
    const { prunable, consumers } = fittable;
    const intact = stateOf(prunable, new Uint8Array(prunable.units.count));
    const layers = consumers.flatMap((consumer) => layerAt(consumer, prunable, intact) ?? []);
    const outlets = new Map(
      consumers.map((consumer) => [consumer, outletOf(prunable.model.graph, consumer, consumers)]),
    );
    const values = new Map(
      layers.map((layer) => [outlets.get(layer.consumer)?.sum?.value ?? layer.consumer.output, layer]),
    );
    const macs = kind === "none" ? 0 : layers.reduce((sum, layer) => sum + fitMacs(layer, subject.data.size), 0);
    const wanted = await OriginalRows.of(subject, intact, values);
    return new Compensator({ subject, fittable, kind, wanted, outlets, macs, recalibrates });
  }

  /** The consumers that can be fitted, in topological order. */
  get consumers(): readonly Consumer[] {
    return this.#fittable.consumers;
  }

  /** The model that repairs start from: it computes what the original does. */
  get intact(): Prunable {
    return this.#fittable.prunable;
  }

  /** Where the repair of the present removals does not reach; see {@link unfitted}. */
  get unfitted(): Unfitted[] {
    return this.kind === "none" ? [] : unfitted(this.#fittable, this.#removed);
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
    return this.#keep(layer, await this.#moments(layer, activations));
  }

  /** See {@link Sensitivities.of}. */
  sensitivityOf(consumer: Consumer, { state }: Activations): Promise<Float64Array | undefined> {
    const isRepaired = state.removed.every((one, unit) => one === this.#removed[unit]);
    return this.sensitivities.of(consumer, state, isRepaired);
  }

  /** The present model, not cut, with other fits of some consumers. */
  withFits(fits: readonly { readonly layer: Layer; readonly fit: Fit }[]): Prunable {
    const { initializers } = this.#prunable.model.graph;
    return withWeights(this.#prunable, new Map(fits.flatMap(({ layer, fit }) => withFit(initializers, layer, fit))));
  }

  /** The end of a run, see {@link lastFit}. Returns the consumers that have changed, as {@link repair} does. */
  async finish(): Promise<string[]> {
    if (this.kind === "none" || !this.#removed.includes(1)) return [];
    const weights = await lastFit({
      subject: this.#subject,
      fittable: this.#fittable,
      repaired: this.#prunable,
      removed: this.#removed,
      fit: this.#samples,
      recalibrates: this.#recalibrates,
      fitsWeights: this.kind === "lstsq",
    });
    this.#take(weights);
    return weights.size > 0 ? this.consumers.map(({ node }) => nodeId(node)) : [];
  }

  /** Gives a consumer the weights that fit what it reads now. */
  async #fit(consumer: Consumer, activations: Activations): Promise<boolean> {
    const { state } = activations;
    const layer = layerAt(consumer, this.#fittable.prunable, state);
    if (!layer) return false;
    const { initializers } = this.#fittable.prunable.model.graph;
    const original = fitIn(initializers, layer);
    const source = await this.#rowsOf(layer, activations);
    const [subject, fit] = [this.#subject, this.#samples];
    try {
      const moments = await streamMoments(layer, subject, state, fit, source);
      if (this.kind === "mean" || layer.features > MOST_FEATURES) {
        this.#take(withFit(initializers, layer, meanFit(moments, original).fit));
        return true;
      }
      const best = leastSquares(moments, original);
      const { isRectified, scale } = this.#outlets.get(consumer) as Outlet;
      const signs = scale.map((factor) => (factor < 0 ? -1 : 1));
      const { solver } = best;
      const final =
        isRectified && solver
          ? await rectified(
              { layer, subject, state, fit, source, moments: moments.fit, signs, solver, start: original.weights },
              best.fit,
            )
          : best.fit;
      this.#take(withFit(initializers, layer, final));
      this.#keep(layer, moments);
      return true;
    } finally {
      await source.release();
    }
  }

  async #moments(layer: Layer, activations: Activations): Promise<SplitMoments> {
    const source = await this.#rowsOf(layer, activations);
    try {
      return await streamMoments(layer, this.#subject, activations.state, this.#samples, source);
    } finally {
      await source.release();
    }
  }

  /** What a layer reads now, and what it is fitted to. */
  async #rowsOf(layer: Layer, activations: Activations): Promise<RowSource> {
    const { state } = activations;
    const { input, output } = layer.consumer;
    const outlet = this.#outlets.get(layer.consumer) as Outlet;
    const { sum } = outlet;
    const kept = keptOutputs(this.#fittable.prunable, layer.consumer, state);
    const others = sum && (await rowReader(layer, this.#subject, state, kept?.length ?? layer.outputs));
    const now = await activations.reader(sum ? [input, sum.other] : [input]);
    const original = await this.#wanted.reader(sum?.value ?? output);
    return {
      async read(chunk) {
        const values = await now.read(chunk);
        const rows = await original.read(chunk);
        const wanted =
          sum && others
            ? wantedInSum(outlet, rows, await others.rows(values[sum.other] as Tensor), kept)
            : wantedAlone(outlet, rows);
        return { input: values[input] as Tensor, ...wanted };
      },
      async release() {
        await now.release();
        await original.release();
        await others?.release();
      },
    };
  }

  #keep(layer: Layer, { fit, heldOut }: SplitMoments): KnownMoments {
    const start = fitIn(this.#fittable.prunable.model.graph.initializers, layer).weights;
    const known = { layer, moments: sumOf(fit, heldOut), start };
    this.#known.set(layer.consumer, known);
    return known;
  }

  /** Goes on with other initializers of the intact model. */
  #take(weights: Iterable<readonly [name: string, tensor: Tensor]>): void {
    this.#weights = new Map([...this.#weights, ...weights]);
    this.#prunable = withWeights(this.#fittable.prunable, this.#weights);
    this.#written = undefined;
  }
}

/** A multiply-accumulate of the solver takes as long as about so many of the runtime. */
const SOLVER_COST = 20;

/** Multiply-accumulates of one fit: moments of the rows, and a factorisation for every ridge. */
function fitMacs(layer: Layer, samples: number): number {
  const { features, outputs } = layer;
  const solving = RIDGES.length * features ** 2 * (features + outputs);
  return rowCount(layer, samples) * features * (features + outputs) + SOLVER_COST * solving;
}
