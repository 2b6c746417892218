import type { AnalyzeSummary } from "@shrinknet/core";
import { unitLabel } from "../charts/partners.ts";
import { computeMeanAgreement, computeShares } from "../compute/analysis.ts";
import { formatCount, formatNumber, formatShare, formatSigned } from "../format.ts";

/** What an analysis found, in sentences with numbers. */
export function findings(summary: AnalyzeSummary): string[] {
  return [...ranking(summary), ...causes(summary), ...serial(summary), ...partnership(summary)];
}

function ranking(summary: AnalyzeSummary): string[] {
  const rows = computeMeanAgreement(summary).filter(({ spearman }) => Number.isFinite(spearman));
  const [best] = rows;
  if (!best) return [];
  const taylor2 = rows.find(({ criterion }) => criterion === "taylor2");
  const other =
    taylor2 && taylor2 !== best ? `; taylor2 by ${formatNumber(taylor2.spearman)}, ${picks(taylor2.right)}` : "";
  return [
    `Closest to the oracle's ranking is ${best.criterion}: rank correlation ${formatNumber(best.spearman)} on average, ${picks(best.right)}${other}.`,
  ];
}

function picks(share: number): string {
  return `it picks a best unit at ${formatShare(share)} of the stages`;
}

function causes({ steps }: AnalyzeSummary): string[] {
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last || !(first.failure.measured > 0)) return [];
  const text = ({ failure }: typeof first): string => {
    const share = computeShares(failure);
    return `off by ${formatShare(failure.failure / failure.measured)} of what removals cost, ${formatShare(share.truncation)} truncation and ${formatShare(share.diagonal)} diagonal`;
  };
  const later = last === first ? "" : `; without ${formatCount(last.removed)} units ${text(last)}`;
  return [`On the intact network taylor2 is ${text(first)}${later}.`];
}

function serial({ steps }: AnalyzeSummary): string[] {
  const last = steps.at(-1);
  if (!last || last.removed === 0) return [];
  return [
    `The first ${formatCount(last.removed)} units removed cost ${formatNumber(last.joint)} together, though the sum of what each cost alone in the intact network is ${formatNumber(last.alone)}: the rest is interaction, which a ranking made once cannot see.`,
  ];
}

function partnership({ interactions }: AnalyzeSummary): string[] {
  const [pair, group] = [interactions?.cancelling[0], interactions?.groups[0]];
  if (!pair) return [];
  const found = [
    `Strongest cancelling pair: ${unitLabel(pair.a)} (${formatSigned(pair.costA)}) and ${unitLabel(pair.b)} (${formatSigned(pair.costB)}) cost ${formatSigned(pair.cost)} together.`,
  ];
  if (group && group.units.length > 2)
    found.push(
      `${group.units.map(unitLabel).join(", ")} cost ${formatSigned(group.joint)} together, in parts ${formatSigned(group.parts)}.`,
    );
  return found;
}
