/** Why taylor2 is wrong about a unit, as numbers: pure arithmetic on what was measured. */
import type { FailureSizes, UnitCost, UnitName } from "../results.ts";

/** What is known of the error as a function of one unit's gain alpha; 1 intact, 0 removed. Means over samples. */
export interface GainFacts {
  /** E(0) - E(1). */
  readonly measured: number;
  /** E'(1). */
  readonly gradient: number;
  /** E''(1) by the diagonal recursion. */
  readonly curvature: number;
  /** E''(1). */
  readonly exactCurvature: number;
}

/**
 * Splits taylor2's error on a unit. The parabola through gain 1 with the exact derivatives predicts -E' + E''/2 for gain
 * 0. What the measurement differs from that is truncation; what the diagonal recursion differs from it is diagonal.
 */
export function splitFailure(name: UnitName, { measured, gradient, curvature, exactCurvature }: GainFacts): UnitCost {
  return {
    ...name,
    measured,
    taylor1: -gradient,
    taylor2: -gradient + curvature / 2,
    diagonal: (exactCurvature - curvature) / 2,
    truncation: measured - (-gradient + exactCurvature / 2),
  };
}

/** Sums of sizes over units. */
export function failureSizes(costs: readonly UnitCost[]): FailureSizes {
  const sum = (size: (cost: UnitCost) => number): number => costs.reduce((all, cost) => all + Math.abs(size(cost)), 0);
  return {
    units: costs.length,
    measured: sum(({ measured }) => measured),
    failure: sum(({ measured, taylor2 }) => measured - taylor2),
    truncation: sum(({ truncation }) => truncation),
    diagonal: sum(({ diagonal }) => diagonal),
  };
}
