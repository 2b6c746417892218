import type { Latency, Polish, PruneSummary } from "@shrinknet/core";
import { maxColumns } from "../compute/layer-order.ts";
import { formatCount, formatNumber, formatShare } from "../format.ts";

/** What was done, as one sentence for someone who knows none of our terms. */
export function describePrune(summary: PruneSummary): string {
  const { before, after, criterion, schedule, removed } = summary;
  const count = before.units - after.units;
  if (count === 0 && removed.length === 0) return "Nothing was removed.";
  const share = before.units > 0 ? ` (${formatShare(count / before.units)})` : "";
  return `Removed ${formatCount(count)} of ${formatCount(before.units)} units${share}, ${describeOrder(criterion, schedule)}; ${describeCompensation(summary.compensation)}.`;
}

function describeOrder(criterion: string, schedule: string): string {
  const lowest = criterion === "oracle" ? "whose removal hurts the error least" : `that ${criterion} scores lowest`;
  if (schedule === "rerank") return `each time the one ${lowest}, ranked again after every removal`;
  if (schedule === "once") return `in the order of one ranking by ${criterion}, made before the first removal`;
  return `chosen by ${criterion}, schedule ${schedule}`;
}

function describeCompensation(compensation: string): string {
  if (compensation === "none") return "the weights that stay are unchanged";
  if (compensation === "mean") return "the mean output of each removed unit was added to the biases behind it";
  if (compensation === "lstsq") return "the weights behind each removed unit were fitted again by least squares";
  return `compensation: ${compensation}`;
}

/** The verification in words; `ok` is false where it leaves a doubt. */
export function describeVerification({ verified, allowance, inDoubt, compensation }: PruneSummary): {
  readonly ok: boolean;
  readonly text: string;
} {
  if (!Number.isFinite(verified)) return { ok: false, text: "Not verified: no finite difference was measured." };
  const repaired = compensation === "none" ? "" : " and the same compensation";
  const run = `the written file was run beside the original with the same units switched off${repaired}`;
  const rounding = `rounding explains up to ${formatNumber(allowance)}`;
  const found = `largest difference ${formatNumber(verified)} of the largest output, ${rounding}`;
  if (inDoubt) return { ok: false, text: `Not verified: ${run}; ${found}. Try the file before it is used.` };
  return { ok: true, text: `Verified: ${run}; ${verified === 0 ? `no difference, ${rounding}` : found}.` };
}

/** Which other criterion was tried, and why its result was not kept. */
export function describeAlsoTried(criterion: string, other: string): string {
  return `Also tried: ${other}. The result by ${criterion} has the lower error on the samples that nothing was fitted on.`;
}

/** What polish did, as one sentence. */
export function describePolish({ trials, swaps, errorBefore, errorAfter, settled }: Polish): string {
  const error =
    swaps === 0
      ? `the error stayed at ${formatNumber(errorBefore)}`
      : `the error fell from ${formatNumber(errorBefore)} to ${formatNumber(errorAfter)}`;
  const end = settled ? "no further swap lowers it" : "more trials would have taken too long";
  return `Polish: ${formatCount(swaps)} ${swaps === 1 ? "swap" : "swaps"} of a removed unit for another one of its group, in ${formatCount(trials)} ${trials === 1 ? "trial" : "trials"}; ${error} on the samples that choose, and ${end}. The charts and the trace show the removals before it.`;
}

/** What was held out of the calibration data, and for what. */
export function describeHeldOut({ heldOut }: PruneSummary): string {
  if (!heldOut) return "Nothing was held out: the calibration samples that chose the units also said when to stop.";
  const { samples, share, usedFor } = heldOut;
  return `${formatCount(samples)} of the calibration samples (${formatShare(share)}) were held out: no unit was scored on them. They decided about ${usedFor}.`;
}

/** The measured latency as one sentence. */
export function describeLatency({ before, after, speedup, interval, runs, threads }: Latency): string {
  const times = (factor: number): string => factor.toFixed(1);
  const [low, high] = speedup >= 1 ? interval : [1 / interval[1], 1 / interval[0]];
  const change = speedup >= 1 ? `${times(speedup)} times faster` : `${times(1 / speedup)} times SLOWER`;
  return `${change} (95 % interval ${times(low)} to ${times(high)}): one sample took ${formatNumber(before)} ms before and takes ${formatNumber(after)} ms after; median of ${formatCount(runs)} runs of each file in turns, after warming up, ${formatCount(threads)} ${threads === 1 ? "thread" : "threads"}. It depends on the machine and on what else it did.`;
}

/** How to read the chart of the order of removals. */
export function describeOrderChart(removals: number): string {
  const together = Math.ceil(removals / maxColumns);
  return together <= 1
    ? "A bar for each removal, from the first on the left to the last on the right."
    : `Removals from the first on the left to the last on the right, counted ${together} at a time: the stronger a bar, the more of them came from the layer.`;
}
