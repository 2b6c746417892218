/** Aligned columns for the terminal. */

import type { Colors } from "./colors.ts";

export interface Column {
  readonly title: string;
  /** Numbers stand to the right; default left. */
  readonly align?: "left" | "right";
}

/** Lines of a table, without trailing spaces. The head is dim. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], colors: Colors): string {
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...rows.map((row) => (row[at] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, at) => {
        const [cell, width] = [cells[at] ?? "", widths[at] ?? 0];
        return align === "right" ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  const head = colors.dim(line(columns.map(({ title }) => title)));
  return [head, ...rows.map(line)].map((text) => `${text}\n`).join("");
}
