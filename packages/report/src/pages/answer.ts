/** The first screen of a pruned model: how much smaller, how much faster, how much worse, and whether it can be trusted. */
import type { PruneSummary } from "@shrinknet/core";
import { formatAccuracy, formatCount, formatNumber, formatPoints, formatShare } from "../format.ts";
import { html, type Markup } from "../html.ts";
import { describeVerification } from "./wording.ts";

export function answers(summary: PruneSummary): Markup {
  return html`<div class="answer">
${tile("How much smaller?", ...smaller(summary))}${tile("How much faster?", ...faster(summary))}${tile("How much worse?", ...worse(summary))}${tile("Can I trust it?", ...trusted(summary))}</div>
`;
}

function tile(question: string, answer: string, more: string): Markup {
  return html`<div><h2>${question}</h2><strong>${answer}</strong><p>${more}</p></div>
`;
}

function smaller({ before, after }: PruneSummary): [string, string] {
  const share = 1 - after.bytes / before.bytes;
  const macs = before.macs > 0 ? `; ${formatShare(after.macs / before.macs)} of the MACs left` : "";
  return [`${formatShare(share)} smaller`, `${formatCount(before.bytes)} → ${formatCount(after.bytes)} bytes${macs}`];
}

function faster({ latency }: PruneSummary): [string, string] {
  if (!latency) return ["not measured", "both files can be timed at the end of a run"];
  const { before, after, speedup, interval } = latency;
  const times = (factor: number): string => factor.toFixed(2);
  const [low, high] = interval;
  const answer = speedup >= 1 ? `${times(speedup)} times` : `SLOWER: ${times(1 / speedup)} times as long`;
  return [
    answer,
    `${formatNumber(before)} → ${formatNumber(after)} ms a sample; 95 % interval of the speed-up ${times(low)} to ${times(high)}`,
  ];
}

/** On the samples that say most: test samples, else those that were held out, else all. */
function worse({ before, after, answers: known, heldOut }: PruneSummary): [string, string] {
  const [name, was, is] =
    before.test && after.test
      ? (["test samples", before.test, after.test] as const)
      : heldOut && before.heldOut && after.heldOut
        ? (["held-out samples", before.heldOut, after.heldOut] as const)
        : (["the samples that chose", before, after] as const);
  if (is.error === undefined || Number.isNaN(is.error)) return ["not measured", "no data were given"];
  if (was.accuracy === undefined || is.accuracy === undefined) {
    return [`error ${formatNumber(is.error)}`, `${formatNumber(was.error)} before, on ${name}`];
  }
  const drop = (known?.test ?? known?.heldOut)?.drop;
  const interval = drop ? `; 95 % interval ${formatPoints(-drop.high)} to ${formatPoints(-drop.low)}` : "";
  return [
    formatPoints(is.accuracy - was.accuracy),
    `accuracy ${formatAccuracy(was.accuracy)} → ${formatAccuracy(is.accuracy)} on ${name}${interval}`,
  ];
}

function trusted(summary: PruneSummary): [string, string] {
  const { ok } = describeVerification(summary);
  const { verified, allowance } = summary;
  const found = Number.isFinite(verified) ? formatNumber(verified) : "not measured";
  return [
    ok ? "verified" : "NOT verified",
    `run beside the original without its units: largest difference ${found}, rounding explains ${formatNumber(allowance)}`,
  ];
}
