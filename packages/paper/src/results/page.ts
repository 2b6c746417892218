/** index.html: every figure beside the published one, and the findings with their verdicts. */
import {
  type Content,
  facts,
  figure,
  formatAccuracy,
  formatNumber,
  html,
  type Markup,
  page,
  section,
  table,
} from "@shrinknet/report";
import { type Experiment, unitsOf } from "../experiments/experiment.ts";
import { experiments } from "../experiments/table.ts";
import { criteria, type Measured } from "../measure/measured.ts";
import { goalText } from "../measure/trained.ts";
import { agreementText, compareWithPublished } from "./agreement.ts";
import { type CheckResult, verdictOf } from "./claims.ts";
import { estimatesSection } from "./estimates-page.ts";
import { curvesFigure, gainsFigure, intuitionFigure, layersFigure, measuresOf, publishedFigure } from "./figures.ts";
import { median } from "./stats.ts";
import { findings } from "./titles.ts";

export interface PageOptions {
  /** The seeds of each experiment. */
  readonly results: readonly (readonly Measured[])[];
  readonly claims: readonly CheckResult[];
  /** What ran it, e.g. `onnxruntime-node 1.30.0`. */
  readonly runner: string;
}

export function paperPage({ results, claims, runner }: PageOptions): string {
  const seeds = results[0]?.map(({ seed }) => seed) ?? [];
  return page("The Incredible Shrinking Neural Network, again", [
    html`<header><h1>The Incredible Shrinking Neural Network, again</h1>
<p>Wolfe, Sharma, Drude and Raj (submitted to ICLR 2017) removed the neurons of small networks one by one, without re-training, chosen by three criteria. Here are their experiments with our networks beside their published curves: ${results.length === experiments.length ? "all" : `${results.length} of`} ${experiments.length} experiments, ${seeds.length === 1 ? `seed ${seeds[0]}` : `seeds ${seeds.join(", ")}`}.</p>
<p class="soft">Our networks have other random weights and less data: compare shapes and shares, never single values. A value published at k removals is drawn at k + 1, where it was most likely measured. Published curves are read off the paper's drawings.</p></header>
`,
    claimsSection(claims, seeds.length),
    estimatesSection(results),
    results.map(experimentSection),
    html`<footer><h2>How it was made</h2>
${facts([
  ["error", "sum over samples of half the squared differences between outputs and targets"],
  ["training", "Adam on the error, by training-step graphs; large steps that shrink, weights uniform by Glorot"],
  ["runtime", runner],
  ["the same analysis of any network", "shrinknet analyze MODEL --data FILE --report FILE.html"],
])}</footer>`,
  ]);
}

function claimsSection(claims: readonly CheckResult[], seeds: number): Content {
  if (claims.length === 0) return undefined;
  const numbers = [...new Set(claims.map(({ finding }) => finding))];
  return html`<section><h2>The paper's findings</h2>
${table(
  ["finding", "verdict", "checks that hold"],
  numbers.map((finding) => {
    const own = claims.filter((claim) => claim.finding === finding);
    const holding = own.filter(({ verdict }) => verdict === "holds").length;
    return [`${finding}. ${findings[finding] ?? ""}`, verdictOf(own), `${holding} of ${own.length}`];
  }),
  "names2",
)}
<p class="soft">A check holds if every seed meets its bound, does not hold if none does, and is mixed otherwise; a finding has the verdict of its checks if they agree.</p>
<h3>The checks</h3>
${table(
  [
    "",
    "claim",
    "measured",
    "bound",
    seeds > 1 ? "median (lowest to highest)" : "value",
    "seeds that meet it",
    "verdict",
  ],
  claims.map(({ finding, claim, measure, bound, values, median: middle, passes, verdict }) => [
    ...[String(finding), claim, measure, boundText(bound)],
    ...[rangeText(middle, values), `${passes} of ${values.length}`, verdict],
  ]),
  "names3",
)}</section>
`;
}

export function boundText(bound: CheckResult["bound"]): string {
  return "atLeast" in bound ? `at least ${formatNumber(bound.atLeast)}` : `at most ${formatNumber(bound.atMost)}`;
}

