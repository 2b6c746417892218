/** Half precision: read as float32, cut, repaired, and written with the types of the file. */
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import type { Model } from "../../src/graph/graph.ts";
import { asStored, STORED_AS_IT_IS } from "../../src/graph/stored-types.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { dataset, runner } from "../helpers.ts";
import { closeTo, model, node, random } from "../support/build.ts";
import { type HalfForm, halved } from "../support/halved.ts";

const r = random(3);
const forms: HalfForm[] = ["throughout", "inside", "weights"];

/** x[N, 3, 8, 8] -> convolutions with a normalisation and a residual sum -> dense layer. */
function network(): Model {
  return model({
    inputs: { x: ["N", 3, 8, 8] },
    outputs: ["y"],
    initializers: {
      w1: r.tensor([16, 3, 3, 3], 0.3),
      b1: r.tensor([16], 0.1),
      scale: r.tensor([16], 0.2),
      shift: r.tensor([16], 0.1),
      mean: r.tensor([16], 0.1),
      variance: tensorOf(
        "float32",
        Array.from({ length: 16 }, () => r.uniform(0.5, 2)),
        [16],
      ),
      w2: r.tensor([16, 16, 3, 3], 0.15),
      w3: r.tensor([16, 5], 0.5),
    },
    nodes: [
      node("Conv", ["x", "w1", "b1"], ["c1"], { pads: [1, 1, 1, 1] }),
      node("BatchNormalization", ["c1", "scale", "shift", "mean", "variance"], ["n1"]),
      node("Relu", ["n1"], ["r1"]),
      node("Conv", ["r1", "w2"], ["c2"], { pads: [1, 1, 1, 1] }),
      node("Add", ["c2", "r1"], ["s"]),
      node("Relu", ["s"], ["r2"]),
      node("GlobalAveragePool", ["r2"], ["p"]),
      node("Flatten", ["p"], ["f"]),
      node("MatMul", ["f", "w3"], ["y"]), // no bias: a repair adds one
    ],
  });
}

const typesIn = (bytes: Uint8Array): Set<string> => {
  const { graph } = readModel(bytes);
  const large = [...graph.initializers.values()].filter(({ size }) => size > 16);
  return new Set(large.map(({ type }) => type));
};

describe.each(forms)("half precision %s", (form) => {
  const original = network();
  const file = writeModel(halved(original, form));
  const x = r.tensor([40, 3, 8, 8]);
  const data = dataset({ x: form === "throughout" ? tensorOf("float16", x.numbers, x.dims) : x });

  test.each(["none", "mean", "lstsq"] as const)("compensation %s", async (compensate) => {
    const budget = { remove: { count: 6 } };
    const options = { runner, data, compensate, criterion: "taylor2", budget, objective: "match" };
    const { bytes, plan, summary } = await prune(file, options);
    expect(typesIn(bytes)).toEqual(new Set(["float16"]));
    expect(bytes.byteLength).toBeLessThan(file.byteLength - 6 * 2 * 9 * 3);
    expect(summary.verified).toBeLessThan(0.05);
    expect(summary.after.bytes).toBe(bytes.byteLength);
    const [was, is] = [readModel(file).graph, readModel(bytes).graph];
    const ports = (of: typeof was) => [...of.feeds, ...of.outputs].map(({ name, type }) => [name, type]);
    expect(ports(is)).toEqual(ports(was));
    const replayed = await applyPlan(file, plan, { runner, data });
    expect(replayed.bytes).toEqual(bytes);
  });
});

test("what is cut of float32 and of half precision is the same units, with outputs that rounding explains", async () => {
  const [original, samples] = [network(), r.tensor([12, 3, 8, 8])];
  const options = { runner, data: dataset({ x: samples }), criterion: "magnitude", budget: { remove: { share: 0.4 } } };
  const single = await prune(writeModel(original), options);
  for (const form of forms) {
    const half = await prune(writeModel(halved(original, form)), options);
    expect(half.plan.removed).toEqual(single.plan.removed);
    const feed = form === "throughout" ? tensorOf("float16", samples.numbers, samples.dims) : samples;
    const [a, b] = [await outputs(half.bytes, feed), await outputs(single.bytes, samples)];
    expect(closeTo(tensorOf("float32", a.numbers, a.dims), b)).toBeLessThan(0.02);
  }
});

async function outputs(bytes: Uint8Array, x: Tensor): Promise<Tensor> {
  const session = await runner.load(bytes);
  const { y } = await session.run({ x });
  await session.release();
  return y as Tensor;
}

test("bfloat16, which no processor runs, is cut and repaired all the same", async () => {
  const original = network();
  const names = [...original.graph.initializers.keys(), ...original.graph.nodes.flatMap((one) => one.outputs), "x"];
  const types = new Map(names.map((name) => [name, "bfloat16" as const]));
  const file = writeModel(asStored(original, { ...STORED_AS_IT_IS, types }, () => undefined));
  const options = { runner, data: dataset({ x: r.tensor([30, 3, 8, 8]) }), budget: { remove: { count: 5 } } };
  const latency = { clock: () => performance.now(), threads: 1 };
  const { bytes, summary } = await prune(file, { ...options, criterion: "obs", compensate: "lstsq", latency });
  expect(typesIn(bytes)).toEqual(new Set(["bfloat16"]));
  expect(summary.removed).toHaveLength(5);
  expect(summary.latency).toBeUndefined();
});
