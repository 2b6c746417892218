import { describe, expect, test } from "vitest";
import { cut } from "../../src/surgery/cut.ts";
import { sizeAfter } from "../../src/surgery/size.ts";
import { cutDifference, prepared, removal } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(31);

/** Two layers in a row that share one weight matrix: its columns are the first's units, its rows the second's inputs. */
const shared = model({
  inputs: { x: ["N", 3] },
  outputs: ["y"],
  initializers: { "w.2": r.tensor([3]), w: r.tensor([3, 3]), v: r.tensor([3, 2]) },
  nodes: [
    node("MatMul", ["x", "w"], ["a"]),
    node("Tanh", ["a"], ["b"]),
    node("MatMul", ["b", "w"], ["c"]),
    node("Add", ["c", "w.2"], ["d"]),
    node("MatMul", ["d", "v"], ["y"]),
  ],
});

describe("an initializer that two layers share, untied", () => {
  test("does not tie them", async () => {
    const { units } = await prepared(shared, { untie: true });
    expect(units.groups.map(({ id, size }) => [id, size])).toEqual([
      ["a", 3],
      ["c", 3],
    ]);
  });

  test("gets a second copy under a free name where they are cut in two ways", async () => {
    const prunable = await prepared(shared, { untie: true });
    const removed = removal(prunable, { a: [0], c: [1, 2] });
    const { graph } = cut(prunable, removed);
    expect(Object.fromEntries([...graph.initializers].map(([name, { dims }]) => [name, dims]))).toEqual({
      "w.2": [1],
      w: [3, 2],
      v: [1, 2],
      "w.3": [2, 1],
    });
    expect(graph.nodes.map(({ inputs }) => inputs[1]).filter((name) => name?.startsWith("w"))).toEqual([
      "w",
      "w.3",
      "w.2",
    ]);
    expect(await cutDifference(shared, prunable, removed, { x: r.tensor([5, 3]) })).toBeLessThan(1e-5);
  });

  test("stays one where no use of it is cut", async () => {
    const prunable = await prepared(shared, { untie: true });
    expect(cut(prunable, removal(prunable, []))).toBe(prunable.model);
  });

  test("stays one where the uses agree", async () => {
    const siamese = model({
      inputs: { x: ["N", 3], z: ["N", 3] },
      outputs: ["y"],
      initializers: { w: r.tensor([3, 4]), b: r.tensor([4]), v: r.tensor([4, 2]) },
      nodes: [
        node("Gemm", ["x", "w", "b"], ["p"]),
        node("Gemm", ["z", "w", "b"], ["q"]),
        node("Mul", ["p", "q"], ["m"]),
        node("MatMul", ["m", "v"], ["y"]),
      ],
    });
    const prunable = await prepared(siamese);
    const removed = removal(prunable, { p: [2] });
    expect([...cut(prunable, removed).graph.initializers.keys()]).toEqual(["w", "b", "v"]);
    const feeds = { x: r.tensor([5, 3]), z: r.tensor([5, 3]) };
    expect(await cutDifference(siamese, prunable, removed, feeds)).toBeLessThan(1e-5);
    expect(sizeAfter(prunable, removed)).toEqual({ parameters: 9 + 3 + 6, macs: 9 + 9 + 6 });
  });
});

test("a copy's name is taken by no other value of the graph", async () => {
  const crowded = {
    ...shared,
    graph: shared.graph.with({
      nodes: shared.graph.nodes.map((one) =>
        one.name === "c" ? { ...one, outputs: ["w.3"] } : one.name === "d" ? { ...one, inputs: ["w.3", "w.2"] } : one,
      ),
    }),
  };
  const prunable = await prepared(crowded, { untie: true });
  const removed = removal(prunable, { a: [0] });
  expect(await cutDifference(crowded, prunable, removed, { x: r.tensor([5, 3]) })).toBeLessThan(1e-5);
});

test("sizes are counted as they are stored", async () => {
  const prunable = await prepared(shared, { untie: true });
  const counted = (gone: Record<string, number[]>) => {
    const removed = removal(prunable, gone);
    const { initializers } = cut(prunable, removed).graph;
    const stored = [...initializers.values()].reduce((sum, { size }) => sum + size, 0);
    expect(sizeAfter(prunable, removed).parameters).toBe(stored);
    return sizeAfter(prunable, removed).macs;
  };
  expect(counted({})).toBe(9 + 9 + 6);
  expect(counted({ a: [1] })).toBe(6 + 6 + 6);
  expect(counted({ a: [0, 1], c: [2] })).toBe(3 + 2 + 4);
});

test("value notes and IR 3 inputs follow the cut", async () => {
  const noted = {
    ...shared,
    irVersion: 3,
    graph: shared.graph.with({
      inputs: [...shared.graph.inputs, { name: "v", type: "float32" as const, shape: [3, 2] }],
      valueInfo: new Map([
        ["d", { name: "d", type: "float32" as const, shape: ["N", 3] }],
        ["b", { name: "b", type: "float32" as const, shape: ["N", "hidden"] }],
      ]),
    }),
  };
  const prunable = await prepared(noted, { untie: true });
  const { graph } = cut(prunable, removal(prunable, { a: [0], c: [0] }));
  expect(graph.inputs.map(({ name, shape }) => [name, shape])).toEqual([
    ["x", ["N", 3]],
    ["v", [2, 2]],
  ]);
  expect([...graph.valueInfo.values()].map(({ shape }) => shape)).toEqual([
    ["N", 2],
    ["N", "hidden"],
  ]);
});
