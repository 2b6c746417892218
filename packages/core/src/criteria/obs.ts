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
 * input. No candidate is run. Readers that cannot be fitted count by what the removal changes to first order; where no derivative
 * passes, units that only they read have no score and go last.
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
    const effects = await compensator.effectsOf(activations);
    const factors = await calibration(compensator, activations, parts, effects);
    const known = new Set(effects ? left : parts.flatMap(({ surface }) => surface.units));
    for (const { surface, importance } of parts) {
      for (const [unit, cost] of surface.costs(importance)) scores[unit] = (scores[unit] as number) + cost;
    }
    for (const unit of left) {
      const factor = factors.get(groupOf(prunable.units, unit)) ?? 1;
      scores[unit] = known.has(unit) ? factor * ((scores[unit] as number) + (effects?.[unit] ?? 0)) : Number.NaN;
    }
    return scores;
  },
};
