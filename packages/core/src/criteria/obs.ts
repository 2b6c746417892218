import type { KnownMoments } from "../compensate/compensator.ts";
import { covariance, inverse, ridgeFit } from "../compensate/ridge.ts";
import type { State } from "../measure/state.ts";
import { nodeId } from "../units/places.ts";
import type { Sink } from "../units/units.ts";
import type { Criterion } from "./criterion.ts";

/** Ridge of the inverse, in mean variances of a feature: enough to keep it from breaking down. */
const RIDGE = 1e-2;

/** Between repairs removed units are eliminated from H^-1, so it is not inverted anew. */
const surfaces = new WeakMap<KnownMoments, Surface>();

/**
 * The least-squares cost of a removal: by how much the squared error of its consumers' outputs would rise, at best, if
 * they were fitted again without it, times what the network's output notices of such an error ({@link sensitivities}). That
 * is half the squared change of the network's outputs to be expected, summed over the samples, so scores compare over all
 * groups. It is the step of optimal brain surgeon (Hassibi and Stork 1993) for a block of weights w of a layer:
 * w' (H^-1)^-1 w, with H the covariance of the layer's input. No candidate is run. Units that no layer of weights reads
 * have no score and go last.
 */
export const obs: Criterion = {
  name: "obs",
  inErrorUnits: true,
  needsData: true,
  needsMoments: true,
  async score({ prunable, left, compensator, oracle, state, subject }) {
    if (!compensator || !oracle || !subject) throw new Error("obs needs the moments of consumers");
    const scores = new Float64Array(prunable.units.count);
    const known = new Set<number>();
    for (const consumer of compensator.consumers) {
      const id = nodeId(consumer.node);
      const sink = prunable.units.groups.flatMap(({ sinks }) => sinks).find(({ node }) => node === id);
      const moments = sink && (await compensator.momentsOf(consumer, oracle.activations));
      const sensitivity = moments && (await compensator.sensitivityOf(consumer, oracle.activations));
      if (!moments || !sensitivity) continue;
      const surface = surfaces.get(moments) ?? new Surface(moments, sink);
      surfaces.set(moments, surface);
      surface.eliminate(state);
      const factor = subject.data.size / (2 * moments.moments.rows);
      for (const [unit, cost] of surface.costs(sensitivity)) {
        scores[unit] = (scores[unit] as number) + factor * cost;
        known.add(unit);
      }
    }
    for (const unit of left) if (!known.has(unit)) scores[unit] = Number.NaN;
    return scores;
  },
};

/** The quadratic error of one consumer around its best weights. */
class Surface {
  readonly #known: KnownMoments;
  /** Features of each unit that is left. */
  readonly #features = new Map<number, number[]>();
  readonly #inverse: Float64Array;
  readonly #weights: Float64Array;

  constructor(known: KnownMoments, sink: Sink) {
    const { layer, moments, start } = known;
    const { features } = layer;
    this.#known = known;
    const cov = covariance(moments);
    let trace = 0;
    for (let i = 0; i < features; i++) trace += cov[i * features + i] as number;
    for (let i = 0; i < features; i++) {
      cov[i * features + i] = (cov[i * features + i] as number) + (RIDGE * trace) / features + Number.MIN_VALUE;
    }
    this.#inverse = inverse(cov, features) ?? new Float64Array(features * features);
    this.#weights = (ridgeFit(moments, start, RIDGE)?.weights ?? start).slice();
    const inputs = layer.keptInputs ?? Array.from({ length: features / layer.regression.span }, (_, i) => i);
    inputs.forEach((index, place) => {
      const unit = sink.owners[index] as number;
      if (unit < 0) return;
      const own = this.#features.get(unit) ?? [];
      for (let f = 0; f < layer.regression.span; f++) own.push(place * layer.regression.span + f);
      this.#features.set(unit, own);
    });
  }

  /** Takes units out that are gone by now. */
  eliminate({ removed }: State): void {
    for (const unit of [...this.#features.keys()]) if (removed[unit]) this.#take(unit);
  }

  /** Cost of every unit that is left: the rise of the squared error of each output times its weight. */
  *costs(importance: Float64Array): Generator<[unit: number, cost: number]> {
    const { outputs } = this.#known.layer;
    for (const [unit, own] of this.#features) {
      const block = this.#block(own);
      let cost = 0;
      if (block) {
        for (let o = 0; o < outputs; o++) {
          const factor = importance[o] as number;
          if (factor === 0) continue;
          for (let a = 0; a < own.length; a++) {
            const wa = this.#weights[(own[a] as number) * outputs + o] as number;
            for (let b = 0; b < own.length; b++) {
              cost +=
                wa *
                (block[a * own.length + b] as number) *
                (this.#weights[(own[b] as number) * outputs + o] as number);
            }
          }
        }
      }
      yield [unit, cost];
    }
  }

  /** Inverse of the block of H^-1 of some features. */
  #block(own: readonly number[]): Float64Array | undefined {
    const { features } = this.#known.layer;
    const block = new Float64Array(own.length ** 2);
    own.forEach((i, a) => {
      own.forEach((j, b) => {
        block[a * own.length + b] = this.#inverse[i * features + j] as number;
      });
    });
    return inverse(block, own.length);
  }

  /** Block Gaussian elimination: H^-1 and the best weights without the unit's features. */
  #take(unit: number): void {
    const { features, outputs } = this.#known.layer;
    const own = this.#features.get(unit) as number[];
    this.#features.delete(unit);
    const block = this.#block(own);
    if (!block) return;
    const n = own.length;
    const factors = new Float64Array(features * n); // H^-1[:, own] block
    for (let i = 0; i < features; i++) {
      for (let a = 0; a < n; a++) {
        let sum = 0;
        for (let b = 0; b < n; b++)
          sum += (this.#inverse[i * features + (own[b] as number)] as number) * (block[b * n + a] as number);
        factors[i * n + a] = sum;
      }
    }
    const rows = own.map((j) => this.#inverse.slice(j * features, (j + 1) * features));
    const weights = own.map((j) => this.#weights.slice(j * outputs, (j + 1) * outputs));
    for (let i = 0; i < features; i++) {
      for (let a = 0; a < n; a++) {
        const factor = factors[i * n + a] as number;
        if (factor === 0) continue;
        const row = rows[a] as Float64Array;
        for (let j = 0; j < features; j++) {
          this.#inverse[i * features + j] = (this.#inverse[i * features + j] as number) - factor * (row[j] as number);
        }
        const w = weights[a] as Float64Array;
        for (let o = 0; o < outputs; o++) {
          this.#weights[i * outputs + o] = (this.#weights[i * outputs + o] as number) - factor * (w[o] as number);
        }
      }
    }
  }
}
