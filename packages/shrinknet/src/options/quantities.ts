/** Quantities as people write them on a command line. Each throws commander's error for what it cannot read. */
import { availableParallelism } from "node:os";
import { InvalidArgumentError } from "@commander-js/extra-typings";

/** A share between 0 and 1: `40%` or `0.4`. A bare 1 or more is refused: it may be meant as per cent. */
export function parseShare(text: string): number {
  const share = parseRise(text);
  if (share > 1) throw new InvalidArgumentError("expected at most 100%");
  return share;
}

/** A relative rise, which may be above 100%: `10%`, `250%` or `0.1`. */
export function parseRise(text: string): number {
  const percent = /^(\d+(?:\.\d*)?|\.\d+)\s*%$/.exec(text.trim());
  if (percent) return Number(percent[1]) / 100;
  const value = parseNumber(text);
  if (value < 0) throw new InvalidArgumentError("expected a share of 0% or more");
  if (value >= 1) throw new InvalidArgumentError(`write ${text.trim()}% for per cent`);
  return value;
}

/** Bytes: `500MB`, `2GB` or a plain number. */
export function parseBytes(text: string): number {
  const bytes = bytesIn(text);
  if (bytes === undefined) throw new InvalidArgumentError("expected a size such as 500MB or 2GB");
  return bytes;
}

/** How large a file may be: a size (`200KB`) or a share of the original file (`50%`). */
export function parseFileSize(text: string): { share: number } | { bytes: number } {
  if (text.trim().endsWith("%")) return { share: parseShare(text) };
  const bytes = bytesIn(text);
  if (bytes === undefined) throw new InvalidArgumentError("expected a size such as 200KB, or a share such as 50%");
  return { bytes };
}

/** How long a run may take: milliseconds (`0.5ms`), or a share of the original's time (`60%`). */
export function parseLatency(text: string): { share: number } | { milliseconds: number } {
  if (text.trim().endsWith("%")) return { share: parseShare(text) };
  const time = /^(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|us)$/i.exec(text.trim());
  const milliseconds = time ? Number(time[1]) * ({ ms: 1, s: 1000, us: 1e-3 }[(time[2] ?? "").toLowerCase()] ?? 1) : 0;
  if (milliseconds > 0) return { milliseconds };
  throw new InvalidArgumentError("expected a time such as 0.5ms, or a share of the original's such as 60%");
}

function bytesIn(text: string): number | undefined {
  const size = /^(\d+(?:\.\d*)?)\s*(kB|MB|GB)?$/i.exec(text.trim());
  if (!size || Number(size[1]) <= 0) return undefined;
  return Number(size[1]) * ({ kb: 1e3, mb: 1e6, gb: 1e9 }[(size[2] ?? "").toLowerCase()] ?? 1);
}

/** A confidence above one half: `95%`. */
export function parseConfidence(text: string): number {
  const share = parseShare(text);
  if (share <= 0.5 || share >= 1) throw new InvalidArgumentError("expected above 50% and below 100%, such as 95%");
  return share;
}

/** A share of the samples that leaves some: `20%`, or `0%`. */
export function parseHoldOut(text: string): number {
  const share = parseShare(text);
  if (share >= 1) throw new InvalidArgumentError("expected less than 100%, as some samples must be left to choose by");
  return share;
}

/** What widths are a multiple of: 1 or more. */
export function parseAlign(text: string): number {
  const value = parseWhole(text);
  if (value < 1) throw new InvalidArgumentError("expected a whole number of 1 or more, such as 8");
  return value;
}

/** How much to remove: a share (`40%`) or a number of units (`12`). */
export function parseRemoval(text: string): { share: number } | { count: number } {
  if (text.trim().endsWith("%")) return { share: parseShare(text) };
  const count = parseNumber(text);
  if (count > 0 && count < 1)
    throw new InvalidArgumentError(`write ${Number((count * 100).toPrecision(10))}% for a share of the units`);
  return { count: parseWhole(text) };
}

/** A whole number of 0 or more. */
export function parseWhole(text: string): number {
  const value = parseNumber(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError("expected a whole number of 0 or more");
  return value;
}

/** A whole number of 1 or more. */
export function parseCount(text: string): number {
  const value = parseWhole(text);
  if (value === 0) throw new InvalidArgumentError("expected a whole number of 1 or more");
  return value;
}

/** 1 to the number of cores. */
export function parseThreads(text: string): number {
  const [value, cores] = [parseNumber(text), availableParallelism()];
  if (Number.isInteger(value) && value >= 1 && value <= cores) return value;
  throw new InvalidArgumentError(`expected 1 to ${cores}, the number of cores`);
}

/** A finite decimal number. */
export function parseNumber(text: string): number {
  const value = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isFinite(value)) throw new InvalidArgumentError("expected a number");
  return value;
}

/** Names between commas, each one of `known`, without repeats. */
export function parseNames<Name extends string>(text: string, known: readonly Name[]): Name[] {
  const names = text.split(",").map((name) => name.trim());
  const isKnown = (name: string): name is Name => (known as readonly string[]).includes(name);
  const unknown = names.find((name) => !isKnown(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`"${unknown}" is unknown, expected names of ${known.join(", ")}.`);
  return [...new Set(names.filter(isKnown))];
}
