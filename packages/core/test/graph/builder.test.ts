import { describe, expect, test } from "vitest";
import { GraphBuilder } from "../../src/graph/builder.ts";
import { float32, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { runner } from "../helpers.ts";
import { closeTo, model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";

const x = random(2).tensor([2, 3, 4]);
const one = float32([1.5]);

/** Infinities with the signs of x. */
const infinite = (b: GraphBuilder): string => b.div("x", b.scalar(0));

/** What each method builds from x[2, 3, 4]. */
const methods: Readonly<Record<string, (b: GraphBuilder) => string>> = {
  "sum over axes": (b) => b.sum("x", [0, 2]),
  "sum over axes, kept": (b) => b.sum("x", [1], true),
  "sum over all": (b) => b.sum("x"),
  "sum over no axis": (b) => b.add(b.sum("x", []), "one"),
  "max over axes": (b) => b.max("x", [2], true),
  "mean over axes": (b) => b.mean("x", [0, 1]),
  unsqueeze: (b) => b.unsqueeze("x", [0, 4]),
  squeeze: (b) => b.squeeze(b.unsqueeze("x", [1]), [1]),
  slice: (b) => b.slice("x", 2, 1, 3),
  reshape: (b) => b.reshape("x", [4, -1]),
  "reshape like": (b) => b.reshapeLike(b.reshape("x", [-1]), "x"),
  "expand like": (b) => b.expandLike(b.sum("x", [1], true), "x"),
  where: (b) => b.where(b.greater("x", b.scalar(0)), b.square("x"), b.scalar(-1)),
  "where of doubles": (b) => {
    const double = b.cast("x", "float64");
    const isOn = b.greater(double, b.cast(b.scalar(0), "float64"));
    return b.cast(b.where(isOn, double, b.mul(double, double), "float64"), "float32");
  },
  equal: (b) => b.indicator(b.equal(b.larger("x", b.scalar(0)), "x")),
  "equal infinities": (b) => b.indicator(b.equal(infinite(b), b.op("Abs", [infinite(b)]))),
  "equal integers": (b) => b.indicator(b.equalIntegers(b.cast("x", "int64"), b.ints([0, 1, 0, -1]))),
  "not, and": (b) => b.indicator(b.and(b.not(b.greater("x", b.scalar(1))), b.greater("x", b.scalar(0)))),
  sign: (b) => b.sign(b.larger("x", b.scalar(0))),
  "sign of negatives": (b) => b.sign(b.smaller("x", b.scalar(0))),
  larger: (b) => b.larger("x", b.max("x", [0])),
  smaller: (b) => b.smaller(b.mean("x", [2], true), "x"),
  expand: (b) => b.expand(b.sum("x", [1], true), [2, 3, 4]),
  "zeros like infinities": (b) => b.zerosLike(infinite(b)),
  "gemm without a bias": (b) => b.gemm(b.reshape("x", [6, 4]), b.reshape("x", [6, 4]), { transB: 1 }),
  indicator: (b) => b.indicator(b.greater("x", b.scalar(0))),
  arithmetic: (b) => b.div(b.sub(b.mul("x", b.scalar(3)), b.scalar(2)), b.scalar(0.5)),
};

describe.each([7, 8, 9, 10, 11, 12, 13, 17, 18, 20, 22, 25])("at opset %i", (opset) => {
  test.each(Object.entries(methods))("%s is valid and computes what it says", async (_, method) => {
    const base = model({ opset, inputs: { x: ["N", 3, 4], one: [1] }, outputs: ["x"], nodes: [] });
    const b = new GraphBuilder({ opset, base: base.graph });
    const graph = { ...base, graph: b.graph([{ name: b.add(method(b), "one"), type: "float32" }]) };
    const session = await runner.load(writeModel(graph));
    const [result] = Object.values(await session.run({ x, one }));
    await session.release();
    const [expected] = Object.values(evaluate(graph, { x, one }));
    expect(closeTo(result as Tensor, expected as Tensor)).toBeLessThan(1e-5); // float32
  });
});

test("fresh names avoid every name in the graph", () => {
  const { graph } = model({
    inputs: { h: [1] },
    outputs: ["h_1"],
    initializers: { w: [1] },
    nodes: [node("Add", ["h", "w"], ["h_1"])],
  });
  const b = new GraphBuilder({ opset: 17, base: graph });
  const names = [b.fresh("h"), b.fresh("h"), b.fresh("w"), b.fresh("free"), b.fresh("free")];
  expect(new Set([...names, "h", "h_1", "w"]).size).toBe(names.length + 3);
  expect(names[3]).toBe("free");
});

test("equal constants are stored once, by type", () => {
  const b = new GraphBuilder({ opset: 17, real: "float64" });
  expect(b.scalar(2)).toBe(b.scalar(2));
  expect(b.scalar(2)).not.toBe(b.scalar(-2));
  expect(b.ints([1, 2])).toBe(b.ints([1, 2]));
  expect(b.ints([12])).not.toBe(b.ints([1, 2]));
  const { initializers } = b.graph([]);
  expect(initializers.get(b.scalar(2))).toMatchObject({ type: "float64", dims: [] });
  expect(initializers.size).toBe(4);
});

test("attribute values become the kinds that ONNX declares", () => {
  const b = new GraphBuilder({ opset: 17 });
  const tensor = tensorOf("float32", [1]);
  b.op("Op", [], { i: 2, f: 0.5, whole: { float: 2 }, s: "text", ints: [1, 2], floats: [0.5, 1], t: tensor });
  const kinds = Object.entries(b.graph([]).nodes[0]?.attributes ?? {}).map(([name, { kind }]) => [name, kind]);
  expect(Object.fromEntries(kinds)).toEqual({
    i: "int",
    f: "float",
    whole: "float",
    s: "string",
    ints: "ints",
    floats: "floats",
    t: "tensor",
  });
});

test("the graph it starts from is not changed", () => {
  const { graph } = model({ inputs: { x: [1] }, outputs: ["x"], nodes: [] });
  const b = new GraphBuilder({ opset: 17, base: graph });
  b.input("more", "float32");
  b.op("Relu", ["x"]);
  b.tensor(one);
  expect([graph.inputs.length, graph.nodes.length, graph.initializers.size]).toEqual([1, 0, 0]);
});
