/** What cannot be cut, and the reason that `inspect` shows. */
import { describe, expect, test } from "vitest";
import { oracle } from "../../src/criteria/oracle.ts";
import { int64 } from "../../src/graph/tensor.ts";
import { inspect } from "../../src/inspect.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { choose } from "../../src/plan/choose.ts";
import { prune } from "../../src/prune.ts";
import { groupOf } from "../../src/units/units.ts";
import { cutDifference, dataset, prepared, removal, runner, sizes } from "../helpers.ts";
import { AttributeType, floats, info, modelFile, node as protoNode } from "../onnx/files.ts";
import { model, node, random } from "../support/build.ts";

const r = random(12);
const values = (count: number): number[] => Array.from(r.tensor([count]).numbers);

/** x -> first -> h -> (nodes) -> y, with a second layer beside. */
function withBody(captured: string): Uint8Array {
  const branch = (opType: string) => ({
    name: opType,
    node: [protoNode(opType, [captured], ["inner"])],
    output: [info("inner", ["N", "C"])],
  });
  return modelFile({
    node: [
      protoNode("MatMul", ["x", "w1"], ["h"], { name: "first" }),
      protoNode("Tanh", ["h"], ["a"]),
      protoNode("MatMul", ["a", "w2"], ["b"], { name: "second" }),
      protoNode("Relu", ["b"], ["c"]),
      protoNode("If", ["flag"], ["d"], {
        attribute: [
          { name: "then_branch", type: AttributeType.GRAPH, g: branch("Neg") },
          { name: "else_branch", type: AttributeType.GRAPH, g: branch("Exp") },
        ],
      }),
      protoNode("ReduceMean", ["d"], ["e"]),
      protoNode("MatMul", ["c", "w3"], ["f"], { name: "last" }),
      protoNode("Add", ["f", "e"], ["y"]),
    ],
    initializer: [
      floats("w1", values(8), [2, 4]),
      floats("w2", values(12), [4, 3]),
      floats("w3", values(6), [3, 2]),
      { name: "flag", dataType: 9, rawData: Uint8Array.of(1) },
    ],
    input: [info("x", ["N", 2])],
    output: [info("y", ["N", 2])],
  });
}

describe("a control-flow body", () => {
  test("freezes the units whose values it reads, and no others", async () => {
    const original = readModel(withBody("c"));
    const prunable = await prepared(original);
    expect(sizes(prunable)).toEqual({ first: 4 });
    expect(prunable.units.frozen.find(({ layer }) => layer === "second")).toMatchObject({
      value: "b",
      axis: 1,
      size: 3,
      reason: 'If "d" reads it inside its body',
    });
    const removed = removal(prunable, { first: [1, 3] });
    expect(await cutDifference(original, prunable, removed, { x: r.tensor([4, 2]) })).toBeLessThan(1e-5);
  });

  test("freezes the weights that it reads, in all their uses", async () => {
    const prunable = await prepared(readModel(withBody("w2")));
    expect(sizes(prunable)).toEqual({});
    const reason = 'If "d" reads it inside its body';
    expect(prunable.units.frozen.slice(0, 2)).toMatchObject([
      { layer: "first", size: 4, reason },
      { layer: "second", size: 3, reason },
    ]);
  });

  test("that reads a layer's weights keeps them whole, while the layer's own copy is cut, where they are untied", async () => {
    const original = readModel(withBody("w2"));
    const prunable = await prepared(original, { untie: true });
    expect(sizes(prunable)).toEqual({ first: 4, second: 3 });
    const removed = removal(prunable, { first: [0], second: [2] });
    expect(await cutDifference(original, prunable, removed, { x: r.tensor([4, 2]) })).toBeLessThan(1e-5);
  });
});

