import type { CompareRun, CompareSummary } from "@shrinknet/core";
import { layerOrderChart } from "../charts/layer-order.ts";
import { predictedChart } from "../charts/predicted.ts";
import { accuracyChart, errorChart } from "../charts/quality.ts";
import {
  computeCompareCurves,
  computeLatencyCurves,
  computeSchedules,
  type DataSet,
  type Measure,
  runLabel,
} from "../compute/curves.ts";
import { computePredictions } from "../compute/predictions.ts";
import { computeRunSummaries, type RunSummary } from "../compute/run-summary.ts";
import { formatAccuracy, formatCount, formatNumber, formatSeconds } from "../format.ts";
import { html, type Markup } from "../html.ts";
import { facts, figure, page, section, table } from "./page.ts";
import { describeOrderChart } from "./wording.ts";

/** The result of `shrinknet compare` as a self-contained HTML document: nothing loaded from elsewhere, the same bytes for the same result. */
export function compareReport(summary: CompareSummary): string {
  const { model, objective, baseline, runs } = summary;
  const criteria = [...new Set(runs.map((run) => run.criterion))];
  const schedules = computeSchedules(summary);
  return page(`${model} – shrinknet compare`, [
    html`<header><h1>${model}</h1>
<p>Compared ${named("criterion", "criteria", criteria)} under ${named("schedule", "schedules", schedules)}: each run starts from the same network and removes one unit after the other.</p></header>
<section><h2>Runs</h2>
${runTable(summary)}</section>
`,
    section("Quality against units removed", qualityFigures(summary, schedules)),
    section(
      "Accuracy against latency",
      (["calibration", "test"] as const).flatMap((data) =>
        schedules.flatMap((schedule) => latencyFigure(summary, data, schedule, schedules.length > 1)),
      ),
    ),
    section(
      "Which layer each removal came from",
      runs.filter((run) => run.steps.length > 0).map((run) => orderFigure(summary, run, criteria)),
    ),
    section(
      "Predicted against measured",
      runs.flatMap((run) => predictedFigure(summary, run, criteria)),
    ),
    html`<footer><h2>What was measured</h2>
${facts([
  ["objective", `${objective}, mean over samples`],
  ["units", `${formatCount(baseline.units)} in ${formatCount(summary.layers.length)} groups`],
  ["parameters", formatCount(baseline.parameters)],
  ["MACs per sample", formatCount(baseline.macs)],
  ["error at the start", formatNumber(baseline.error)],
  ...fact("accuracy at the start", baseline.accuracy, formatAccuracy),
  ...fact("test error at the start", baseline.test?.error, formatNumber),
  ...fact("test accuracy at the start", baseline.test?.accuracy, formatAccuracy),
  ["candidate evaluations", formatCount(runs.reduce((sum, run) => sum + run.evaluations, 0))],
  ["time", formatSeconds(runs.reduce((sum, run) => sum + run.seconds, 0))],
])}</footer>`,
  ]);
}

function named(one: string, many: string, names: readonly string[]): string {
  const list = names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return names.length === 0 ? `no ${many}` : `${names.length === 1 ? one : many} ${list}`;
}

function fact(term: string, value: number | undefined, format: (value: number) => string): [string, string][] {
  return value === undefined ? [] : [[term, format(value)]];
}

interface Column {
  readonly name: string;
  /** Undefined where the run has no such value. */
  readonly text: (run: RunSummary) => string | undefined;
}

function runTable(summary: CompareSummary): Markup {
  const { upTo, runs } = computeRunSummaries(summary);
  const counted = (value: number | undefined): string | undefined =>
    value === undefined ? undefined : formatCount(value);
  const columns: Column[] = [
    { name: "criterion", text: (run) => run.criterion },
    { name: "schedule", text: (run) => run.schedule },
    {
      name: "units removed before 1 point of accuracy is lost (calibration)",
      text: (run) => counted(run.removedAtDrop),
    },
    { name: "the same (test)", text: (run) => counted(run.testRemovedAtDrop) },
    { name: `area under error curve, to ${formatCount(upTo)} removed`, text: (run) => formatNumber(run.errorArea) },
    { name: "time", text: (run) => formatSeconds(run.seconds) },
    { name: "evaluations", text: (run) => formatCount(run.evaluations) },
  ];
  const used = columns.filter((column) => runs.some((run) => column.text(run) !== undefined));
  return table(
    used.map((column) => column.name),
    runs.map((run) => used.map((column) => column.text(run) ?? "—")),
    "names2",
  );
}

/** For each measure and data set a chart per schedule, all with the same y axis. */
function qualityFigures(summary: CompareSummary, schedules: readonly string[]): Markup[] {
  return (["calibration", "test"] as const).flatMap((data) =>
    (["error", "accuracy"] as const).flatMap((measure) =>
      schedules.flatMap((schedule) => qualityFigure(summary, measure, data, schedule, schedules.length > 1)),
    ),
  );
}

function qualityFigure(
  summary: CompareSummary,
  measure: Measure,
  data: DataSet,
  schedule: string,
  several: boolean,
): Markup[] {
  const series = computeCompareCurves(summary, measure, data, schedule);
  if (series.length === 0) return [];
  const include = computeCompareCurves(summary, measure, data).flatMap((s) => s.points.map((p) => p[1]));
  const title = `${measure === "error" ? "Error" : "Accuracy"}, ${data}${several ? `, schedule ${schedule}` : ""}`;
  const draw = measure === "error" ? errorChart : accuracyChart;
  const kind = measure === "error" ? "Error, mean over the samples," : "Share of right answers";
  return [figure(draw(series, { title, include }), `${kind} after each removal; a line per criterion.`)];
}

function latencyFigure(summary: CompareSummary, data: DataSet, schedule: string, several: boolean): Markup[] {
  const series = computeLatencyCurves(summary, data, schedule);
  if (series.length === 0) return [];
  const title = `Accuracy against latency, ${data}${several ? `, schedule ${schedule}` : ""}`;
  const chart = accuracyChart(series, { title, xLabel: "latency of one run (ms)" });
  return [figure(chart, "Share of right answers at eighths of each run; up and to the left is better.")];
}

function runName(run: CompareRun): string {
  return `${runLabel(run)}, ${run.schedule}`;
}

function orderFigure(summary: CompareSummary, run: CompareRun, criteria: readonly string[]): Markup {
  const options = {
    title: `Layer of each removal: ${runName(run)}`,
    layers: summary.layers,
    style: criteria.indexOf(run.criterion),
  };
  return figure(layerOrderChart(run.steps, options), describeOrderChart(run.steps.length));
}

function predictedFigure(summary: CompareSummary, run: CompareRun, criteria: readonly string[]): Markup[] {
  const points = computePredictions(summary.baseline.error, run.steps);
  if (points.length === 0) return [];
  const series = [{ name: run.criterion, points, style: criteria.indexOf(run.criterion) }];
  return [
    figure(
      predictedChart(series, { title: `Predicted against measured: ${runName(run)}` }),
      "A point per removal. On the dashed diagonal the prediction was right; above it the removal did more harm than predicted.",
    ),
  ];
}
