/** Repair of layers that share weights, and of layers without a bias: what is shared stays shared, what is added is needed. */
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import { bind } from "../../src/compensate/bind.ts";
import { bindSamples } from "../../src/data/bind.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { Activations } from "../../src/measure/activations.ts";
import { stateOf } from "../../src/measure/state.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { sharedNetworks, tied } from "../units/shared-networks.ts";

const SAMPLES = 80;

function stored(network: Model): number {
  return [...network.graph.initializers.values()]
    .filter(({ type }) => type === "float32")
    .reduce((sum, { size }) => sum + size, 0);
}

/** Error of the network without units, with the repair and without it, and the repaired model. */
async function repair(original: Model, inputs: Readonly<Record<string, Tensor>>, gone: readonly number[]) {
  const data = bindSamples(dataset(inputs), original.graph.feeds);
  const options = { runner, data, objective: "match", compensate: "lstsq" } as const;
  const { prunable, evaluator, compensator } = await bind(await prepared(original), options);
  if (!evaluator || !compensator) throw new Error("no compensator");
  const removed = removal(prunable, gone);
  const before = (await evaluator.evaluate(stateOf(prunable, removed).model)).quality.error;
  await compensator.repair(new Activations(evaluator, stateOf(prunable, removal(prunable, []))), removed);
  const { model: after } = stateOf(compensator.written, removed);
  return { before, after: (await evaluator.evaluate(after)).quality.error, model: after };
}

/**
 * Two inputs through layers of their own, then through one shared layer v. Of each branch's hidden units the last is the
 * same mix of the others, plus a constant of the branch.
 */
function twoBranches(biases: "own" | "shared" | "none", rank: 2 | 3): Model {
  const r = random(5);
  const mix = [0.5, -1, 0.7, 0.2];
  const branch = (offset: number) => {
    const w = Array.from({ length: 3 }, () => {
      const row = mix.map(() => r.normal());
      return [...row, row.reduce((sum, value, i) => sum + value * (mix[i] as number), 0)];
    });
    const b = mix.map(() => r.normal());
    return { w, b: [...b, b.reduce((sum, value, i) => sum + value * (mix[i] as number), 0) + offset] };
  };
  const [first, second] = [branch(1), branch(-2)];
  const layer = (k: 1 | 2): Node[] => {
    const biased = biases === "none" ? [] : [node("Add", [`s${k}`, biases === "own" ? `c${k}` : "c1"], [`z${k}`])];
    return [
      node("MatMul", [`x${k}`, `w${k}`], [`a${k}`]),
      node("Add", [`a${k}`, `b${k}`], [`h${k}`]),
      node("MatMul", [`h${k}`, "v"], [`s${k}`]),
      ...biased,
    ];
  };
  const end = biases === "none" ? "s" : "z";
  const shape = rank === 2 ? ["N", 3] : ["N", 4, 3];
  return model({
    inputs: { x1: shape, x2: shape },
    outputs: ["y"],
    initializers: {
      w1: first.w,
      b1: first.b,
      w2: second.w,
      b2: second.b,
      v: r.tensor([5, 4]),
      c1: r.tensor([4]),
      c2: r.tensor([4]),
      u: r.tensor([4, 2]),
    },
    nodes: [
      ...layer(1),
      ...layer(2),
      node("Tanh", [`${end}1`], ["t1"]),
      node("Sigmoid", [`${end}2`], ["t2"]),
      node("Mul", ["t1", "t2"], ["m"]),
      node("MatMul", ["m", "u"], ["y"]),
    ],
  });
}

const samples = (rank: 2 | 3): Record<string, Tensor> => {
  const r = random(6);
  const dims = rank === 2 ? [SAMPLES, 3] : [SAMPLES, 4, 3];
  return { x1: r.tensor(dims), x2: r.tensor(dims) };
};

