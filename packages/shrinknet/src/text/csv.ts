/** A missing value (or NaN) is an empty cell. */
type Cell = string | number | null | undefined;

/** A table's columns: the name of each, and what it takes from a row. */
export type CsvColumns<Row> = Readonly<Record<string, (row: Row) => Cell>>;

/** Lines of comma-separated values, head first; cells with commas, quotes or line breaks are quoted. */
export function csv<Row>(columns: CsvColumns<Row>, rows: readonly Row[]): string {
  const lines = [Object.keys(columns), ...rows.map((row) => Object.values(columns).map((cell) => cell(row)))];
  return lines.map((cells: readonly Cell[]) => `${cells.map(cellText).join(",")}\n`).join("");
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined || Number.isNaN(cell)) return "";
  const text = String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
