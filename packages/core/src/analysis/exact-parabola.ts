import { type Criterion, evaluatorIn } from "../criteria/criterion.ts";
import { Activations } from "../measure/activations.ts";
import { taylorTerms } from "../measure/taylor.ts";
import { curvaturesOf } from "./curvatures.ts";

/**
 * taylor2 with the exact second derivative in each unit's gain in place of the diagonal recursion's: -E'(1) + E''(1) / 2.
 * What it gets wrong is truncation alone. A means of finding out, not a cheap estimate: four gradients for every unit.
 */
export const exactParabola: Criterion = {
  name: "exact-parabola",
  inErrorUnits: true,
  needsData: true,
  async score(context) {
    const [evaluator, { state, left }] = [evaluatorIn(context), context];
    const { gradient } = await taylorTerms(evaluator, state, { second: false });
    const curvatures = await curvaturesOf(evaluator, new Activations(evaluator, state), left);
    return gradient.map((value, unit) => -value + (curvatures.get(unit) ?? 0) / 2);
  },
};
