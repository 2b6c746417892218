/** Regression: y = cos(x). */
import { type Dataset, float32, randomSource } from "@shrinknet/core";
import type { Samples } from "./experiment.ts";

/** The published error with every unit removed, about N / 4, is that of N = 10,000 points over whole periods. */
const POINTS = 10_000;
const PERIOD = 2 * Math.PI;

/** Points drawn evenly from one period, [0, 2 pi]. */
export function cosineSamples(seed: number): Samples {
  const random = randomSource(seed);
  return { calibration: points("cosine, calibration", random), test: points("cosine, test", random) };
}

function points(source: string, random: () => number): Dataset {
  const x = Float32Array.from({ length: POINTS }, () => random() * PERIOD);
  return {
    source,
    inputs: { x: float32(x, [POINTS, 1]) },
    targets: float32(x.map(Math.cos), [POINTS, 1]),
  };
}