test("layers in the bodies of control flow are listed, and what they are of the model", async () => {
  const branch = (width: number) => ({
    name: `branch${width}`,
    initializer: [floats(`in${width}`, values(4 * width), [4, width]), floats("out", values(width * 2), [width, 2])],
    node: [
      protoNode("MatMul", ["h", `in${width}`], ["i"], { name: `wide${width}` }),
      protoNode("MatMul", ["i", "out"], ["o"], { name: `last${width}` }),
    ],
    output: [info("o", ["N", 2])],
  });
  const file = modelFile({
    node: [
      protoNode("MatMul", ["x", "w"], ["h"], { name: "first" }),
      protoNode("If", ["flag"], ["y"], {
        attribute: [
          { name: "then_branch", type: AttributeType.GRAPH, g: branch(3) },
          { name: "else_branch", type: AttributeType.GRAPH, g: branch(5) },
        ],
      }),
    ],
    initializer: [floats("w", values(12), [3, 4])],
    input: [info("x", ["N", 3]), info("flag", [], 9)],
    output: [info("y", ["N", 2])],
  });
  const { frozen, obstacles } = await inspect(file, { runner });
  const inside = frozen.filter(({ layer }) => layer !== "first");
  expect(inside.map(({ layer, size }) => [layer, size])).toEqual([
    ["wide3", 3],
    ["last3", 2],
    ["wide5", 5],
    ["last5", 2],
  ]);
  expect(inside[0]?.reason).toBe('stands in a body of If "y", which is left as it is');
  expect(obstacles.find(({ reason }) => reason === "stands in a body of If")).toMatchObject({
    count: 12,
    units: 12 / 16,
    parameters: 48 / 60, // of both branches
    macs: 30 / 42, // of the larger one
    layers: ["wide3", "last3", "wide5", "last5"],
  });
});

const dense = (nodes: Parameters<typeof model>[0]["nodes"], outputs = ["y"]) =>
  model({
    inputs: { x: ["N", 3] },
    outputs,
    initializers: { w1: random(1).tensor([3, 4]), w2: random(2).tensor([4, 2]) },
    nodes,
  });

test("every frozen layer is listed with value, axis, size and reason", async () => {
  const hidden = dense([
    node("MatMul", ["x", "w1"], ["h"]),
    node("Hardmax", ["h"], ["a"]),
    node("MatMul", ["a", "w2"], ["y"]),
  ]);
  const { frozen, groups, units } = await inspect(writeModel(hidden), { runner, name: "m.onnx" });
  expect([groups, units]).toEqual([[], 0]);
  expect(frozen).toEqual([
    { value: "h", axis: 1, size: 4, reason: 'Hardmax "a": operator without a rule', layer: "h" },
    { value: "y", axis: 1, size: 2, reason: 'output "y" of the model', layer: "y" },
  ]);
});

test("obstacles are grouped by cause, with the share of MACs and parameters that depends on each", async () => {
  const hidden = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w1: r.tensor([3, 4]), w2: r.tensor([4, 4]), w3: r.tensor([4, 6]), w4: r.tensor([6, 2]) },
    nodes: [
      node("MatMul", ["x", "w1"], ["h"]),
      node("Hardmax", ["h"], ["a"]),
      node("MatMul", ["a", "w2"], ["i"]),
      node("Hardmax", ["i"], ["b"]),
      node("MatMul", ["b", "w3"], ["j"]),
      node("MatMul", ["j", "w4"], ["y"]),
    ],
  });
  const { removable, obstacles } = await inspect(writeModel(hidden), { runner });
  const all = 12 + 16 + 24 + 12; // MACs of the four layers, as many as their weights
  expect(removable).toEqual({ units: 6 / 16, parameters: 36 / all, macs: 36 / all });
  expect(obstacles).toEqual([
    {
      reason: "Hardmax: operator without a rule",
      count: 8,
      units: 8 / 16,
      parameters: 52 / all,
      macs: 52 / all,
      alone: { units: 8 / 16, parameters: 52 / all, macs: 52 / all },
      layers: ["h", "i"],
    },
    {
      reason: "outputs of the model",
      count: 2,
      units: 2 / 16,
      parameters: 12 / all,
      macs: 12 / all,
      alone: { units: 2 / 16, parameters: 12 / all, macs: 12 / all },
      layers: ["y"],
    },
  ]);
});

