import { type Criterion, subjectIn } from "../criteria/criterion.ts";
import { Activations } from "../measure/activations.ts";
import { taylorTerms } from "../measure/taylor.ts";
import { bendsOf } from "./bends.ts";

/**
 * taylor2 with the exact second derivative in each unit's gain in place of the diagonal recursion's: -E'(1) + E''(1) / 2.
 * What it gets wrong is truncation alone. A means of finding out, not a cheap estimate: four gradients for every unit.
 */
export const exactParabola: Criterion = {
  name: "exact-parabola",
  inErrorUnits: true,
  needsData: true,
  async score(context) {
    const [subject, { state, left }] = [subjectIn(context), context];
    const { slope } = await taylorTerms(subject, state, false);
    const bends = await bendsOf(subject, new Activations(subject, state), left);
    return slope.map((value, unit) => -value + (bends.get(unit) ?? 0) / 2);
  },
};
