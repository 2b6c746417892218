import type { KnownMoments } from "../compensate/compensator.ts";
import type { Consumer } from "../compensate/consumers.ts";
import { covariance, inverse, ridgeFit } from "../compensate/ridge.ts";
import type { Layer } from "../compensate/rows.ts";
import type { State } from "../measure/state.ts";
import { keptIndexes } from "../surgery/cut.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Sink } from "../units/units.ts";
import type { Criterion } from "./criterion.ts";

/** Ridge of the inverse, in mean variances of a feature: enough to keep it from breaking down. */
const RIDGE = 1e-4;

/** Between repairs removed units are eliminated from H^-1, so it is not inverted anew. */
const surfaces = new WeakMap<KnownMoments, Surface>();

/**
 * The least-squares cost of a removal: by how much the squared error of its consumers' outputs would rise, at best, if
 * they were fitted again without it, relative to the variance of these outputs. That is the step of optimal brain surgeon
 * (Hassibi and Stork 1993) for a block of weights: w' (H^-1)^-1 w, with H the covariance of the consumer's input. It needs
 * no pass over the error.
 */
export const obs: Criterion = {
  name: "obs",
  inErrorUnits: false,
  needsData: true,
  needsMoments: true,
  async score({ prunable, left, compensator, oracle, state }) {
    if (!compensator || !oracle) throw new Error("obs needs the moments of consumers");
    const scores = new Float64Array(prunable.units.count);
    for (const consumer of compensator.consumers) {
      const id = nodeId(consumer.node);
      const sink = prunable.units.groups.flatMap(({ sinks }) => sinks).find(({ node }) => node === id);
      const known = sink && (await compensator.momentsOf(consumer, oracle.activations));
      if (!known) continue;
      const surface = surfaces.get(known) ?? new Surface(known, sink);
      surfaces.set(known, surface);
      surface.eliminate(state);
      for (const [unit, cost] of surface.costs(outputsLeft(prunable, consumer, known.layer, state)))
        scores[unit] = (scores[unit] as number) + cost;
    }
    const isLeft = new Set(left);
    return scores.map((score, unit) => (isLeft.has(unit) ? score : 0));
  },
};

/** Outputs of a consumer that are still there. */
function outputsLeft(
  { units }: Prunable,
  { weights, node }: Consumer,
  { outputs, regression }: Layer,
  { removed }: State,
): readonly number[] {
  const axis = regression.outputsFirst ? 0 : 1;
  const kept = keptIndexes(units.places, placeKey(weights, axis, { node: nodeId(node), slot: 1 }), removed);
  return kept ?? Array.from({ length: outputs }, (_, o) => o);
}

/** The quadratic error of one consumer around its best weights. */
class Surface {
  readonly #known: KnownMoments;
  /** Features of each unit that is left. */
  readonly #features = new Map<number, number[]>();
  readonly #inverse: Float64Array;
  readonly #weights: Float64Array;
  /** Sum of squared deviations from the mean, by output. */
  readonly #energy: Float64Array;

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
    this.#energy = moments.zz.map((square, o) => square - (moments.z[o] as number) ** 2 / moments.rows);
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

  /** Cost of every unit that is left, counted over some outputs. */
  *costs(left: readonly number[]): Generator<[unit: number, cost: number]> {
    const { outputs } = this.#known.layer;
    const energy = left.reduce((sum, o) => sum + (this.#energy[o] as number), 0);
    for (const [unit, own] of this.#features) {
      const block = this.#block(own);
      let cost = 0;
      if (block) {
        for (const o of left) {
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
      yield [unit, cost / Math.max(energy, Number.MIN_VALUE)];
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
