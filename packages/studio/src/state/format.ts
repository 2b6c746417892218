/** Numbers as people read them. */

/** 12,345 */
export function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** 97.3 % */
export function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** 12 kB */
export function bytes(value: number): string {
  return value >= 1e6 ? `${(value / 1e6).toFixed(1)} MB` : `${Math.round(value / 1000)} kB`;
}

/** Three digits that count. */
export function number(value: number): string {
  return value === 0 ? "0" : Math.abs(value) < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
