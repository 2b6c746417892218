/** Layers that share weights are cut together, and the weights stay one tensor. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import type { Model } from "../../src/graph/graph.ts";
import { int64, tensorOf } from "../../src/graph/tensor.ts";
import { inspect } from "../../src/inspect.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { cut } from "../../src/surgery/cut.ts";
import { cutDifference, dataset, errorWithout, oracleErrors, prepared, removal, runner, sizes } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { embedding, recursive, sharedNetworks, siamese, tied } from "./shared-networks.ts";

const r = random(61);

/** Elements of all real initializers of a file. */
function stored(network: Model): number {
  return [...network.graph.initializers.values()]
    .filter(({ type }) => type === "float32")
    .reduce((sum, { size }) => sum + size, 0);
}

describe("one group for all uses", () => {
  test("of a siamese network's layers", async () => {
    const prunable = await prepared(siamese().model);
    expect(sizes(prunable)).toEqual({ a1: 6, z1: 5 });
    expect(prunable.units.groups[0]?.sinks.map(({ node: reader }) => reader)).toEqual(["z1", "z2"]);
  });

  test.each([false, true])("of a tied autoencoder's layers (weights behind a Transpose: %s)", async (byNode) => {
    const prunable = await prepared(tied(byNode).model);
    expect(sizes(prunable)).toEqual({ a: 7, c: 4 });
  });

  test("of a layer that is applied again and again: its inputs and outputs are the same units", async () => {
    const prunable = await prepared(recursive().model);
    expect(sizes(prunable)).toEqual({ h0: 6 });
    const removed = removal(prunable, { h0: [0, 4] });
    expect(cut(prunable, removed).graph.initializers.get("w")?.dims).toEqual([4, 4]);
  });

  test("of word vectors that are read again as a layer", async () => {
    const prunable = await prepared(embedding().model);
    expect(sizes(prunable)).toEqual({ x: 6, a: 8 });
    const { graph } = cut(prunable, removal(prunable, { x: [1] }));
    expect(graph.initializers.get("table")?.dims).toEqual([10, 5]);
    expect(graph.nodes.map(({ opType }) => opType)).toContain("Transpose");
  });
});

describe.each(Object.entries(sharedNetworks))("%s", (_, make) => {
  test.each([false, true])("is cut as it is gated, and what stays shared is stored once (untie: %s)", async (untie) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 2 ** 20 }),
        fc.integer({ min: 0, max: 2 ** 20 }),
        async (seed, bits) => {
          const network = make(seed);
          const prunable = await prepared(network.model, { untie });
          const gone = Array.from({ length: prunable.units.count }, (_, unit) => unit).filter(
            (unit) => (bits >> (unit % 20)) & 1 && prunable.units.groups.every(({ first }) => first !== unit),
          );
          const removed = removal(prunable, gone);
          expect(await cutDifference(network.model, prunable, removed, network.inputs)).toBeLessThan(1e-5);
          if (!untie) expect(stored(cut(prunable, removed))).toBeLessThanOrEqual(stored(network.model));
        },
      ),
      { numRuns: 5 },
    );
  });

  test("is measured: the oracle's errors are those of whole passes", async () => {
    const { model: original, inputs } = make();
    const prunable = await prepared(original);
    const evaluator = await createEvaluator(prunable, runner, dataset(inputs), { objective: "match" });
    const all = Array.from({ length: prunable.units.count }, (_, unit) => unit);
    const removed = removal(prunable, [1]);
    const errors = await oracleErrors(evaluator, [removed], all);
    for (const [unit, error] of errors) {
      const expected = await errorWithout(evaluator, removal(prunable, [1, unit]));
      expect(Math.abs(error - expected), `unit ${unit}`).toBeLessThan(1e-4 * (1 + expected));
    }
  });

  test.each(["oracle", "taylor1", "taylor2", "fisher", "activation", "magnitude"])(
    "is pruned by %s, tied and untied, and the plan gives the same bytes again",
    async (criterion) => {
      const { model: original, inputs } = make();
      const file = writeModel(original);
      for (const untie of [false, true]) {
        const data = criterion === "magnitude" ? undefined : dataset(inputs);
        const budget = { remove: { share: 0.5 } };
        const { bytes, plan, summary } = await prune(file, { runner, data, criterion, budget, untie });
        expect(summary.verified).toBeLessThan(1e-5);
        expect(plan.untie).toBe(untie || undefined);
        expect(summary.after.parameters).toBe(stored(readModel(bytes)));
        if (!untie) expect(summary.after.parameters).toBeLessThan(0.8 * summary.before.parameters);
        expect((await applyPlan(file, plan, { runner })).bytes).toEqual(bytes);
      }
    },
  );
});

