/** Classification of points of the square [-1, 1] x [-1, 1]: inside a shape (class 0) or not (class 1). */
import { type Dataset, float32, randomSource } from "@shrinknet/core";
import type { Samples } from "./experiment.ts";

const POINTS = 5_000;

/** Whether a point lies inside. */
export type Shape = (x: number, y: number) => boolean;

/** The square that stands on its corner: |x| + |y| < 1. */
export const diamond: Shape = (x, y) => Math.abs(x) + Math.abs(y) < 1;

/** Amplitude and phase of the waves around the circle, one for each number of waves from 2 on. Fixed: part of the experiment. */
const waves: readonly (readonly [amplitude: number, phase: number])[] = [
  [0.22, 0.7],
  [0.16, 2.9],
  [0.1, 5.1],
  [0.08, 1.3],
];

/** An irregular closed shape: radius 0.66 (1 + a sum of waves around the circle). */
export const irregular: Shape = (x, y) => {
  const angle = Math.atan2(y, x);
  const wave = waves.reduce((sum, [a, phase], i) => sum + a * Math.cos((i + 2) * angle + phase), 0);
  return Math.hypot(x, y) < 0.66 * (1 + wave);
};

/** As many points inside the shape as outside, each kind spread evenly. */
export function planeSamples(shape: Shape, name: string, seed: number): Samples {
  const random = randomSource(seed);
  return {
    calibration: points(shape, `${name}, calibration`, random),
    test: points(shape, `${name}, test`, random),
  };
}

function points(shape: Shape, source: string, random: () => number): Dataset {
  const x = new Float32Array(2 * POINTS);
  const labels = new Int32Array(POINTS);
  const room = [POINTS / 2, POINTS / 2];
  for (let n = 0; n < POINTS; ) {
    const [px, py] = [random() * 2 - 1, random() * 2 - 1];
    const label = shape(px, py) ? 0 : 1;
    if (room[label] === 0) continue;
    room[label] = (room[label] as number) - 1;
    x.set([px, py], 2 * n);
    labels[n++] = label;
  }
  return { source, inputs: { x: float32(x, [POINTS, 2]) }, labels };
}
