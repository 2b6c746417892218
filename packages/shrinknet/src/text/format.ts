/** Numbers as the terminal shows them. What is missing or not a number is a dash. */

type MaybeNumber = number | null | undefined;

const missing = "-";

function isNumber(value: MaybeNumber): value is number {
  return typeof value === "number" && !Number.isNaN(value);
}

/** `12,345` */
export function formatCount(value: MaybeNumber): string {
  return isNumber(value) ? value.toLocaleString("en-US", { maximumFractionDigits: 0 }) : missing;
}

/** Four significant digits: `12.34`, `0.0123`, `1.2e-7`, `12,345`. */
export function formatNumber(value: MaybeNumber): string {
  if (!isNumber(value)) return missing;
  const size = Math.abs(value);
  if (size >= 1e9 || (size > 0 && size < 1e-4)) return value.toExponential(1).replace("e+", "e");
  return size >= 1000 ? formatCount(value) : String(Number(value.toPrecision(4)));
}

/** A share of 0 to 1 as `34.5 %`. */
export function formatShare(value: MaybeNumber, digits: 1 | 2 = 1): string {
  return isNumber(value) ? `${(value * 100).toFixed(digits)} %` : missing;
}

/** From here on a change is said as a factor. */
const MANY_TIMES = 9;

/** `+12.5 %` or `-3.0 %`; of what has become far larger `594 times`. */
export function formatChange(value: MaybeNumber): string {
  if (isNumber(value) && value >= MANY_TIMES) return `${formatNumber(Number((value + 1).toPrecision(3)))} times`;
  const text = formatShare(value);
  return isNumber(value) && value > 0 ? `+${text}` : text;
}

/** `3.2 s`, `1 min 20 s`, `2 h 5 min` */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** `1 unit`, `2 units` */
export function plural(count: number, noun: string, many = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : many}`;
}
