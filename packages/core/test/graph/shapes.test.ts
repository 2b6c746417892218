import fc from "fast-check";
import { expect, test } from "vitest";
import { stack } from "../../src/graph/batching.ts";
import { dummyFeeds } from "../../src/graph/dummy-inputs.ts";
import type { Model } from "../../src/graph/graph.ts";
import { inputLayouts } from "../../src/graph/input-layout.ts";
import type { Values } from "../../src/graph/pieces.ts";
import { probeRun } from "../../src/graph/probe-run.ts";
import { batchingOf, probeShapes, shapesOf } from "../../src/graph/shapes.ts";
import { shortenSums } from "../../src/graph/short-sums.ts";
import { float32, int64 } from "../../src/graph/tensor.ts";
import { readModel } from "../../src/onnx/index.ts";
import type { Runner } from "../../src/runner.ts";
import { runner } from "../helpers.ts";
import { buildImage, imageNetwork } from "../property/image-networks.ts";
import { model, node, random } from "../support/build.ts";

/** The shapes that runs of the model as it is show. */
async function shapesByRunning(whole: Model): Promise<Awaited<ReturnType<typeof probeShapes>>> {
  const layouts = inputLayouts(whole.graph, {});
  const batching = batchingOf(layouts);
  const [first, second] = dummyFeeds(layouts, 2) as [Values, Values];
  const runs = await probeRun(whole, runner, [first, stack([first, second], batching) as Values]);
  const [one, two] = runs.map((run) => {
    if (run instanceof Error) throw run;
    return run;
  });
  if (!one || !two) throw new Error("two feeds give two runs");
  return { shapes: shapesOf(whole.graph, layouts, one, { together: { run: two, samples: 2 } }), batching };
}

test("shapes of sums cut short are those of the whole network", async () => {
  let shortened = 0;
  await fc.assert(
    fc.asyncProperty(imageNetwork(), async (recipe) => {
      const whole = buildImage(recipe);
      shortened += shortenSums(whole).sums.length;
      expect(await probeShapes(whole, runner)).toEqual(await shapesByRunning(whole));
    }),
    { numRuns: 40 },
  );
  expect(shortened).toBeGreaterThan(40);
});

const weights = { w: random(1).tensor([6, 4, 3, 3]) };
const inputs = { x: ["N", 4, 8, 8] };

test("every kind of sum over weights is cut as short as its groups allow", async () => {
  const whole = model({
    inputs,
    outputs: ["y"],
    initializers: {
      ...weights,
      grouped: random(3).tensor([4, 3, 1, 1]),
      up: random(4).tensor([4, 2, 2, 2]),
      a: random(5).tensor([4, 7]),
      b: random(6).tensor([5, 7]),
    },
    nodes: [
      node("Conv", ["x", "w"], ["conv"]),
      node("Conv", ["conv", "grouped"], ["halves"], { group: 2 }),
      node("ConvTranspose", ["halves", "up"], ["transposed"], { group: 2, strides: [2, 2] }),
      node("GlobalAveragePool", ["transposed"], ["pooled"]),
      node("Flatten", ["pooled"], ["flat"]),
      node("MatMul", ["flat", "a"], ["dense"]),
      node("Gemm", ["dense", "b"], ["y"], { transB: 1 }),
    ],
  });
  const { graph, sums } = shortenSums(whole);
  expect(sums.map(({ value, axis, length }) => [value, axis, length])).toEqual([
    ["x", 1, 4],
    ["conv", 1, 6],
    ["halves", 1, 4],
    ["flat", -1, 4],
    ["dense", 1, 7],
  ]);
  expect([...graph.initializers].filter(([name]) => name.endsWith("/short")).map(([, { dims }]) => dims)).toEqual([
    [6, 1, 3, 3],
    [4, 1, 1, 1],
    [2, 2, 2, 2],
    [1, 7],
    [5, 1],
  ]);
  expect(await probeShapes(whole, runner)).toEqual(await shapesByRunning(whole));
});

test("where the place of a maximum decides on a shape, all is computed as it is", async () => {
  const whole = model({
    inputs,
    outputs: ["y"],
    initializers: { ...weights, one: int64([1]), reals: float32([0]) },
    nodes: [
      node("Conv", ["x", "w"], ["conv"]),
      node("GlobalAveragePool", ["conv"], ["pooled"]),
      node("Flatten", ["pooled"], ["flat"]),
      node("ArgMax", ["flat"], ["best"], { axis: 1, keepdims: 0 }),
      node("ReduceMax", ["best"], ["length"], { axes: [0], keepdims: 1 }),
      node("Add", ["length", "one"], ["positive"]),
      node("Expand", ["reals", "positive"], ["y"]),
    ],
  });
  expect(shortenSums(whole)).toEqual({ graph: whole.graph, sums: [] });
});

test("what only counts axes, or is read by nobody, keeps no sum long", () => {
  const whole = model({
    inputs,
    outputs: ["y"],
    initializers: { ...weights },
    nodes: [
      node("Conv", ["x", "w"], ["conv"]),
      node("Dropout", ["conv"], ["kept", "mask"]),
      node("Shape", ["kept"], ["dims"]),
      node("ConstantOfShape", ["dims"], ["zeros"]),
      node("Add", ["kept", "zeros"], ["y"]),
    ],
  });
  expect(shortenSums(whole).sums).toHaveLength(1);
});

test("lengths that Resize reads from reals keep the sums that give them", () => {
  const whole = model({
    inputs,
    outputs: ["y"],
    initializers: { ...weights, s: random(7).tensor([4, 4]) },
    nodes: [
      node("GlobalAveragePool", ["x"], ["pooled"]),
      node("Squeeze", ["pooled"], ["flat"]),
      node("MatMul", ["flat", "s"], ["scales"]),
      node("Resize", ["x", "", "scales"], ["y"]),
    ],
  });
  expect(shortenSums(whole).sums).toEqual([]);
});

test("weights that do not fit what they are multiplied with are named", async () => {
  const whole = model({
    inputs: { x: ["N", 5, 8, 8] },
    outputs: ["y"],
    initializers: weights,
    nodes: [node("Conv", ["x", "w"], ["y"])],
  });
  await expect(probeShapes(whole, runner)).rejects.toThrow(
    'Conv "y": its weights are for 4 inputs, but "x" has 5; the model is damaged, export it again',
  );
});

test("a runtime that takes the model, but not with sums cut short, is asked for the model", async () => {
  const whole = model({ inputs, outputs: ["y"], initializers: weights, nodes: [node("Conv", ["x", "w"], ["y"])] });
  let refused = 0;
  const picky: Runner = {
    ...runner,
    load(bytes, options) {
      const { graph } = readModel(bytes);
      if (!graph.nodes.some(({ opType }) => opType === "Slice")) return runner.load(bytes, options);
      refused++;
      return Promise.reject(new Error("no Slice"));
    },
  };
  expect(await probeShapes(whole, picky)).toEqual(await shapesByRunning(whole));
  expect(refused).toBe(1);
});

test("names of the model are kept free of what probing adds", async () => {
  const whole = model({
    inputs,
    outputs: ["y"],
    initializers: { w: weights.w },
    nodes: [
      node("Conv", ["x", "w"], ["y/shape"]),
      node("Relu", ["y/shape"], ["Slice/out"]),
      node("Neg", ["Slice/out"], ["y"]),
    ],
  });
  const { shapes } = await probeShapes(whole, runner);
  expect(shapes.get("y")).toEqual({ type: "float32", dims: [1, 6, 6, 6], batchAxis: 0 });
});
