/** Standard normal quantile of 1 - p for p up to 0.5 (Abramowitz and Stegun 26.2.23, error below 4.5e-4). */
export function quantile(p: number): number {
  const t = Math.sqrt(-2 * Math.log(p));
  return t - (2.515517 + 0.802853 * t + 0.010328 * t * t) / (1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3);
}
