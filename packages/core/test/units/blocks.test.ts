/** Branches that go whole: what is added in their place, what goes with them, and that the file computes what the gates do. */
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { inspect } from "../../src/inspect.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { cutDifference, dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(83);

/** x[N, 6] -> stream of 8 -> two blocks of hidden neurons, the second scaled -> y. */
const dense = (biased: boolean): Model =>
  model({
    inputs: { x: ["N", 6] },
    outputs: ["y"],
    initializers: {
      ...{ in: r.tensor([6, 8]), u1: r.tensor([8, 5]), d1: r.tensor([5, 8], 0.5), e1: r.tensor([8], 0.4) },
      ...{
        u2: r.tensor([8, 7]),
        d2: r.tensor([7, 8], 0.5),
        e2: r.tensor([8], 0.4),
        s2: r.tensor([8]),
        out: r.tensor([8, 3]),
      },
    },
    nodes: [
      node("MatMul", ["x", "in"], ["r0"]),
      node("MatMul", ["r0", "u1"], ["h1"]),
      node("Relu", ["h1"], ["a1"]),
      node("MatMul", ["a1", "d1"], ["m1"]),
      ...(biased ? [node("Add", ["e1", "m1"], ["b1"])] : []),
      node("Add", ["r0", biased ? "b1" : "m1"], ["r1"]),
      node("MatMul", ["r1", "u2"], ["h2"]),
      node("Tanh", ["h2"], ["a2"]),
      node("Gemm", ["a2", "d2", "e2"], ["m2"]),
      node("Mul", ["m2", "s2"], ["b2"]),
      node("Add", ["b2", "r1"], ["r2"]),
      node("MatMul", ["r2", "out"], ["y"]),
    ],
  });

/** x[N, 2, 6, 6] -> stream of 6 channels -> a bottleneck of 4 and 5 channels with normalisations -> pooled -> y. */
const bottleneck = (): Model => {
  const normal = (x: string, y: string, name: string): Node =>
    node("BatchNormalization", [x, `${name}g`, `${name}b`, `${name}m`, `${name}v`], [y]);
  const statistics = (name: string, channels: number): Record<string, Tensor> => ({
    [`${name}g`]: r.tensor([channels]),
    [`${name}b`]: r.tensor([channels], 0.3),
    [`${name}m`]: r.tensor([channels], 0.3),
    [`${name}v`]: model({
      inputs: {},
      outputs: [],
      nodes: [],
      initializers: { v: Array(channels).fill(0.7) },
    }).graph.initializers.get("v") as Tensor,
  });
  return model({
    inputs: { x: ["N", 2, 6, 6] },
    outputs: ["y"],
    initializers: {
      ...{
        k0: r.tensor([6, 2, 3, 3]),
        k1: r.tensor([4, 6, 1, 1]),
        k2: r.tensor([5, 4, 3, 3]),
        k3: r.tensor([6, 5, 1, 1]),
        w: r.tensor([6, 3]),
      },
      ...statistics("p", 5),
      ...statistics("q", 6),
    },
    nodes: [
      node("Conv", ["x", "k0"], ["s0"]),
      node("Conv", ["s0", "k1"], ["c1"]),
      node("Relu", ["c1"], ["a1"]),
      node("Conv", ["a1", "k2"], ["c2"], { pads: [1, 1, 1, 1] }),
      normal("c2", "n2", "p"),
      node("Relu", ["n2"], ["a2"]),
      node("Conv", ["a2", "k3"], ["c3"]),
      normal("c3", "n3", "q"),
      node("Add", ["n3", "s0"], ["s1"]),
      node("Relu", ["s1"], ["t"]),
      node("GlobalAveragePool", ["t"], ["g"]),
      node("Flatten", ["g"], ["f"]),
      node("MatMul", ["f", "w"], ["y"]),
    ],
  });
};

const networks: [name: string, network: Model, shape: number[], branches: string[], gone: string[]][] = [
  ["dense, the first without a bias", dense(false), [6], ["h1", "h2"], ["h1", "a1", "m1"]],
  ["dense", dense(true), [6], ["h1", "h2"], ["h1", "a1", "m1", "b1"]],
  ["a bottleneck with normalisations", bottleneck(), [2, 6, 6], ["c2"], ["c1", "c2", "c3", "n3"]],
];

describe.each(networks)("%s", (_, network, shape, branches, gone) => {
  const kinds = ["block"] as const;

  test("groups at the end of a branch go whole, and what is inside with them", async () => {
    const { units } = await prepared(network, { kinds });
    expect(units.groups.filter((group) => group.branches).map(({ layer }) => layer)).toEqual(branches);
    expect((await inspect(network, { runner })).frozen.length).toBeLessThan(
      (await inspect(network, { runner, kinds })).frozen.length,
    );
  });

  test("the smaller file is the gated original, without the branch", async () => {
    const prunable = await prepared(network, { kinds: ["block", "neuron", "channel"] });
    const [first] = prunable.units.groups.filter((group) => group.branches);
    const units = (first?.inside ?? []).flatMap((number) => {
      const { first: from = 0, size = 0 } = prunable.units.groups[number] ?? {};
      return Array.from({ length: size }, (_unit, at) => from + at);
    });
    expect(
      await cutDifference(network, prunable, removal(prunable, units), { x: r.tensor([7, ...shape]) }),
    ).toBeLessThan(1e-6);
  });

  test.each([
    ["oracle", "none"],
    ["obs", "lstsq"],
  ] as const)("by %s with repair %s, from file to file, and again by its plan", async (criterion, compensate) => {
    const file = writeModel(network);
    const data = dataset({ x: r.tensor([60, ...shape]) });
    const { bytes, plan, summary } = await prune(file, {
      ...{ runner, data, criterion, compensate, kinds, objective: "match", only: [branches[0] as string] },
      budget: { remove: { share: 1 } },
      bestEffort: true,
    });
    expect(summary.verified).toBeLessThan(1e-5);
    const left = readModel(bytes).graph.nodes.flatMap(({ outputs }) => outputs);
    expect(left.filter((name) => gone.includes(name) && name !== "m1")).toEqual([]);
    expect(summary.layers.find(({ layer }) => layer === branches[0])?.after).toBe(0);
    expect((await applyPlan(file, plan, { runner, data })).bytes).toEqual(bytes);
  });
});

test("with the units' own kinds too they go one by one, and the last takes the branch", async () => {
  const { summary, bytes } = await prune(writeModel(dense(true)), {
    ...{
      runner,
      data: dataset({ x: r.tensor([60, 6]) }),
      objective: "match",
      kinds: ["neuron", "block"],
      only: ["h1"],
    },
    budget: { remove: { count: 5 } },
  });
  expect(summary.removed.map(({ unit }) => unit)).toHaveLength(5);
  expect(readModel(bytes).graph.nodes.map(({ opType }) => opType)).not.toContain("Relu");
});
