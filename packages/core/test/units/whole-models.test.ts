/** Models with parts that cannot be cut: they load, are inspected, say what is frozen, and the rest of them is cut. */
import { describe, expect, test } from "vitest";
import { int64, tensorOf } from "../../src/graph/tensor.ts";
import { inspect } from "../../src/inspect.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { findUnits } from "../../src/units/find.ts";
import { cutBytes, cutDifference, dataset, prepared, removal, runner, sizes } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(31);

describe("an LSTM", () => {
  const [features, hidden] = [6, 4];
  const recurrent = model({
    inputs: { x: ["N", "T", 3] },
    outputs: ["y"],
    initializers: {
      w0: r.tensor([3, features]),
      W: r.tensor([1, 4 * hidden, features], 0.5),
      R: r.tensor([1, 4 * hidden, hidden], 0.5),
      direction: int64([0]),
      w1: r.tensor([hidden, 8]),
      w2: r.tensor([8, 2]),
    },
    nodes: [
      node("MatMul", ["x", "w0"], ["before"]),
      node("Transpose", ["before"], ["steps"], { perm: [1, 0, 2] }),
      node("LSTM", ["steps", "W", "R"], ["", "state"], { hidden_size: hidden }, { name: "memory" }),
      node("Squeeze", ["state", "direction"], ["last"]),
      node("MatMul", ["last", "w1"], ["h"]),
      node("Tanh", ["h"], ["a"]),
      node("MatMul", ["a", "w2"], ["y"]),
    ],
  });

  test("is cut, with what it reads and what reads it", async () => {
    const summary = await inspect(writeModel(recurrent), { runner });
    expect(summary.groups.map(({ id, kind, size }) => [id, kind, size])).toEqual([
      ["before", "neuron", features],
      ["memory", "hidden unit", hidden],
      ["h", "neuron", 8],
    ]);
    expect(summary.assumed).toEqual([{ input: "x", axis: 1, length: 16 }]);
  });

  test("of a form that is not known freezes what it reads and makes, by operator, node and axis", async () => {
    const { graph } = recurrent;
    const nodes = graph.nodes.map((one) =>
      one.opType === "LSTM"
        ? { ...one, attributes: { ...one.attributes, layout: { kind: "int", value: 1 } as const } }
        : one,
    );
    const stored = graph.with({ nodes });
    const shapes = new Map((await prepared(recurrent, { shapes: { x: [1, 16, 3] } })).shapes);
    const { frozen } = findUnits(stored, shapes, 17);
    const reason = 'LSTM "memory" mixes the indexes of this axis';
    expect(frozen.map((one) => [one.layer, one.reason])).toContainEqual(["before", reason]);
  });

  test("is pruned by derivatives", async () => {
    const data = dataset({ x: r.tensor([5, 7, 3]) }, { targets: r.tensor([5, 2]) });
    const file = writeModel(recurrent);
    const { bytes, summary } = await prune(file, {
      runner,
      data,
      criterion: "taylor1",
      only: ["h"],
      budget: { remove: { count: 3 } },
    });
    expect(summary.layers.map(({ after }) => after)).toEqual([features, hidden, 5]);
    expect(readModel(bytes).graph.initializers.get("w1")?.dims).toEqual([hidden, 5]);
  });

  test("without data a length is assumed as inspect does, and the summary says so", async () => {
    const budget = { remove: { count: 1 } };
    const { summary } = await prune(writeModel(recurrent), { runner, criterion: "magnitude", budget });
    const { macs, assumed } = await inspect(writeModel(recurrent), { runner });
    expect(summary.assumed).toEqual(assumed);
    expect(summary.before.macs).toBe(macs);
  });
});

test("an operator of another domain freezes what it reads, the rest is cut", async () => {
  const original = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    domains: { "com.microsoft": 1 },
    initializers: { w1: r.tensor([3, 5]), w2: r.tensor([5, 6]), w3: r.tensor([6, 2]), b: r.tensor([5]) },
    nodes: [
      node("MatMul", ["x", "w1"], ["h"]),
      node("BiasGelu", ["h", "b"], ["a"], {}, { name: "own", domain: "com.microsoft" }),
      node("MatMul", ["a", "w2"], ["g"]),
      node("Relu", ["g"], ["c"]),
      node("MatMul", ["c", "w3"], ["y"]),
    ],
  });
  const prunable = await prepared(original);
  expect(sizes(prunable)).toEqual({ g: 6 });
  expect(prunable.units.frozen[0]).toMatchObject({ layer: "h", reason: 'BiasGelu "own": operator without a rule' });
  const removed = removal(prunable, { g: [0, 3] });
  expect(await cutDifference(original, prunable, removed, { x: r.tensor([4, 3]) })).toBeLessThan(1e-5);
});

