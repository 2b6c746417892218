/** The table that says what a model was and what it has become. */

import type { ModelState } from "@shrinknet/core";
import type { Colors } from "./colors.ts";
import { formatChange, formatCount, formatNumber, formatShare } from "./format.ts";
import { type Column, table } from "./table.ts";

/** A state as far as it is known. */
type Known = Partial<ModelState>;

const columns: readonly Column[] = [
  { title: "" },
  { title: "before", align: "right" },
  { title: "after", align: "right" },
  { title: "change", align: "right" },
];

/** Rows of measures that neither state has are left out. */
export function beforeAfter(before: Known, after: Known, colors: Colors): string {
  const row = (name: string, format: (value: number) => string, was?: number, is?: number): string[][] => {
    if (was === undefined || is === undefined || Number.isNaN(was)) return [];
    return [[name, format(was), format(is), was === 0 ? "" : formatChange((is - was) / was)]];
  };
  const accuracy = (name: string, was?: number, is?: number): string[][] => {
    if (was === undefined || is === undefined) return [];
    const points = ((is - was) * 100).toFixed(2);
    return [[name, formatShare(was, 2), formatShare(is, 2), `${is > was ? "+" : ""}${points} points`]];
  };
  const rows = [
    ...row("units", formatCount, before.units, after.units),
    ...row("parameters", formatCount, before.parameters, after.parameters),
    ...row("MACs per sample", formatCount, before.macs, after.macs),
    ...row("file size in bytes", formatCount, before.bytes, after.bytes),
    ...row("error", formatNumber, before.error, after.error),
    ...accuracy("accuracy", before.accuracy, after.accuracy),
    ...row("held-out error", formatNumber, before.heldOut?.error, after.heldOut?.error),
    ...accuracy("held-out accuracy", before.heldOut?.accuracy, after.heldOut?.accuracy),
    ...row("test error", formatNumber, before.test?.error, after.test?.error),
    ...accuracy("test accuracy", before.test?.accuracy, after.test?.accuracy),
  ];
  return table(columns, rows, colors);
}
