/** The trace file: one row per removal. */
import type { Removal } from "@shrinknet/core";
import { type CsvColumns, csv } from "./csv.ts";

const columns: CsvColumns<Removal> = {
  step: (row) => row.step,
  group: (row) => row.group,
  unit: (row) => row.unit,
  layer: (row) => row.layer,
  score: (row) => row.score,
  predicted: (row) => row.predicted,
  error: (row) => row.error,
  accuracy: (row) => row.accuracy,
  testError: (row) => row.test?.error,
  testAccuracy: (row) => row.test?.accuracy,
  parameters: (row) => row.parameters,
  macs: (row) => row.macs,
  heldOutError: (row) => row.heldOut?.error,
  heldOutAccuracy: (row) => row.heldOut?.accuracy,
  instead: (row) => row.instead,
};

/** CSV where the file's name ends in .csv, else JSON lines. */
export function traceText(path: string, removals: readonly Removal[]): string {
  if (/\.csv$/i.test(path)) return csv(columns, removals);
  return removals.map((removal) => `${JSON.stringify(removal)}\n`).join("");
}