describe("where one use cannot be cut", () => {
  const frozen = model({
    inputs: { x: ["N", 4] },
    outputs: ["y", "z"],
    initializers: { w: r.tensor([4, 5]), v: r.tensor([5, 2]) },
    nodes: [
      node("Gemm", ["x", "w"], ["h"], {}, { name: "first" }),
      node("Relu", ["h"], ["a"]),
      node("Gemm", ["a", "v"], ["y"]),
      node("Neg", ["x"], ["m"]),
      node("Gemm", ["m", "w"], ["z"], {}, { name: "second" }),
    ],
  });

  test("none is, and the reason names the weights and the other use", async () => {
    const { groups, frozen: rows, obstacles } = await inspect(writeModel(frozen), { runner });
    expect(groups).toEqual([]);
    expect(rows.map(({ layer, size, reason }) => [layer, size, reason])).toEqual([
      ["first", 5, 'shares "w" with Gemm "second", where it cannot be cut'],
      ["y", 2, 'output "y" of the model'],
      ["second", 5, 'output "z" of the model'],
    ]);
    expect(obstacles.map(({ reason }) => reason)).toContain("shares weights with a layer that cannot be cut");
  });

  test("the others are where they are untied", async () => {
    const prunable = await prepared(frozen, { untie: true });
    expect(sizes(prunable)).toEqual({ first: 5 });
    const removed = removal(prunable, { first: [1, 2] });
    expect(await cutDifference(frozen, prunable, removed, { x: r.tensor([4, 4]) })).toBeLessThan(1e-5);
  });
});

describe("constants that are equal by chance do not tie layers", () => {
  test("biases, scales and statistics", async () => {
    const layer = (x: string, k: number) => [
      node("Conv", [x, `w${k}`, "zeros"], [`c${k}`]),
      node("BatchNormalization", [`c${k}`, "ones", "zeros", "zeros", "ones"], [`n${k}`]),
      node("Relu", [`n${k}`], [`h${k}`]),
    ];
    const network = model({
      inputs: { x: ["N", 2, 4, 4] },
      outputs: ["y"],
      initializers: {
        w1: r.tensor([4, 2, 1, 1]),
        w2: r.tensor([4, 4, 1, 1]),
        last: r.tensor([2, 4, 1, 1]),
        ones: [1, 1, 1, 1],
        zeros: [0, 0, 0, 0],
      },
      nodes: [...layer("x", 1), ...layer("h1", 2), node("Conv", ["h2", "last"], ["y"])],
    });
    const prunable = await prepared(network);
    expect(sizes(prunable)).toEqual({ c1: 4, c2: 4 });
    const removed = removal(prunable, { c1: [0], c2: [1, 2] });
    expect(await cutDifference(network, prunable, removed, { x: r.tensor([3, 2, 4, 4]) })).toBeLessThan(1e-5);
  });

  test("filters that are the same for all channels", async () => {
    const blur = tensorOf(
      "float32",
      Array.from({ length: 36 }, (_, i) => [1, 2, 1, 2, 4, 2, 1, 2, 1][i % 9] as number),
      [4, 1, 3, 3],
    );
    const layer = (x: string, k: number) => [
      node("Conv", [x, `w${k}`], [`c${k}`]),
      node("Relu", [`c${k}`], [`h${k}`]),
      node("Conv", [`h${k}`, "blur"], [`d${k}`], { group: 4, pads: [1, 1, 1, 1] }),
    ];
    const network = model({
      inputs: { x: ["N", 2, 5, 5] },
      outputs: ["y"],
      initializers: { w1: r.tensor([4, 2, 1, 1]), w2: r.tensor([4, 4, 1, 1]), last: r.tensor([2, 4, 1, 1]), blur },
      nodes: [...layer("x", 1), ...layer("d1", 2), node("Conv", ["d2", "last"], ["y"])],
    });
    expect(sizes(await prepared(network))).toEqual({ c1: 4, c2: 4 });
  });

  test("but a vector that layers multiply with does", async () => {
    const network = model({
      inputs: { x: ["N", 5], z: ["N", 5] },
      outputs: ["y"],
      initializers: { a: r.tensor([5, 4]), b: r.tensor([5, 4]), w: r.tensor([4, 1]) },
      nodes: [
        node("MatMul", ["x", "a"], ["p"]),
        node("MatMul", ["z", "b"], ["q"]),
        node("MatMul", ["p", "w"], ["s"]),
        node("MatMul", ["q", "w"], ["t"]),
        node("Add", ["s", "t"], ["y"]),
      ],
    });
    expect(sizes(await prepared(network))).toEqual({ p: 4 });
    expect(sizes(await prepared(network, { untie: true }))).toEqual({ p: 4, q: 4 });
  });
});

test("a table of positions that the file computes is cut where it is read, and stays computed", async () => {
  const [steps, width] = [60, 24];
  const network = model({
    inputs: { x: ["N", steps, 3] },
    outputs: ["y"],
    initializers: {
      w: r.tensor([3, width]),
      v: r.tensor([width, 2]),
      zero: tensorOf("float32", [0], []),
      steps: tensorOf("float32", [steps], []),
      width: tensorOf("float32", [width], []),
      one: tensorOf("float32", [1], []),
      column: int64([steps, 1]),
    },
    nodes: [
      node("Range", ["zero", "steps", "one"], ["t"]),
      node("Range", ["zero", "width", "one"], ["f"]),
      node("Reshape", ["t", "column"], ["rows"]),
      node("Mul", ["rows", "f"], ["angles"]),
      node("Sin", ["angles"], ["table"]),
      node("MatMul", ["x", "w"], ["h"]),
      node("Add", ["h", "table"], ["s"]),
      node("MatMul", ["s", "v"], ["y"]),
    ],
  });
  const prunable = await prepared(network);
  expect(sizes(prunable)).toEqual({ h: width });
  const removed = removal(prunable, { h: [0, 7, 20] });
  expect(await cutDifference(network, prunable, removed, { x: r.tensor([2, steps, 3]) })).toBeLessThan(1e-5);
  expect(writeModel(cut(prunable, removed)).byteLength).toBeLessThan(writeModel(network).byteLength + 300);
});
