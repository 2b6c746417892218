import type { AnalyzeSummary, CancellingGroup, Interactions, UnitCost, UnitPair } from "@shrinknet/core";
import { causesChart } from "../charts/causes.ts";
import { gainChart } from "../charts/gain.ts";
import { interactionsChart } from "../charts/interactions.ts";
import { lineChart } from "../charts/line.ts";
import { partnersChart, unitLabel } from "../charts/partners.ts";
import { predictedChart } from "../charts/predicted.ts";
import {
  computeAgreementLines,
  computeFailureLines,
  computeGroupPaths,
  computeMeanAgreement,
  computeShares,
  type MeanAgreement,
} from "../compute/analysis.ts";
import { chooseScale } from "../compute/scale.ts";
import { formatAccuracy, formatCount, formatNumber, formatSeconds, formatShare, formatSigned } from "../format.ts";
import { type Content, html } from "../html.ts";
import type { Series } from "../series.ts";
import { findings } from "./findings.ts";
import { facts, figure, page, section, table } from "./page.ts";

/** Lines in a chart of criteria; the table has all. */
const mostLines = 6;
/** Rows of the chart of elite units, and of the table of failures. */
const mostPartners = 30;
const mostFailures = 12;

/** The result of `shrinknet analyze` as a self-contained HTML document: nothing loaded from elsewhere, the same bytes for the same result. */
export function analysisReport(summary: AnalyzeSummary): string {
  const { model, baseline, steps, interactions } = summary;
  const agreement = computeMeanAgreement(summary);
  return page(`${model} – shrinknet analyze`, [
    html`<header><h1>${model}</h1>
<p>Why estimates of a unit's worth fail: held to the oracle, which measures the error without each unit. ${formatCount(summary.removed)} of ${formatCount(baseline.units)} units were removed, each time the one whose removal hurt least; at ${formatCount(steps.length)} stages on the way everything below was measured.</p>
<ul>${findings(summary).map((finding) => html`<li>${finding}</li>\n`)}</ul></header>
`,
    agreementSection(summary, agreement),
    failureSection(summary),
    section(
      "The picture behind it: error against one unit's gain",
      summary.curves.map(({ why, cost, curve }) =>
        figure(
          gainChart(curve, { title: `Gain of ${unitLabel(cost)}` }),
          `${why} Removal costs ${formatNumber(cost.measured)}; the tangent says ${formatNumber(cost.taylor1)}, the parabola ${formatNumber(cost.taylor2)}. The difference is ${formatNumber(cost.truncation)} of truncation and ${formatNumber(cost.diagonal)} of diagonal.`,
        ),
      ),
    ),
    interactions && interactionSection(summary, interactions),
    interactions && eliteSection(interactions),
    html`<footer><h2>What was measured</h2>
${facts([
  ["objective", `${summary.objective}, mean of ${formatCount(summary.samples)} samples`],
  ["units", `${formatCount(baseline.units)} in ${formatCount(summary.layers.length)} groups`],
  ["error at the start", formatNumber(baseline.error)],
  ...(baseline.accuracy === undefined
    ? []
    : [["accuracy at the start", formatAccuracy(baseline.accuracy)] as [string, string]]),
  ["stages", steps.map(({ removed }) => formatCount(removed)).join(", ")],
  ["seed", String(summary.seed)],
  ["candidate evaluations", formatCount(summary.evaluations)],
  ...(Number.isFinite(summary.seconds) ? [["time", formatSeconds(summary.seconds)] as [string, string]] : []),
])}</footer>`,
  ]);
}

