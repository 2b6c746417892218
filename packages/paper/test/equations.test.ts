/**
 * The paper's equations once more, as plain loops in double precision, and its brute force as files that are cut here:
 * both independent of core's derivative graphs, gates, surgery and suffix evaluation.
 */

import {
  type Criterion,
  choose,
  createEvaluator,
  criteria,
  type Dataset,
  float32,
  type Model,
  prepare,
  randomSource,
  range,
  type Tensor,
  writeModel,
} from "@shrinknet/core";
import { nodeRunner } from "@shrinknet/runtime/node";
import { describe, expect, test } from "vitest";
import { denseModel } from "../src/network.ts";
import { train } from "../src/train.ts";
import { experiment } from "./small.ts";

/** A network with two hidden layers, on samples with classes. */
interface Case {
  readonly model: Model;
  readonly data: Dataset;
  readonly widths: readonly [number, number, number, number];
}

const runner = nodeRunner({ threads: 1 });

/** Random weights, three times as large as usual so that nothing is nearly linear, on random samples. */
function randomCase(): Case {
  const [widths, samples, random] = [[5, 7, 6, 3] as const, 40, randomSource(4)];
  const x = Float32Array.from({ length: samples * 5 }, () => random() * 2 - 1);
  const data = {
    source: "random samples",
    inputs: { x: float32(x, [samples, 5]) },
    labels: Int32Array.from({ length: samples }, () => Math.floor(random() * 3)),
  };
  return { model: denseModel({ widths, output: "Sigmoid", spread: 3, seed: 7 }), data, widths };
}

/** The paper's network 400-50-50-10, trained for a little on a few digits. */
async function digitsCase(): Promise<Case> {
  const widths = [400, 50, 50, 10] as const;
  const data = range(experiment("mnist-2layer").samples(1).calibration, 0, 200);
  const { model } = await train(denseModel({ widths, output: "Sigmoid", seed: 1 }), {
    ...{ runner, data, objective: "sse", batch: 20, rate: 0.01, maxEpochs: 10, seed: 1, done: () => false },
  });
  return { model, data, widths };
}

/** The scores that a criterion gives at the first ranking. */
async function firstScores(
  { model, data }: Case,
  criterion: Criterion,
): Promise<{ scores: readonly number[]; removed: number }> {
  const prunable = await prepare(model, runner);
  const evaluator = await createEvaluator(prunable, runner, data, { objective: "sse" });
  let scores: readonly number[] = [];
  const listening: Criterion = {
    ...criterion,
    async score(context) {
      const result = await criterion.score(context);
      scores = Array.from(result);
      return result;
    },
  };
  const { removed } = await choose(prunable, evaluator, { criterion: listening, budget: { remove: { count: 1 } } });
  return { scores, removed: removed.indexOf(1) };
}

const sizeOf = ({ inputs }: Dataset): number => (inputs.x as Tensor).dims[0] as number;
const weights = ({ model }: Case, name: string): number[] =>
  Array.from((model.graph.initializers.get(name) as Tensor).numbers);
const at = (values: readonly number[], index: number): number => values[index] as number;
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

/** taylor2 of all hidden units, layer by layer, times the number of samples: sums over samples of -o dE/do + 1/2 o^2 d2E/do^2. */
function taylor2Scores(network: Case): number[] {
  const { data, widths } = network;
  const layers = ["hidden1", "hidden2", "output"].map((name) => {
    return { w: weights(network, `${name}.weight`), bias: weights(network, `${name}.bias`) };
  });
  const scores = [new Array<number>(widths[1]).fill(0), new Array<number>(widths[2]).fill(0)];
  const x = Array.from((data.inputs.x as Tensor).numbers);
  for (let n = 0; n < sizeOf(data); n++) {
    const outputs = [x.slice(n * widths[0], (n + 1) * widths[0])];
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
function without(network: Case, layer: 1 | 2, unit: number): Model {
  const { model, widths } = network;
  const [own, next] = [`hidden${layer}`, layer === 1 ? "hidden2" : "output"];
  const initializers = new Map(model.graph.initializers);
  const [from, width, to] = [widths[layer - 1], widths[layer], widths[layer + 1]] as [number, number, number];
  const keep = (values: readonly number[], dims: readonly number[], belongs: (index: number) => boolean): Tensor =>
    float32(Float32Array.from(values.filter((_, index) => !belongs(index))), dims);
  initializers.set(
    `${own}.weight`,
    keep(weights(network, `${own}.weight`), [from, width - 1], (i) => i % width === unit),
  );
  initializers.set(
    `${own}.bias`,
    keep(weights(network, `${own}.bias`), [width - 1], (i) => i === unit),
  );
  initializers.set(
    `${next}.weight`,
    keep(weights(network, `${next}.weight`), [width - 1, to], (i) => Math.floor(i / to) === unit),
  );
  return { ...model, graph: model.graph.with({ initializers }) };
}

/** Half the squared differences of the file's outputs to the targets, summed over samples. */
async function errorOf({ data, widths }: Case, file: Uint8Array): Promise<number> {
  const session = await runner.load(file);
  const { y } = await session.run(data.inputs);
  await session.release();
  const classes = widths[3];
  return Array.from((y as Tensor).numbers).reduce((sum, o, i) => {
    return sum + (o - (data.labels?.[Math.floor(i / classes)] === i % classes ? 1 : 0)) ** 2 / 2;
  }, 0);
}

/** Scores are means over samples. */
function sums({ data }: Case, scores: readonly number[]): number[] {
  return scores.map((score) => score * sizeOf(data));
}

/** Sums over samples in single precision agree to so much of the largest. */
function expectClose(scores: readonly number[], expected: readonly number[]): void {
  const tolerance = 1e-5 * Math.max(1, ...expected.map(Math.abs));
  expect(scores).toHaveLength(expected.length);
  scores.forEach((score, unit) => {
    expect(Math.abs(score - at(expected, unit)), `unit ${unit}`).toBeLessThan(tolerance);
  });
}

describe.each([
  ["a small random network", randomCase],
  ["the paper's network of digits with two hidden layers", digitsCase],
])("%s", (_, make) => {
  test("taylor2 is the paper's equations", async () => {
    const network = await make();
    const expected = taylor2Scores(network);
    const { scores, removed } = await firstScores(network, criteria.taylor2 as Criterion);
    expectClose(sums(network, scores), expected);
    expect(removed).toBe(expected.indexOf(Math.min(...expected)));
  });

  test("a step of the oracle is the best of all files with one unit cut out", async () => {
    const network = await make();
    const intact = await errorOf(network, writeModel(network.model));
    const changes: number[] = [];
    for (const layer of [1, 2] as const) {
      for (let unit = 0; unit < network.widths[layer]; unit++)
        changes.push((await errorOf(network, writeModel(without(network, layer, unit)))) - intact);
    }
    const { scores, removed } = await firstScores(network, criteria.oracle as Criterion);
    expectClose(sums(network, scores), changes);
    expect(removed).toBe(changes.indexOf(Math.min(...changes)));
  });
});
