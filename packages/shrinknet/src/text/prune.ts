import {
  type AccuracyDrop,
  certificatesInWords,
  type Latency,
  type LayerWidth,
  type Polish,
  type PruneSummary,
  type Verification,
} from "@shrinknet/core";
import { beforeAfter } from "./before-after.ts";
import type { Colors } from "./colors.ts";
import { outputTable } from "./evaluate.ts";
import { formatCount, formatNumber, formatSeconds, formatShare, plural } from "./format.ts";
import { table } from "./table.ts";
import { verifiedText } from "./verified.ts";

/** What `prune` prints: how much smaller, faster and worse the model became, and whether it can be trusted. `files`: as below. */
export function shortText(summary: PruneSummary, files: readonly string[], colors: Colors): string {
  const { model, before, after, criterion, compensation, seconds, latency } = summary;
  const [out = "", ...others] = files.toReversed();
  const by = [criterion, ...(compensation === "none" ? [] : [`repair ${compensation}`]), formatSeconds(seconds)];
  const sizes = [
    `${formatCount(before.bytes)} -> ${formatCount(after.bytes)} bytes`,
    `${formatCount(before.parameters)} -> ${formatCount(after.parameters)} parameters`,
    `${formatShare(after.macs / before.macs)} of the MACs left`,
  ];
  const isFaster = latency !== undefined && latency.speedup >= 1;
  return [
    ...(latency && !isFaster ? warningText(summary) : []),
    `${colors.bold(model)} -> ${colors.bold(out)}: removed ${formatCount(before.units - after.units)} of ${plural(before.units, "unit")} (${by.join(", ")})\n`,
    `smaller:  ${sizes.join(", ")}\n`,
    ...(isFaster ? [`faster:   ${latencyText(latency).replace(" faster:", ":")}\n`] : []),
    ...qualityText(summary),
    `${verifiedText(verificationOf(summary), colors)}; stopped: ${summary.stopped}\n`,
    ...(others.length > 0 ? [`also wrote ${others.join(", ")}\n`] : []),
  ].join("");
}

/** How much worse it became, on the samples that say most: test samples, else those that were held out, else all. */
function qualityText({ before, after, answers, heldOut }: PruneSummary): string[] {
  const [name, was, is] =
    before.test && after.test
      ? (["on test samples", before.test, after.test] as const)
      : heldOut && before.heldOut && after.heldOut
        ? (["on held-out samples", before.heldOut, after.heldOut] as const)
        : (["on the samples that chose", before, after] as const);
  if (is.error === undefined || Number.isNaN(is.error)) return [];
  const error = `error ${formatNumber(was.error)} -> ${formatNumber(is.error)}`;
  if (was.accuracy === undefined || is.accuracy === undefined) return [`worse:    ${error} ${name}\n`];
  const drop = (answers?.test ?? answers?.heldOut)?.drop;
  const interval = drop ? ` (${intervalText(drop)})` : "";
  return [`worse:    accuracy ${formatShare(was.accuracy, 2)} -> ${formatShare(is.accuracy, 2)} ${name}${interval}\n`];
}

const points = (share: number): string => ((share * 100).toFixed(2) === "-0.00" ? "0.00" : (share * 100).toFixed(2));

/** `drop 1.55 points, 95.0 % interval 0.85 to 2.24` */
function intervalText({ drop, low, high, confidence }: AccuracyDrop): string {
  return `drop ${points(drop)} points, ${formatShare(confidence)} interval ${points(low)} to ${points(high)}`;
}