function agreementSection(summary: AnalyzeSummary, rows: readonly MeanAgreement[]): Content {
  if (rows.length === 0) return undefined;
  const shares = rows.find(({ top }) => top.length > 0)?.top ?? [];
  const head = [
    "criterion",
    "Spearman",
    "Kendall",
    ...shares.map(({ share }) => `overlap of the lowest ${formatShare(share)}`),
    "picks a best unit",
    "mean regret",
    "worst regret",
  ];
  const texts = rows.map((row) => [
    row.criterion,
    formatNumber(row.spearman),
    formatNumber(row.kendall),
    ...row.top.map(({ overlap }) => formatShare(overlap)),
    formatShare(row.right),
    formatNumber(row.regret),
    formatNumber(row.worst),
  ]);
  const shown = linesToShow(rows);
  const regrets = computeAgreementLines(summary, "regret", shown);
  return html`<section><h2>How well each estimate ranks</h2>
<p>Means over the stages. Spearman and Kendall are rank correlations with the oracle's ranking: 1 the same order, 0 none. Regret: how much more error the unit that the criterion picks costs than the best one. <em>-unsigned</em> ranks by the size of the estimate; <em>-mean</em> and <em>-median</em> replace outliers.</p>
${table(head, texts)}
<div class="charts">
${figure(
  lineChart({
    title: "Rank correlation with the oracle",
    xLabel: "units removed",
    yLabel: "Spearman's rank correlation",
    series: computeAgreementLines(summary, "spearman", shown),
    yInclude: [0, 1],
  }),
  `1 is the oracle's order, 0 is chance.${shown.length < rows.length ? ` ${shown.length} of ${rows.length} criteria are drawn; the table has all.` : ""}`,
)}
${figure(
  lineChart({
    title: "Regret of the unit picked",
    xLabel: "units removed",
    yLabel: "error above the best pick",
    series: regrets,
    yScale: scaleOf(regrets),
  }),
  "0: the criterion picks a unit that no other beats. In units of the error, a mean over the samples.",
)}
</div></section>
`;
}

/** taylor1 and taylor2 where they are, then the best of the others, leaving out variants of those two. */
function linesToShow(rows: readonly MeanAgreement[]): string[] {
  const names = rows.map(({ criterion }) => criterion);
  const main = ["taylor1", "taylor2", "taylor1-unsigned", "taylor2-median"].filter((name) => names.includes(name));
  const others = names.filter((name) => !main.includes(name) && !/^taylor[12]-/.test(name));
  return [...main, ...others, ...names.filter((name) => !main.includes(name) && !others.includes(name))].slice(
    0,
    mostLines,
  );
}

function scaleOf(series: readonly Series[]): ReturnType<typeof chooseScale> {
  return chooseScale(series.flatMap(({ points }) => points.map(([, y]) => y)));
}

function failureSection({ steps }: AnalyzeSummary): Content {
  const [intact] = steps;
  if (!intact || intact.costs.length === 0) return undefined;
  const lines = computeFailureLines(steps);
  const cloud = (predict: (cost: UnitCost) => number): { predicted: number; measured: number }[] =>
    intact.costs.map((cost) => ({ predicted: predict(cost), measured: cost.measured }));
  const failure = ({ measured, taylor2 }: UnitCost): number => Math.abs(measured - taylor2);
  const worst = [...intact.costs].sort((a, b) => failure(b) - failure(a)).slice(0, mostFailures);
  const shares = steps.map((step) => {
    const share = computeShares(step.failure);
    return [
      formatCount(step.removed),
      formatNumber(step.error),
      formatShare(step.failure.failure / step.failure.measured),
      formatShare(share.truncation),
      formatShare(share.diagonal),
    ];
  });
  return html`<section><h2>Why taylor2 is wrong about single units</h2>
<p>measured cost = taylor2 + diagonal + truncation, for every unit. <strong>Diagonal</strong> is what the second-order recursion leaves out: the exact second derivative in the unit's gain less the recursion's. <strong>Truncation</strong> is what remains with both derivatives exact: the error is no parabola in the unit's gain.</p>
<div class="charts">
${figure(
  lineChart({
    title: "taylor2's failure and its causes, per unit",
    xLabel: "units removed",
    yLabel: "mean size per unit (error)",
    series: lines,
    yScale: scaleOf(lines),
  }),
  "Means of sizes over the units left at each stage. Where the network has one hidden layer, a squared error and outputs that do not mix (no softmax), the diagonal is exact and its line is rounding.",
)}
${figure(
  predictedChart(
    [
      { name: "taylor1", points: cloud(({ taylor1 }) => taylor1) },
      { name: "taylor2", points: cloud(({ taylor2 }) => taylor2) },
      { name: "exact parabola", points: cloud(({ taylor2, diagonal }) => taylor2 + diagonal) },
    ],
    { title: "Predicted against measured cost, intact network", width: 560, height: 440 },
  ),
  "A point per unit and estimate. On the dashed diagonal the estimate is right; above it removal does more harm than predicted. The exact parabola has both derivatives right: what it misses is truncation.",
)}
${figure(
  causesChart(steps),
  "taylor2 has all causes. The exact parabola has no diagonal error: what it gains is due to the diagonal, what it lacks to truncation. What was measured on the intact network is no estimate at all: what it lacks is interaction with the units that have gone since.",
)}
</div>
${table(["units removed", "error", "taylor2's failure, of the costs", "truncation's share", "diagonal's share"], shares, "")}
<h3>Where taylor2 fails most, on the intact network</h3>
${table(
  ["unit", "measured", "taylor1", "taylor2", "diagonal", "truncation"],
  worst.map((cost) => [
    unitLabel(cost),
    ...[cost.measured, cost.taylor1, cost.taylor2, cost.diagonal, cost.truncation].map(formatSigned),
  ]),
)}</section>
`;
}

function interactionSection({ steps }: AnalyzeSummary, interactions: Interactions): Content {
  const { cancelling, covering, failure } = interactions;
  const joint: Series[] = [
    { name: "removed together", points: steps.map((step) => [step.removed, step.joint]) },
    { name: "sum of each alone", points: steps.map((step) => [step.removed, step.alone]) },
  ];
  return html`<section><h2>What single removals cannot see</h2>
