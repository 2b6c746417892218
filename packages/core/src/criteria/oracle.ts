import type { Oracle } from "../measure/oracle.ts";
import { partsByGroup } from "../units/units.ts";
import type { Criterion } from "./criterion.ts";
import { MeasuredBlocks } from "./measured-blocks.ts";

/** The measured change of the error when the unit is removed: E without it - E. Wolfe et al. 2017, "brute force". */
export const oracle: Criterion = {
  name: "oracle",
  certificate: "exact",
  inErrorUnits: true,
  needsData: true,
  start: () => new MeasuredBlocks(),
  async score({ prunable, left, error, oracle: measure, onlyBest = false, rank }) {
    const scores = new Float64Array(prunable.units.count);
    const now = await error();
    const fields = onlyBest && rank ? partsByGroup(prunable.units.groups, left).map(({ units }) => units) : [left];
    for (const field of fields) {
      const errors = await (measure as Oracle).errorsWithout(field, { onlyBest });
      for (const [unit, without] of errors) scores[unit] = without - now;
    }
    return scores;
  },
};
