import type { Oracle } from "../measure/oracle.ts";
import { stateOf } from "../measure/state.ts";
import { type Part, partsByGroup } from "../units/units.ts";
import { lowest } from "../util/lowest.ts";
import { type Criterion, evaluatorIn, type Joint, type ScoringContext } from "./criterion.ts";

/** The measured change of the error when the unit is removed: E without it - E. Wolfe et al. 2017, "brute force". */
export const oracle: Criterion = {
  name: "oracle",
  certificate: "exact",
  inErrorUnits: true,
  needsData: true,
  async score({ prunable, left, error, oracle: measure, onlyBest = false, rank }) {
    const scores = new Float64Array(prunable.units.count);
    const now = await error();
    const fields = onlyBest && rank ? partsByGroup(prunable.units.groups, left).map(({ units }) => units) : [left];
    for (const field of fields) {
      const errors = await (measure as Oracle).errorsWithout(field, onlyBest);
      for (const [unit, without] of errors) scores[unit] = without - now;
    }
    return scores;
  },
  joint: measuredTogether,
};

/** The units of a group with the lowest scores, and the measured change of the error when they are all removed. */
export async function measuredTogether(
  context: ScoringContext,
  { units }: Part,
  size: number,
  scores: Float64Array,
): Promise<Joint> {
  const { prunable, state, error, oracle } = context;
  const block = lowest(units, size, (unit) => scores[unit] as number);
  const [only] = block;
  if (block.length === 1 && only !== undefined) return { units: block, score: scores[only] as number };
  const removed = state.removed.slice();
  for (const unit of block) removed[unit] = 1;
  (oracle as Oracle).evaluations++;
  const { quality } = await evaluatorIn(context).evaluate(stateOf(prunable, removed).model);
  return { units: block, score: quality.error - (await error()) };
}