/** What `prune --details` prints; `files` are the files that were written. */
export function pruneText(summary: PruneSummary, files: readonly string[], colors: Colors): string {
  const { model, before, after, criterion, schedule, objective, certificates, seconds, layers } = summary;
  const by = [
    `${criterion}, ${schedule}`,
    ...(objective === "none" ? [] : [`objective ${objective}`]),
    ...(summary.compensation === "none" ? [] : [`compensation ${summary.compensation}`]),
    formatSeconds(seconds),
  ];
  return [
    ...warningText(summary),
    `${colors.bold(model)}: removed ${formatCount(before.units - after.units)} of ${plural(before.units, "unit")} (${by.join(", ")})\n`,
    beforeAfter(before, after, colors),
    ...(after.outputs ? [`after, by output:\n${outputTable(after.outputs, colors)}`] : []),
    ...facts(summary),
    widths(layers, colors),
    ...(certificates.evaluations > 0 ? [`${certificatesInWords(certificates)}\n`] : []),
    `stopped: ${summary.stopped}\n${verifiedText(verificationOf(summary), colors)}\n` +
      `wrote ${files.toReversed().join(", ")}\n`,
  ].join("\n");
}

/** The verification that a summary tells of. */
export function verificationOf({ verified, allowance, inDoubt = false }: PruneSummary): Verification {
  return { difference: verified, allowance, isInDoubt: inDoubt };
}

/** What else was measured, a line each. */
function facts({ criterion, alsoTried, answers, heldOut, latency, polish, unfitted = [] }: PruneSummary): string[] {
  const lines = [
    ...(alsoTried === undefined
      ? []
      : [`also tried: ${alsoTried}; ${criterion} leaves the lower error on held-out samples`]),
    ...unfitted.map(({ layer, reason }) => `not repaired: ${layer}: ${reason}`),
    ...(polish ? [polishText(polish)] : []),
    ...(heldOut
      ? [
          `held out: ${plural(heldOut.samples, "calibration sample")} (${formatShare(heldOut.share, 1)}) that no unit was scored on; used for ${heldOut.usedFor}`,
        ]
      : []),
    ...(answers?.heldOut ? [dropText("held-out", answers.heldOut.drop)] : []),
    ...(answers?.test ? [dropText("test", answers.test.drop)] : []),
    ...(latency && latency.speedup >= 1 ? [latencyText(latency)] : []),
  ];
  return lines.length > 0 ? [`${lines.join("\n")}\n`] : [];
}

function polishText({ trials, swaps, errorBefore, errorAfter, settled }: Polish): string {
  const end = settled ? "no further swap lowers it" : "more trials would take too long";
  return `polish: ${plural(swaps, "swap")} in ${plural(trials, "trial")}; error ${formatNumber(errorBefore)} -> ${formatNumber(errorAfter)}, ${end}`;
}

function dropText(name: string, { drop, low, high, confidence }: AccuracyDrop): string {
  return `accuracy drop on ${name} samples: ${points(drop)} points (${formatShare(confidence)} interval ${points(low)} to ${points(high)})`;
}

/** "1.7 times faster: 0.108 -> 0.063 ms ...", or slower. */
function latencyText({ before, after, speedup, interval, runs, threads }: Latency): string {
  const [low, high] = speedup >= 1 ? interval : [1 / interval[1], 1 / interval[0]];
  const factor = speedup >= 1 ? speedup : 1 / speedup;
  const change = `${times(factor)} times ${speedup >= 1 ? "faster" : "slower"}`;
  return `${change}: ${formatNumber(before)} -> ${formatNumber(after)} ms a sample (interval ${times(low)} to ${times(high)}; median of ${plural(runs, "run")} of each in turns, ${plural(threads, "thread")})`;
}

function times(factor: number): string {
  return factor.toFixed(factor < 1.1 ? 2 : 1);
}

/** What comes first where the smaller file is the slower one. */
function warningText({ latency }: PruneSummary): string[] {
  if (!latency || latency.speedup >= 1) return [];
  const advice = "take whole blocks (--align 16), remove more, or ask for time itself with --target-latency 80%";
  return [`this file is SLOWER than the original. ${latencyText(latency)}; ${advice}\n`];
}

function widths(layers: readonly LayerWidth[], colors: Colors): string {
  return table(
    [{ title: "layer" }, { title: "kind" }, { title: "before", align: "right" }, { title: "after", align: "right" }],
    layers.map(({ layer, kind, before, after }) => [layer, kind, formatCount(before), formatCount(after)]),
    colors,
  );
}
