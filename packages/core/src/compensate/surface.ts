/**
 * The squared error of consumers that share their weights, as units of their input go: which weights are best then, and how
 * much of the error cannot be helped. No samples are needed for that, only their moments.
 */
import type { RemovedUnits } from "../surgery/kept.ts";
import type { Compensation, KnownMoments } from "./compensator.ts";
import { type Fit, meanBiases } from "./ridge.ts";

/** What both kinds of surfaces share: the units that are left, and the bias that goes with weights. */
export abstract class Surface {
  readonly known: KnownMoments;
  /** Features of each unit that is left. */
  protected readonly features: Map<number, readonly number[]>;

  protected constructor(known: KnownMoments, features: Map<number, readonly number[]>) {
    this.known = known;
    this.features = features;
  }

  /** Units that are left. */
  get units(): number[] {
    return [...this.features.keys()];
  }

  /** The best weights of what is left. */
  get fit(): Fit {
    return { weights: this.weights, biases: meanBiases(this.known.moments, this.weights) };
  }

  /** The consumers fitted in the given way, with one more unit gone if one is given. */
  fitted(kind: Compensation, unit?: number): Fit {
    if (kind === "lstsq") {
      if (unit === undefined) return this.fit;
      const rest = this.clone();
      rest.take(unit);
      return rest.fit;
    }
    const weights = withoutRows(this.known, (unit !== undefined && this.features.get(unit)) || []);
    return { weights, biases: meanBiases(this.known.moments, weights) };
  }

  /** Takes out the units that are gone by now. */
  eliminate(removed: RemovedUnits): void {
    for (const unit of this.units) if (removed[unit]) this.take(unit);
  }

  abstract clone(): Surface;

  /**
   * By how much the squared error rises when the unit goes, summed over rows, each output times its importance.
   */
  abstract costOf(unit: number, importance: Float64Array): number;

  /** Goes on without a unit. */
  abstract take(unit: number): void;

  protected abstract readonly weights: Float64Array;
}

/** The original weights with 0 for some features. */
function withoutRows({ start, outputs }: KnownMoments, features: readonly number[]): Float64Array {
  const weights = start.slice();
  for (const feature of features) weights.fill(0, feature * outputs, (feature + 1) * outputs);
  return weights;
}
