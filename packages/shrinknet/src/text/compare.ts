import type { CompareRun, CompareStep, CompareSummary, Quality } from "@shrinknet/core";
import type { Colors } from "./colors.ts";
import { type CsvColumns, csv } from "./csv.ts";
import { formatCount, formatNumber, formatSeconds, formatShare, plural } from "./format.ts";
import { type Column, table } from "./table.ts";

/** Where the tables show each run, as shares of the longest one. */
const stages = [0.25, 0.5, 0.75, 1];

/** What `compare` prints: error and accuracy of each run at four stages. */
export function compareText(summary: CompareSummary, files: readonly string[], colors: Colors): string {
  const { model, objective, baseline, runs } = summary;
  const longest = Math.max(0, ...runs.map((run) => run.steps.length));
  const counts = [...new Set(stages.map((share) => Math.ceil(share * longest)))].filter((count) => count > 0);
  const accuracyOf = (quality?: Quality): number | undefined => quality?.accuracy;
  return [
    `${colors.bold(model)}: ${plural(baseline.units, "unit")}, objective ${objective}, error ${formatNumber(baseline.error)}` +
      (baseline.accuracy === undefined ? "" : `, accuracy ${formatShare(baseline.accuracy, 2)}`) +
      (baseline.test?.accuracy === undefined ? "" : `, test accuracy ${formatShare(baseline.test.accuracy, 2)}`),
    runTable(runs, colors),
    stageTable("error", (step) => formatNumber(step.error)),
    baseline.accuracy !== undefined && stageTable("accuracy", (step) => formatShare(accuracyOf(step), 2)),
    baseline.test && stageTable("test error", (step) => formatNumber(step.test?.error)),
    baseline.test?.accuracy !== undefined &&
      stageTable("test accuracy", (step) => formatShare(accuracyOf(step.test), 2)),
    files.length > 0 && `wrote ${files.join(", ")}`,
  ]
    .filter((part) => typeof part === "string")
    .map((part) => `${part.trimEnd()}\n`)
    .join("\n");

  function stageTable(name: string, text: (step: CompareStep) => string): string | false {
    const columns = [
      { title: name },
      { title: "" },
      ...counts.map((count): Column => ({ title: `after ${formatCount(count)}`, align: "right" })),
    ];
    const rows = runs.map(({ criterion, schedule, compensation, steps }) => [
      labelOf(criterion, compensation),
      schedule,
      ...counts.map((count) => {
        const step = steps[count - 1];
        return step ? text(step) : "";
      }),
    ]);
    return counts.length > 0 && table(columns, rows, colors);
  }
}

function runTable(runs: readonly CompareRun[], colors: Colors): string {
  const numbers = ["removed", "evaluations", "time"].map((title): Column => ({ title, align: "right" }));
  return table(
    [{ title: "run" }, { title: "" }, ...numbers],
    runs.map(({ criterion, schedule, compensation, steps, evaluations, seconds }) => [
      labelOf(criterion, compensation),
      schedule,
      formatCount(steps.length),
      formatCount(evaluations),
      formatSeconds(seconds),
    ]),
    colors,
  );
}

function labelOf(criterion: string, compensation: string): string {
  return compensation === "none" ? criterion : `${criterion} + ${compensation}`;
}

type Row = CompareStep & Pick<CompareRun, "criterion" | "schedule" | "compensation">;

const csvColumns: CsvColumns<Row> = {
  criterion: (row) => row.criterion,
  schedule: (row) => row.schedule,
  compensation: (row) => row.compensation,
  removed: (row) => row.removed,
  error: (row) => row.error,
  accuracy: (row) => row.accuracy,
  testError: (row) => row.test?.error,
  testAccuracy: (row) => row.test?.accuracy,
  group: (row) => row.group,
  unit: (row) => row.unit,
  layer: (row) => row.layer,
  predicted: (row) => row.predicted,
  latency: (row) => row.latency,
};

/** One row per removal of every run. */
export function compareCsv({ runs }: CompareSummary): string {
  return csv(
    csvColumns,
    runs.flatMap(({ steps, ...run }) => steps.map((step) => ({ ...run, ...step }))),
  );
}
