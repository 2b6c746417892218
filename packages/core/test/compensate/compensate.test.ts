/** Repair: exact where something can take a unit's place, the least squares that they claim to be, and proved files. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import { bind } from "../../src/compensate/bind.ts";
import type { Compensation } from "../../src/compensate/compensator.ts";
import { bindSamples } from "../../src/data/bind.ts";
import type { Model } from "../../src/graph/graph.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { Activations } from "../../src/measure/activations.ts";
import { stateOf } from "../../src/measure/state.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import type { RemovedUnits } from "../../src/surgery/kept.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { buildImage, imageNetwork, SIDE } from "../property/image-networks.ts";
import { model, node, random } from "../support/build.ts";

/** The model without units, repaired on the samples. */
async function repaired(original: Model, x: Tensor, gone: readonly number[], compensate: Compensation): Promise<Model> {
  const data = bindSamples(dataset({ x }), original.graph.feeds);
  const bound = await bind(await prepared(original), { runner, data, objective: "match", compensate });
  const { evaluator, compensator } = bound;
  if (!evaluator || !compensator) throw new Error("no compensator");
  const removed: RemovedUnits = removal(bound.prunable, gone);
  const intact = stateOf(bound.prunable, removal(bound.prunable, []));
  await compensator.repair(new Activations(evaluator, intact), removed);
  return stateOf(compensator.written, removed).model;
}

async function outputOf(network: Model, x: Tensor): Promise<Tensor> {
  const session = await runner.load(writeModel(network));
  const { y } = await session.run({ x });
  await session.release();
  return y as Tensor;
}

/** Largest difference of the outputs, relative to the largest output. */
async function difference(a: Model, b: Model, x: Tensor): Promise<number> {
  const [p, q] = [(await outputOf(a, x)).numbers, (await outputOf(b, x)).numbers];
  let [worst, largest] = [0, 0];
  for (let i = 0; i < q.length; i++) {
    worst = Math.max(worst, Math.abs((p[i] as number) - (q[i] as number)));
    largest = Math.max(largest, Math.abs(q[i] as number));
  }
  return worst / largest;
}

/** x[N, 5] -> 6 hidden units -> y[N, 3]; with `mix` the last hidden unit's weights are that sum of the others'. */
function dense(form: "Gemm" | "Gemm transposed" | "MatMul" | "MatMul Add", mix?: readonly number[]): Model {
  const r = random(3);
  const weights = Array.from({ length: 6 }, () => Array.from({ length: 5 }, () => r.normal()));
  const bias = Array.from({ length: 6 }, () => r.normal());
  if (mix) {
    weights[5] = (weights[0] as number[]).map((_, i) =>
      mix.reduce((sum, m, j) => sum + m * (weights[j]?.[i] as number), 0),
    );
    bias[5] = mix.reduce((sum, m, j) => sum + m * (bias[j] as number), 0);
  }
  const activation = mix && mix.filter((m) => m !== 0).length > 1 ? "Identity" : "Sigmoid";
  const transB = form === "Gemm" ? 0 : 1;
  const last = r.tensor(form === "Gemm transposed" ? [3, 6] : [6, 3]);
  return model({
    inputs: { x: ["N", 5] },
    outputs: ["y"],
    initializers: {
      w: tensorOf("float32", weights.flat(), [6, 5]),
      b: tensorOf("float32", bias),
      v: last,
      c: r.tensor([3]),
    },
    nodes: [
      node("Gemm", ["x", "w", "b"], ["s"], { transB: 1 }),
      node(activation, ["s"], ["h"]),
      ...(form === "MatMul"
        ? [node("MatMul", ["h", "v"], ["y"])]
        : form === "MatMul Add"
          ? [node("MatMul", ["h", "v"], ["z"]), node("Add", ["z", "c"], ["y"])]
          : [node("Gemm", ["h", "v", "c"], ["y"], { transB: form === "Gemm" ? 0 : transB })]),
    ],
  });
}

