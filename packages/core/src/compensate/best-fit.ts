/** Which fit of a layer is taken: several are tried on some samples, and the others judge. */

import type { Algebra } from "./algebra.ts";
import type { SplitMoments } from "./moments.ts";
import {
  Covariance,
  copyOutput,
  type Fit,
  fittedBy,
  type Moments,
  meanBias,
  RidgeSolver,
  squaredErrors,
  squaredErrorsOf,
  sumOf,
} from "./ridge.ts";

/** Strengths of the ridge, in mean variances of a feature, that the held-out samples choose from: weaker ones while they gain. */
export const RIDGES = [1e-1, 1e-2, 1e-4, 1e-7] as const;

/** A fit on all samples, and the errors on the held-out ones that it was chosen by, per output. */
export interface Judged {
  readonly fit: Fit;
  readonly errors: Float64Array;
}

/** The moments that choices are made on: of the held-out samples, where there are any. */
function judgesOf(moments: readonly SplitMoments[]): Moments[] {
  return moments.map(({ fit, heldOut }) => (heldOut.rows > 0 ? heldOut : fit));
}

/** By bias: the one that makes mean outputs right, where the held-out samples like it better than the original one. */
export async function meanFit(
  moments: readonly SplitMoments[],
  { weights, biases }: Fit,
  algebra: Algebra,
): Promise<Judged> {
  const judges = judgesOf(moments);
  const errors = new Float64Array(judges[0]?.outputs ?? 0);
  const better: Float64Array[] = [];
  for (const [k, { fit, heldOut }] of moments.entries()) {
    const judge = judges[k] as Moments;
    const own = biases[k] as Float64Array;
    const fitted = await fittedBy(judge, weights, algebra);
    const before = squaredErrorsOf(judge, weights, own, fitted);
    const after = squaredErrorsOf(judge, weights, meanBias(fit, weights), fitted);
    const all = meanBias(sumOf(fit, heldOut), weights);
    better.push(
      own.map((original, o) => {
        const isBetter = (after[o] as number) < (before[o] as number);
        errors[o] = (errors[o] as number) + ((isBetter ? after[o] : before[o]) as number);
        return isBetter ? (all[o] as number) : original;
      }),
    );
  }
  return { fit: { weights, biases: better }, errors };
}

/**
 * Ridge least squares with the ridge that the held-out samples like best; an output's mean fit or original weights where
 * they like these better. Which outputs are still there plays no part, so that the order of removals does not.
 *
 * @param moments by bias
 */
export async function leastSquares(
  moments: readonly SplitMoments[],
  original: Fit,
  algebra: Algebra,
): Promise<{ fit: Fit; solver?: RidgeSolver }> {
  const toFit = moments.map(({ fit }) => fit);
  const judges = judgesOf(moments);
  const cov = new Covariance(toFit);
  let best: { solver: RidgeSolver; errors: Float64Array; error: number } | undefined;
  for (const ridge of RIDGES) {
    const solver = await RidgeSolver.of(toFit, ridge, algebra, cov);
    if (!solver) continue;
    const errors = await squaredErrors(judges, await solver.fit(toFit, original.weights), algebra);
    const error = errors.reduce((sum, one) => sum + one, 0);
    if (best && !(error < best.error)) break;
    best = { solver, errors, error };
  }
  const plain = await meanFit(moments, original, algebra);
  const all = moments.map(({ fit, heldOut }) => sumOf(fit, heldOut));
  const final = best && (await (await RidgeSolver.of(all, best.solver.ridge, algebra))?.fit(all, original.weights));
  if (!best || !final) return { fit: plain.fit };
  const result = { weights: plain.fit.weights.slice(), biases: plain.fit.biases.map((bias) => bias.slice()) };
  for (let o = 0; o < plain.errors.length; o++) {
    if ((best.errors[o] as number) < (plain.errors[o] as number)) copyOutput(final, result, o);
  }
  return { fit: result, solver: best.solver };
}
