/** Whole runs on models of old and new opsets: whatever is appended to a model or built beside it is known there. */
import { describe, expect, test } from "vitest";
import { int64, type Tensor } from "../src/graph/tensor.ts";
import { writeModel } from "../src/onnx/index.ts";
import { prune } from "../src/prune.ts";
import { dataset, runner } from "./helpers.ts";
import { model, node, random } from "./support/build.ts";

const r = random(4);
const SAMPLES = 40;

const dense: Record<string, Tensor> = {
  "a.w": r.tensor([4, 6], 0.7),
  "a.b": r.tensor([6], 0.3),
  "b.w": r.tensor([6, 6], 0.7),
  "b.b": r.tensor([6], 0.3),
  "c.w": r.tensor([6, 3]),
  "c.b": r.tensor([3]),
  first: int64([0]),
  width: int64([6]),
};

/** The target of its Reshape is computed from the samples' number and a width that changes with a cut. */
const denseModel = (opset: number) =>
  model({
    opset,
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: dense,
    nodes: [
      node("Gemm", ["x", "a.w", "a.b"], ["a"]),
      node("Relu", ["a"], ["ar"]),
      node("Shape", ["ar"], ["shape"]),
      node("Gather", ["shape", "first"], ["batch"]),
      node("Concat", ["batch", "width"], ["target"], { axis: 0 }),
      node("Reshape", ["ar", "target"], ["same"]),
      node("Gemm", ["same", "b.w", "b.b"], ["b"]),
      node("Relu", ["b"], ["br"]),
      node("Gemm", ["br", "c.w", "c.b"], ["c"]),
      node("Softmax", ["c"], ["y"], { axis: 1 }),
    ],
  });

const image: Record<string, Tensor> = {
  "a.w": r.tensor([6, 2, 3, 3], 0.4),
  "a.b": r.tensor([6], 0.3),
  gamma: r.tensor([6]),
  beta: r.tensor([6]),
  mean: r.tensor([6]),
  variance: r.tensor([6], 0),
  "b.w": r.tensor([6, 6, 3, 3], 0.4),
  "b.b": r.tensor([6], 0.3),
  "c.w": r.tensor([6 * 4, 3]),
  "c.b": r.tensor([3]),
};

const imageModel = (opset: number) =>
  model({
    opset,
    inputs: { x: ["N", 2, 4, 4] },
    outputs: ["c"],
    initializers: image,
    nodes: [
      node("Conv", ["x", "a.w", "a.b"], ["a"], { pads: [1, 1, 1, 1] }),
      node("BatchNormalization", ["a", "gamma", "beta", "mean", "variance"], ["an"], { epsilon: 1 }),
      node("Relu", ["an"], ["ar"]),
      node("MaxPool", ["ar"], ["ap"], { kernel_shape: [2, 2], strides: [2, 2] }),
      node("Conv", ["ap", "b.w", "b.b"], ["b"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["b"], ["br"]),
      node("Add", ["ap", "br"], ["sum"]),
      node("Flatten", ["sum"], ["flat"]),
      node("Gemm", ["flat", "c.w", "c.b"], ["c"]),
    ],
  });

const rows = random(7);
const networks = {
  dense: {
    build: denseModel,
    data: dataset(
      { x: rows.tensor([SAMPLES, 4]) },
      { labels: Int32Array.from({ length: SAMPLES }, () => rows.int(3)) },
    ),
  },
  image: {
    build: imageModel,
    data: dataset({ x: rows.tensor([SAMPLES, 2, 4, 4]) }, { targets: rows.tensor([SAMPLES, 3]) }),
  },
};

describe.each([7, 8, 9, 10, 11, 13, 18, 25])("opset %i", (opset) => {
  test.each([
    ["dense", "oracle", "lstsq"],
    ["dense", "taylor2", "mean"],
    ["dense", "obs", "none"],
    ["image", "oracle", "none"],
    ["image", "taylor2", "lstsq"],
    ["image", "obs", "lstsq"],
  ] as const)("%s by %s, repair: %s", async (kind, criterion, compensate) => {
    const { build, data } = networks[kind];
    const file = writeModel(build(opset));
    const { summary } = await prune(file, { runner, data, criterion, compensate, budget: { remove: { count: 4 } } });
    expect(summary.removed).toHaveLength(4);
    expect(summary.verified).toBeLessThan(1e-4); // the file computes what the run measured, up to float32 rounding
  });
});
