/** Test data are reported on and never looked at for a choice: other classes in them change nothing that is written. */
import { expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Model } from "../../src/graph/graph.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { type PruneOptions, prune } from "../../src/prune.ts";
import { dataset, runner } from "../helpers.ts";
import { buildImage, OUTPUTS, SIDE } from "../property/image-networks.ts";
import { build } from "../property/networks.ts";
import { random } from "../support/build.ts";

const layer = { form: "Gemm", normalize: false, skip: false, branches: [], move: "nothing", width: 8 } as const;
const dense = build({
  seed: 5,
  opset: 17,
  inputs: 4,
  layers: [
    { ...layer, activation: "Sigmoid" },
    { ...layer, activation: "Relu" },
  ],
  outputs: OUTPUTS,
  end: "softmax",
}).model;
const convolutional = buildImage({
  seed: 6,
  opset: 17,
  channels: 8,
  stages: [{ structure: "residual", activation: "Relu" }],
  end: "flatten",
});
const r = random(12);
const samples = (size: number, dims: readonly number[]): Dataset => {
  const labels = Int32Array.from({ length: size }, () => Math.floor(r.uniform() * OUTPUTS));
  return dataset({ x: r.tensor([size, ...dims]) }, { labels });
};
const networks: [string, Model, readonly number[]][] = [
  ["dense", dense, [4]],
  ["convolutional", convolutional, [2, SIDE, SIDE]],
];
const runs: [string, Partial<PruneOptions>][] = [
  ["oracle", { budget: { remove: { share: 0.5 } } }],
  ["oracle", { oracle: "lazy", budget: { targetMacs: 0.6 } }],
  ["oracle", { oracle: "racing", budget: { maxErrorRise: 0.3 } }],
  ["oracle", { holdOut: 0.3, budget: { maxAccuracyDrop: 0.1 } }],
  ["taylor2", { budget: { maxAccuracyDrop: 0.1 } }],
  ["taylor-abs", { schedule: "once", align: 2, budget: { targetParams: 0.6 } }],
  ["fisher", { budget: { targetBytes: { share: 0.8 } } }],
  ["magnitude", { budget: { remove: { share: 0.5 } } }],
  ["obs", { compensate: "lstsq", compensationCurves: true, budget: { remove: { share: 0.5 } } }],
  ["obs", { compensate: "lstsq", polish: true, budget: { targetMacs: 0.6 } }],
  ["oracle", { compensate: "mean", polish: true, holdOut: 0.3, budget: { maxAccuracyDrop: 0.2 } }],
  ["random", { polish: true, budget: { remove: { share: 0.5 } } }],
];

for (const [name, original, dims] of networks) {
  test.each(runs)(`${name}, %s, %j`, async (criterion, options) => {
    const data = samples(40, dims);
    const held = samples(30, dims);
    const other = { ...held, labels: Int32Array.from(held.labels ?? [], (label) => (label + 1) % OUTPUTS) };
    const of = (set: Dataset) =>
      prune(writeModel(original), { runner, data, test: set, criterion, bestEffort: true, ...options });
    const [first, second] = [await of(held), await of(other)];
    expect(first.summary.removed.length).toBeGreaterThan(0);
    expect(second.bytes).toEqual(first.bytes);
    expect(second.plan).toEqual(first.plan);
    expect(second.summary.after.test?.error).not.toBe(first.summary.after.test?.error);
  });
}
