/**
 * The paper's equations once more, as plain loops in double precision, and its brute force as files that are cut here:
 * both independent of core's derivative graphs, gates, surgery and suffix evaluation.
 */
import { nodeRunner } from "@shrinknet/runtime";
import {
  type Criterion,
  choose,
  criteria,
  type Dataset,
  float32,
  type Model,
  prepare,
  randomSource,
  subjectOf,
  type Tensor,
  writeModel,
} from "shrinknet";
import { expect, test } from "vitest";
import { denseModel } from "../src/network.ts";

const widths = [5, 7, 6, 3] as const;
const samples = 40;
const random = randomSource(4);
const model = denseModel({ widths, output: "Sigmoid", spread: 3, seed: 7 });
const data: Dataset = {
  source: "random samples",
  size: samples,
  inputs: {
    x: float32(
      Float32Array.from({ length: samples * 5 }, () => random() * 2 - 1),
      [samples, 5],
    ),
  },
  labels: Int32Array.from({ length: samples }, () => Math.floor(random() * 3)),
};
const runner = nodeRunner();

/** The scores that a criterion gives at the first ranking. */
async function firstScores(criterion: Criterion): Promise<{ scores: readonly number[]; removed: number }> {
  const prunable = await prepare(model, runner);
  const subject = await subjectOf(prunable, runner, data, "sse");
  let scores: readonly number[] = [];
  const listening: Criterion = {
    ...criterion,
    async score(context) {
      const result = await criterion.score(context);
      scores = Array.from(result);
      return result;
    },
  };
  const { removed } = await choose(prunable, subject, { criterion: listening, budget: { remove: { count: 1 } } });
  return { scores, removed: removed.indexOf(1) };
}

const weights = (name: string): number[] => Array.from((model.graph.initializers.get(name) as Tensor).numbers);
const at = (values: readonly number[], index: number): number => values[index] as number;
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/** taylor2 of all hidden units, layer by layer: sums over samples of -o dE/do + 1/2 o^2 d2E/do^2. */
function taylor2Scores(): number[] {
  const layers = ["hidden1", "hidden2", "output"].map((name) => {
    return { w: weights(`${name}.weight`), bias: weights(`${name}.bias`) };
  });
  const scores = [new Array<number>(widths[1]).fill(0), new Array<number>(widths[2]).fill(0)];
  for (let n = 0; n < samples; n++) {
    const outputs = [Array.from({ length: 5 }, (_, i) => (data.inputs.x as Tensor).numbers[n * 5 + i] as number)];
    for (const { w, bias } of layers) {
      const input = outputs.at(-1) as number[];
      outputs.push(bias.map((b, i) => logistic(input.reduce((sum, o, j) => sum + o * at(w, j * bias.length + i), b))));
    }
    const last = outputs.at(-1) as number[];
    let first = last.map((o, i) => o - (data.labels?.[n] === i ? 1 : 0)); // dE/do
    let second = last.map(() => 1); // d2E/do2
    for (let layer = 2; layer >= 1; layer--) {
      const { w, bias } = layers[layer] as (typeof layers)[number];
      const above = outputs[layer + 1] as number[];
      const below = outputs[layer] as number[];
      const slope = above.map((f) => f * (1 - f));
      const bend = above.map((f, i) => at(slope, i) * (1 - 2 * f));
      const dx = first.map((d, i) => d * at(slope, i));
      const dx2 = second.map((d2, i) => d2 * at(slope, i) ** 2 + at(first, i) * at(bend, i));
      first = below.map((_, j) => dx.reduce((sum, d, i) => sum + d * at(w, j * bias.length + i), 0));
      second = below.map((_, j) => dx2.reduce((sum, d, i) => sum + d * at(w, j * bias.length + i) ** 2, 0));
      const own = scores[layer - 1] as number[];
      below.forEach((o, j) => {
        own[j] = at(own, j) - o * at(first, j) + (o * o * at(second, j)) / 2;
      });
    }
  }
  return scores.flat();
}

/** The model's file without one unit: its column, its bias and its row in the next layer are gone. */
function without(layer: 1 | 2, unit: number): Model {
  const [own, next] = [`hidden${layer}`, layer === 1 ? "hidden2" : "output"];
  const initializers = new Map(model.graph.initializers);
  const [from, width, to] = [widths[layer - 1], widths[layer], widths[layer + 1]] as [number, number, number];
  const keep = (values: readonly number[], dims: readonly number[], belongs: (index: number) => boolean): Tensor =>
    float32(Float32Array.from(values.filter((_, index) => !belongs(index))), dims);
  initializers.set(
    `${own}.weight`,
    keep(weights(`${own}.weight`), [from, width - 1], (i) => i % width === unit),
  );
  initializers.set(
    `${own}.bias`,
    keep(weights(`${own}.bias`), [width - 1], (i) => i === unit),
  );
  initializers.set(
    `${next}.weight`,
    keep(weights(`${next}.weight`), [width - 1, to], (i) => Math.floor(i / to) === unit),
  );
  return { ...model, graph: model.graph.with({ initializers }) };
}

/** Half the squared differences of the file's outputs to the targets, summed over samples. */
async function errorOf(file: Uint8Array): Promise<number> {
  const session = await runner.load(file);
  const { y } = await session.run(data.inputs);
  await session.release();
  return Array.from((y as Tensor).numbers).reduce((sum, o, i) => {
    return sum + (o - (data.labels?.[Math.floor(i / 3)] === i % 3 ? 1 : 0)) ** 2 / 2;
  }, 0);
}

test("taylor2 of a network with two hidden layers is the paper's equations", async () => {
  const expected = taylor2Scores();
  const { scores, removed } = await firstScores(criteria.taylor2 as Criterion);
  expect(scores).toHaveLength(13);
  scores.forEach((score, unit) => {
    expect(score).toBeCloseTo(at(expected, unit), 4);
  });
  expect(removed).toBe(expected.indexOf(Math.min(...expected)));
});

test("a step of the oracle is the best of all files with one unit cut out", async () => {
  const intact = await errorOf(writeModel(model));
  const changes: number[] = [];
  for (const layer of [1, 2] as const) {
    for (let unit = 0; unit < widths[layer]; unit++)
      changes.push((await errorOf(writeModel(without(layer, unit)))) - intact);
  }
  const { scores, removed } = await firstScores(criteria.oracle as Criterion);
  scores.forEach((score, unit) => {
    expect(score).toBeCloseTo(at(changes, unit), 4);
  });
  expect(removed).toBe(changes.indexOf(Math.min(...changes)));
});
