/** What is removed hangs neither on the number of threads, nor on how the data is cut into pieces, nor on memory. */
import { nodeRunner } from "@shrinknet/runtime/node";
import { expect, test } from "vitest";
import { oracleBy } from "../../src/criteria/index.ts";
import { feedsOf } from "../../src/data/samples.ts";
import type { Model } from "../../src/graph/graph.ts";
import { slice } from "../../src/graph/tensor.ts";
import { type Chunk, createEvaluator, type Evaluator, partsOf } from "../../src/measure/evaluator.ts";
import { choose } from "../../src/plan/choose.ts";
import { dataset, onlyTerm, prepared } from "../helpers.ts";
import { buildImage, SIDE } from "../property/image-networks.ts";
import { model, node, random } from "../support/build.ts";

const r = random(9);
const convolutional = buildImage({
  seed: 5,
  opset: 17,
  channels: 4,
  stages: [{ structure: "residual", activation: "Gelu" }],
  end: "pool",
});
const dense = model({
  inputs: { x: ["N", 5] },
  outputs: ["y"],
  initializers: { w0: r.tensor([5, 9], 1), w1: r.tensor([9, 8], 0.7), w2: r.tensor([8, 3], 0.8) },
  nodes: [
    node("MatMul", ["x", "w0"], ["h0"]),
    node("Sigmoid", ["h0"], ["a0"]),
    node("MatMul", ["a0", "w1"], ["h1"]),
    node("Tanh", ["h1"], ["a1"]),
    node("MatMul", ["a1", "w2"], ["y"]),
  ],
});

const samples = { convolutional: r.tensor([150, 2, SIDE, SIDE]), dense: r.tensor([300, 5]) };

/** The samples in pieces of at most `perChunk` that end where parts of them do. */
function chunksOf(evaluator: Evaluator, perChunk: number): Chunk[] {
  const { samples, prunable } = evaluator;
  const { target, bound } = onlyTerm(evaluator);
  const chunks: Chunk[] = [];
  const parts = partsOf(samples.size);
  for (let from = 0, to: number; from < samples.size; from = to) {
    to = Math.min(from + perChunk, parts.find((part) => part > from) as number);
    const feeds = feedsOf(samples, from, to, prunable.batching);
    chunks.push({ from, to, feeds, targets: { [target]: slice(bound.targets, 0, from, to) } });
  }
  return chunks;
}

test.each<[string, Model, keyof typeof samples]>([
  ["convolutional", convolutional, "convolutional"],
  ["dense", dense, "dense"],
])("the same picks however it is computed: %s", async (_, network, name) => {
  const prunable = await prepared(network);
  const data = dataset({ x: samples[name] }); // held to its own outputs
  const subjectOn = (threads: number, memory?: number): Promise<Evaluator> =>
    createEvaluator(prunable, nodeRunner({ threads }), data, { objective: "match", memory });
  const cutInto = async (perChunk: number): Promise<Evaluator> => {
    const evaluator = await subjectOn(1);
    return { ...evaluator, chunks: chunksOf(evaluator, perChunk) };
  };
  const subjects = [await subjectOn(1), await subjectOn(2), await subjectOn(1, 0), await cutInto(24)];
  for (const [mode, racing] of [["exact"], ["lazy"], ["racing"], ["racing", { shortlist: 0.3 }]] as const) {
    const [first, ...others] = await Promise.all(
      subjects.map(async (evaluator) => {
        const criterion = oracleBy(mode, racing);
        const { trace, evaluations } = await choose(prunable, evaluator, {
          criterion,
          budget: { remove: { count: 2 } },
        });
        return { picks: trace.map(({ group, unit }) => `${group}:${unit}`), evaluations };
      }),
    );
    expect(first?.picks).toHaveLength(2);
    for (const other of others) expect(other).toEqual(first);
  }
}); // many short sessions, which a busy machine makes slow
