/** The objectives by name. The first that suits an output is its default. */
import { ShrinkError } from "../../errors.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { match } from "./match.ts";
import type { Objective, OutputInfo } from "./objective.ts";
import { sse } from "./sse.ts";

const list = [sse, crossEntropy, match];

export const objectives: Readonly<Record<string, Objective>> = Object.fromEntries(
  list.map((objective) => [objective.name, objective]),
);

/** The objective of that name, or the one that is given. */
export function objectiveOf(objective: string | Objective): Objective {
  if (typeof objective !== "string") return objective;
  const known = Object.hasOwn(objectives, objective) ? objectives[objective] : undefined;
  if (known) return known;
  throw new ShrinkError(
    "option",
    `objective "${objective}": unknown, expected one of ${Object.keys(objectives).join(", ")}`,
  );
}

/** The default for an output: by its answers, and by how it ends. */
export function objectiveFor(output: OutputInfo): Objective {
  return list.find((objective) => objective.suits(output)) ?? match;
}
