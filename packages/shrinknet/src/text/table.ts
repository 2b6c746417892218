/** Aligned columns for the terminal. */

import type { Colors } from "./colors.ts";

export interface Column {
  readonly title: string;
  /** Numbers stand to the right; default left. */
  readonly align?: "left" | "right";
}

/** Lines of a table, without trailing spaces. The head is dim. */
export function table(columns: readonly Column[], cells: readonly (readonly string[])[], colors: Colors): string {
  const rows = cells.map((row) => row.map((cell) => cell.replace(/\r\n|[\r\n]/g, "\\n"))); // names in files may hold anything
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...rows.map((row) => (row[at] ?? "").length)));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ align }, at) => {
        const [cell, width] = [row[at] ?? "", widths[at] ?? 0];
        return align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  const head = colors.dim(line(columns.map(({ title }) => title)));
  return [head, ...rows.map(line)].map((text) => `${text}\n`).join("");
}
