/**
 * Held-out samples: a part of the calibration data that no unit is scored on, so that what is decided on it (when to stop,
 * how strong a ridge) does not overfit the samples that chose the units.
 */
import { pick, type Samples } from "../data/samples.ts";
import { ShrinkError } from "../errors.ts";
import { randomSource, shuffled } from "../util/random.ts";

/** Calibration samples in two parts; both keep the order of the file. */
export interface SplitData {
  /** What units are scored on. */
  readonly fit: Samples;
  readonly heldOut: Samples;
}

/** Share that is held out where nothing else is said. */
export const HOLD_OUT_SHARE = 0.2;

/**
 * Splits samples at random: `share` of them (above 0, below 1; rounded, at least one sample on each side) is held out. The
 * same data, share and seed give the same split everywhere; labels and inputs play no part in it. Throws an `option` error for
 * other shares, and a `data` error for fewer than two samples.
 */
export function holdOut(data: Samples, share: number, seed: number): SplitData {
  if (!(share > 0 && share < 1)) {
    throw new ShrinkError("option", `hold-out: ${share} is out of range, expected a share above 0% and below 100%`);
  }
  if (data.size < 2) {
    throw new ShrinkError(
      "data",
      `${data.source}: has ${data.size} sample, expected at least 2 to hold one out; give more samples, or --hold-out 0%`,
    );
  }
  const count = Math.min(Math.max(1, Math.round(share * data.size)), data.size - 1);
  const order = shuffled(data.size, randomSource(seed));
  const part = (from: number, to?: number): Samples =>
    pick(
      data,
      order.slice(from, to).sort((a, b) => a - b),
    );
  return { fit: part(count), heldOut: part(0, count) };
}