/** x[N, 2, 6, 6] -> 5 channels -> 3 channels -> y[N, 3]; with `twin` the last channel repeats the first. */
function convolution(attributes: Record<string, readonly number[]>, { bias = true, twin = false } = {}): Model {
  const r = random(4);
  const w = r.tensor([5, 2, 3, 3]);
  const numbers = Float32Array.from(w.numbers);
  const b = Float32Array.from(r.tensor([5]).numbers);
  if (twin) {
    numbers.copyWithin(4 * 18, 0, 18);
    b[4] = b[0] as number;
  }
  return model({
    inputs: { x: ["N", 2, 6, 6] },
    outputs: ["y"],
    initializers: {
      w: tensorOf("float32", numbers, [5, 2, 3, 3]),
      b: tensorOf("float32", b),
      v: r.tensor([3, 5, 3, 3]),
      c: r.tensor([3]),
    },
    nodes: [
      node("Conv", ["x", "w", "b"], ["s"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["s"], ["h"]),
      node("Conv", bias ? ["h", "v", "c"] : ["h", "v"], ["z"], attributes),
      node("GlobalAveragePool", ["z"], ["p"]),
      node("Flatten", ["p"], ["y"]),
    ],
  });
}

const vectors = random(9).tensor([60, 5]);
const images = random(8).tensor([40, 2, 6, 6]);

describe("a unit that others can replace goes without a trace", () => {
  test.each(["Gemm", "Gemm transposed", "MatMul", "MatMul Add"] as const)("a neuron's twin before %s", async (form) => {
    const original = dense(form, [1]);
    expect(await difference(await repaired(original, vectors, [5], "lstsq"), original, vectors)).toBeLessThan(1e-5);
    expect(await difference(await repaired(original, vectors, [5], "mean"), original, vectors)).toBeGreaterThan(1e-2);
  });

  test("any linear combination of the others (property)", async () => {
    const mixes = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 5, maxLength: 5 });
    await fc.assert(
      fc.asyncProperty(mixes, async (mix) => {
        const original = dense("Gemm", mix);
        expect(await difference(await repaired(original, vectors, [5], "lstsq"), original, vectors)).toBeLessThan(1e-5);
      }),
      { numRuns: 20 },
    );
  });

  test("a channel's twin, padded and strided", async () => {
    const original = convolution({ pads: [1, 1, 1, 1], strides: [2, 2] }, { twin: true });
    expect(await difference(await repaired(original, images, [4], "lstsq"), original, images)).toBeLessThan(1e-5);
  });
});

describe("what is written is proved", () => {
  test("on random compositions of structures (property)", async () => {
    const cases = fc.tuple(
      imageNetwork({ stages: 3 }),
      fc.constantFrom<Compensation>("mean", "lstsq"),
      fc.double({ min: 0.1, max: 0.5, noNaN: true }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([recipe, compensate, share]) => {
        const file = writeModel(buildImage(recipe));
        const data = dataset({ x: random(recipe.seed).tensor([12, 2, SIDE, SIDE]) });
        const budget = { remove: { share } };
        const result = await prune(file, {
          runner,
          data,
          criterion: "random",
          compensate,
          budget,
          seed: recipe.seed,
          traceEvery: 20,
        });
        expect(result.summary.verified).toBeLessThan(1e-4);
        expect(result.plan.compensation).toBe(compensate);
        const again = await applyPlan(file, result.plan, { runner, data });
        const x = data.inputs.x as Tensor;
        expect(await difference(readModel(again.bytes), readModel(result.bytes), x)).toBeLessThan(1e-3);
      }),
      { numRuns: 12 },
    );
  });
});