describe("a layer that two branches share", () => {
  test.each([
    ["own", 2],
    ["own", 3],
    ["none", 2],
    ["none", 3],
  ] as const)(
    "makes up for a unit that is a mix of others in both, each by its own bias (%s, rank %d)",
    async (biases, rank) => {
      const original = twoBranches(biases, rank);
      const { units } = await prepared(original);
      const group = units.groups.find(({ size }) => size === 5);
      const { before, after, model: repaired } = await repair(original, samples(rank), [(group?.first ?? 0) + 4]);
      expect(before).toBeGreaterThan(1e-2);
      expect(after).toBeLessThan(1e-6 * before);
      expect(repaired.graph.initializers.get("v")?.dims).toEqual([4, 4]);
      expect(repaired.graph.nodes.filter(({ inputs }) => inputs[1] === "v")).toHaveLength(2);
    },
  );

  test("keeps a bias that it shares, and fits it to both", async () => {
    const original = twoBranches("shared", 2);
    const { units } = await prepared(original);
    const group = units.groups.find(({ size }) => size === 5);
    const { before, after, model: repaired } = await repair(original, samples(2), [(group?.first ?? 0) + 4]);
    expect(after).toBeLessThan(before); // one bias cannot follow two constants
    const reading = (name: string): number => repaired.graph.nodes.filter(({ inputs }) => inputs.includes(name)).length;
    expect([reading("v"), reading("c1")]).toEqual([2, 2]);
  });
});

describe.each(Object.entries(sharedNetworks))("%s", (_, make) => {
  const { model: original } = make();
  const [name, input] = Object.entries(make().inputs)[0] as [string, Tensor];
  const many = Object.fromEntries(
    Object.entries(make().inputs).map(([key, { type, dims }], at) => {
      const r = random(70 + at);
      const wide = [SAMPLES, ...dims.slice(1)];
      const count = wide.reduce((product, dim) => product * dim, 1);
      if (type === "float32") return [key, r.tensor(wide)];
      return [
        key,
        tensorOf(
          type,
          Array.from({ length: count }, () => r.int(10)),
          wide,
        ),
      ];
    }),
  );

  test.each([
    ["obs", "lstsq"],
    ["obs", "none"],
    ["magnitude", "mean"],
    ["oracle", "lstsq"],
  ] as const)("%s with %s: verified, smaller, replayed, and the weights stay shared", async (criterion, compensate) => {
    expect(input.dims[0], name).toBeGreaterThan(0);
    const file = writeModel(original);
    const data = dataset(many);
    const budget = { remove: { share: 0.4 } };
    const { bytes, plan, summary } = await prune(file, { runner, data, criterion, compensate, budget });
    expect(summary.verified).toBeLessThan(1e-4);
    expect(summary.after.parameters).toBe(stored(readModel(bytes)));
    expect(summary.after.parameters).toBeLessThan(0.9 * summary.before.parameters);
    const again = await applyPlan(file, plan, { runner, data });
    if (compensate === "none") expect(again.bytes).toEqual(bytes);
    else expect(again.bytes.byteLength).toBe(bytes.byteLength);
  });

  test("a repair brings the outputs closer", async () => {
    const { units } = await prepared(original);
    const gone = units.groups.flatMap(({ first }) => [first, first + 1]);
    const { before, after } = await repair(original, many, gone);
    expect(after).toBeLessThan(before);
  });
});

test("weights in two roles stay as they are, and it is said", async () => {
  const network = tied(false);
  const data = dataset(network.inputs);
  const { bytes, summary } = await prune(writeModel(network.model), {
    runner,
    data,
    compensate: "lstsq",
    budget: { remove: { count: 3 } },
  });
  expect(summary.unfitted?.[0]).toEqual({
    layer: "c",
    reason: 'Gemm "c": Gemm "d" reads its weights too, in another role: only its bias is fitted',
  });
  const { initializers } = readModel(bytes).graph;
  expect([...initializers.keys()].sort()).toEqual(["b1", "b2", "b3", "b4", "w1", "w2"]);
});

