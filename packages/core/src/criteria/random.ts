import type { Criterion } from "./criterion.ts";

/** A uniform number from the run's seed: the baseline that every other criterion has to beat. */
export const random: Criterion = {
  name: "random",
  inErrorUnits: true, // not an error, but compared over all groups as it is
  needsData: false,
  score: ({ prunable, random: next }) => Float64Array.from({ length: prunable.units.count }, next),
};
