/** The part of index.html that says why the estimates fail: a row per experiment, from the analyses of its networks. */
import { type Content, figure, formatNumber, formatShare, html, table } from "@shrinknet/report";
import type { Measured } from "../measure/measured.ts";
import {
  areaRatio,
  type Causes,
  EXACT,
  INTACT,
  meanCauses,
  medianOf,
  medianRankings,
  type Ranking,
} from "./estimates.ts";
import { causesFigure } from "./figures.ts";

/** The networks of one experiment and what their analyses come down to. */
interface Kind {
  readonly id: string;
  readonly seeds: readonly Measured[];
  readonly rankings: ReadonlyMap<string, Ranking>;
  readonly causes: Causes;
}

export function estimatesSection(results: readonly (readonly Measured[])[]): Content {
  const kinds = results.flatMap((seeds): Kind[] => {
    const id = seeds[0]?.experiment.id;
    return id === undefined ? [] : [{ id, seeds, rankings: medianRankings(seeds), causes: meanCauses(seeds) }];
  });
  if (kinds.length === 0) return undefined;
  const over = (criterion: string, value: (ranking: Ranking) => number): string =>
    formatNumber(medianOf(kinds.map(({ rankings }) => measureOf(rankings.get(criterion), value))));
  const area = (criterion: string): string =>
    formatNumber(medianOf(kinds.map(({ seeds }) => medianOf(seeds.map((seed) => areaRatio(seed, criterion))))));
  return html`<section id="estimates"><h2>Why the estimates fail</h2>
<p>${analyzedText(results)}</p>
<ul>
<li>taylor2's rank correlation with the oracle is ${over("taylor2", spearman)}. With the exact second derivative in place of the diagonal recursion it is ${over(EXACT, spearman)}; what that still lacks is truncation. Costs that were measured, but only once, on the intact network, reach ${over(INTACT, spearman)}; what these lack is interaction.</li>
<li>A unit that no other beats is picked at ${over("taylor1", bestPicks)} of the stages by taylor1, ${over("taylor2", bestPicks)} by taylor2, ${over(EXACT, bestPicks)} by the exact parabola and ${over(INTACT, bestPicks)} by the costs measured once. Where 0 is the best unit's cost and 1 a random unit's, the worst pick is at ${over("taylor1", worstRegret)}, ${over("taylor2", worstRegret)}, ${over(EXACT, worstRegret)} and ${over(INTACT, worstRegret)}.</li>
<li>Followed until all units are gone, with the oracle's area under the error curve as 1: taylor1 ${area("taylor1")}, taylor2 ${area("taylor2")}, the exact parabola ${area(EXACT)}.</li>
</ul>
<p class="soft">Medians over the experiments. Every row of every stage: agreement.csv and costs.csv of each network; medians over stages: rankings.csv and causes.csv.</p>
<div class="charts">
${figure(causesFigure(results, "units"), "Shares of the two causes in what taylor2 gets wrong about removing single units, over the stages. With one hidden layer and logistic outputs (mnist-1layer) the diagonal is exact; the softmax of the one-digit networks mixes the outputs, and it is not.")}
${figure(causesFigure(results, "pairs"), "Shares of the three causes in what adding up two taylor2 estimates gets wrong about removing both units, on the intact network.")}
</div>
<h3>How well they rank</h3>
${rankTables(kinds)}
<h3>What following them to the end costs</h3>
${areaTable(kinds)}
<h3>What makes taylor2 wrong</h3>
${causesTable(kinds)}
<h3>Signs, sizes and outliers: rank correlation of every criterion</h3>
<p class="soft">Spearman's rank correlation with the oracle. <em>-unsigned</em> ranks by the size of the estimate; <em>-mean</em> and <em>-median</em> replace outliers among the estimates; taylor-abs is the sum of sizes over samples.</p>
${variantsTable(kinds)}</section>
`;
}

function analyzedText(results: readonly (readonly Measured[])[]): string {
  const all = results.flat();
  const stages = all.map(({ analysis }) => analysis.steps.length);
  const [least, most] = [Math.min(...stages), Math.max(...stages)];
  const each = all.length === results.length ? "one network" : `${all.length / results.length} networks`;
  return (
    `Analyzed at ${least === most ? most : `${least} to ${most}`} stages of the oracle's run, from the intact network until 60 % of the units are gone, ` +
    `with ${each} of each experiment: there the removal of every unit that is left was measured, and every criterion ranked them.`
  );
}