describe("layers without bias", () => {
  const gated = (residual: boolean, glu: boolean, rank: 2 | 3): Model => {
    const r = random(9);
    return model({
      inputs: { x: rank === 2 ? ["N", 6] : ["N", 5, 6] },
      outputs: ["y"],
      initializers: {
        i: r.tensor([6, 8]),
        g: r.tensor([8, 10], 0.5),
        u: r.tensor([8, 10], 0.5),
        d: r.tensor([10, 8], 0.5),
        o: r.tensor([8, 3]),
      },
      nodes: [
        node("MatMul", ["x", "i"], ["h"]),
        node("MatMul", ["h", "g"], ["a"]),
        node("Sigmoid", ["a"], ["s"]),
        ...(glu ? [node("MatMul", ["h", "u"], ["b"]), node("Mul", ["s", "b"], ["m"])] : [node("Neg", ["s"], ["m"])]),
        node("MatMul", ["m", "d"], ["z"]),
        ...(residual ? [node("Add", ["h", "z"], ["e"])] : [node("Tanh", ["z"], ["e"])]),
        node("MatMul", ["e", "o"], ["y"]),
      ],
    });
  };
  const all = [true, false].flatMap((residual) =>
    [true, false].flatMap((glu) => ([2, 3] as const).map((rank) => [residual, glu, rank] as const)),
  );

  test.each(all)("residual %s, gated %s, rank %d: repaired, and cut without a repair", async (residual, glu, rank) => {
    const file = writeModel(gated(residual, glu, rank));
    const data = dataset({ x: random(10).tensor(rank === 2 ? [60, 6] : [60, 5, 6]) });
    const budget = { remove: { share: 0.3 } };
    for (const compensate of ["none", "mean", "lstsq"] as const) {
      const { bytes, summary, plan } = await prune(file, { runner, data, criterion: "obs", compensate, budget });
      const { graph } = readModel(bytes);
      expect(summary.after.parameters, compensate).toBe(stored({ ...gated(residual, glu, rank), graph }));
      expect(graph.initializers.get("d")?.size).toBeLessThan(80);
      if (compensate === "none") {
        expect([...graph.initializers.keys()].every((key) => key.length === 1)).toBe(true);
        expect((await applyPlan(file, plan, { runner })).bytes).toEqual(bytes);
      }
    }
  });

  test("a sum with a value that is broadcast is not taken for a residual", async () => {
    const r = random(11);
    const network = model({
      inputs: { x: ["N", 6] },
      outputs: ["y"],
      initializers: { w: r.tensor([6, 8]), v: r.tensor([8, 4]) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["h"]),
        node("MatMul", ["h", "v"], ["s"]),
        node("ReduceMean", ["x"], ["scalar"], { keepdims: 0 }),
        node("Mul", ["scalar", "scalar"], ["square"]),
        node("Add", ["s", "square"], ["y"]),
      ],
    });
    const data = dataset({ x: r.tensor([40, 6]) });
    const budget = { remove: { count: 3 } };
    const { summary } = await prune(writeModel(network), { runner, data, compensate: "lstsq", budget });
    expect(summary.after.units).toBe(5);
  });
});

test("a network in which no layer can be fitted is pruned all the same, and it is said", async () => {
  const r = random(12);
  const network = model({
    inputs: { x: ["N", 2, 4, 4] },
    outputs: ["y"],
    initializers: { w: r.tensor([12, 2, 3, 3], 0.5), v: r.tensor([12, 3, 2, 2], 0.5) },
    nodes: [
      node("Conv", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["h"]),
      node("ConvTranspose", ["h", "v"], ["y"], { strides: [2, 2] }),
    ],
  });
  const data = dataset({ x: r.tensor([30, 2, 4, 4]) });
  for (const criterion of ["obs", "oracle"]) {
    const options = { runner, data, criterion, compensate: "lstsq", budget: { remove: { count: 4 } } } as const;
    const { summary, bytes } = await prune(writeModel(network), options);
    expect(summary.unfitted).toHaveLength(1);
    expect(readModel(bytes).graph.initializers.get("v")?.dims).toEqual([8, 3, 2, 2]);
  }
});
