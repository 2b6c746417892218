/** Quantised layers: cut with their scales, measured and repaired as reals, written as integers. */
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import { differentiate } from "../../src/derive/backward.ts";
import { GraphBuilder } from "../../src/graph/builder.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { parametersOf } from "../../src/surgery/parameters.ts";
import { dataset, prepared, runner } from "../helpers.ts";
import { closeTo, model, node, random } from "../support/build.ts";
import { quantised } from "../support/quantised.ts";

const r = random(8);

/** x[N, 3, 8, 8] -> convolution, depthwise, convolution with a residual sum, dense layer. */
function network(): Model {
  return model({
    inputs: { x: ["N", 3, 8, 8] },
    outputs: ["y"],
    initializers: {
      w1: r.tensor([16, 3, 3, 3], 0.3),
      b1: r.tensor([16], 0.1),
      wd: r.tensor([16, 1, 3, 3], 0.3),
      bd: r.tensor([16], 0.1),
      w2: r.tensor([16, 16, 1, 1], 0.25),
      b2: r.tensor([16], 0.1),
      w3: r.tensor([16, 5], 0.5),
      b3: r.tensor([5], 0.1),
    },
    nodes: [
      node("Conv", ["x", "w1", "b1"], ["c1"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["c1"], ["r1"]),
      node("Conv", ["r1", "wd", "bd"], ["c2"], { pads: [1, 1, 1, 1], group: 16 }),
      node("Relu", ["c2"], ["r2"]),
      node("Conv", ["r2", "w2", "b2"], ["c3"]),
      node("Relu", ["c3"], ["r3"]),
      node("GlobalAveragePool", ["r3"], ["p"]),
      node("Flatten", ["p"], ["f"]),
      node("Gemm", ["f", "w3", "b3"], ["y"]),
    ],
  });
}

const x = r.tensor([60, 3, 8, 8]);
const data = dataset({ x });

const stored = (bytes: Uint8Array, type: string): number => {
  const tensors = [...readModel(bytes).graph.initializers.values()];
  return tensors.filter((tensor) => tensor.type === type).reduce((sum, { size }) => sum + size, 0);
};

describe.each([
  ["a scale for each channel", true],
  ["one scale in all", false],
])("%s", (_, perChannel) => {
  test.each(["none", "mean", "lstsq"] as const)("compensation %s", async (compensate) => {
    const file = writeModel(await quantised(network(), runner, { x }, perChannel));
    const options = { runner, data, compensate, criterion: "taylor1", budget: { remove: { share: 0.4 } } };
    const { bytes, plan, summary } = await prune(file, options);
    expect(summary.layers.map(({ before }) => before)).toEqual([16, 16]);
    expect(summary.verified).toBeLessThan(1e-5);
    // 16 - a and 16 - b channels are left, their weights are int8 and their biases int32
    const [a = 0, b = 0] = summary.layers.map(({ after }) => after);
    expect(stored(bytes, "int8")).toBe(27 * a + 9 * a + a * b + 5 * b);
    expect(stored(bytes, "int32")).toBe(2 * a + b + 5);
    expect(stored(bytes, "float32")).toBeLessThan(perChannel ? 100 : 20);
    expect(summary.after.parameters).toBe(parametersOf(readModel(bytes)));
    expect(summary.removed.at(-1)?.parameters).toBe(summary.after.parameters);
    expect(summary.before.parameters).toBe(parametersOf(readModel(file)));
    const replayed = await applyPlan(file, plan, { runner, data });
    // what is rounded may be rounded otherwise the next time
    expect(closeTo(await outputs(replayed.bytes), await outputs(bytes))).toBeLessThan(0.1);
  });
});

test("repair of a quantised network brings its outputs closer to the original's", async () => {
  const file = writeModel(await quantised(network(), runner, { x }, true));
  const error = async (compensate: "none" | "lstsq"): Promise<number> => {
    const { summary } = await prune(file, {
      ...{ runner, data, compensate, objective: "match", criterion: "magnitude", budget: { remove: { share: 0.4 } } },
    });
    return summary.after.error;
  };
  expect(await error("lstsq")).toBeLessThan(0.5 * (await error("none")));
});

async function outputs(bytes: Uint8Array): Promise<Tensor> {
  const session = await runner.load(bytes);
  const { y } = await session.run({ x });
  await session.release();
  return y as Tensor;
}

test("derivatives pass straight through, but where an integer is at the end of its range", async () => {
  const steps = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: {
      scale: tensorOf("float32", [0.1, 0.2, 0.5]),
      zero: tensorOf("int8", [0, 10, -20]),
    },
    nodes: [
      node("QuantizeLinear", ["x", "scale", "zero"], ["q"], { axis: 1 }),
      node("DequantizeLinear", ["q", "scale", "zero"], ["y"], { axis: 1 }),
    ],
  });
  const { model: whole, shapes } = await prepared(steps);
  const b = new GraphBuilder({ opset: 17, base: whole.graph });
  const seeds = new Map([["y", { gradient: b.input("g", "float32", ["N", 3]) }]]);
  const { gradient } = differentiate({ builder: b, graph: whole.graph, shapes, opset: 17, seeds, wanted: ["x"] });
  const name = gradient.get("x") as string;
  const session = await runner.load(writeModel({ ...whole, graph: b.graph([name]) }));
  const g = tensorOf("float32", [1, 2, 3, 1, 2, 3], [2, 3]);
  const result = await session.run({ x: tensorOf("float32", [1, 1, 1, 20, -30, 100], [2, 3]), g });
  await session.release();
  expect(Array.from((result[name] as Tensor).numbers, (value) => Math.round(value * 1e4) / 1e4)).toEqual([
    1, 2, 3, 0, 0, 0,
  ]);
});

