/** Comma-separated numbers: a sample a line, features first, class or target last. */
import { type Dataset, ShrinkError, Tensor } from "@shrinknet/core";

/** Longest text that V8 makes a string of. */
const maxBytes = 2 ** 29 - 25;

/**
 * Reads a table of numbers. `x` is `[N, columns - 1]`: int32 if all features are whole numbers that fit, else float64.
 * The last column gives labels if all its cells are whole numbers, else targets `[N, 1]` as float64.
 *
 * The first line is a header if any of its cells is a word. Blank lines are skipped; spaces around cells too. There
 * are no quoted cells. Throws a `data` error that names line and column (counted from 1) for a cell that is no finite
 * number, lines of differing length, and a file without samples.
 */
export function readCsv(bytes: Uint8Array, source: string): Dataset {
  if (bytes.length > maxBytes) {
    fail(source, `has ${bytes.length} bytes, expected at most ${maxBytes} for a .csv`, "Save it as .npz");
  }
  const lines = new TextDecoder()
    .decode(bytes)
    .split(/\r\n|\n|\r/)
    .flatMap((text, at) => (text.trim() ? [{ text, number: at + 1 }] : []));
  const header = cellsOf(lines[0]?.text ?? "");
  const hasHeader = header.some(isWord);
  const samples = hasHeader ? lines.slice(1) : lines;
  const [first] = samples;
  if (!first)
    fail(source, `has no lines with numbers${hasHeader ? " after its header" : ""}, expected at least 1`, form);
  const width = header.length;
  if (width < 2) {
    fail(source, `line ${lines[0]?.number}: has 1 column, expected at least 2 with commas between`, form);
  }
  const features = new Float64Array(samples.length * (width - 1));
  const last = new Float64Array(samples.length);
  samples.forEach(({ text, number }, row) => {
    const cells = cellsOf(text);
    if (cells.length !== width) {
      const where = `${hasHeader ? "the header" : "the first line"} has ${width}`;
      fail(source, `line ${number}: has ${cells.length} columns, but ${where}`, "Give every line the same columns");
    }
    cells.forEach((cell, column) => {
      const value = numberIn(cell);
      if (value === undefined) {
        const name = hasHeader ? ` (${header[column]})` : "";
        const found = cell === "" ? "the cell is empty" : `found "${cell.slice(0, 40)}"`;
        const advice = column === width - 1 ? "Write classes as whole numbers from 0" : "Repair or remove that line";
        fail(source, `line ${number}, column ${column + 1}${name}: ${found}, expected a finite number`, advice);
      }
      if (column < width - 1) features[row * (width - 1) + column] = value;
      else last[row] = value;
    });
  });
  const dims = [samples.length, width - 1];
  const x = features.every(isInt32)
    ? new Tensor("int32", dims, Int32Array.from(features))
    : new Tensor("float64", dims, features);
  const y = last.every(isInt32)
    ? { labels: Int32Array.from(last) }
    : { targets: new Tensor("float64", [samples.length, 1], last) };
  return { source, inputs: { x }, ...y };
}

const form = "Write one sample a line: features, then the class";

function cellsOf(line: string): string[] {
  return line.split(",").map((cell) => cell.trim());
}

/** The cell's value; undefined unless it is a finite decimal number. */
function numberIn(cell: string): number | undefined {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(cell) ? Number(cell) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** Text that stands for no number at all. Empty, NaN and infinite cells are bad numbers, not signs of a header. */
function isWord(cell: string): boolean {
  return cell !== "" && Number.isNaN(Number(cell)) && !/^[+-]?(nan|inf|infinity)$/i.test(cell);
}

function isInt32(value: number): boolean {
  return value === (value | 0);
}

function fail(source: string, problem: string, advice: string): never {
  throw new ShrinkError("data", `${source} ${problem}. ${advice}.`);
}