describe("a batch fixed to 1", () => {
  const fixed = (target: number[]) =>
    model({
      inputs: { x: [1, 2, 4, 4] },
      outputs: { y: [1, 3] },
      initializers: { w1: r.tensor([4, 2, 1, 1]), to: int64(target), w2: r.tensor([64, 3]) },
      nodes: [
        node("Conv", ["x", "w1"], ["h"]),
        node("Relu", ["h"], ["a"]),
        node("Reshape", ["a", "to"], ["f"]),
        node("MatMul", ["f", "w2"], ["y"]),
      ],
    });
  const data = dataset({ x: r.tensor([6, 2, 4, 4]) }, { targets: r.tensor([6, 3]) });

  test("is freed where that changes nothing", async () => {
    const prunable = await prepared(fixed([1, 64]));
    expect(prunable.model.graph.inputs[0]?.shape?.[0]).toBe("N");
    const session = await runner.load(cutBytes(prunable, removal(prunable, { h: [1] })));
    expect((await session.run({ x: r.tensor([3, 2, 4, 4]) })).y?.dims).toEqual([3, 3]);
    await session.release();
  });

  test("else the model runs sample by sample, and is pruned all the same", async () => {
    // the mean over the first axis would mix samples
    const mixing = model({
      inputs: { x: [1, 3] },
      outputs: { y: [1, 2] },
      initializers: { w1: r.tensor([3, 6]), w2: r.tensor([6, 2]) },
      nodes: [
        node("ReduceMean", ["x"], ["m"], { axes: [0], keepdims: 1 }),
        node("Sub", ["x", "m"], ["d"]),
        node("Add", ["d", "x"], ["e"]),
        node("MatMul", ["e", "w1"], ["h"]),
        node("Tanh", ["h"], ["a"]),
        node("MatMul", ["a", "w2"], ["y"]),
      ],
    });
    const prunable = await prepared(mixing);
    expect(prunable.model.graph.inputs[0]?.shape?.[0]).toBe(1);
    const rows = dataset({ x: r.tensor([6, 3]) }, { targets: r.tensor([6, 2]) });
    for (const criterion of ["oracle", "taylor2"]) {
      const budget = { remove: { count: 2 } };
      const { bytes, summary } = await prune(writeModel(mixing), { runner, data: rows, criterion, budget });
      expect(summary.after.units).toBe(4);
      expect(readModel(bytes).graph.inputs[0]?.shape).toEqual([1, 3]);
    }
  });

  test("the freed model is pruned by measured error", async () => {
    const budget = { remove: { count: 2 } };
    const { summary } = await prune(writeModel(fixed([1, -1])), { runner, data, criterion: "oracle", budget });
    expect(summary.after.units).toBe(2);
  });
});

test("quantised weights stay quantised", async () => {
  const quantised = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: {
      q: tensorOf("int8", [9, -8, 7, 6, -5, 4, 3, 2, -1, 12, 11, -10], [3, 4]),
      s: tensorOf("float32", [0.1, 0.2, 0.3, 0.4]),
      z: tensorOf("int8", [1, 0, -1, 2]),
      w2: r.tensor([4, 2]),
    },
    nodes: [
      node("DequantizeLinear", ["q", "s", "z"], ["w"], { axis: 1 }),
      node("MatMul", ["x", "w"], ["h"]),
      node("Relu", ["h"], ["a"]),
      node("MatMul", ["a", "w2"], ["y"]),
    ],
  });
  const prunable = await prepared(quantised);
  const { initializers } = readModel(cutBytes(prunable, removal(prunable, { h: [1, 2] }))).graph;
  expect(Array.from(initializers.get("q")?.numbers ?? [])).toEqual([9, 6, -5, 2, -1, -10]);
  expect(initializers.get("q")?.type).toBe("int8");
  expect(initializers.get("s")?.dims).toEqual([2]);
  expect(Array.from(initializers.get("z")?.numbers ?? [])).toEqual([1, 2]);
});

test("a shared initializer is cut in two ways where its uses differ and are untied", async () => {
  const shared = model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: { w: r.tensor([4, 4]), last: r.tensor([4, 2]) },
    nodes: [
      node("MatMul", ["x", "w"], ["h"]),
      node("Relu", ["h"], ["a"]),
      node("MatMul", ["a", "w"], ["g"]),
      node("Tanh", ["g"], ["b"]),
      node("MatMul", ["b", "last"], ["y"]),
    ],
  });
  const prunable = await prepared(shared, { untie: true });
  expect(sizes(prunable)).toEqual({ h: 4, g: 4 });
  const removed = removal(prunable, { h: [0], g: [1, 3] });
  expect(await cutDifference(shared, prunable, removed, { x: r.tensor([5, 4]) })).toBeLessThan(1e-5);
  const { initializers } = readModel(cutBytes(prunable, removed)).graph;
  expect([initializers.get("w")?.dims, initializers.get("w.2")?.dims]).toEqual([
    [4, 3],
    [3, 2],
  ]);
});
