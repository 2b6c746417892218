/**
 * The squared error of consumers that share their weights, as units of their input go: which weights are best then, and how
 * much of the error cannot be helped. No samples are needed for that, only their moments.
 */
import type { RemovedUnits } from "../surgery/kept.ts";
import type { Compensation, KnownMoments } from "./compensator.ts";
import { type Fit, meanBiases } from "./ridge.ts";

/** A small copy of a surface that knows some of the units alone: to see which of them go well together. */
export interface Trial {
  /** By how much the squared error rises when one more unit goes, summed over rows, each output times its importance. */
  costOf(unit: number): number;
  /** Goes on without a unit. */
  take(unit: number): void;
}

/** What both kinds of surfaces share: the units that are left, and the bias that goes with weights. */
export abstract class Surface {
  readonly known: KnownMoments;
  /** Features of each unit that is left. */
  protected readonly features: Map<number, readonly number[]>;
  /** Rises with each unit that goes. */
  version = 0;
  #costs: { readonly version: number; readonly importance: Float64Array; readonly of: Map<number, number> } | undefined;

  protected constructor(known: KnownMoments, features: Map<number, readonly number[]>) {
    this.known = known;
    this.features = features;
  }

  /** Units that are left. */
  get units(): number[] {
    return [...this.features.keys()];
  }

  has(unit: number): boolean {
    return this.features.has(unit);
  }

  /** The best weights of what is left. */
  get fit(): Fit {
    return { weights: this.weights, biases: meanBiases(this.known.moments, this.weights) };
  }

  /** The consumers fitted in the given way, with these units gone as well. */
  async fitted(kind: Compensation, units: readonly number[] = []): Promise<Fit> {
    if (kind === "lstsq") {
      if (units.length === 0) return this.fit;
      const rest = this.clone();
      await rest.take(units);
      return rest.fit;
    }
    const weights = withoutRows(
      this.known,
      units.flatMap((unit) => this.features.get(unit) ?? []),
    );
    return { weights, biases: meanBiases(this.known.moments, weights) };
  }

  /** Takes out the units that are gone by now. */
  async eliminate(removed: RemovedUnits): Promise<void> {
    await this.take(this.units.filter((unit) => removed[unit]));
  }

  /** By unit: by how much the squared error rises when it goes, summed over rows, each output times its importance. */
  costs(importance: Float64Array): ReadonlyMap<number, number> {
    const isKnown = this.#costs?.version === this.version && isSame(this.#costs.importance, importance);
    if (!this.#costs || !isKnown) {
      const of = new Map(this.units.map((unit) => [unit, this.trial([unit], importance).costOf(unit)]));
      this.#costs = { version: this.version, importance, of };
    }
    return this.#costs.of;
  }

  /** By how much the squared error rises when all these units go, summed over rows, each output times its importance. */
  abstract jointCost(units: readonly number[], importance: Float64Array): Promise<number>;

  abstract clone(): Surface;

  /** Units that are not of this surface cost nothing there. */
  abstract trial(units: readonly number[], importance: Float64Array): Trial;

  /** Goes on without units; those that are gone already are passed over. */
  abstract take(units: readonly number[]): Promise<void>;

  protected abstract readonly weights: Float64Array;

  /** Features of some units, one after the other, with the places among them that are each unit's. */
  protected placesOf(units: readonly number[]): { own: number[]; places: Map<number, number[]> } {
    const own: number[] = [];
    const places = new Map<number, number[]>();
    for (const unit of units) {
      const features = this.features.get(unit) ?? [];
      places.set(
        unit,
        features.map((_, i) => own.length + i),
      );
      own.push(...features);
    }
    return { own, places };
  }

  /** Sum over outputs of importance * weight of a feature * weight of another, [own, own]. */
  protected weighted(own: readonly number[], importance: Float64Array): Float64Array {
    const { outputs } = this.known;
    const size = own.length;
    const result = new Float64Array(size * size);
    const scaled = new Float64Array(outputs);
    for (const [a, featureA] of own.entries()) {
      for (let o = 0; o < outputs; o++) {
        scaled[o] = (importance[o] as number) * (this.weights[featureA * outputs + o] as number);
      }
      for (let b = 0; b <= a; b++) {
        const row = (own[b] as number) * outputs;
        let sum = 0;
        for (let o = 0; o < outputs; o++) sum += (scaled[o] as number) * (this.weights[row + o] as number);
        result[a * size + b] = sum;
        result[b * size + a] = sum;
      }
    }
    return result;
  }
}

/** Rows of a matrix [., width], [own, width]. */
export function rowsOf(matrix: Float64Array, width: number, own: readonly number[]): Float64Array {
  const result = new Float64Array(own.length * width);
  for (const [i, row] of own.entries()) result.set(matrix.subarray(row * width, (row + 1) * width), i * width);
  return result;
}

/** Sum over rows and outputs of importance * a * b. */
export function weightedSum(importance: Float64Array, a: Float64Array, b: Float64Array): number {
  let sum = 0;
  const outputs = importance.length;
  for (let at = 0; at < a.length; at++)
    sum += (importance[at % outputs] as number) * (a[at] as number) * (b[at] as number);
  return sum;
}

/** The original weights with 0 for some features. */
function withoutRows({ start, outputs }: KnownMoments, features: readonly number[]): Float64Array {
  const weights = start.slice();
  for (const feature of features) weights.fill(0, feature * outputs, (feature + 1) * outputs);
  return weights;
}

function isSame(one: Float64Array, other: Float64Array): boolean {
  return one.every((value, at) => value === other[at]);
}

/** Rows and columns of a matrix, [own, own]. */
export function minor(matrix: Float64Array, width: number, own: readonly number[]): Float64Array {
  const result = new Float64Array(own.length ** 2);
  for (const [a, row] of own.entries()) {
    for (const [b, column] of own.entries()) result[a * own.length + b] = matrix[row * width + column] as number;
  }
  return result;
}