<p>Interaction of two units: the cost of removing both less the sum of what each costs alone. Measured on the intact network for ${pairsText(interactions)}.</p>
<div class="charts">
${figure(
  interactionsChart(interactions),
  "A square per pair, at the row of the one and the column of the other. Above the diagonal, filled: the two cancel each other, so that one goes more cheaply once the other is gone. Below, empty: each covers for the other, so that the second to go is dear.",
)}
${figure(
  lineChart({
    title: "What the removed units cost: together, and one by one",
    xLabel: "units removed",
    yLabel: "change of the error",
    series: joint,
    yScale: scaleOf(joint),
  }),
  "The oracle's run. The sum of what each removed unit cost alone in the intact network is all that a ranking made once can know; the distance between the lines is interaction.",
)}
</div>
<p>Adding up two taylor2 estimates for a pair is wrong, per pair, by ${formatNumber(failure.truncation)} of truncation, ${formatNumber(failure.diagonal)} of diagonal and ${formatNumber(failure.interaction)} of interaction (mean sizes).</p>
<div class="charts">
<div><h3>Pairs that cancel most</h3>
${pairTable(cancelling)}</div>
<div><h3>Pairs that cover for each other most</h3>
${pairTable(covering)}</div>
</div></section>
`;
}

/** How many pairs of which units. */
function pairsText({ units, of, chosen }: Interactions): string {
  const pairs = formatCount((units.length * (units.length - 1)) / 2);
  return units.length === of
    ? `all ${pairs} pairs of ${formatCount(of)} units`
    : `${pairs} pairs of ${formatCount(units.length)} of ${formatCount(of)} units (${chosen})`;
}

function pairTable(pairs: readonly UnitPair[]): Content {
  if (pairs.length === 0) return html`<p>None.</p>`;
  return table(
    ["unit", "and", "cost of the first", "cost of the second", "cost of both", "interaction"],
    pairs
      .slice(0, 10)
      .map((pair) => [
        unitLabel(pair.a),
        unitLabel(pair.b),
        ...[pair.costA, pair.costB, pair.cost, pair.interaction].map(formatSigned),
      ]),
    "names2",
  );
}

function groupList(groups: readonly CancellingGroup[]): Content {
  const items = groups.map(({ units, path, joint, parts }, i) => {
    const order = units.map((unit, at) => `${unitLabel(unit)} (${formatSigned(path[at])})`).join(" → ");
    return html`<li>group ${i + 1}: ${formatSigned(joint)} together, ${formatSigned(parts)} in parts. ${order}</li>\n`;
  });
  return html`<h3>Groups that cost less together than their parts</h3>
<p>Grown from a cancelling pair by the unit that saves most. In brackets: the change of the error once all units up to that one are gone.</p>
<ul>
${items}</ul>`;
}

function eliteSection({ partners, groups }: Interactions): Content {
  const shown = partners.slice(0, mostPartners);
  const most = shown.length < partners.length ? `: the ${shown.length} most costly` : "";
  return html`<section><h2>Elite and cancelling units</h2>
<div class="charts">
${figure(
  partnersChart(shown, { title: `Elite and cancelling units${most}` }),
  "Circle: what removing the unit costs. Triangle: what it costs once the unit on the right, its best partner, is gone; left of 0, removing it then helps. Close together: elite, it is worth what it costs. Far apart: most of its worth lies in undoing its partner.",
)}
${
  groups.length > 0 &&
  figure(
    lineChart({
      title: "The error as cancelling groups go, unit by unit",
      xLabel: "units of the group removed",
      yLabel: "change of the error",
      series: computeGroupPaths(groups),
    }),
    "A line per group, its units removed in the order listed below. Where the line falls, removing one more unit repairs what those before it broke.",
  )
}
</div>
${groups.length > 0 && groupList(groups)}
<details><summary>All ${formatCount(partners.length)} units with their best partners</summary>
${table(
  ["unit", "best partner", "cost alone", "cost of the partner", "cost of both", "cost once the partner is gone"],
  partners.map((row) => [
    unitLabel(row),
    unitLabel(row.partner),
    ...[row.cost, row.partnerCost, row.pairCost, row.after].map(formatSigned),
  ]),
  "names2",
)}</details></section>
`;
}