describe("what is repaired", () => {
  const samples = (channels: number): Tensor => random(12).tensor([40, channels, 6, 6]);
  const run = (network: Model, x: Tensor, memory?: number) =>
    prune(writeModel(network), {
      runner,
      data: dataset({ x }),
      criterion: "magnitude",
      compensate: "lstsq",
      budget: { remove: { share: 0.4 } },
      ...(memory && { memory }),
    });

  test("does not depend on how much may be kept", async () => {
    const recipe = { seed: 7, opset: 17, channels: 8, end: "pool" } as const;
    const stages = (["convolution", "residual", "batch norm"] as const).map((structure) => {
      return { structure, activation: "Relu" as const };
    });
    const network = buildImage({ ...recipe, stages });
    const [plenty, nothing] = [await run(network, samples(2)), await run(network, samples(2), 1)];
    expect(nothing.plan).toEqual(plenty.plan);
    expect(await difference(readModel(nothing.bytes), readModel(plenty.bytes), samples(2))).toBeLessThan(1e-4);
  });

  test("does not depend on which axis holds the samples", async () => {
    const r = random(15);
    const shared = { w: r.tensor([5, 8]), b: r.tensor([8]), v: r.tensor([8, 3]), c: r.tensor([3]) };
    const network = (shape: readonly (string | number)[]): Model =>
      model({
        inputs: { x: shape },
        outputs: ["y"],
        initializers: shared,
        nodes: [
          node("MatMul", ["x", "w"], ["m"]),
          node("Add", ["m", "b"], ["s"]),
          node("Sigmoid", ["s"], ["h"]),
          node("MatMul", ["h", "v"], ["z"]),
          node("Add", ["z", "c"], ["y"]),
        ],
      });
    const x = r.tensor([30, 7, 5]); // a third of the samples judges, so that chunks are parted
    const [samplesFirst, timeFirst] = [await run(network(["N", 7, 5]), x), await run(network([7, "N", 5]), x)];
    expect(timeFirst.plan.removed).toEqual(samplesFirst.plan.removed);
    const fitted = ({ bytes }: typeof timeFirst): readonly number[] =>
      Array.from(readModel(bytes).graph.initializers.get("v")?.numbers ?? []);
    for (const [at, weight] of fitted(timeFirst).entries()) {
      expect(weight).toBeCloseTo(fitted(samplesFirst)[at] as number, 3);
    }
  });

  test("obs sees units by what their removal changes where no reader can be fitted", async () => {
    const r = random(16);
    const v = r.tensor([4, 3, 2, 2]); // by unit: the later, the more it counts
    const wider = tensorOf(
      "float32",
      Array.from(v.numbers, (value, i) => value * 4 ** Math.floor(i / 12)),
      v.dims,
    );
    const network = model({
      inputs: { x: ["N", 2, 6, 6] },
      outputs: ["y"],
      initializers: { w: r.tensor([4, 2, 3, 3]), v: wider },
      nodes: [
        node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
        node("Relu", ["a"], ["h"]),
        node("ConvTranspose", ["h", "v"], ["y"]),
      ],
    });
    for (const compensate of ["none", "lstsq"] as const) {
      const data = dataset({ x: samples(2) });
      const options = { runner, data, criterion: "obs", compensate, budget: { remove: { count: 3 } } };
      const { summary } = await prune(writeModel(network), options);
      expect(summary.removed.map(({ unit }) => unit)).toEqual([0, 1, 2]);
    }
  });

  test("names the layers that it leaves as they are, and why", async () => {
    const r = random(6);
    const network = model({
      inputs: { x: ["N", 2, 6, 6] },
      outputs: ["y"],
      initializers: { w: r.tensor([6, 2, 3, 3]), v: r.tensor([6, 3, 2, 2]), u: r.tensor([3, 2]) },
      nodes: [
        node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
        node("Relu", ["a"], ["h"]),
        node("ConvTranspose", ["h", "v"], ["z"]),
        node("GlobalAveragePool", ["z"], ["p"]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "u"], ["y"]),
      ],
    });
    const { summary } = await run(network, samples(2));
    expect(summary.unfitted).toEqual([
      { layer: "z", reason: 'ConvTranspose "z": weights of this operator and form are not fitted' },
    ]);
    expect((await run(dense("Gemm"), vectors)).summary.unfitted).toBeUndefined();
  });
});
