/**
 * The squared error of one consumer around its best weights, as units of its input go: which weights are best then, and how
 * much of the error cannot be helped. No samples are needed for that, only their moments.
 */
import type { Activations } from "../measure/activations.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { nodeId } from "../units/places.ts";
import type { Sink } from "../units/units.ts";
import type { Compensation, Compensator, KnownMoments } from "./compensator.ts";
import { Covariance, type Fit, inverse, meanBias, product } from "./ridge.ts";

/** Ridge, in mean variances of a feature, that draws to the original weights. */
const RIDGE = 1e-2;

/** Between repairs units are eliminated from what is known, so that it is not inverted anew. */
const surfaces = new WeakMap<KnownMoments, Surface>();

/** The surfaces of all consumers that read units, at the stage of the activations. */
export async function surfacesOf(compensator: Compensator, activations: Activations): Promise<Surface[]> {
  const { groups } = compensator.prunable.units;
  const result: Surface[] = [];
  for (const consumer of compensator.consumers) {
    const sink = groups.flatMap(({ sinks }) => sinks).find(({ node }) => node === nodeId(consumer.node));
    const known = sink && (await compensator.momentsOf(consumer, activations));
    if (!known) continue;
    const surface = surfaces.get(known) ?? Surface.of(known, sink);
    surfaces.set(known, surface);
    surface.eliminate(activations.state.removed);
    result.push(surface);
  }
  return result;
}

export class Surface {
  readonly known: KnownMoments;
  /** Features of each unit that is left. */
  readonly #features: Map<number, readonly number[]>;
  /** (H + ridge)^-1 of the features that are left; rows of others are 0. */
  readonly #inverse: Float64Array;
  readonly #weights: Float64Array;

  private constructor(
    known: KnownMoments,
    features: Map<number, readonly number[]>,
    inverted: Float64Array,
    weights: Float64Array,
  ) {
    this.known = known;
    this.#features = features;
    this.#inverse = inverted;
    this.#weights = weights;
  }

  /** With all features that the moments have; `sink` says whose they are. */
  static of(known: KnownMoments, sink: Sink): Surface {
    const { layer, moments, start } = known;
    const { features, outputs } = layer;
    const { span } = layer.regression;
    const cov = new Covariance(moments).matrix;
    let trace = 0;
    for (let i = 0; i < features; i++) trace += cov[i * features + i] as number;
    const missing = product(cov, start, features, outputs); // C_xz - C start: what the start leaves to explain
    for (let i = 0; i < features; i++) {
      const mean = (moments.x[i] as number) / moments.rows;
      for (let o = 0; o < outputs; o++) {
        const at = i * outputs + o;
        missing[at] = (moments.xz[at] as number) - mean * (moments.z[o] as number) - (missing[at] as number);
      }
      cov[i * features + i] = (cov[i * features + i] as number) + (RIDGE * trace) / features + Number.MIN_VALUE;
    }
    const inverted = inverse(cov, features) ?? new Float64Array(features * features);
    const weights = product(inverted, missing, features, outputs);
    for (let at = 0; at < weights.length; at++) weights[at] = (weights[at] as number) + (start[at] as number);
    const byUnit = new Map<number, number[]>();
    const inputs = layer.keptInputs ?? Array.from({ length: features / span }, (_, i) => i);
    for (const [place, index] of inputs.entries()) {
      const unit = sink.owners[index] as number;
      if (unit < 0) continue;
      const own = byUnit.get(unit) ?? [];
      for (let f = 0; f < span; f++) own.push(place * span + f);
      byUnit.set(unit, own);
    }
    return new Surface(known, byUnit, inverted, weights);
  }

  clone(): Surface {
    return new Surface(this.known, new Map(this.#features), this.#inverse.slice(), this.#weights.slice());
  }

  /** Units that are left. */
  get units(): number[] {
    return [...this.#features.keys()];
  }

  /** The best weights of what is left. */
  get fit(): Fit {
    return { weights: this.#weights, bias: meanBias(this.known.moments, this.#weights) };
  }

  /** The consumer without one more unit, made up for in the given way. */
  without(unit: number, kind: Compensation): Fit {
    if (kind === "lstsq") {
      const rest = this.clone();
      rest.take(unit);
      return rest.fit;
    }
    const { moments, start, layer } = this.known;
    const weights = start.slice();
    for (const feature of this.#features.get(unit) ?? []) {
      weights.fill(0, feature * layer.outputs, (feature + 1) * layer.outputs);
    }
    return { weights, bias: meanBias(moments, weights) };
  }

  /**
   * By how much the squared error rises when the unit goes, summed over rows, each output times its importance:
   * w' ((H^-1) of its features)^-1 w.
   */
  costOf(unit: number, importance: Float64Array): number {
    const own = this.#features.get(unit);
    const block = own && this.#block(own);
    if (!block) return 0;
    const { outputs } = this.known.layer;
    const n = own.length;
    let cost = 0;
    for (let a = 0; a < n; a++) {
      const rowA = (own[a] as number) * outputs;
      for (let b = 0; b <= a; b++) {
        const rowB = (own[b] as number) * outputs;
        let sum = 0;
        for (let o = 0; o < outputs; o++) {
          sum += (importance[o] as number) * (this.#weights[rowA + o] as number) * (this.#weights[rowB + o] as number);
        }
        cost += (a === b ? 1 : 2) * (block[a * n + b] as number) * sum;
      }
    }
    return cost;
  }

  /** Takes out the units that are gone by now. */
  eliminate(removed: RemovedUnits): void {
    for (const unit of this.units) if (removed[unit]) this.take(unit);
  }

  /** Block Gaussian elimination: inverse and best weights without the unit's features. */
  take(unit: number): void {
    const { features, outputs } = this.known.layer;
    const own = this.#features.get(unit) ?? [];
    this.#features.delete(unit);
    const block = this.#block(own);
    if (!block) return;
    const n = own.length;
    const rows = own.map((j) => this.#inverse.slice(j * features, (j + 1) * features));
    const weights = own.map((j) => this.#weights.slice(j * outputs, (j + 1) * outputs));
    for (let i = 0; i < features; i++) {
      for (let a = 0; a < n; a++) {
        let factor = 0;
        for (let b = 0; b < n; b++) factor += (rows[b]?.[i] as number) * (block[b * n + a] as number);
        if (factor === 0) continue;
        subtract(this.#inverse, i * features, rows[a] as Float64Array, factor);
        subtract(this.#weights, i * outputs, weights[a] as Float64Array, factor);
      }
    }
    for (const j of own) this.#weights.fill(0, j * outputs, (j + 1) * outputs);
  }

  /** Inverse of the block of the inverse of some features; undefined for none. */
  #block(own: readonly number[]): Float64Array | undefined {
    const { features } = this.known.layer;
    const n = own.length;
    const block = new Float64Array(n * n);
    for (let a = 0; a < n; a++) {
      for (let b = 0; b < n; b++) {
        block[a * n + b] = this.#inverse[(own[a] as number) * features + (own[b] as number)] as number;
      }
    }
    return n > 0 ? inverse(block, n) : undefined;
  }
}

function subtract(target: Float64Array, from: number, row: Float64Array, factor: number): void {
  for (let i = 0; i < row.length; i++) target[from + i] = (target[from + i] as number) - factor * (row[i] as number);
}
