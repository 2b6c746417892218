/**
 * The paper's eight findings, each as one or more checks: a number that is measured for every seed, a bound, and what
 * the number says. The bounds come from the words of the paper; none was changed after measuring, what three of the checks
 * measure was (docs/paper.md says which).
 */
import type { FailureSizes, Schedule } from "@shrinknet/core";
import { type CriterionName, criteria, curveOf, type Measured, runOf } from "../measure/measured.ts";
import { medianOf } from "./estimates.ts";
import { area, median, shareWhile } from "./stats.ts";

/** The measurements of one seed, by experiment. */
export type SeedResults = ReadonlyMap<string, Measured>;

export interface Check {
  /** 1 to 8, as in docs/paper.md. */
  readonly finding: number;
  /** What the paper says. */
  readonly claim: string;
  /** What the number is. */
  readonly measure: string;
  /** Experiments that it needs; it is left out where one is missing. */
  readonly uses: readonly string[];
  readonly bound: { readonly atLeast: number } | { readonly atMost: number };
  value(of: (experiment: string) => Measured): number;
}

export type Verdict = "holds" | "does not hold" | "mixed";

export interface CheckResult extends Omit<Check, "value"> {
  /** One for each seed. */
  readonly values: readonly number[];
  readonly median: number;
  /** Seeds that meet the bound. */
  readonly passes: number;
  /** Every seed, no seed, some seeds meet it. */
  readonly verdict: Verdict;
}

/** Checks the findings on the experiments that were run. Seeds in their order. */
export function checkClaims(seeds: readonly SeedResults[]): CheckResult[] {
  return checks.flatMap(({ value, ...check }) => {
    if (!check.uses.every((id) => seeds.length > 0 && seeds.every((seed) => seed.has(id)))) return [];
    const values = seeds.map((seed) => value((id) => seed.get(id) as Measured));
    const passes = values.filter((one) => meets(one, check.bound)).length;
    const verdict = passes === values.length ? "holds" : passes === 0 ? "does not hold" : "mixed";
    return [{ ...check, values, median: median(values), passes, verdict } as const];
  });
}

export function meets(value: number, bound: Check["bound"]): boolean {
  return "atLeast" in bound ? value >= bound.atLeast : value <= bound.atMost;
}

/** One verdict for each finding: that of its checks where they agree, else mixed. */
export function verdictOf(results: readonly CheckResult[]): Verdict {
  const [first, ...rest] = results.map(({ verdict }) => verdict);
  return first !== undefined && rest.every((other) => other === first) ? first : "mixed";
}

const twoLayers = ["mnist-2layer", "cosine-big", "diamond", "random-shape"] as const;

/** The paper's "until half" and the like are read off drawings: so much earlier still counts. */
const TOLERANCE = 0.05;

/** The paper names three causes without a size: a cause counts from a tenth on. */
const A_TENTH = 0.1;

