/**
 * How far the outputs of two models are apart, column by column, beside what rounding does to one of them. Where the model
 * decides (keeps a peak, picks a box), a few elements may be anything: nearly equal reals are decided either way.
 */
import { ShrinkError } from "../errors.ts";
import { type ElementType, isFloat, sizeOf, type Tensor } from "../graph/tensor.ts";
import type { Verification } from "../results.ts";

/** Differences of this share of a column's largest value are rounding in any model. */
export const VERIFY_TOLERANCE = 1e-6;
/** The file sums in another order than the gated original: so many times the effect of one unit in the last place is rounding. */
const ROUNDINGS = 32;
/** A difference up to so many times the allowance may still be rounding. */
const DOUBTFUL = 16;
/** A larger share of the largest value is never sure to be rounding, however much rounding does to the model. */
const NO_ROUNDING = 0.05;
/** The share of elements that may be decided otherwise. */
const FLIPS = 1e-3;

/** The smallest normal numbers: below them digits are lost, so that nothing is relative to less. */
const SMALLEST: Partial<Record<ElementType, number>> = { float64: 2 ** -1022, float32: 2 ** -126, float16: 2 ** -14 };

/** The same output of several models: one tensor for each run. */
export interface Runs {
  /** Of the file. */
  readonly small: readonly (Tensor | undefined)[];
  /** Of the gated original. */
  readonly large: readonly Tensor[];
  /** The same with everything rounded differently. */
  readonly rounded: readonly (Tensor | undefined)[];
}

/** One column of one output. */
export interface Column {
  readonly output: string;
  /** Whether differences are relative to the column's largest value. Of integers they are the share of elements that differ. */
  readonly isRelative: boolean;
  /** Between the file and the gated original. */
  readonly difference: number;
  /** Between the gated original and itself with everything rounded differently. */
  readonly rounding: number;
}

/** `axis`: the axis of the columns; undefined: one column. `isDecided`: see {@link decidedValues}. */
export function differences(output: string, runs: Runs, axis: number | undefined, isDecided: boolean): Column[] {
  const { small, large, rounded } = runs;
  const [{ type, dims }] = large as [Tensor];
  const isInteger = !isFloat(type);
  const count = axis === undefined || isInteger ? 1 : (dims[axis] as number);
  const inner = axis === undefined ? 1 : sizeOf(dims.slice(axis + 1));
  const columnAt = (index: number): number => (count === 1 ? 0 : Math.floor(index / inner) % count);
  const measure = (of: Runs["small"], from: readonly Tensor[]): Float64Array => {
    const elements = from.reduce((sum, { size }) => sum + size, 0) / count;
    const distances = Array.from({ length: count }, () => [] as number[]); // those that are not 0
    eachPair(of, from, (index, distance) => {
      if (distance !== 0) (distances[columnAt(index)] as number[]).push(distance);
    });
    if (isInteger) return Float64Array.from(distances, ({ length }) => length / elements);
    const skipped = isDecided ? Math.floor(FLIPS * elements) : 0;
    return Float64Array.from(distances, (own) => largest(own, skipped));
  };
  const isKnown = large.every(({ size }, at) => rounded[at]?.size === size);
  const rounding = isKnown ? measure(rounded, large) : new Float64Array(count);
  const [difference, sizes] = [measure(small, large), new Float64Array(count)];
  for (const { numbers } of large) {
    for (let i = 0; i < numbers.length; i++) {
      const [at, size] = [columnAt(i), Math.abs(numbers[i] as number)];
      if (size > (sizes[at] as number) && size < Number.POSITIVE_INFINITY) sizes[at] = size;
    }
  }
  return Array.from({ length: count }, (_, at) => {
    const scale = isInteger ? 1 : Math.max(sizes[at] || 1, SMALLEST[type] ?? 0);
    const noise = rounding[at] as number;
    return {
      output,
      isRelative: !isInteger,
      difference: (difference[at] as number) / scale,
      rounding: Number.isFinite(noise) ? noise / scale : 0,
    };
  });
}

/** The largest distance but for the `skipped` largest; NaN is larger than all. */
function largest(distances: readonly number[], skipped: number): number {
  if (skipped === 0) return distances.reduce((most, one) => (one > most || Number.isNaN(one) ? one : most), 0);
  const order = Float64Array.from(distances, (one) => (Number.isNaN(one) ? Number.POSITIVE_INFINITY : one)).sort();
  return order.at(-1 - skipped) ?? 0;
}

/** Visits the elements of pairs of tensors; those of unequal size are infinitely far apart. */
function eachPair(
  all: readonly (Tensor | undefined)[],
  others: readonly Tensor[],
  visit: (index: number, distance: number) => void,
): void {
  for (const [at, other] of others.entries()) {
    const one = all[at];
    const [a, b] = [one?.size === other.size ? one.numbers : undefined, other.numbers];
    for (let i = 0; i < b.length; i++) {
      const [x, y] = [a?.[i] ?? Number.NaN, b[i] as number];
      // the same infinity or NaN on both sides is no difference; NaN on one side is, and stays
      visit(i, a === undefined ? Number.POSITIVE_INFINITY : Object.is(x, y) ? 0 : Math.abs(x - y));
    }
  }
}

/** What all columns say together. Throws a `verification` error where a difference cannot be rounding. */
export function judge(columns: readonly Column[]): Verification {
  let worst = { difference: 0, allowance: VERIFY_TOLERANCE, output: "", ratio: 0 };
  let isLarge = false;
  let largest = { difference: 0, allowance: VERIFY_TOLERANCE };
  for (const { output, isRelative, difference, rounding } of columns) {
    const allowance = Math.max(isRelative ? VERIFY_TOLERANCE : FLIPS, ROUNDINGS * rounding);
    const ratio = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference / allowance;
    if (isRelative && difference > NO_ROUNDING) isLarge = true;
    if (isRelative && difference > largest.difference) largest = { difference, allowance };
    if (!(ratio <= worst.ratio)) worst = { difference, allowance, output, ratio };
  }
  const { difference, allowance, output, ratio } = worst;
  if (ratio > DOUBTFUL || (ratio > 1 && difference > NO_ROUNDING)) {
    throw new ShrinkError(
      "verification",
      `output "${output}": the smaller model differs from the original without its units by ` +
        `${difference.toExponential(1)} of the largest value, but rounding explains only ` +
        `${allowance.toExponential(1)}; nothing was written, please report this model's structure`,
    );
  }
  return ratio > 1 ? { difference, allowance, isInDoubt: true } : { ...largest, isInDoubt: isLarge };
}
