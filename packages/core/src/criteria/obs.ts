import { calibration } from "../compensate/calibration.ts";
import type { Surface } from "../compensate/surface.ts";
import { surfacesOf } from "../compensate/surfaces.ts";
import { groupOf } from "../units/units.ts";
import type { Criterion } from "./criterion.ts";

/**
 * The least-squares cost of a removal: by how much the squared error of its consumers' outputs would rise, at best, if
 * they were fitted again without it, times what the network's output notices of such an error. That is half the squared
 * change of the network's outputs to be expected, a mean over samples, so scores compare over all groups; how far that
 * expectation is off is measured for each group now and then ({@link calibration}). It is the step of optimal brain surgeon
 * (Hassibi and Stork 1993) for a block of weights w of a layer: w' ((H^-1) of w)^-1 w, with H the covariance of the layer's
 * input. No candidate is run. Units that no layer of weights reads have no score and go last.
 */
export const obs: Criterion = {
  name: "obs",
  inErrorUnits: true,
  predictsError: false, // but the change of the outputs
  needsData: true,
  needsMoments: true,
  async score({ prunable, left, compensator, oracle, evaluator }) {
    if (!compensator || !oracle || !evaluator) throw new Error("obs needs the moments of consumers");
    const { activations } = oracle;
    const scores = new Float64Array(prunable.units.count);
    const parts: { surface: Surface; importance: Float64Array }[] = [];
    for (const surface of await surfacesOf(compensator, activations)) {
      const { family, moments } = surface.known;
      const sensitivity = await compensator.sensitivityOf(family, activations);
      if (!sensitivity) continue;
      const rows = moments.reduce((sum, one) => sum + one.rows, 0);
      const factor = 1 / (2 * rows);
      parts.push({ surface, importance: sensitivity.map((value) => factor * value) });
    }
    const factors = await calibration(compensator, activations, parts);
    const known = new Set<number>();
    for (const { surface, importance } of parts) {
      for (const unit of surface.units) {
        const factor = factors.get(groupOf(prunable.units, unit)) ?? 1;
        scores[unit] = (scores[unit] as number) + factor * surface.costOf(unit, importance);
        known.add(unit);
      }
    }
    for (const unit of left) if (!known.has(unit)) scores[unit] = Number.NaN;
    return scores;
  },
};
