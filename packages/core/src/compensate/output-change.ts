/**
 * How far two outputs of the network are apart: half the squared distance; where the objective is cross-entropy on logits,
 * half of sum p d^2 - (sum p d)^2, with d the difference of the logits and p the probabilities at a temperature of 2, the
 * second order of their divergence. What is sure is then not measured by how sure.
 */
import type { Objective } from "../measure/objective.ts";

/** Probabilities are those of logits divided by this, so that classes that are nearly ruled out still count. */
const TEMPERATURE = 2;

/** softmax(logits / 2) of `width` logits from `at` on. */
function softened(logits: ArrayLike<number>, at: number, width: number): number[] {
  let largest = Number.NEGATIVE_INFINITY;
  for (let k = 0; k < width; k++) largest = Math.max(largest, logits[at + k] as number);
  const terms = Array.from({ length: width }, (_, k) => Math.exp(((logits[at + k] as number) - largest) / TEMPERATURE));
  const sum = terms.reduce((total, term) => total + term, 0);
  return terms.map((term) => term / sum);
}

/** Sum over rows of the distance between outputs[rows, width]. */
export function outputChange(
  { name }: Objective,
  before: ArrayLike<number>,
  after: ArrayLike<number>,
  width: number,
): number {
  let change = 0;
  for (let at = 0; at < before.length; at += width) {
    const p = name === "cross-entropy" ? softened(before, at, width) : undefined;
    let [mean, square] = [0, 0];
    for (let k = 0; k < width; k++) {
      const d = (after[at + k] as number) - (before[at + k] as number);
      mean += p ? (p[k] as number) * d : 0;
      square += (p ? (p[k] as number) : 1) * d * d;
    }
    change += (square - mean * mean) / 2;
  }
  return change;
}

/** Random directions v[rows, width], one per row, with E v v' the second derivative of the distance to `outputs`. */
export function randomDirections(
  { name }: Objective,
  outputs: ArrayLike<number>,
  width: number,
  random: () => number,
): Float64Array {
  const directions = Float64Array.from({ length: outputs.length }, () => (random() < 0.5 ? -1 : 1));
  if (name !== "cross-entropy") return directions;
  for (let at = 0; at < outputs.length; at += width) {
    const p = softened(outputs, at, width);
    let sum = 0;
    for (let k = 0; k < width; k++) sum += Math.sqrt(p[k] as number) * (directions[at + k] as number);
    for (let k = 0; k < width; k++) {
      directions[at + k] = Math.sqrt(p[k] as number) * (directions[at + k] as number) - (p[k] as number) * sum;
    }
  }
  return directions;
}

/**
 * Column `k` of a matrix L with L L' the second derivative of the distance to each row of `outputs`[rows, width]:
 * [rows, width]. For p from cross-entropy, L = D (1 - v v') with v = sqrt(p) and D its diagonal.
 */
export function distanceFactor(
  { name }: Objective,
  outputs: ArrayLike<number>,
  width: number,
  k: number,
): Float64Array {
  const column = new Float64Array(outputs.length);
  for (let at = 0; at < outputs.length; at += width) {
    if (name !== "cross-entropy") {
      column[at + k] = 1;
      continue;
    }
    const v = softened(outputs, at, width).map(Math.sqrt);
    for (let i = 0; i < width; i++) {
      column[at + i] = (v[i] as number) * ((i === k ? 1 : 0) - (v[i] as number) * (v[k] as number));
    }
  }
  return column;
}
