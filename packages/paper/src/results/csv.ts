/** The results as CSV. Numbers are written with nine significant digits and nothing depends on time: the same seed, the same bytes. */
import type { UnitName } from "@shrinknet/core";
import { type CriterionName, criteria, curveOf, type DataSet, type Measured } from "../measure/measured.ts";
import { causesOf, EXACT, INTACT, rankingsOf } from "./estimates.ts";
import { bandOf } from "./stats.ts";

type Cell = string | number | null | undefined;

/** Lines of comma-separated cells; missing values and NaN are empty. */
export function csv(head: string, rows: readonly (readonly Cell[])[]): string {
  return `${[head, ...rows.map((row) => row.map(cellText).join(","))].join("\n")}\n`;
}

function cellText(cell: Cell): string {
  if (typeof cell === "number") return Number.isNaN(cell) ? "" : String(Number(cell.toPrecision(9)));
  const text = cell ?? "";
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Error and accuracy after every removal of every run. */
export function curvesCsv({ start, runs }: Measured): string {
  const rows = runs.flatMap(({ criterion, schedule, steps }) => [
    [criterion, schedule, 0, start.error, start.accuracy, start.test?.error, start.test?.accuracy],
    ...steps.map((step) => {
      const { removed, error, accuracy, test, group, unit, layer, predicted } = step;
      return [
        ...[criterion, schedule, removed, error, accuracy],
        test?.error,
        test?.accuracy,
        group,
        unit,
        layer,
        predicted,
      ];
    }),
  ]);
  return csv("criterion,schedule,removed,error,accuracy,testError,testAccuracy,group,unit,layer,predicted", rows);
}

/** The layer that each removal came from. */
export function layersCsv({ runs }: Measured): string {
  const rows = runs.flatMap(({ criterion, schedule, steps }) =>
    steps.map(({ removed, layer, unit }) => [criterion, schedule, removed, layer, unit]),
  );
  return csv("criterion,schedule,removal,layer,unit", rows);
}

/** Every gain curve, and what tangent and parabola predict for gain 0. */
export function gainsCsv({ gains }: Measured): string {
  const rows = criteria.flatMap((criterion) =>
    gains[criterion].flatMap(({ removedBefore, layer, unit, points, baseline, tangent, parabola }) =>
      points.map(({ gain, error }) => [
        criterion,
        removedBefore,
        layer,
        unit,
        gain,
        error,
        baseline,
        tangent,
        parabola,
      ]),
    ),
  );
  return csv("criterion,removed,layer,unit,gain,error,errorAtGain1,tangentAtGain0,parabolaAtGain0", rows);
}

/** Median and quartiles over the seeds. */
export function bandsCsv(seeds: readonly Measured[]): string {
  const rows = (seeds[0]?.experiment.schedules ?? []).flatMap((schedule) =>
    criteria.flatMap((criterion: CriterionName) => {
      const bands = (["calibration", "test"] as const).flatMap((data: DataSet) =>
        (["error", "accuracy"] as const).map((measure) =>
          bandOf(seeds.map((seed) => curveOf(seed, criterion, schedule, measure, data))),
        ),
      );
      const removals = bands[0]?.median.length ?? 0;
      return Array.from({ length: removals }, (_, removed) => [
        ...[criterion, schedule, removed],
        ...bands.flatMap(({ low, median, high }) => [low[removed], median[removed], high[removed]]),
      ]);
    }),
  );
  const head = ["error", "accuracy", "testError", "testAccuracy"].flatMap((name) => [
    `${name}Quartile1`,
    `${name}Median`,
    `${name}Quartile3`,
  ]);
  return csv(["criterion", "schedule", "removed", ...head].join(","), rows);
}

const agreementHead = ["spearman", "kendall", "top1", "top5", "top10", "regret"];

/** How every criterion ranks at every stage of the analysis; regret in units of the error. */
export function agreementCsv({ analysis }: Measured): string {
  const rows = analysis.steps.flatMap(({ removed, agreement, exactParabola, intactCosts }) =>
    [...agreement, { criterion: EXACT, ...exactParabola }, { criterion: INTACT, ...intactCosts }].map(
      ({ criterion, spearman, kendall, top, regret }) => [
        ...[removed, criterion, spearman, kendall],
        ...[...top.map(({ overlap }) => overlap), regret],
      ],
    ),
  );
  return csv(["removed", "criterion", ...agreementHead].join(","), rows);
}

/** What removing each unit costs at every stage of the analysis, what the estimates say, and why taylor2 is wrong. */
export function costsCsv({ analysis }: Measured): string {
  const rows = analysis.steps.flatMap(({ removed, costs }) =>
    costs.map((cost) => [
      ...[removed, cost.layer, cost.unit, cost.measured],
      ...[cost.taylor1, cost.taylor2, cost.diagonal, cost.truncation],
    ]),
  );
  return csv("removed,layer,unit,measured,taylor1,taylor2,diagonal,truncation", rows);
}

/** All pairs of units of the intact network. */
export function pairsCsv({ analysis }: Measured): string {
  const { units = [], matrix = [] } = analysis.interactions ?? {};
  const rows = units.flatMap((a, i) =>
    units.slice(i + 1).map((b, after) => {
      const interaction = matrix[i]?.[i + 1 + after] as number;
      return [...named(a), ...named(b), a.cost, b.cost, a.cost + b.cost + interaction, interaction];
    }),
  );
  return csv("layerA,unitA,layerB,unitB,costA,costB,costOfBoth,interaction", rows);
}

/** Every unit with the one that it cancels most. */
export function partnersCsv({ analysis }: Measured): string {
  const rows = (analysis.interactions?.partners ?? []).map((unit) => [
    ...[...named(unit), unit.cost, ...named(unit.partner)],
    ...[unit.partnerCost, unit.pairCost, unit.after],
  ]);
  return csv("layer,unit,cost,partnerLayer,partnerUnit,partnerCost,costOfBoth,costOncePartnerIsGone", rows);
}

function named({ layer, unit }: UnitName): Cell[] {
  return [layer, unit];
}

/** A row per network and criterion: medians over the stages; regret as a share of a random pick's. */
export function rankingsCsv(results: readonly (readonly Measured[])[]): string {
  const rows = results
    .flat()
    .flatMap((measured) =>
      rankingsOf(measured).map(({ criterion, spearman, kendall, top, regret, worstRegret, bestPicks }) => [
        ...[measured.experiment.id, measured.seed, criterion, spearman, kendall],
        ...[...top, regret, worstRegret, bestPicks],
      ]),
    );
  return csv(["experiment", "seed", "criterion", ...agreementHead, "worstRegret", "bestPicks"].join(","), rows);
}

/** A row per network: why taylor2 is wrong. */
export function causesCsv(results: readonly (readonly Measured[])[]): string {
  const rows = results.flat().map((measured) => {
    const { failure, truncation, diagonal, pair, joint, alone } = causesOf(measured);
    return [
      ...[measured.experiment.id, measured.seed, measured.analysis.steps.length, failure, truncation, diagonal],
      ...[pair.truncation, pair.diagonal, pair.interaction, joint, alone],
    ];
  });
  return csv(
    "experiment,seed,stages,failure,truncation,diagonal,pairTruncation,pairDiagonal,pairInteraction,joint,alone",
    rows,
  );
}