test("units that two causes freeze count at both, and at neither alone", async () => {
  const hidden = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w1: r.tensor([3, 4]), w2: r.tensor([4, 2]) },
    nodes: [
      node("MatMul", ["x", "w1"], ["h"]),
      node("Hardmax", ["h"], ["a"]),
      node("ReduceMean", ["h"], ["m"], { axes: [1] }),
      node("Sub", ["a", "m"], ["b"]),
      node("MatMul", ["b", "w2"], ["y"]),
    ],
  });
  const { obstacles, frozen } = await inspect(writeModel(hidden), { runner });
  const none = { units: 0, parameters: 0, macs: 0 };
  const both = { count: 4, units: 4 / 6, macs: 1, alone: none, layers: ["h"] };
  expect(obstacles.filter(({ reason }) => reason !== "outputs of the model")).toMatchObject([
    { reason: "Hardmax: operator without a rule", ...both },
    { reason: "ReduceMean averages over this axis", ...both },
  ]);
  expect(frozen[0]?.reason).toBe('Hardmax "a": operator without a rule');
});

test("where no axis can carry units through a Reshape, the operator that would need a rule is named", async () => {
  const unknown = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w1: r.tensor([3, 6]), w2: r.tensor([6, 2]), s: int64([0, 3, 2]), back: int64([0, 6]) },
    nodes: [
      node("MatMul", ["x", "w1"], ["h"]),
      node("Reshape", ["h", "s"], ["a"]),
      node("Hardmax", ["a"], ["b"]),
      node("Reshape", ["b", "back"], ["c"]),
      node("MatMul", ["c", "w2"], ["y"]),
    ],
  });
  const { obstacles } = await inspect(writeModel(unknown), { runner });
  expect(obstacles[0]).toMatchObject({ reason: "Hardmax: operator without a rule", count: 6, alone: { units: 6 / 8 } });
});

test("units that nothing sums over are not removable, and it is said", async () => {
  const open = dense([node("MatMul", ["x", "w1"], ["h"]), node("Relu", ["h"], ["y"])]);
  const { frozen } = (await prepared(open)).units;
  expect(frozen.map(({ reason }) => reason)).toEqual(['output "y" of the model']);
});

test("a hidden value that is also an output of the model freezes", async () => {
  const seen = dense([node("MatMul", ["x", "w1"], ["h"]), node("MatMul", ["h", "w2"], ["y"])], ["y", "h"]);
  expect((await prepared(seen)).units.groups).toEqual([]);
});

describe("a model with nothing to remove", () => {
  const bare = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w: random(1).tensor([3, 2]) },
    nodes: [node("MatMul", ["x", "w"], ["y"])],
  });
  const data = dataset({ x: r.tensor([6, 3]) }, { labels: Int32Array.of(0, 1, 0, 1, 0, 1) });

  test("is inspected, and chosen from without a removal", async () => {
    const prunable = await prepared(bare);
    expect(prunable.units).toMatchObject({ count: 0, groups: [] });
    const chosen = await choose(prunable, await createEvaluator(prunable, runner, data), { criterion: oracle });
    expect(chosen).toMatchObject({ trace: [], reached: true, evaluations: 0 });
    expect(chosen.stopped).toContain("no more removable units");
    expect(() => groupOf(prunable.units, 0)).toThrow("unit 0");
  });

  test("comes out of prune as it went in, unless a goal was set", async () => {
    const file = writeModel(bare);
    const result = await prune(file, { runner, data, budget: { maxErrorRise: 1 } });
    expect(result.summary).toMatchObject({ removed: [], verified: 0 });
    expect(readModel(result.bytes).graph.initializers.get("w")?.dims).toEqual([3, 2]);
    await expect(prune(file, { runner, data, budget: { remove: { count: 1 } } })).rejects.toThrow(
      "model: nothing can be removed, so nothing was written; inspect shows why",
    );
  });
});
