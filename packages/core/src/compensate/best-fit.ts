/** Which fit of a layer is taken: several are tried on some samples, and the others judge. */

import type { SplitMoments } from "./moments.ts";
import { Covariance, copyOutput, type Fit, meanBias, product, RidgeSolver, squaredErrors, sumOf } from "./ridge.ts";

/** Strengths of the ridge, in mean variances of a feature, that the held-out samples choose from. */
export const RIDGES = [1e-7, 1e-4, 1e-2, 1e-1] as const;

/** A fit on all samples, and the errors on the held-out ones that it was chosen by, per output. */
export interface Judged {
  readonly fit: Fit;
  readonly errors: Float64Array;
}

/** The bias that makes mean outputs right, where the held-out samples like it better than the original one. */
export function meanFit({ fit, heldOut }: SplitMoments, { weights, bias }: Fit): Judged {
  const judge = heldOut.rows > 0 ? heldOut : fit;
  const fitted = product(judge.xx, weights, judge.features, judge.outputs);
  const before = squaredErrors(judge, { weights, bias }, fitted);
  const after = squaredErrors(judge, { weights, bias: meanBias(fit, weights) }, fitted);
  const all = meanBias(sumOf(fit, heldOut), weights);
  const isBetter = Array.from(after, (error, o) => error < (before[o] as number));
  return {
    fit: { weights, bias: bias.map((own, o) => (isBetter[o] ? (all[o] as number) : own)) },
    errors: before.map((error, o) => (isBetter[o] ? (after[o] as number) : error)),
  };
}

/**
 * Ridge least squares with the ridge that the held-out samples like best; an output's mean fit or original weights where
 * they like these better. Which outputs are still there plays no part, so that the order of removals does not.
 */
export function leastSquares(moments: SplitMoments, original: Fit): { fit: Fit; solver?: RidgeSolver } {
  const { fit, heldOut } = moments;
  const judge = heldOut.rows > 0 ? heldOut : fit;
  const cov = new Covariance(fit);
  let best: { solver: RidgeSolver; errors: Float64Array; error: number } | undefined;
  for (const ridge of RIDGES) {
    const solver = RidgeSolver.of(fit, ridge, cov);
    if (!solver) continue;
    const errors = squaredErrors(judge, solver.fit(fit, original.weights));
    const error = errors.reduce((sum, one) => sum + one, 0);
    if (!best || error < best.error) best = { solver, errors, error };
  }
  const plain = meanFit(moments, original);
  const all = sumOf(fit, heldOut);
  const final = best && RidgeSolver.of(all, best.solver.ridge)?.fit(all, original.weights);
  if (!best || !final) return { fit: plain.fit };
  const result = { weights: plain.fit.weights.slice(), bias: plain.fit.bias.slice() };
  for (let o = 0; o < all.outputs; o++) {
    if ((best.errors[o] as number) < (plain.errors[o] as number)) copyOutput(final, result, o);
  }
  return { fit: result, solver: best.solver };
}