const spearman = (ranking: Ranking): number => ranking.spearman;
const kendall = (ranking: Ranking): number => ranking.kendall;
const overlap = (ranking: Ranking): number => ranking.top.at(-1) ?? Number.NaN;
const worstRegret = (ranking: Ranking): number => ranking.worstRegret;
const bestPicks = (ranking: Ranking): number => ranking.bestPicks;

function measureOf(ranking: Ranking | undefined, value: (ranking: Ranking) => number): number {
  return ranking ? value(ranking) : Number.NaN;
}

type Column = readonly [title: string, criterion: string, value: (ranking: Ranking) => number];

/** The same measure of the estimates, of the exact parabola and of the costs measured once. */
function columns(measure: string, value: (ranking: Ranking) => number): Column[] {
  return [
    [`${measure}: taylor1`, "taylor1", value],
    [`${measure}: taylor2`, "taylor2", value],
    [`${measure}: exact parabola`, EXACT, value],
    [`${measure}: measured once`, INTACT, value],
  ];
}

function rankTables(kinds: readonly Kind[]): Content {
  const agreement: Column[] = [
    ...columns("Spearman", spearman),
    ["Kendall: taylor1", "taylor1", kendall],
    ["Kendall: taylor2", "taylor2", kendall],
    ["best 10 % found: taylor1", "taylor1", overlap],
    ["best 10 % found: taylor2", "taylor2", overlap],
  ];
  return html`${rankTable(kinds, agreement)}
<p class="soft">The exact parabola is taylor2 with the exact second derivative; measured once: the costs on the intact network.</p>
${rankTable(kinds, [...columns("best picks", bestPicks), ...columns("worst regret", worstRegret)])}
<p class="soft">Best picks: share of the stages at which no unit costs less than the one that is picked. Regret: what the unit that is picked costs, from 0 (the best one) to 1 (a random one, on average), at the worst stage.</p>`;
}

function rankTable(kinds: readonly Kind[], shown: readonly Column[]): Content {
  return table(
    ["experiment", "analyses", ...shown.map(([title]) => title)],
    kinds.map(({ id, seeds, rankings }) => [
      html`<a href="#${id}">${id}</a>`,
      seeds.map(({ seed }, i) => html`${i > 0 && " "}<a href="${id}/seed-${seed}/analysis.html">seed ${seed}</a>`),
      ...shown.map(([, criterion, value]) => twoDigits(measureOf(rankings.get(criterion), value))),
    ]),
    "names2",
  );
}

function areaTable(kinds: readonly Kind[]): Content {
  const names = ["taylor1", "taylor2", EXACT];
  return html`${table(
    ["experiment", "taylor1", "taylor2", "exact parabola"],
    kinds.map(({ id, seeds }) => [
      id,
      ...names.map((name) => twoDigits(medianOf(seeds.map((seed) => areaRatio(seed, name))))),
    ]),
  )}
<p class="soft">Area under the error curve while all units go, ranked again after each removal; the oracle's is 1.</p>`;
}

function causesTable(kinds: readonly Kind[]): Content {
  return html`${table(
    [
      ...["experiment", "units: off by, of the costs", "units: truncation", "units: diagonal"],
      ...["pairs: truncation", "pairs: diagonal", "pairs: interaction"],
      ...["removed units: cost together", "sum of what each cost alone"],
    ],
    kinds.map(({ id, causes: { failure, truncation, diagonal, pair, joint, alone } }) => [
      ...[id, ...[failure, truncation, diagonal, pair.truncation, pair.diagonal, pair.interaction].map(formatShare)],
      ...[joint, alone].map(formatNumber),
    ]),
  )}
<p class="soft">Off by: the sum of |measured − taylor2| over that of |measured|. The last two columns are changes of the error at the last stage: the oracle's removals together, and the sum of what each cost alone on the intact network.</p>`;
}

function variantsTable(kinds: readonly Kind[]): Content {
  const names = [...(kinds[0]?.rankings.keys() ?? [])];
  return table(
    ["criterion", ...kinds.map(({ id }) => id), "median"],
    names.map((name) => {
      const own = kinds.map(({ rankings }) => measureOf(rankings.get(name), spearman));
      return [name, ...[...own, medianOf(own)].map(twoDigits)];
    }),
  );
}

function twoDigits(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2).replace("-", "\u2212") : "—";
}