export const checks: readonly Check[] = [
  {
    finding: 1,
    claim: "Ranking once, no criterion is clearly best (one layer)",
    measure: "smallest area under the error curve / second smallest, once",
    uses: ["mnist-1layer"],
    bound: { atLeast: 0.9 },
    value: (of) => {
      const [best = Number.NaN, next = Number.NaN] = criteria
        .map((criterion) => errorArea(of("mnist-1layer"), criterion, "once"))
        .sort((a, b) => a - b);
      return best / next;
    },
  },
  {
    finding: 1,
    claim: "Ranking once, every criterion is worse with two layers than with one",
    measure: "criteria of 3 that keep accuracy 0.95 for fewer removals with two layers, once",
    uses: ["mnist-1layer", "mnist-2layer"],
    bound: { atLeast: 3 },
    value: (of) => {
      const kept = (id: string, criterion: CriterionName): number =>
        shareWhile(curveOf(of(id), criterion, "once", "accuracy"), (accuracy) => accuracy >= 0.95);
      return criteria.filter((one) => kept("mnist-2layer", one) < kept("mnist-1layer", one)).length;
    },
  },
  ...([["mnist-1layer", 0.6] as const, ["mnist-2layer", 0.4] as const] as const).flatMap(([id, share]): Check[] => [
    {
      finding: 2,
      claim: `Ranking again, the oracle removes ${share * 100} % of ${id} without major loss`,
      measure: `accuracy at ${share * 100} % removed, oracle`,
      uses: [id],
      bound: { atLeast: 0.95 },
      value: (of) => at(curveOf(of(id), "oracle", "rerank", "accuracy"), share),
    },
    {
      finding: 2,
      claim: `taylor2 beats taylor1 (${id})`,
      measure: "area under the error curve, taylor2 / taylor1",
      uses: [id],
      bound: { atMost: 0.999 },
      value: (of) => errorArea(of(id), "taylor2", "rerank") / errorArea(of(id), "taylor1", "rerank"),
    },
    {
      finding: 2,
      claim: `Neither estimate is near the oracle (${id})`,
      measure: "area under the error curve, better estimate / oracle",
      uses: [id],
      bound: { atLeast: 1.5 },
      value: (of) => {
        const areas = (["taylor1", "taylor2"] as const).map((criterion) => errorArea(of(id), criterion, "rerank"));
        return Math.min(...areas) / errorArea(of(id), "oracle", "rerank");
      },
    },
  ]),
  ...([["cosine-big", 0.9] as const, ["cosine-small", 0.5] as const] as const).map(
    ([id, until]): Check => ({
      finding: 3,
      claim: `The oracle is flat until ${until * 100} % of ${id} are gone`,
      measure: "share removed while the error is below 2 % of that without any unit",
      uses: [id],
      bound: { atLeast: until - TOLERANCE },
      value: (of) => {
        const curve = curveOf(of(id), "oracle", "rerank", "error");
        return shareWhile(curve, (error) => error < 0.02 * (curve.at(-1) as number));
      },
    }),
  ),
  ...["digit-0", "digit-1", "digit-2"].flatMap((id): Check[] => [
    {
      finding: 4,
      claim: `Under-trained, the oracle first improves the error (${id})`,
      measure: "lowest error / error at the start",
      uses: [id],
      bound: { atMost: 0.99 },
      value: (of) => {
        const curve = curveOf(of(id), "oracle", "rerank", "error");
        return Math.min(...curve) / (curve[0] as number);
      },
    },
    {
      finding: 4,
      claim: `... and stays at or below the start until 60 % are gone (${id})`,
      measure: "share removed while the error is at or below that at the start",
      uses: [id],
      bound: { atLeast: 0.6 },
      value: (of) => {
        const curve = curveOf(of(id), "oracle", "rerank", "error");
        return shareWhile(curve, (error) => error <= (curve[0] as number));
      },
    },
  ]),
  ...([["diamond", 1 / 2, "half"] as const, ["random-shape", 1 / 3, "a third"] as const] as const).flatMap(
    ([id, until, words]): Check[] => [
      {
        finding: 5,
        claim: `taylor2 follows the oracle until about ${words} of ${id} are gone`,
        measure: "share removed while its accuracy is within 5 points of the oracle's",
        uses: [id],
        bound: { atLeast: until - TOLERANCE },
        value: (of) => {
          const oracle = curveOf(of(id), "oracle", "rerank", "accuracy");
          const taylor2 = curveOf(of(id), "taylor2", "rerank", "accuracy");
          return shareWhile(
            taylor2.map((accuracy, i) => (oracle[i] as number) - accuracy),
            (behind) => behind <= 0.05,
          );
        },
      },
      {
        finding: 5,
        claim: `taylor1 fails at once (${id})`,
        measure: "share removed while its accuracy is within 5 points of the start",
        uses: [id],
        bound: { atMost: 0.1 },
        value: (of) => {
          const curve = curveOf(of(id), "taylor1", "rerank", "accuracy");
          return shareWhile(curve, (accuracy) => accuracy >= (curve[0] as number) - 0.05);
        },
      },
    ],
  ),
  ...twoLayers.map(
    (id): Check => ({
      finding: 6,
      claim: `The oracle takes mostly from the layer nearest the output first (${id})`,
      measure: "share of that layer among the first 30 % of removals; it has half of the units",
      uses: [id],
      bound: { atLeast: 0.6 },
      value: (of) => {
        const measured = of(id);
        const { steps } = runOf(measured, "oracle", "rerank");
        const first = steps.slice(0, Math.round(steps.length * 0.3));
        return first.filter(({ group }) => group === measured.layers.at(-1)?.group).length / first.length;
      },
    }),
  ),
  ...["mnist-1layer", ...twoLayers].map(
    (id): Check => ({
      finding: 7,
      claim: `Units cancel each other: as they go the error rises and falls again (${id})`,
      measure: "largest fall of the error after a rise, as a share of the height it had reached; any criterion",
      uses: [id],
      bound: { atLeast: 0.1 },
      value: (of) =>
        Math.max(...criteria.map((criterion) => largestFall(curveOf(of(id), criterion, "rerank", "error")))),
    }),
  ),
  ...["mnist-1layer", "mnist-2layer"].flatMap((id): Check[] => [
    {
      finding: 8,
      claim: `taylor2 is wrong about the units that it takes (${id})`,
      measure:
        "share of the first half of taylor2's removals whose predicted change of the error is off by more than half",
      uses: [id],
      bound: { atLeast: 0.5 },
      value: (of) => {
        const measured = of(id);
        const errors = curveOf(measured, "taylor2", "rerank", "error");
        const { steps } = runOf(measured, "taylor2", "rerank");
        const half = steps.slice(0, Math.floor(steps.length / 2));
        const off = half.filter(({ predicted, removed }) => {
          const change = (errors[removed] as number) - (errors[removed - 1] as number);
          return Math.abs((predicted ?? Number.NaN) - change) > Math.abs(change) / 2;
        });
        return off.length / half.length;
      },
    },
    {
      finding: 8,
      claim: `taylor2 fails by truncation: the error is no parabola (${id})`,
      measure: "truncation: what the exact parabola misses, as a share of what removals cost, median over stages",
      uses: [id],
      bound: { atLeast: A_TENTH },
      value: (of) => shareOfCosts(of(id), ({ truncation }) => truncation),
    },
    {
      finding: 8,
      claim: `Estimates fail by interactions, which serial removal ignores (${id})`,
      measure:
        "difference between what the units removed cost together and the sum of their costs alone, as a share of the former",
      uses: [id],
      bound: { atLeast: A_TENTH },
      value: (of) => {
        const { joint, alone } = of(id).analysis.steps.at(-1) ?? { joint: Number.NaN, alone: Number.NaN };
        return Math.abs(joint - alone) / Math.abs(joint);
      },
    },
  ]),
  ...twoLayers.map(
    (id): Check => ({
      finding: 8,
      claim: `taylor2 fails by the diagonal, which drops cross terms (${id})`,
      measure: "diagonal: what the recursion's bend misses, as a share of what removals cost, median over stages",
      uses: [id],
      bound: { atLeast: A_TENTH },
      value: (of) => shareOfCosts(of(id), ({ diagonal }) => diagonal),
    }),
  ),
];

/** A cause of taylor2's failure on single units as a share of what their removal costs: median over the stages. */
function shareOfCosts({ analysis }: Measured, cause: (failure: FailureSizes) => number): number {
  return medianOf(analysis.steps.map(({ failure }) => cause(failure) / failure.measured));
}

function errorArea(measured: Measured, criterion: CriterionName, schedule: Schedule): number {
  return area(curveOf(measured, criterion, schedule, "error"));
}

/** The value at a share of removals. */
function at(curve: readonly number[], share: number): number {
  return curve[Math.round((curve.length - 1) * share)] ?? Number.NaN;
}

/** Falls from heights below 5 % of the last value are left out: they are noise on the ground. */
function largestFall(curve: readonly number[]): number {
  const ground = Math.max(curve[0] as number, 0.05 * (curve.at(-1) as number));
  let [peak, fall] = [0, 0];
  for (const error of curve) {
    peak = Math.max(peak, error);
    if (peak > ground) fall = Math.max(fall, (peak - error) / peak);
  }
  return fall;
}
