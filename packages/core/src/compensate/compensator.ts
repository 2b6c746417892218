/**
 * Compensation: what surgery does to the consumers of removed units to make up for them, in closed form.
 *
 * Consumers are fitted again in the order of the graph (those that share their weights together, when the first has its
 * turn), each from the input that it gets in the smaller network to the
 * output that it gave in the original one, so that errors do not pile up along depth. `mean` fits the bias alone (the
 * removed units' mean output goes into it), `lstsq` weights and bias by ridge least squares.
 */
import type { Tensor } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import type { Activations } from "../measure/activations.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { HOLD_OUT_SHARE } from "../measure/hold-out.ts";
import { type State, stateOf } from "../measure/state.ts";
import type { Unfitted } from "../results.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { Algebra } from "./algebra.ts";
import { leastSquares, meanFit, RIDGES } from "./best-fit.ts";
import {
  type Consumer,
  type ConsumerFamily,
  type Fittable,
  keptOutputs,
  MOST_FEATURES,
  unfitted,
} from "./consumers.ts";
import { idleBiases, withoutBiases } from "./idle-biases.ts";
import { type LastFitRequest, lastFit, lastFitPasses, withWeights } from "./last-fit.ts";
import { type SplitMoments, streamMoments } from "./moments.ts";
import { OriginalRows } from "./original-rows.ts";
import { type Outlet, outletOf, wantedAlone, wantedInSum } from "./outlet.ts";
import { rectified } from "./rectify.ts";
import { type Fit, type Moments, sumOf } from "./ridge.ts";
import { familyAt, type Layer, type LayerFamily, layerAt, type RowSource, rowCount, rowReader } from "./rows.ts";
import { Sensitivities } from "./sensitivities.ts";
import { sinkOf, surfaceOf } from "./surfaces.ts";
import { fitIn, withFit } from "./weights.ts";

/** What surgery does to the consumers of removed units. */
export type Compensation = "none" | "mean" | "lstsq";

/** Rows of a layer that tell what its units are worth; at least so many for each feature. */
const ROWS_TO_CHOOSE_BY = 2 ** 13;
const ROWS_PER_FEATURE = 16;

/** Multiply-accumulates of a repair that takes long: then stages are few, and only readers of units that have gone are fitted. */
export const LONG_REPAIR = 2e12;

/** What is known of consumers that share their weights at the present stage. */
export interface KnownMoments {
  readonly family: LayerFamily;
  readonly features: number;
  readonly outputs: number;
  /** By bias; their products are gone once a surface is made of them, which knows what they say. */
  moments: readonly Moments[];
  /** Their original weights [features, outputs]. */
  readonly start: Float64Array;
}

export class Compensator {
  readonly kind: Compensation;
  /** Multiply-accumulates that a repair of all consumers takes, about. */
  readonly macs: number;
  readonly sensitivities: Sensitivities;
  readonly algebra: Algebra;
  readonly #evaluator: Evaluator;
  readonly #fittable: Fittable;
  readonly #recalibrates: boolean;
  /** Of the original network: consumers' outputs, or the sums that they are a part of. */
  readonly #wanted: OriginalRows;
  readonly #outlets: ReadonlyMap<Consumer, Outlet>;
  /** So many of the samples are fitted on; the others judge. */
  readonly fitSamples: number;
  readonly #known = new Map<ConsumerFamily, KnownMoments>();
  #weights: ReadonlyMap<string, Tensor> = new Map();
  #prunable: Prunable;
  #written: { readonly names: string; readonly of: Prunable; readonly prunable: Prunable } | undefined;
  #removed: RemovedUnits;
  /** What was gone when all consumers were fitted last. */
  #repaired: RemovedUnits;

  private constructor(parts: {
    readonly evaluator: Evaluator;
    readonly fittable: Fittable;
    readonly kind: Compensation;
    readonly wanted: OriginalRows;
    readonly outlets: ReadonlyMap<Consumer, Outlet>;
    readonly macs: number;
    readonly recalibrates: boolean;
    readonly algebra: Algebra;
  }) {
    const { evaluator, fittable } = parts;
    this.kind = parts.kind;
    this.macs = parts.macs;
    this.algebra = parts.algebra;
    this.sensitivities = new Sensitivities(evaluator, fittable);
    this.#evaluator = evaluator;
    this.#fittable = fittable;
    this.#recalibrates = parts.recalibrates;
    this.#wanted = parts.wanted;
    this.#outlets = parts.outlets;
    this.fitSamples = Math.max(1, Math.round(evaluator.samples.size * (1 - HOLD_OUT_SHARE)));
    this.#prunable = fittable.prunable;
    this.#removed = new Uint8Array(fittable.prunable.units.count);
    this.#repaired = this.#removed;
  }

