/**
 * Numbers as people read them. Pure text, no locale of the machine: the same input gives the same characters everywhere.
 * What is missing or not a number is an em dash, never "NaN" or "null".
 */

/** A number that may be missing; JSON turns NaN and Infinity into null. */
export type MaybeNumber = number | null | undefined;

const missing = "—";
const minus = "\u2212";
const space = "\u00a0";

/** Puts commas between thousands: `1234.5` -> `1,234.5`; the sign becomes a true minus. */
function grouped(digits: string): string {
  const [whole = "", fraction] = digits.replace("-", "").split(".");
  const commas = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const sign = digits.startsWith("-") && Number(digits) !== 0 ? minus : "";
  return sign + (fraction === undefined ? commas : `${commas}.${fraction}`);
}

function special(value: MaybeNumber): string | undefined {
  if (value === null || value === undefined || Number.isNaN(value)) return missing;
  if (value === Number.POSITIVE_INFINITY) return "∞";
  if (value === Number.NEGATIVE_INFINITY) return `${minus}∞`;
  return undefined;
}

/** A whole number with commas: `1,234`. Fractions are rounded. */
export function formatCount(value: MaybeNumber): string {
  return special(value) ?? grouped(Math.round(value ?? 0).toFixed(0));
}

/** A measured value with three significant digits: `0.0123`, `12.3`, `1,234`, `3.1e-7`; from 1,000 on whole numbers, from 10^12 on exponents. */
export function formatNumber(value: MaybeNumber): string {
  const text = special(value);
  if (text !== undefined || typeof value !== "number") return text ?? missing;
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-4 || size >= 1e12) return value.toExponential(1).replace("e+", "e").replaceAll("-", minus);
  if (size >= 999.5) return grouped(value.toFixed(0));
  return grouped(String(Number(value.toPrecision(3))));
}

/** As {@link formatNumber}, with a plus where the value is above zero. */
export function formatSigned(value: MaybeNumber): string {
  return typeof value === "number" && value > 0 ? `+${formatNumber(value)}` : formatNumber(value);
}

/** A share (0 to 1) as per cent with one decimal, none from 1,000 on: `0.034` -> `3.4 %`. */
export function formatShare(value: MaybeNumber): string {
  const text = special(value);
  if (text !== undefined || typeof value !== "number") return text ?? missing;
  const percent = value * 100;
  return `${grouped(trimZero(percent.toFixed(Math.abs(percent) < 999.5 ? 1 : 0)))}${space}%`;
}

/** An accuracy (0 to 1) as per cent with two decimals: `0.9757` -> `97.57 %`. */
export function formatAccuracy(value: MaybeNumber): string {
  const text = special(value);
  if (text !== undefined || typeof value !== "number") return text ?? missing;
  return `${grouped((value * 100).toFixed(2))}${space}%`;
}

/** A difference of accuracies (0 to 1) in points: `-0.012` -> `−1.20 points`. */
export function formatPoints(value: MaybeNumber): string {
  const text = special(value);
  if (text !== undefined || typeof value !== "number") return text ?? missing;
  const points = (value * 100).toFixed(2);
  return `${Number(points) > 0 ? "+" : ""}${grouped(points)} points`;
}

/** From here on a change is said as a factor. */
const manyTimes = 9;

/** A change as a share of the start value, with sign: `-0.5` -> `−50 %`; of what has become far larger: `593` -> `594 times`. */
export function formatChange(value: MaybeNumber): string {
  if (typeof value === "number" && value >= manyTimes) return `${formatNumber(value + 1)} times`;
  return typeof value === "number" && value > 0 && value * 1000 >= 0.5 ? `+${formatShare(value)}` : formatShare(value);
}

/** A duration given in seconds: `0.42 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(value: MaybeNumber): string {
  const text = special(value);
  if (text !== undefined || typeof value !== "number") return text ?? missing;
  if (value < 99.5) return `${formatNumber(value)} s`;
  const seconds = Math.round(value);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${formatCount(Math.floor(seconds / 3600))} h ${Math.floor((seconds % 3600) / 60)} min`;
}

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** An axis tick: `0.2`, `2,000`, and from 100,000 on or below 0.001 as `10⁵`, `2×10⁻⁴`. */
export function formatTick(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e-3 && size < 1e5) return grouped(String(Number(value.toPrecision(6))));
  const [mantissa = "1", exponent = "0"] = Number(size.toPrecision(6)).toExponential().split("e");
  const raised = Array.from(exponent.replace("+", ""), (c) => (c === "-" ? "⁻" : (superscripts[Number(c)] ?? c)));
  return `${value < 0 ? minus : ""}${mantissa === "1" ? "" : `${mantissa}×`}10${raised.join("")}`;
}

function trimZero(digits: string): string {
  return digits.endsWith(".0") ? digits.slice(0, -2) : digits;
}
