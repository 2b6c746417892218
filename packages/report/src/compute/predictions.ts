/** What a removal was said to change the error by, and what it did change; both in units of the error, a mean over samples. */
export interface Prediction {
  readonly predicted: number;
  readonly measured: number;
}

interface Step {
  readonly error: number;
  readonly predicted?: number | null;
}

/** One entry per removal with a prediction: the measured change is the error after it minus the error before it. Steps without a finite pair are left out. */
export function computePredictions(baseline: number, steps: readonly Step[]): Prediction[] {
  return steps.flatMap(({ error, predicted }, i) => {
    const measured = error - (i === 0 ? baseline : (steps[i - 1]?.error ?? Number.NaN));
    return typeof predicted === "number" && Number.isFinite(predicted) && Number.isFinite(measured)
      ? [{ predicted, measured }]
      : [];
  });
}