  /** `evaluator` is one of the fittable model, its samples in a random order: the last of them are held out. */
  static async of(
    evaluator: Evaluator,
    fittable: Fittable,
    kind: Compensation,
    recalibrates = true,
  ): Promise<Compensator> {
    const { prunable, consumers } = fittable;
    const intact = stateOf(prunable, new Uint8Array(prunable.units.count));
    const layers = consumers.flatMap((consumer) => layerAt(consumer, prunable, intact) ?? []);
    const outlets = outletsOf(fittable);
    const values = new Map(
      layers.map((layer) => [outlets.get(layer.consumer)?.sum?.value ?? layer.consumer.output, layer]),
    );
    const macs = kind === "none" ? 0 : layers.reduce((sum, layer) => sum + fitMacs(layer, evaluator.samples.size), 0);
    const wanted = await OriginalRows.of(evaluator, intact, values);
    const algebra = await Algebra.of(evaluator.runner);
    return new Compensator({ evaluator, fittable, kind, wanted, outlets, macs, recalibrates, algebra });
  }

  /** The consumers that can be fitted, in topological order. */
  get consumers(): readonly Consumer[] {
    return this.#fittable.consumers;
  }

  /** The same by shared weights, in the order in which they are fitted. */
  get families(): readonly ConsumerFamily[] {
    return this.#fittable.families;
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

  /** The same as it is written, not cut: without biases that were added and that all outputs that stay have at 0. */
  get written(): Prunable {
    if (this.kind === "none") return this.#fittable.original;
    const idle = idleBiases(this.#fittable, this.#prunable, this.#removed);
    const names = [...idle].join("\n");
    if (this.#written?.names !== names || this.#written.of !== this.#prunable) {
      this.#written = { names, of: this.#prunable, prunable: withoutBiases(this.#prunable, idle) };
    }
    return this.#written.prunable;
  }

  /**
   * Fits all consumers that notice the removals (or, where that takes long, read what has gone), one after the other, and leaves
   * the activations at the repaired network. What it gives depends on the removals alone. Returns the consumers, by their nodes'
   * first outputs.
   */
  async repair(activations: Activations, removed: RemovedUnits): Promise<string[]> {
    const changed = new Set([...this.#changed(this.#repaired, removed), ...this.#changed(this.#removed, removed)]);
    this.#removed = removed.slice();
    this.#repaired = removed.slice();
    const noticed = downstream(this.#fittable.prunable.model.graph, [...changed]);
    const readers = new Set([...changed, ...this.#changed(new Uint8Array(removed.length), removed)]);
    const isFitted = (family: ConsumerFamily): boolean =>
      this.macs <= LONG_REPAIR || family.some(({ node }) => readers.has(nodeId(node)));
    const families = this.families.filter((family) => this.#notices(family, noticed) && isFitted(family));
    const fitted = families.flatMap((family) => family.map(({ node }) => nodeId(node)));
    for (const family of families) for (const { weights, bias } of family) this.#forget(weights, bias);
    activations.advance(stateOf(this.#prunable, removed), fitted);
    for (const family of families) {
      this.#known.delete(family);
      if (this.kind === "none" || !(await this.#fit(family, activations))) continue;
      const ids = family.map(({ node }) => nodeId(node));
      activations.advance(stateOf(this.#prunable, removed), ids);
    }
    return fitted;
  }

  /**
   * A repair between two stages: those that read the units that have gone get the weights that are best by what is known of
   * them, without a pass over the data. Where that is not known, or units have come back, all are fitted ({@link repair}).
   */
  async repairReaders(activations: Activations, removed: RemovedUnits): Promise<string[]> {
    const changed = this.#changed(this.#removed, removed);
    const isLess = removed.some((one, unit) => one < (this.#removed[unit] as number));
    if (isLess || this.#known.size === 0) return this.repair(activations, removed);
    const weights: (readonly [string, Tensor])[] = [];
    const fitted: string[] = [];
    for (const [family, known] of this.#known) {
      const sink = sinkOf(family, this.#fittable.prunable.units);
      if (this.kind === "none" || !sink || !family.some(({ node }) => changed.includes(nodeId(node)))) continue;
      const surface = await surfaceOf(known, sink, this.algebra);
      const gone = surface.units.filter((unit) => removed[unit]);
      const fit = await surface.fitted(this.kind, gone);
      weights.push(...withFit(this.#fittable.prunable.model.graph, known.family, fit));
      fitted.push(...family.map(({ node }) => nodeId(node)));
    }
    this.#take(weights);
    this.#removed = removed.slice();
    activations.advance(stateOf(this.#prunable, removed), fitted);
    const noticed = downstream(this.#fittable.prunable.model.graph, changed);
    for (const family of this.families) if (this.#notices(family, noticed)) this.#known.delete(family);
    return fitted;
  }

  /** Nodes that read units of groups in which two removals differ. */
  #changed(before: RemovedUnits, removed: RemovedUnits): string[] {
    return this.#fittable.prunable.units.groups
      .filter(({ first, size }) => {
        for (let unit = first; unit < first + size; unit++) if (removed[unit] !== before[unit]) return true;
        return false;
      })
      .flatMap((group) => group.sinks.map((sink) => sink.node));
  }

  #notices(family: ConsumerFamily, noticed: ReadonlySet<string>): boolean {
    return family.some((consumer) => {
      const other = this.#outlets.get(consumer)?.sum?.other;
      return noticed.has(nodeId(consumer.node)) || (other !== undefined && noticed.has(other));
    });
  }

  /**
   * Moments of what consumers read now and of what they should give, over as many samples as tell enough to choose by; undefined
   * where they are gone.
   */
  async momentsOf(consumers: ConsumerFamily, activations: Activations): Promise<KnownMoments | undefined> {
    const known = this.#known.get(consumers);
    if (known) return known;
    const family = familyAt(consumers, this.#fittable.prunable, activations.state);
    if (!family || family.layers[0].features > MOST_FEATURES) return undefined;
    const sources = await this.#sourcesOf(family, activations);
    try {
      const most = Math.max(ROWS_TO_CHOOSE_BY, ROWS_PER_FEATURE * family.layers[0].features);
      return this.#keep(consumers, family, await this.#moments(family, activations, sources, most));
    } finally {
      await release(sources);
    }
  }

  /** The consumers' sensitivities together; see `Sensitivities.of`. */
  async sensitivityOf({ layers }: LayerFamily, { state }: Activations): Promise<Float64Array | undefined> {
    const isRepaired = this.#isRepaired(state);
    let sum: Float64Array | undefined;
    for (const { consumer } of layers) {
      const own = await this.sensitivities.of(consumer, state, isRepaired);
      if (own) sum = sum?.map((value, o) => value + (own[o] as number)) ?? own;
    }
    return sum;
  }

  /** What the removal of each unit changes where no layer is fitted; see `Sensitivities.effects`. */
  effectsOf({ state }: Activations): Promise<Float64Array | undefined> {
    return this.sensitivities.effects(state, this.#isRepaired(state));
  }

  #isRepaired({ removed }: State): boolean {
    return removed.every((one, unit) => one === this.#removed[unit]);
  }

  /** The present model, not cut, with other fits of some consumers. */
  withFits(fits: readonly { readonly family: LayerFamily; readonly fit: Fit }[]): Prunable {
    const { graph } = this.#prunable.model;
    return withWeights(this.#prunable, new Map(fits.flatMap(({ family, fit }) => withFit(graph, family, fit))));
  }

  /** The end of a run, see `lastFit`. Returns the consumers that have changed, as {@link repair} does. */
  async finish(): Promise<string[]> {
    if (this.kind === "none" || !this.#removed.includes(1)) return [];
    const weights = await lastFit(this.#lastFitRequest());
    this.#take(weights);
    return weights.size > 0 ? this.consumers.map(({ node }) => nodeId(node)) : [];
  }

  /** Passes over the data that {@link finish} takes about as long as at the present stage. */
  get finishingPasses(): number {
    return this.kind === "none" ? 0 : lastFitPasses(this.#lastFitRequest());
  }

  #lastFitRequest(): LastFitRequest {
    return {
      evaluator: this.#evaluator,
      fittable: this.#fittable,
      repaired: this.#prunable,
      removed: this.#removed,
      fit: this.fitSamples,
      recalibrates: this.#recalibrates,
      fitsWeights: this.kind === "lstsq",
    };
  }

  /** Gives consumers the weights that fit what they read now. */
  async #fit(consumers: ConsumerFamily, activations: Activations): Promise<boolean> {
    const { state } = activations;
    const { graph } = this.#fittable.prunable.model;
    const family = familyAt(consumers, this.#fittable.prunable, state);
    if (!family) return false;
    const { layers, biases } = family;
    const original = fitIn(graph, family);
    const sources = await this.#sourcesOf(family, activations);
    try {
      const moments = await this.#moments(family, activations, sources);
      const isFixed = layers.some(({ consumer }) => consumer.fixed !== undefined);
      if (this.kind === "mean" || isFixed || layers[0].features > MOST_FEATURES) {
        this.#take(withFit(graph, family, (await meanFit(moments, original, this.algebra)).fit));
      } else {
        const { fit: best, solver } = await leastSquares(moments, original, this.algebra);
        const parts = layers.map((layer, at) => {
          const { scale, isRectified } = this.#outlets.get(layer.consumer) as Outlet;
          const signs = scale.map((factor) => (factor < 0 ? -1 : 1));
          return {
            layer,
            source: sources[at] as RowSource,
            signs,
            bias: biases.indexOf(layer.consumer.bias),
            isRectified,
          };
        });
        const toFit = moments.map((one) => one.fit);
        const [evaluator, fit] = [this.#evaluator, this.fitSamples];
        const final =
          solver && parts.every(({ isRectified }) => isRectified)
            ? await rectified({ parts, evaluator, state, fit, moments: toFit, solver, start: original.weights }, best)
            : best;
        this.#take(withFit(graph, family, final));
      }
      this.#keep(consumers, family, moments);
      return true;
    } finally {
      await release(sources);
    }
  }

  /** Moments by bias: of the rows of all layers that add it. */
  async #moments(
    { layers, biases }: LayerFamily,
    { state }: Activations,
    sources: readonly RowSource[],
    most?: number,
  ): Promise<SplitMoments[]> {
    const byBias = new Map<string, SplitMoments>();
    for (const [at, layer] of layers.entries()) {
      const { bias } = layer.consumer;
      const source = sources[at] as RowSource;
      const own = await streamMoments(layer, this.#evaluator, state, this.fitSamples, source, most);
      const known = byBias.get(bias);
      byBias.set(bias, known ? { fit: sumOf(known.fit, own.fit), heldOut: sumOf(known.heldOut, own.heldOut) } : own);
    }
    return biases.map((name) => byBias.get(name) as SplitMoments);
  }

  async #sourcesOf({ layers }: LayerFamily, activations: Activations): Promise<RowSource[]> {
    const sources: RowSource[] = [];
    for (const layer of layers) sources.push(await this.#rowsOf(layer, activations));
    return sources;
  }

  /** What a layer reads now, and what it is fitted to. */
  async #rowsOf(layer: Layer, activations: Activations): Promise<RowSource> {
    const { state } = activations;
    const { input, output } = layer.consumer;
    const outlet = this.#outlets.get(layer.consumer) as Outlet;
    const { sum } = outlet;
    const kept = keptOutputs(this.#fittable.prunable, layer.consumer, state);
    const others = sum && (await rowReader(layer, this.#evaluator, state, kept?.length ?? layer.outputs));
    const now = await activations.reader(sum ? [input, sum.other] : [input]);
    const original = await this.#wanted.reader(sum?.value ?? output);
    return {
      sampleAxis: layer.regression.sampleAxis,
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

  #keep(consumers: ConsumerFamily, family: LayerFamily, moments: readonly SplitMoments[]): KnownMoments {
    const { features, outputs } = family.layers[0];
    const start = fitIn(this.#fittable.prunable.model.graph, family).weights;
    const all = moments.map(({ fit, heldOut }) => sumOf(fit, heldOut));
    const known = { family, features, outputs, moments: all, start };
    this.#known.set(consumers, known);
    return known;
  }

  /** Goes back to the intact model's initializers. */
  #forget(...names: readonly string[]): void {
    this.#weights = new Map([...this.#weights].filter(([name]) => !names.includes(name)));
    this.#prunable = withWeights(this.#fittable.prunable, this.#weights);
  }

  /** Goes on with other initializers of the intact model. */
  #take(weights: Iterable<readonly [name: string, tensor: Tensor]>): void {
    this.#weights = new Map([...this.#weights, ...weights]);
    this.#prunable = withWeights(this.#fittable.prunable, this.#weights);
  }
}

async function release(sources: readonly RowSource[]): Promise<void> {
  for (const source of sources) await source.release();
}

/** What follows each consumer. Families are fitted one after another, so that only earlier ones are settled. */
function outletsOf({ prunable, families }: Fittable): Map<Consumer, Outlet> {
  const later = new Set(families.flat().map(({ node }) => nodeId(node)));
  const outlets = new Map<Consumer, Outlet>();
  for (const family of families) {
    for (const consumer of family) outlets.set(consumer, outletOf(prunable, consumer, later));
    for (const { node } of family) later.delete(nodeId(node));
  }
  return outlets;
}

/** A multiply-accumulate of the solver takes as long as about so many of a product. */
const SOLVER_COST = 1;

/** Multiply-accumulates of one fit: moments of the rows, and a factorisation for every ridge. */
function fitMacs(layer: Layer, samples: number): number {
  const { features, outputs } = layer;
  const solving = RIDGES.length * features ** 2 * (features + outputs);
  return rowCount(layer, samples) * features * (features + outputs) + SOLVER_COST * solving;
}
