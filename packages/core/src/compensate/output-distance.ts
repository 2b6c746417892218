/**
 * How far the outputs of two networks are apart, in units of the error: the weighted squared distance; where the objective is
 * cross-entropy on logits, half of sum p d^2 - (sum p d)^2, with d the difference of the logits and p the probabilities at a
 * temperature of 2, the second order of their divergence. What is sure is then not measured by how sure. Summed over outputs.
 */
import { sizeOf, type Tensor, tensorOf } from "../graph/tensor.ts";
import type { OutputTerm } from "../measure/objectives/model-objective.ts";

/** Probabilities are those of logits divided by this, so that classes that are nearly ruled out still count. */
const TEMPERATURE = 2;

/** One output's elements [samples, ...dims] as rows along its columns or classes: element k of row r is at start(r) + k * step. */
interface Rows {
  readonly width: number;
  readonly step: number;
  readonly count: number;
  start(row: number): number;
}

/** Columns of squared distances, or classes of divergences. */
function rowsOf({ info, bound }: OutputTerm, size: number): Rows {
  const axis = bound.distance?.kind === "divergence" ? info.classAxis : info.columnAxis;
  const width = axis === undefined ? 1 : (info.dims[axis] as number);
  const step = axis === undefined ? 1 : sizeOf(info.dims.slice(axis + 1));
  return { width, step, count: size / width, start: (row) => Math.floor(row / step) * width * step + (row % step) };
}

/** Weight of column k of a squared distance. */
function weightOf({ bound }: OutputTerm, k: number): number {
  if (bound.distance?.kind !== "squares") return 0.5;
  const { weights } = bound.distance;
  return (weights.length === 1 ? weights[0] : weights[k]) as number;
}

/** Whether a term's distance is the divergence of probabilities. */
function isDivergence({ bound }: OutputTerm): boolean {
  return bound.distance?.kind === "divergence";
}

/** softmax(logits / 2) of a row; of a single logit the probabilities of the second class and the first. */
function softened(logits: ArrayLike<number>, { width, step }: Rows, start: number): number[] {
  const own = Array.from({ length: width }, (_, k) => (logits[start + k * step] as number) / TEMPERATURE);
  const all = width === 1 ? [...own, 0] : own;
  const largest = Math.max(...all);
  const terms = all.map((logit) => Math.exp(logit - largest));
  const sum = terms.reduce((total, term) => total + term, 0);
  return terms.map((term) => term / sum);
}

/** Sum over the samples of the distance between outputs, by term [samples, ...dims]. */
export function outputDistance(
  terms: readonly OutputTerm[],
  before: readonly Tensor[],
  after: readonly Tensor[],
): number {
  let total = 0;
  for (const [at, term] of terms.entries()) {
    const [a, b] = [(before[at] as Tensor).numbers, (after[at] as Tensor).numbers];
    const rows = rowsOf(term, a.length);
    const perSample = isDivergence(term) ? positionsOf(term) : 1;
    for (let row = 0; row < rows.count; row++) {
      const start = rows.start(row);
      const p = isDivergence(term) ? softened(a, rows, start) : undefined;
      let [mean, square] = [0, 0];
      for (let k = 0; k < rows.width; k++) {
        const d = (b[start + k * rows.step] as number) - (a[start + k * rows.step] as number);
        mean += p ? (p[k] as number) * d : 0;
        square += (p ? (p[k] as number) : weightOf(term, k)) * d * d;
      }
      total += p ? (square - mean * mean) / 2 / perSample : square;
    }
  }
  return total;
}

/** Positions of one sample that each have classes: their cross-entropies are averaged. */
function positionsOf({ info }: OutputTerm): number {
  const classes = info.classAxis === undefined ? 1 : (info.dims[info.classAxis] as number);
  return sizeOf(info.dims) / classes;
}

/** Random directions v [samples, ...dims] by term, with E v v' the second derivative of the distance to `outputs`. */
export function randomDirections(
  terms: readonly OutputTerm[],
  outputs: readonly Tensor[],
  random: () => number,
): Tensor[] {
  return terms.map((term, at) => {
    const { numbers, dims, type } = outputs[at] as Tensor;
    const directions = new Float64Array(numbers.length);
    const rows = rowsOf(term, numbers.length);
    const perSample = positionsOf(term);
    for (let row = 0; row < rows.count; row++) {
      const start = rows.start(row);
      const signs = Array.from({ length: rows.width + (rows.width === 1 ? 1 : 0) }, () => (random() < 0.5 ? -1 : 1));
      const p = isDivergence(term) ? softened(numbers, rows, start) : undefined;
      const sum = p?.reduce((total, one, k) => total + Math.sqrt(one) * (signs[k] as number), 0) ?? 0;
      for (let k = 0; k < rows.width; k++) {
        const sign = signs[k] as number;
        directions[start + k * rows.step] = p
          ? (Math.sqrt(p[k] as number) * sign - (p[k] as number) * sum) / Math.sqrt(perSample)
          : Math.sqrt(2 * weightOf(term, k)) * sign;
      }
    }
    return tensorOf(type, directions, dims);
  });
}

/** Directions that {@link distanceFactor} has for a term: its elements in one sample. */
export function directionsOf({ info }: OutputTerm): number {
  return sizeOf(info.dims);
}

/**
 * Column `k` of a matrix L with L L' the second derivative of the distance to each sample of `outputs` [samples, ...dims]. For p
 * from cross-entropy, L = D (1 - v v') with v = sqrt(p) and D its diagonal.
 */
export function distanceFactor(term: OutputTerm, outputs: Tensor, k: number): Tensor {
  const { numbers, dims, type } = outputs;
  const elements = directionsOf(term);
  const samples = numbers.length / elements;
  const column = new Float64Array(numbers.length);
  const rows = rowsOf(term, elements);
  const inRow = Math.floor(k / rows.step) % rows.width;
  const row = Math.floor(k / (rows.width * rows.step)) * rows.step + (k % rows.step);
  const scale = 1 / Math.sqrt(positionsOf(term));
  for (let n = 0; n < samples; n++) {
    if (!isDivergence(term)) {
      column[n * elements + k] = Math.sqrt(2 * weightOf(term, inRow));
      continue;
    }
    const start = n * elements + rows.start(row);
    const v = softened(numbers, rows, start).map(Math.sqrt);
    for (let i = 0; i < rows.width; i++) {
      const own = (i === inRow ? 1 : 0) - (v[i] as number) * (v[inRow] as number);
      column[start + i * rows.step] = scale * (v[i] as number) * own;
    }
  }
  return tensorOf(type, column, dims);
}
