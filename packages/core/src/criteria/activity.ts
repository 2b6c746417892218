import { activityOf } from "../measure/activity.ts";
import { type Criterion, evaluatorIn } from "./criterion.ts";

/** Mean size of the unit's output, |o|, over samples and positions. */
export const activation: Criterion = {
  name: "activation",
  inErrorUnits: false,
  needsData: true,
  score: async (context) => (await activityOf(evaluatorIn(context), context.state)).mean,
};

/** Share of the unit's outputs that are not 0: 1 - APoZ, so that lower = remove first. Hu et al. 2016. */
export const apoz: Criterion = {
  name: "apoz",
  inErrorUnits: false,
  needsData: true,
  score: async (context) => (await activityOf(evaluatorIn(context), context.state)).zeros.map((share) => 1 - share),
};