test("dynamic quantisation: integers behind a range of their own", async () => {
  const ints = (dims: number[]): Tensor =>
    tensorOf(
      "int8",
      Array.from({ length: (dims[0] as number) * (dims[1] as number) }, () => Math.round(r.uniform(-127, 127))),
      dims,
    );
  const layer = (from: string, name: string, out: string): Node[] => [
    node("DynamicQuantizeLinear", [from], [`${name}.q`, `${name}.s`, `${name}.z`]),
    node("MatMulInteger", [`${name}.q`, `${name}.w`, `${name}.z`, `${name}.wz`], [`${name}.i`]),
    node("Cast", [`${name}.i`], [`${name}.f`], { to: 1 }),
    node("Mul", [`${name}.s`, `${name}.ws`], [`${name}.scale`]),
    node("Mul", [`${name}.f`, `${name}.scale`], [out]),
  ];
  const file = model({
    inputs: { x: ["N", 10] },
    outputs: ["y"],
    initializers: {
      ...{
        "a.w": ints([10, 14]),
        "a.wz": tensorOf("int8", Array(14).fill(1)),
        "a.ws": tensorOf("float32", Array(14).fill(0.01)),
      },
      ...{ "b.w": ints([14, 4]), "b.wz": tensorOf("int8", [0], []), "b.ws": tensorOf("float32", [0.01], []) },
      bias: r.tensor([14], 0.2),
    },
    nodes: [
      ...layer("x", "a", "h"),
      node("Add", ["h", "bias"], ["hb"]),
      node("Relu", ["hb"], ["g"]),
      ...layer("g", "b", "y"),
    ],
  });
  const rows = r.tensor([40, 10]);
  for (const criterion of ["oracle", "taylor1", "magnitude", "obs"]) {
    const options = {
      runner,
      data: dataset({ x: rows }),
      criterion,
      objective: "match",
      budget: { remove: { count: 5 } },
    };
    const { bytes, summary } = await prune(writeModel(file), options);
    expect(summary.verified).toBeLessThan(1e-5);
    const { initializers } = readModel(bytes).graph;
    expect(["a.w", "a.wz", "a.ws", "b.w"].map((name) => initializers.get(name)?.dims)).toEqual([
      [10, 9],
      [9],
      [9],
      [9, 4],
    ]);
  }
});

