/** How values lie along an axis. `symlog` is linear around zero and logarithmic beyond its constant, on both sides. */
export type ScaleType = "linear" | "log" | "symlog";

/** An axis: what it spans and where its ticks are, in data units. */
export interface AxisScale {
  readonly type: ScaleType;
  readonly domain: readonly [low: number, high: number];
  readonly ticks: readonly number[];
  /** Where symlog turns from linear to logarithmic; only for symlog. */
  readonly constant?: number;
}

export interface ScaleOptions {
  /** Default linear. */
  readonly type?: ScaleType;
  /** Let a linear axis begin at zero; default false. */
  readonly zero?: boolean;
  /** Widen a linear domain to whole ticks; default true. */
  readonly nice?: boolean;
  /** About how many ticks; default 6. */
  readonly count?: number;
  /** No value of a linear domain lies outside; for shares of 0 to 100. */
  readonly limits?: readonly [low: number, high: number];
}

/** Factor between the smallest and the largest value from which on {@link chooseScale} leaves the linear axis. */
const wide = 100;

/** The axis type that shows all of these values: linear unless they span more than a factor of 100; then log, or symlog with zeros or negatives. */
export function chooseScale(values: readonly number[]): ScaleType {
  const finite = values.filter(Number.isFinite);
  const sizes = finite.map(Math.abs).filter((v) => v > 0);
  if (sizes.length < 2 || largest(sizes) / smallest(sizes) <= wide) return "linear";
  return finite.every((v) => v > 0) ? "log" : "symlog";
}

/** Domain and ticks for these values. Values that are not finite, and for log those not above zero, have no influence; no values at all give 0 to 1. */
export function computeScale(values: readonly number[], options: ScaleOptions = {}): AxisScale {
  const { type = "linear", zero = false, nice = true, count = 6, limits } = options;
  const finite = values.filter((v) => Number.isFinite(v) && (type !== "log" || v > 0));
  if (type === "log" && finite.length > 0) return logScale(smallest(finite), largest(finite), count);
  if (type === "symlog" && finite.some((v) => v !== 0)) return symlogScale(finite, count);
  let low = finite.length > 0 ? smallest(finite) : 0;
  let high = finite.length > 0 ? largest(finite) : 1;
  if (zero) [low, high] = [Math.min(0, low), Math.max(0, high)];
  if (low === high) {
    const pad = low === 0 ? 1 : Math.abs(low) * 0.1;
    [low, high] = zero && low === 0 ? [0, 1] : [low - pad, high + pad];
  }
  const step = tickStep(high - low, count);
  if (nice) [low, high] = [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  if (limits) [low, high] = [Math.max(low, limits[0]), Math.min(high, limits[1])];
  return {
    type: "linear",
    domain: [low, high],
    ticks: linearTicks(low, high, step),
  };
}

/** 1, 2 or 5 times a power of ten, so that about `count` steps fit. */
function tickStep(span: number, count: number): number {
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((m) => m * power >= rough * 0.999) ?? 10);
}

function linearTicks(low: number, high: number, step: number): number[] {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function logScale(low: number, high: number, count: number): AxisScale {
  const padded: [number, number] = low === high ? [low / 2, high * 2] : [low / 1.1, high * 1.1];
  const from = Math.floor(Math.log10(padded[0]));
  const to = Math.ceil(Math.log10(padded[1]));
  const inside = (t: number): boolean => t >= padded[0] && t <= padded[1];
  const decades = range(from + 1, to, Math.ceil((to - from) / count)).map((e) => power(e));
  const fine = range(from, to, 1).flatMap((e) => [power(e), 2 * power(e), 5 * power(e)]);
  const narrow = padded[1] / padded[0] < 10;
  const even = linearTicks(...padded, tickStep(padded[1] - padded[0], count));
  const ticks = narrow ? even : to - from <= 3 ? fine : decades;
  return { type: "log", domain: padded, ticks: ticks.filter(inside) };
}

function symlogScale(values: readonly number[], count: number): AxisScale {
  const sizes = values.filter((v) => v !== 0).map(Math.abs);
  const top = Math.ceil(Math.log10(largest(sizes)));
  const bottom = Math.max(Math.floor(Math.log10(quantile(sizes, 0.1))), top - 12);
  const [low, high] = [Math.min(0, smallest(values)), Math.max(0, largest(values))];
  const sides = low < 0 && high > 0 ? 2 : 1;
  const step = Math.max(1, Math.ceil(((top - bottom + 1) * sides) / count));
  const first = bottom + step <= top ? bottom + step : bottom; // a label at the constant itself would touch that of 0
  const positive = range(first, top, step).map((e) => power(e));
  const ticks = [...positive.map((t) => -t).reverse(), 0, ...positive].filter((t) => t >= low && t <= high);
  return {
    type: "symlog",
    domain: [low, high],
    ticks,
    constant: power(bottom),
  };
}

/** 10^e without the rounding error of `10 ** -5`. */
function power(exponent: number): number {
  return Number(`1e${exponent}`);
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, i) => from + i * step);
}

/** The value below which the share `at` of the values lies. */
function quantile(values: readonly number[], at: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * at)] ?? 1;
}

function smallest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function largest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
