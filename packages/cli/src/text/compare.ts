import type { CompareRun, CompareSummary, Quality } from "shrinknet";
import type { Colors } from "./colors.ts";
import { csv } from "./csv.ts";
import { formatCount, formatNumber, formatSeconds, formatShare, plural } from "./format.ts";
import { type Column, table } from "./table.ts";

/** Shares of the units at which the table shows each run. */
const stages = [0.2, 0.4, 0.6, 0.8];

/** What `compare` prints: the error (and accuracy) of each run at four stages. */
export function compareText(summary: CompareSummary, files: readonly string[], colors: Colors): string {
  const { model, objective, baseline, runs } = summary;
  const counts = [...new Set(stages.map((share) => Math.round(share * baseline.units)))].filter((count) => count > 0);
  const reached = counts.filter((count) => runs.some((run) => run.steps.length >= count));
  const grid = (of: string, text: (quality: Quality) => string): string =>
    reached.length === 0
      ? ""
      : `\n${of} after so many removals\n${table(
          columnsFor(reached),
          runs.map((run) => rowOf(run, reached, text)),
          colors,
        )}`;
  const accuracy = (quality: Quality): string => formatShare(quality.accuracy, 2);
  return [
    `${colors.bold(model)}: ${plural(baseline.units, "unit")}, objective ${objective}, error ${formatNumber(baseline.error)}`,
    baseline.accuracy === undefined ? "" : `, accuracy ${accuracy(baseline)}`,
    baseline.test?.accuracy === undefined ? "" : `, test accuracy ${accuracy(baseline.test)}`,
    "\n",
    grid("error", (quality) => formatNumber(quality.error)),
    baseline.accuracy === undefined ? "" : grid("accuracy", accuracy),
    files.length > 0 ? `\nwrote ${files.join(", ")}\n` : "",
  ].join("");
}

function columnsFor(counts: readonly number[]): Column[] {
  return [
    { title: "criterion" },
    { title: "schedule" },
    ...counts.map((count): Column => ({ title: formatCount(count), align: "right" })),
    { title: "evaluations", align: "right" },
    { title: "time", align: "right" },
  ];
}

function rowOf(run: CompareRun, counts: readonly number[], text: (quality: Quality) => string): string[] {
  const cells = counts.map((count) => {
    const step = run.steps[count - 1];
    return step ? text(step) : "";
  });
  return [run.criterion, run.schedule, ...cells, formatCount(run.evaluations), formatSeconds(run.seconds)];
}

/** One row per removal of every run. */
export function compareCsv({ runs }: CompareSummary): string {
  const head = "criterion,schedule,removed,error,accuracy,testError,testAccuracy,group,unit,layer,predicted".split(",");
  return csv(
    head,
    runs.flatMap(({ criterion, schedule, steps }) =>
      steps.map(({ removed, error, accuracy, test, group, unit, layer, predicted }) => [
        ...[criterion, schedule, removed, error, accuracy, test?.error, test?.accuracy],
        ...[group, unit, layer, predicted],
      ]),
    ),
  );
}
