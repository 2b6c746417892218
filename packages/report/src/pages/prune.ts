import { type CompensationCurve, certificatesInWords, type PruneSummary, type Unfitted } from "@shrinknet/core";
import { layerOrderChart } from "../charts/layer-order.ts";
import { predictedChart } from "../charts/predicted.ts";
import { accuracyChart, errorChart } from "../charts/quality.ts";
import { widthsChart } from "../charts/widths.ts";
import { type Change, computeChanges } from "../compute/changes.ts";
import { computeCompensationCurves, computePruneCurves } from "../compute/curves.ts";
import { computePredictions } from "../compute/predictions.ts";
import {
  formatAccuracy,
  formatChange,
  formatCount,
  formatNumber,
  formatPoints,
  formatSeconds,
  formatSigned,
} from "../format.ts";
import { type Content, html, type Markup } from "../html.ts";
import { answers } from "./answer.ts";
import { classesSection, dropSection } from "./answers.ts";
import { stageSlider } from "./interaction.ts";
import { facts, figure, page, section, table } from "./page.ts";
import { traceTable } from "./trace.ts";
import {
  describeAlsoTried,
  describeLatency,
  describeOrderChart,
  describePolish,
  describePrune,
  describeVerification,
} from "./wording.ts";

/** The result of `shrinknet prune` as a self-contained HTML document: nothing loaded from elsewhere, the same bytes for the same result. */
export function pruneReport(summary: PruneSummary): string {
  const verification = describeVerification(summary);
  return page(`${summary.model} – shrinknet prune`, [
    html`<header><h1>${summary.model}</h1>
${answers(summary)}<div class="first"><div>
<p>${describePrune(summary)}</p>
<p class="${verification.ok ? "good" : "bad"}">${verification.text}</p>
${
  summary.certificates.evaluations > 0 &&
  html`<p>${certificatesInWords(summary.certificates)}.</p>
`
}${
  summary.polish &&
  html`<p>${describePolish(summary.polish)}</p>
`
}${
  summary.alsoTried !== undefined &&
  html`<p>${describeAlsoTried(summary.criterion, summary.alsoTried)}</p>
`
}<p class="soft">Written to ${summary.out}. Stopped: ${summary.stopped}.</p></div>
${isOnFirstScreen(summary) && widthsFigure(summary)}</div></header>
<section><h2>Before and after</h2>
${table(["", "before", "after", "change", "change (%)"], computeChanges(summary.before, summary.after).map(changeRow))}
${summary.latency && html`<p>${describeLatency(summary.latency)}</p>`}</section>
`,
    outputsSection(summary),
    dropSection(summary),
    stageSlider(summary),
    section("Quality against units removed", qualityFigures(summary)),
    section("What compensation bought", [
      ...compensationFigures(summary.compensationCurves ?? []),
      ...unfittedList(summary.unfitted ?? []),
    ]),
    classesSection(summary),
    section("Which units went", structureFigures(summary)),
    traceTable(summary),
    html`<footer><h2>What was measured</h2>
${facts([
  ["criterion", summary.criterion],
  ["schedule", summary.schedule],
  ["objective", `${summary.objective}, mean over samples`],
  ["compensation", summary.compensation],
  ["seed", String(summary.seed)],
  ["candidate evaluations", certificatesInWords(summary.certificates)],
  ["time", formatSeconds(summary.seconds)],
])}</footer>`,
  ]);
}

/** Layers that a first screen has room for. */
const FEW_LAYERS = 24;
const isOnFirstScreen = ({ layers }: PruneSummary): boolean => layers.length > 0 && layers.length <= FEW_LAYERS;

const widthsFigure = ({ layers }: PruneSummary): Markup =>
  figure(widthsChart(layers), "Units of each layer: outline before, filled after.");

/** What is left of each output, where the model has several. */
function outputsSection({ after }: PruneSummary): Content {
  const { outputs } = after;
  if (!outputs) return false;
  const share = (value: number | undefined): string => (value === undefined ? "—" : formatAccuracy(value));
  const rows = outputs.map(({ name, objective, error, accuracy, agreement }) => [
    name,
    objective,
    formatNumber(error),
    share(accuracy),
    share(agreement),
  ]);
  return html`<section><h2>By output</h2>
<p>The error of the model is the sum over its outputs. By the objective match it is a share of the output's own variance: 0 is the same as the original, 1 no better than the mean.</p>
${table(["output", "objective", "error", "accuracy", "same argmax as the original"], rows)}</section>
`;
}

function changeRow({ name, kind, before, after, difference, relative }: Change): string[] {
  const change = relative === undefined ? "—" : formatChange(relative);
  if (kind === "accuracy")
    return [name, formatAccuracy(before), formatAccuracy(after), formatPoints(difference), change];
  const value = kind === "count" ? formatCount : formatNumber;
  const signed = kind === "count" ? (difference > 0 ? "+" : "") + formatCount(difference) : formatSigned(difference);
  return [name, value(before), value(after), signed, change];
}

function qualityFigures(summary: PruneSummary): Markup[] {
  if (summary.removed.length === 0) return [];
  const accuracy = computePruneCurves(summary, "accuracy");
  const when = summary.removed.some(({ error }) => Number.isNaN(error ?? Number.NaN))
    ? "at the stages that were measured"
    : "after each removal";
  return [
    figure(
      errorChart(computePruneCurves(summary, "error")),
      summary.before.test
        ? `Error ${when}, mean over the samples of each data set.`
        : `Error ${when}, mean over the calibration samples.`,
    ),
    ...(accuracy.length === 0
      ? []
      : [figure(accuracyChart(accuracy), `Share of samples whose largest output is the right class, ${when}.`)]),
  ];
}

function compensationFigures(curves: readonly CompensationCurve[]): Markup[] {
  if (curves.length === 0) return [];
  const sets = ["calibration", "test"] as const;
  const accuracy = sets.flatMap((data) => {
    const series = computeCompensationCurves(curves, "accuracy", data);
    if (series.length === 0) return [];
    const title = `Accuracy against units removed (${data})`;
    return [figure(accuracyChart(series, { title }), `What is right of the ${data} samples, under each compensation.`)];
  });
  const error = computeCompensationCurves(curves, "error", "calibration");
  return [
    ...accuracy,
    figure(
      errorChart(error),
      "Mean error on the calibration samples under each compensation. The removals are the same; only the repair differs.",
    ),
  ];
}

function unfittedList(layers: readonly Unfitted[]): Markup[] {
  if (layers.length === 0) return [];
  const items = layers.map(({ layer, reason }) => html`<li>${layer}: ${reason}</li>`);
  return [html`<p>Layers behind removed units that were not repaired:</p><ul>${items}</ul>`];
}

function structureFigures(summary: PruneSummary): Markup[] {
  const { layers, removed, before, criterion } = summary;
  const predictions = computePredictions(before.error, removed);
  const rows = layers.map(({ group, layer, before: size }) => ({ group, layer, size }));
  return [
    ...(removed.length === 0
      ? []
      : [figure(layerOrderChart(removed, { layers: rows }), describeOrderChart(removed.length))]),
    ...(layers.length === 0 || isOnFirstScreen(summary) ? [] : [widthsFigure(summary)]),
    ...(predictions.length === 0
      ? []
      : [
          figure(
            predictedChart([{ name: criterion, points: predictions }]),
            `What ${criterion} said that a removal would change the error by, and what it did. On the dashed diagonal the prediction was right; above it the removal did more harm than predicted.`,
          ),
        ]),
  ];
}
