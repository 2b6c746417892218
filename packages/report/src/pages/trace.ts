import type { PruneSummary, Removal } from "@shrinknet/core";
import { formatAccuracy, formatCount, formatNumber, formatSigned } from "../format.ts";
import { type Content, html } from "../html.ts";
import { table } from "./page.ts";

/** Most rows that the report shows. */
const maxRows = 5000;

interface Column {
  readonly name: string;
  /** Undefined where this removal has no such value. */
  readonly text: (removal: Removal) => string | undefined;
}

const columns: readonly Column[] = [
  { name: "step", text: (r) => formatCount(r.step) },
  { name: "layer", text: (r) => r.layer },
  { name: "unit", text: (r) => String(r.unit) },
  { name: "swapped for", text: (r) => optional(r.instead, String) },
  { name: "score", text: (r) => formatNumber(r.score) },
  { name: "predicted", text: (r) => optional(r.predicted, formatSigned) },
  { name: "error", text: (r) => optional(r.error, formatNumber) },
  { name: "accuracy", text: (r) => optional(r.accuracy, formatAccuracy) },
  { name: "test error", text: (r) => optional(r.test?.error, formatNumber) },
  { name: "test accuracy", text: (r) => optional(r.test?.accuracy, formatAccuracy) },
  { name: "parameters", text: (r) => formatCount(r.parameters) },
  { name: "MACs", text: (r) => formatCount(r.macs) },
];

/** The removals as a folded table; columns that no removal fills are left out. At most 5,000 rows are shown. */
export function traceTable({ removed }: PruneSummary): Content {
  if (removed.length === 0) return undefined;
  const shown = removed.slice(0, maxRows);
  const used = columns.filter((column) => shown.some((removal) => column.text(removal) !== undefined));
  const rows = shown.map((removal) => used.map((column) => column.text(removal) ?? "—"));
  const rest = removed.length - shown.length;
  return html`<section><h2>Trace</h2>
<details><summary>${formatCount(removed.length)} removals in order; each row is the state after it</summary>
${table(
  used.map((column) => column.name),
  rows,
  "names1 trace",
)}${rest > 0 && html`<p>${formatCount(rest)} more are not shown here; the trace file has all.</p>`}
</details></section>
`;
}

function optional(value: number | null | undefined, format: (value: number) => string): string | undefined {
  return value === null || value === undefined || Number.isNaN(value) ? undefined : format(value);
}
