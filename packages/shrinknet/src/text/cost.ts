import type { CostEstimate } from "@shrinknet/core";
import { formatCount, formatSeconds, plural } from "./format.ts";

/** One line before a long run of the oracle. */
export function costText({ mode, evaluations, expected, passes, seconds }: CostEstimate): string {
  const all = expected < evaluations ? ` instead of ${formatCount(evaluations)}` : "";
  const work = `about ${plural(expected, "candidate evaluation")}${all}, as much as ${plural(Math.ceil(passes), "pass", "passes")} over the data`;
  return `oracle: ${mode}, ${work}, about ${formatSeconds(seconds)}`;
}