test("operators on integers are cut and written as such", async () => {
  const q = (dims: number[], type: "int8" | "uint8" = "int8"): Tensor =>
    tensorOf(
      type,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => Math.round(r.uniform(-90, 90))),
      dims,
    );
  const step = (value: number): Tensor => tensorOf("float32", [value], []);
  const network = model({
    inputs: { x: ["N", 3, 8, 8] },
    outputs: ["y"],
    domains: { "com.microsoft": 1 },
    initializers: {
      ...{ xs: step(0.02), xz: tensorOf("uint8", [128], []), as: step(0.05), az: tensorOf("uint8", [0], []) },
      ...{
        w: q([12, 3, 3, 3]),
        ws: tensorOf(
          "float32",
          Array.from({ length: 12 }, () => r.uniform(0.002, 0.006)),
        ),
      },
      ...{
        wz: tensorOf("int8", Array(12).fill(0)),
        b: tensorOf(
          "int32",
          Array.from({ length: 12 }, (_, i) => 40 * i),
        ),
      },
      ...{
        v: q([12, 12, 1, 1]),
        vs: step(0.004),
        vz: tensorOf("int8", [0], []),
        cs: step(0.06),
        cz: tensorOf("uint8", [90], []),
      },
      ...{ ss: step(0.08), sz: tensorOf("uint8", [70], []), gs: step(0.03), gz: tensorOf("uint8", [60], []) },
      ...{
        m: q([12, 5]),
        ms: step(0.01),
        mz: tensorOf("int8", [0], []),
        ys: step(0.05),
        yz: tensorOf("uint8", [100], []),
      },
    },
    nodes: [
      node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
      node("QLinearConv", ["xq", "xs", "xz", "w", "ws", "wz", "as", "az", "b"], ["a"], { pads: [1, 1, 1, 1] }),
      node("QLinearConv", ["a", "as", "az", "v", "vs", "vz", "cs", "cz"], ["c"]),
      node("QLinearAdd", ["a", "as", "az", "c", "cs", "cz", "ss", "sz"], ["s"], {}, { domain: "com.microsoft" }),
      node("QLinearGlobalAveragePool", ["s", "ss", "sz", "gs", "gz"], ["g"], {}, { domain: "com.microsoft" }),
      node("Flatten", ["g"], ["f"]),
      node("QLinearMatMul", ["f", "gs", "gz", "m", "ms", "mz", "ys", "yz"], ["yq"]),
      node("DequantizeLinear", ["yq", "ys", "yz"], ["y"]),
    ],
  });
  const file = writeModel(network);
  const types = (bytes: Uint8Array): string[] => readModel(bytes).graph.nodes.map(({ opType }) => opType);
  for (const [criterion, compensate] of [
    ["magnitude", "none"],
    ["oracle", "none"],
    ["obs", "lstsq"],
  ] as const) {
    const options = {
      runner,
      data,
      criterion,
      compensate,
      objective: "match",
      budget: { remove: { count: 4 } },
    } as const;
    const { bytes, summary } = await prune(file, options);
    expect(summary.layers.map(({ before, after }) => [before, after])).toEqual([[12, 8]]);
    expect(summary.verified).toBeLessThan(1e-5);
    expect(types(bytes)).toEqual(expect.arrayContaining(["QLinearConv", "QLinearAdd", "QLinearGlobalAveragePool"])); // a product gets a bias
    if (compensate === "none") {
      expect(types(bytes)).toEqual(types(file));
      const { initializers } = readModel(bytes).graph;
      const dims = ["w", "ws", "wz", "b", "v", "m"].map((name) => initializers.get(name)?.dims);
      expect(dims).toEqual([[8, 3, 3, 3], [8], [8], [8], [8, 8, 1, 1], [8, 5]]);
      expect(summary.after.parameters).toBe(parametersOf(readModel(bytes)));
      expect(summary.before.parameters).toBe(parametersOf(network));
    }
    const again = await prune(bytes, {
      ...options,
      criterion: "magnitude",
      compensate: "none",
      budget: { remove: { count: 1 } },
    });
    expect(again.summary.before.units).toBe(8);
  }
});

test("dynamically quantised convolutions", async () => {
  const ints = (dims: number[]): Tensor =>
    tensorOf(
      "int8",
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => Math.round(r.uniform(-99, 99))),
      dims,
    );
  const layer = (from: string, name: string, out: string): Node[] => [
    node("DynamicQuantizeLinear", [from], [`${name}.q`, `${name}.s`, `${name}.z`]),
    node("ConvInteger", [`${name}.q`, `${name}.w`, `${name}.z`, "zero"], [`${name}.i`], { pads: [1, 1, 1, 1] }),
    node("Cast", [`${name}.i`], [`${name}.f`], { to: 1 }),
    node("Mul", [`${name}.s`, "step"], [`${name}.scale`]),
    node("Mul", [`${name}.f`, `${name}.scale`], [out]),
  ];
  const file = model({
    inputs: { x: ["N", 3, 6, 6] },
    outputs: ["y"],
    initializers: {
      ...{ "a.w": ints([12, 3, 3, 3]), "b.w": ints([4, 12, 3, 3]), bias: r.tensor([1, 12, 1, 1], 0.3) },
      ...{ zero: tensorOf("int8", [0], []), step: tensorOf("float32", [0.004], []) },
    },
    nodes: [
      ...layer("x", "a", "h"),
      node("Add", ["h", "bias"], ["hb"]),
      node("Relu", ["hb"], ["g"]),
      ...layer("g", "b", "c"),
      node("GlobalAveragePool", ["c"], ["p"]),
      node("Flatten", ["p"], ["y"]),
    ],
  });
  for (const criterion of ["oracle", "taylor1", "magnitude"]) {
    const options = { runner, data: dataset({ x: r.tensor([20, 3, 6, 6]) }), criterion, objective: "match" };
    const { bytes, summary } = await prune(writeModel(file), { ...options, budget: { remove: { count: 4 } } });
    expect(summary.verified).toBeLessThan(1e-5);
    const { initializers } = readModel(bytes).graph;
    expect(["a.w", "bias", "b.w"].map((name) => initializers.get(name)?.dims)).toEqual([
      [8, 3, 3, 3],
      [1, 8, 1, 1],
      [4, 8, 3, 3],
    ]);
  }
});

