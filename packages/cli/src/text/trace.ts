/** The trace file: one row per removal. */
import type { Removal } from "shrinknet";
import { csv } from "./csv.ts";

/** CSV where the file's name ends in .csv, else JSON lines. */
export function traceText(path: string, removals: readonly Removal[]): string {
  if (!/\.csv$/i.test(path)) return removals.map((removal) => `${JSON.stringify(removal)}\n`).join("");
  const head = "step,group,unit,layer,score,predicted,error,accuracy,testError,testAccuracy,parameters,macs".split(",");
  return csv(
    head,
    removals.map(({ step, group, unit, layer, score, predicted, error, accuracy, test, parameters, macs }) => [
      ...[step, group, unit, layer, score, predicted, error, accuracy],
      ...[test?.error, test?.accuracy, parameters, macs],
    ]),
  );
}
