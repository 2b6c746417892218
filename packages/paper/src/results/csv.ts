/** The results as CSV. Numbers are written with nine significant digits and nothing depends on time: the same seed, the same bytes. */
import { type CriterionName, criteria, curveOf, type DataSet, type Measured } from "../measure/measured.ts";
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
