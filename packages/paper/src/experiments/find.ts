import { ShrinkError } from "@shrinknet/core";
import type { Experiment } from "./experiment.ts";
import { experiments } from "./table.ts";

/** The experiments of these names; `all` is every one. Throws an `option` error for a name that there is not. */
export function findExperiments(names: readonly string[]): readonly Experiment[] {
  const known = experiments.map(({ id }) => id);
  const unknown = names.find((name) => name !== "all" && !known.includes(name));
  if (unknown !== undefined) {
    throw new ShrinkError(
      "option",
      `experiment "${unknown}": is unknown, expected all or names of ${known.join(", ")}`,
    );
  }
  return experiments.filter(({ id }) => names.includes("all") || names.includes(id));
}
