import type { GainCurve, GainSummary } from "@shrinknet/core";
import type { Colors } from "./colors.ts";
import { type CsvColumns, csv } from "./csv.ts";
import { formatNumber, plural } from "./format.ts";
import { type Column, table } from "./table.ts";

const columns: readonly Column[] = [
  { title: "unit" },
  ...["removed", "tangent", "parabola", "lowest", "at gain"].map((title): Column => ({ title, align: "right" })),
];

/** What `gain` prints: for each unit the error without it, both predictions of that, and the best gain. */
export function gainText({ model, objective, curves }: GainSummary, files: readonly string[], colors: Colors): string {
  const rows = curves.map((curve) => {
    const best = curve.points.reduce((least, point) => (point.error < least.error ? point : least));
    const errors = [curve.removed, curve.tangent, curve.parabola, best.error, best.gain];
    return [`${curve.group}:${curve.unit}`, ...errors.map(formatNumber)];
  });
  return [
    `${colors.bold(model)}: error ${formatNumber(curves[0]?.baseline)} (${objective}), ` +
      `${plural(curves[0]?.points.length ?? 0, "gain")} measured for each unit\n\n`,
    table(columns, rows, colors),
    files.length > 0 ? `\nwrote ${files.join(", ")}\n` : "",
  ].join("");
}

interface Row {
  readonly curve: GainCurve;
  readonly gain: number;
  readonly error: number;
}

const csvColumns: CsvColumns<Row> = {
  group: ({ curve }) => curve.group,
  unit: ({ curve }) => curve.unit,
  layer: ({ curve }) => curve.layer,
  gain: ({ gain }) => gain,
  error: ({ error }) => error,
  tangent: ({ curve, gain }) => predictedAt(curve, gain).tangent,
  parabola: ({ curve, gain }) => predictedAt(curve, gain).parabola,
};

/** One row per unit and gain: the error, and what tangent and parabola at gain 1 predict there. */
export function gainCsv({ curves }: GainSummary): string {
  return csv(
    csvColumns,
    curves.flatMap((curve) => curve.points.map((point) => ({ curve, ...point }))),
  );
}

function predictedAt({ baseline, tangent, parabola }: GainCurve, gain: number): { tangent: number; parabola: number } {
  const away = 1 - gain;
  const straight = baseline + away * (tangent - baseline);
  return { tangent: straight, parabola: straight + away * away * (parabola - tangent) };
}
