import type { AnalyzeSummary, UnitName } from "@shrinknet/core";
import type { Colors } from "./colors.ts";
import { formatCount, formatNumber, formatShare, plural } from "./format.ts";
import { type Column, table } from "./table.ts";

/** Pairs that the text lists; JSON and report have more. */
const listed = 5;

/** What `analyze` prints: each criterion's agreement with the oracle, taylor2's failure by stage, cancelling pairs. */
export function analyzeText(summary: AnalyzeSummary, files: readonly string[], colors: Colors): string {
  const { model, objective, baseline, removed, steps } = summary;
  return [
    `${colors.bold(model)}: ${plural(baseline.units, "unit")}, objective ${objective}, error ${formatNumber(baseline.error)}; ` +
      `the oracle removed ${formatCount(removed)}, looked at in ${plural(steps.length, "stage")}`,
    agreementTable(summary, colors),
    failureTable(summary, colors),
    pairTable(summary, colors),
    files.length > 0 && `wrote ${files.join(", ")}`,
  ]
    .filter((part) => typeof part === "string")
    .map((part) => `${part.trimEnd()}\n`)
    .join("\n");
}

/** Spearman and regret at each stage, a row per criterion. */
function agreementTable({ criteria, steps }: AnalyzeSummary, colors: Colors): string | false {
  const rows = criteria.map((criterion) => {
    const own = steps.flatMap((step) => step.agreement.filter((row) => row.criterion === criterion));
    const worst = own.reduce((most, { regret }) => Math.max(most, regret), Number.NEGATIVE_INFINITY);
    const best = own.filter(({ regret }) => regret <= 0).length / own.length;
    return [criterion, ...own.map(({ spearman }) => twoDigits(spearman)), formatShare(best), formatNumber(worst)];
  });
  const columns = [
    { title: "rank correlation" },
    ...[...steps.map(({ removed }) => `-${formatCount(removed)}`), "best picks", "worst regret"].map(
      (title): Column => ({ title, align: "right" }),
    ),
  ];
  return rows.length > 0 && table(columns, rows, colors);
}

function failureTable({ steps }: AnalyzeSummary, colors: Colors): string | false {
  const titles = ["error", "taylor2 off by", "truncation", "diagonal", "removed: joint cost", "sum of each alone"];
  const rows = steps.map(({ removed, error, failure, joint, alone }) => {
    const causes = failure.truncation + failure.diagonal;
    return [
      `-${formatCount(removed)}`,
      formatNumber(error),
      formatShare(failure.failure / failure.measured),
      formatShare(failure.truncation / causes),
      formatShare(failure.diagonal / causes),
      formatNumber(joint),
      formatNumber(alone),
    ];
  });
  const columns = [{ title: "units" }, ...titles.map((title): Column => ({ title, align: "right" }))];
  return rows.length > 0 && table(columns, rows, colors);
}

function pairTable({ interactions }: AnalyzeSummary, colors: Colors): string | false {
  if (!interactions || interactions.cancelling.length === 0) return false;
  const name = ({ group, unit }: UnitName): string => `${group}:${unit}`;
  const columns = [
    { title: "pairs that cancel" },
    { title: "" },
    ...["cost", "cost", "of both"].map((title): Column => ({ title, align: "right" })),
  ];
  const rows = interactions.cancelling
    .slice(0, listed)
    .map(({ a, b, costA, costB, cost }) => [name(a), name(b), ...[costA, costB, cost].map(formatNumber)]);
  return table(columns, rows, colors);
}

function twoDigits(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2) : "-";
}