test("further operators on integers", async () => {
  const q = (dims: number[]): Tensor =>
    tensorOf(
      "int8",
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => Math.round(r.uniform(-90, 90))),
      dims,
    );
  const microsoft = (opType: string, inputs: string[], output: string, attributes = {}): Node =>
    node(opType, inputs, [output], attributes, { name: output, domain: "com.microsoft" });
  const pair = (name: string): string[] => [`${name}s`, `${name}z`];
  const scales: Record<string, Tensor> = {};
  for (const name of ["x", "a", "g", "l", "m", "n", "p", "c", "f", "y"]) {
    scales[`${name}s`] = tensorOf("float32", [name === "g" || name === "n" ? 0.004 : 0.03], []);
    scales[`${name}z`] = tensorOf("uint8", [name === "g" || name === "n" ? 0 : 100], []);
  }
  const network = model({
    inputs: { x: ["N", 3, 8, 8] },
    outputs: ["y"],
    domains: { "com.microsoft": 1 },
    initializers: {
      ...scales,
      ...{ w: q([12, 3, 3, 3]), ws: tensorOf("float32", [0.004], []), wz: tensorOf("int8", [0], []) },
      ...{ v: q([24, 5]), b: tensorOf("int32", [5, 4, 3, 2, 1]), flat: tensorOf("int64", [0, -1], [2]) },
    },
    nodes: [
      node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
      node("QLinearConv", ["xq", "xs", "xz", "w", "ws", "wz", "as", "az"], ["a"]),
      microsoft("QLinearSigmoid", ["a", ...pair("a"), ...pair("g")], "g"),
      microsoft("QLinearLeakyRelu", ["a", ...pair("a"), ...pair("l")], "l", { alpha: 0.1 }),
      microsoft("QLinearMul", ["l", ...pair("l"), "g", ...pair("g"), ...pair("m")], "m"),
      microsoft("QLinearSoftmax", ["m", ...pair("m"), ...pair("n")], "n", { axis: -1, opset: 13 }),
      microsoft("QLinearAveragePool", ["n", ...pair("n"), ...pair("p")], "p", { kernel_shape: [6, 6] }),
      microsoft("QLinearAveragePool", ["l", ...pair("l"), ...pair("p")], "o", { kernel_shape: [6, 6] }),
      microsoft("QLinearConcat", [...pair("c"), "p", ...pair("p"), "o", ...pair("p")], "c", { axis: 1 }),
      node("Reshape", ["c", "flat"], ["f"]),
      microsoft("QGemm", ["f", ...pair("c"), "v", "ws", "wz", "b", ...pair("y")], "yq"),
      node("DequantizeLinear", ["yq", ...pair("y")], ["y"]),
    ],
  });
  const file = writeModel(network);
  for (const criterion of ["magnitude", "taylor1", "oracle"]) {
    const options = { runner, data, criterion, objective: "match", budget: { remove: { count: 4 } } };
    const { bytes, summary } = await prune(file, options);
    expect(summary.verified).toBeLessThan(1e-5);
    const { graph } = readModel(bytes);
    expect(graph.nodes.map(({ opType }) => opType)).toEqual(network.graph.nodes.map(({ opType }) => opType));
    expect([graph.initializers.get("w")?.dims, graph.initializers.get("v")?.dims]).toEqual([
      [8, 3, 3, 3],
      [16, 5],
    ]);
  }
});