/** The median, and with several seeds the range. */
export function rangeText(middle: number, values: readonly number[]): string {
  const range = `${formatNumber(Math.min(...values))} to ${formatNumber(Math.max(...values))}`;
  return values.length > 1 ? `${formatNumber(middle)} (${range})` : formatNumber(middle);
}

function experimentSection(seeds: readonly Measured[]): Content {
  const [first] = seeds;
  if (!first) return undefined;
  const { experiment } = first;
  return html`<article id="${experiment.id}"><h2>${experiment.title}: ${experiment.id}</h2>
${facts([
  [
    "network",
    `${experiment.widths.join(" – ")}, logistic hidden units, ${outputText(experiment)}; ${unitsOf(experiment)} units to remove`,
  ],
  ["data", experiment.data],
  ["trained to", trainedText(seeds)],
])}
<p><a href="${experiment.id}/seed-${first.seed}/analysis.html">Why the estimates fail here: the analysis of seed ${first.seed}</a></p>
${section(
  "Beside the published curves",
  experiment.figures.flatMap((published) => {
    const compared = compareWithPublished(published, seeds);
    return [figure(publishedFigure(published, compared), agreementText(published, compared))];
  }),
)}
${section(
  "Our curves",
  experiment.schedules.flatMap((schedule) =>
    measuresOf(experiment).flatMap((measure) =>
      (["calibration", "test"] as const).map((data) =>
        figure(curvesFigure(seeds, { schedule, measure, data }), curvesCaption(measure, data)),
      ),
    ),
  ),
)}
${section("Gain curves", gainFigures(first))}
${section(
  "Which layer each removal came from",
  first.layers.length < 2
    ? []
    : experiment.schedules.flatMap((schedule) =>
        criteria.map((criterion) =>
          figure(layersFigure(first, criterion, schedule), `A bar for each removal; seed ${first.seed}.`),
        ),
      ),
)}</article>
`;
}

function gainFigures(first: Measured): Markup[] {
  const caption = `The error as the output of the unit that goes next is multiplied, at that stage of pruning; seed ${first.seed}. A Taylor criterion sees only the slope (and bend) at gain 1.`;
  const intuition = intuitionFigure(first);
  return [
    ...criteria.flatMap((criterion) =>
      (["log", "real"] as const).map((space) => figure(gainsFigure(first, criterion, space), caption)),
    ),
    ...(intuition === undefined
      ? []
      : [
          figure(
            intuition,
            `Of the curves of taylor2 above the one about which it is most wrong: the tangent is what taylor1 sees at gain 1, the parabola what taylor2 sees; at gain 0 stand the true error without the unit and both predictions; seed ${first.seed}.`,
          ),
        ]),
  ];
}

function curvesCaption(measure: string, data: string): string {
  const what = measure === "error" ? "The error, summed over the samples," : "The share of right answers";
  return `${what} after each removal, on ${data === "test" ? "samples that no choice has seen" : "the samples that units are chosen by"}.`;
}

function outputText({ output }: Experiment): string {
  return output === undefined ? "linear output" : output === "Sigmoid" ? "logistic outputs" : "softmax output";
}

function trainedText(seeds: readonly Measured[]): string {
  const { training } = (seeds[0] as Measured).experiment;
  const error = median(seeds.map(({ start }) => start.error));
  const accuracy = median(seeds.map(({ start }) => start.accuracy ?? Number.NaN));
  const test = median(seeds.map(({ start }) => start.test?.accuracy ?? Number.NaN));
  const reached = seeds.filter((seed) => seed.training.reached).length;
  const epochs = median(seeds.map((seed) => seed.training.epochs));
  return [
    Number.isNaN(accuracy) ? "" : `accuracy ${formatAccuracy(accuracy)} (test ${formatAccuracy(test)}), `,
    `error ${formatNumber(error)} after ${formatNumber(epochs)} ${training.steps ? `times ${training.steps} steps` : "epochs"} of at most ${training.maxEpochs}`,
    `${seeds.length > 1 ? " (medians)" : ""}; the goal, ${goalText(training.goal)}, was reached by ${reached} of ${seeds.length}`,
  ].join("");
}
