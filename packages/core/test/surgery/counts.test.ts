/** Sizes are those of the files: counted on what they hold, and as the running count says. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Model, type Node, readsOf } from "../../src/graph/graph.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { inspect } from "../../src/inspect.ts";
import { stateOf } from "../../src/measure/state.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { checkCut } from "../../src/surgery/check-cut.ts";
import { cut } from "../../src/surgery/cut.ts";
import { fileOf } from "../../src/surgery/file.ts";
import { sizeAfter, sizeOfModel } from "../../src/surgery/size.ts";
import { UNIT_KINDS } from "../../src/units/units.ts";
import { prepared, removal, runner } from "../helpers.ts";
import { AttributeType, bytesOf, DataType, floats, info, modelFile, node as protoNode } from "../onnx/files.ts";
import { buildImage, imageNetwork } from "../property/image-networks.ts";
import { build, network } from "../property/networks.ts";
import { model, node, random } from "../support/build.ts";
import { sharedNetworks } from "../units/shared-networks.ts";

const r = random(51);

/** The size of the file after some removals, by its own tensors, and by the running count. */
async function counted(original: Model, bits: number, untie = false) {
  const prunable = await prepared(original, { untie, kinds: UNIT_KINDS });
  const gone = Array.from({ length: prunable.units.count }, (_, unit) => unit).filter(
    (unit) => (bits >> (unit % 24)) & 1 && prunable.units.groups.every(({ first }) => first !== unit),
  );
  const sizes = [{ file: sizeOfModel(original, prunable.shapes), running: sizeAfter(prunable, removal(prunable, [])) }];
  for (const removed of [removal(prunable, gone), removal(prunable, []), removal(prunable, gone.slice(1))]) {
    const state = stateOf(prunable, removed);
    const file = readModel(fileOf(prunable, state.model, removed));
    sizes.push({ file: sizeOfModel(file, state.shapes), running: sizeAfter(prunable, removed) });
  }
  return sizes;
}

const anyBits = fc.integer({ min: 0, max: 2 ** 24 });

describe("the running count is the file's", () => {
  const hold = async (original: Model, bits: number, untie = false): Promise<void> => {
    for (const { file, running } of await counted(original, bits, untie)) expect(running).toEqual(file);
  };

  test("dense networks (property)", async () => {
    await fc.assert(
      fc.asyncProperty(network, anyBits, (recipe, bits) => hold(build(recipe).model, bits)),
      { numRuns: 30 },
    );
  });

  test("image networks (property)", async () => {
    await fc.assert(
      fc.asyncProperty(imageNetwork({ stages: 3 }), anyBits, (recipe, bits) => hold(buildImage(recipe), bits)),
      { numRuns: 15 },
    );
  });

  test.each(Object.entries(sharedNetworks))("%s, tied and untied (property)", async (_, make) => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1000), anyBits, fc.boolean(), (seed, bits, untie) => hold(make(seed).model, bits, untie)),
      { numRuns: 8 },
    );
  });

  test("a bias that is equal by chance is stored once for each way of cutting", async () => {
    const original = model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: { w1: r.tensor([3, 4]), w2: r.tensor([4, 4]), w3: r.tensor([4, 2]), zeros: [0, 0, 0, 0] },
      nodes: [
        node("Gemm", ["x", "w1", "zeros"], ["a"]),
        node("Relu", ["a"], ["h"]),
        node("Gemm", ["h", "w2", "zeros"], ["b"]),
        node("Relu", ["b"], ["i"]),
        node("MatMul", ["i", "w3"], ["y"]),
      ],
    });
    await hold(original, 0b0110_0010);
    const prunable = await prepared(original);
    // the same number of units in both layers, but others: a swap changes no length, and what is stored
    const same = removal(prunable, { a: [1], b: [1] });
    const other = removal(prunable, { a: [1], b: [2] });
    expect(sizeAfter(prunable, same).parameters).toBe(9 + 9 + 6 + 3);
    expect(sizeAfter(prunable, other).parameters).toBe(9 + 9 + 6 + 6);
    expect(sizeAfter(prunable, same).parameters).toBe(9 + 9 + 6 + 3);
  });
});

describe("what counts as a parameter", () => {
  const parametersOf = async (network: Model): Promise<number> =>
    (await inspect(writeModel(network), { runner })).parameters;
  const ints = (type: "int8" | "uint8" | "int32", dims: number[]): Tensor =>
    tensorOf(
      type,
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i % 5),
      dims,
    );

  test("reals in every form, initializers that nothing reads too; no indexes, no flags", async () => {
    const network = model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: {
        w: r.tensor([3, 4]),
        unread: r.tensor([5]),
        shape: tensorOf("int64", [0, 4]),
        flag: tensorOf("bool", [1], []),
      },
      nodes: [
        node("MatMul", ["x", "w"], ["h"]),
        node("Reshape", ["h", "shape"], ["i"]),
        node("Constant", [], ["v"], { value: r.tensor([4, 2]) }),
        node("Where", ["flag", "i", "i"], ["j"]),
        node("MatMul", ["j", "v"], ["y"]),
      ],
    });
    expect(await parametersOf(network)).toBe(12 + 5 + 8);
  });

  test("a weight under two names is one, a weight that is transposed too; layers count all the same", async () => {
    const network = model({
      inputs: { x: ["N", 4] },
      outputs: ["y"],
      initializers: { w: r.tensor([4, 4]) },
      nodes: [
        node("Identity", ["w"], ["v"]),
        node("Transpose", ["w"], ["u"]),
        node("Transpose", ["v"], ["t"]),
        node("MatMul", ["x", "w"], ["a"]),
        node("MatMul", ["a", "v"], ["b"]),
        node("MatMul", ["b", "u"], ["c"]),
        node("MatMul", ["c", "t"], ["y"]),
      ],
    });
    expect(await inspect(writeModel(network), { runner })).toMatchObject({ parameters: 16, macs: 4 * 16 });
  });

  test("quantised weights and biases", async () => {
    const network = model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: {
        q: ints("int8", [3, 4]),
        s: tensorOf("float32", [0.1], []),
        b: ints("int32", [4]),
        t: tensorOf("float32", [0.01], []),
      },
      nodes: [
        node("DequantizeLinear", ["q", "s"], ["w"]),
        node("DequantizeLinear", ["b", "t"], ["c"]),
        node("Gemm", ["x", "w", "c"], ["y"]),
      ],
    });
    expect(await parametersOf(network)).toBe(12 + 1 + 4 + 1);
  });
});

describe("MACs of quantised and fused operators", () => {
  const scale = tensorOf("float32", [0.1], []);
  const zero = tensorOf("uint8", [0], []);
  const signed = tensorOf("int8", [0], []);
  const int8 = (dims: number[]): Tensor =>
    tensorOf(
      "int8",
      Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => (i % 7) - 3),
      dims,
    );
  const quantised = (dims: (string | number)[], nodes: Node[], initializers: Record<string, Tensor>): Model =>
    model({
      inputs: { x: dims },
      outputs: ["y"],
      domains: { "com.microsoft": 1 },
      initializers: { scale, zero, signed, ...initializers },
      nodes: [node("QuantizeLinear", ["x", "scale", "zero"], ["q"]), ...nodes],
    });
  const microsoft = { domain: "com.microsoft" };

  test.each<[string, Model, number]>([
    [
      "QLinearConv",
      quantised(
        ["N", 2, 6, 6],
        [
          node("QLinearConv", ["q", "scale", "zero", "w", "scale", "signed", "scale", "zero", "b"], ["c"]),
          node("DequantizeLinear", ["c", "scale", "zero"], ["y"]),
        ],
        { w: int8([3, 2, 3, 3]), b: tensorOf("int32", [1, 2, 3]) },
      ),
      3 * 16 * 18,
    ],
    [
      "ConvInteger",
      quantised(
        ["N", 2, 6, 6],
        [node("ConvInteger", ["q", "w", "zero"], ["c"]), node("Cast", ["c"], ["y"], { to: 1 })],
        { w: int8([3, 2, 3, 3]) },
      ),
      3 * 16 * 18,
    ],
    [
      "QLinearMatMul",
      quantised(
        ["N", 4],
        [
          node("QLinearMatMul", ["q", "scale", "zero", "w", "scale", "signed", "scale", "zero"], ["c"]),
          node("DequantizeLinear", ["c", "scale", "zero"], ["y"]),
        ],
        { w: int8([4, 5]) },
      ),
      20,
    ],
    [
      "MatMulInteger",
      quantised(["N", 4], [node("MatMulInteger", ["q", "w"], ["c"]), node("Cast", ["c"], ["y"], { to: 1 })], {
        w: int8([4, 5]),
      }),
      20,
    ],
    [
      "QGemm",
      quantised(
        ["N", 4],
        [
          node(
            "QGemm",
            ["q", "scale", "zero", "w", "scale", "signed", "", "scale", "zero"],
            ["c"],
            {},
            { name: "c", ...microsoft },
          ),
          node("DequantizeLinear", ["c", "scale", "zero"], ["y"]),
        ],
        { w: int8([4, 5]) },
      ),
      20,
    ],
    [
      "FusedConv",
      quantised(
        ["N", 2, 6, 6],
        [node("FusedConv", ["x", "v", "c"], ["y"], { activation: "Relu" }, { name: "y", ...microsoft })],
        {
          v: r.tensor([3, 2, 3, 3]),
          c: r.tensor([3]),
        },
      ),
      3 * 16 * 18,
    ],
    [
      "FusedGemm and FusedMatMul",
      quantised(
        ["N", 4],
        [
          node("FusedGemm", ["x", "v", "c"], ["h"], { activation: "Relu" }, { name: "h", ...microsoft }),
          node("FusedMatMul", ["h", "u"], ["y"], { transB: 1 }, { name: "y", ...microsoft }),
        ],
        { v: r.tensor([4, 5]), c: r.tensor([5]), u: r.tensor([3, 5]) },
      ),
      20 + 15,
    ],
    [
      "MatMulNBits",
      quantised(
        ["N", 32],
        [
          node(
            "MatMulNBits",
            ["x", "packed", "scales"],
            ["y"],
            { K: 32, N: 6, bits: 4, block_size: 32 },
            { name: "y", ...microsoft },
          ),
        ],
        {
          packed: tensorOf(
            "uint8",
            Array.from({ length: 96 }, (_, i) => i),
            [6, 1, 16],
          ),
          scales: r.tensor([6]),
        },
      ),
      32 * 6,
    ],
    [
      "Attention",
      quantised(
        ["N", 5, 8],
        [node("Attention", ["x", "v", "c"], ["y"], { num_heads: 2 }, { name: "y", ...microsoft })],
        { v: r.tensor([8, 24]), c: r.tensor([24]) },
      ),
      5 * 8 * 24 + 2 * 5 * 5 * 8,
    ],
    [
      "MultiHeadAttention",
      quantised(
        ["N", 5, 8],
        [node("MultiHeadAttention", ["x", "x", "x"], ["y"], { num_heads: 2 }, { name: "y", ...microsoft })],
        {},
      ),
      2 * 5 * 5 * 8,
    ],
  ])("%s", async (_, network, macs) => {
    expect((await inspect(writeModel(network), { runner })).macs).toBe(macs);
  });

  test("weights of 4 bits count one by one", async () => {
    const network = quantised(
      ["N", 32],
      [
        node(
          "MatMulNBits",
          ["x", "packed", "scales"],
          ["y"],
          { K: 32, N: 6, bits: 4, block_size: 32 },
          { name: "y", ...microsoft },
        ),
      ],
      {
        packed: tensorOf(
          "uint8",
          Array.from({ length: 96 }, (_, i) => i),
          [6, 1, 16],
        ),
        scales: r.tensor([6]),
      },
    );
    const counted = (await inspect(writeModel(network), { runner })).parameters;
    expect(counted).toBe(192 + 6 + 3);
  });
});

describe("control-flow bodies", () => {
  const values = (count: number): number[] => Array.from(r.tensor([count]).numbers);
  const branch = (width: number) => ({
    name: `branch${width}`,
    initializer: [floats("inner", values(4 * width), [4, width]), floats("back", values(width * 2), [width, 2])],
    node: [protoNode("MatMul", ["h", "inner"], ["i"]), protoNode("MatMul", ["i", "back"], ["o"])],
    output: [info("o", ["N", 2])],
  });
  const file = modelFile({
    node: [
      protoNode("MatMul", ["x", "w"], ["h"]),
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

  test("weights of all branches, MACs of the larger one", async () => {
    const { parameters, macs } = await inspect(file, { runner });
    expect(parameters).toBe(12 + (12 + 6) + (20 + 10));
    expect(macs).toBe(12 + 20 + 10);
  });
});

describe("loops, local functions and tensors that are carried along", () => {
  const values = (count: number): number[] => Array.from(r.tensor([count]).numbers);

  test("a Loop's layers count for every turn that is known", async () => {
    const body = {
      name: "body",
      initializer: [floats("inner", values(16), [4, 4])],
      node: [
        protoNode("MatMul", ["state", "inner"], ["mixed"]),
        protoNode("Tanh", ["mixed"], ["next"]),
        protoNode("Identity", ["cond"], ["go"]),
      ],
      input: [info("turn", [], 7), info("cond", [], 9), info("state", ["N", 4])],
      output: [info("go", [], 9), info("next", ["N", 4])],
    };
    const file = modelFile({
      node: [
        protoNode("MatMul", ["x", "w"], ["h"]),
        protoNode("Loop", ["turns", "", "h"], ["y"], {
          attribute: [{ name: "body", type: AttributeType.GRAPH, g: body }],
        }),
      ],
      initializer: [
        floats("w", values(12), [3, 4]),
        { name: "turns", dataType: DataType.INT64, rawData: bytesOf(BigInt64Array.of(5n)) },
      ],
      input: [info("x", ["N", 3])],
      output: [info("y", ["N", 4])],
    });
    expect(await inspect(file, { runner })).toMatchObject({ parameters: 12 + 16, macs: 12 + 5 * 16 });
  });

  test("constants of a local function", async () => {
    const value = { ...floats("value", values(8), [4, 2]) };
    const constant = protoNode("Constant", [], ["v"], {
      attribute: [{ name: "value", type: AttributeType.TENSOR, t: value }],
    });
    const file = modelFile(
      {
        node: [protoNode("MatMul", ["x", "w"], ["h"]), protoNode("Layer", ["h"], ["y"], { domain: "local" })],
        initializer: [floats("w", values(12), [3, 4])],
        input: [info("x", ["N", 3])],
        output: [info("y", ["N", 2])],
      },
      {
        opsetImport: [
          { domain: "", version: 17n },
          { domain: "local", version: 1n },
        ],
        functions: [
          {
            name: "Layer",
            domain: "local",
            input: ["a"],
            output: ["b"],
            opsetImport: [{ domain: "", version: 17n }],
            node: [constant, protoNode("MatMul", ["a", "v"], ["b"])],
          },
        ],
      },
    );
    expect((await inspect(file, { runner })).parameters).toBe(12 + 8);
  });

  test("4-bit integers that a Tensor cannot hold", () => {
    const file = modelFile({
      initializer: [
        floats("w", values(6), [2, 3]),
        { name: "packed", dims: [5n, 2n], dataType: DataType.INT4, rawData: Uint8Array.of(1, 2, 3, 4, 5) },
      ],
    });
    expect(sizeOfModel(readModel(file), new Map()).parameters).toBe(6 + 10);
  });
});

describe("what was planned to go and is still there", () => {
  const original = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w: r.tensor([3, 4]), v: r.tensor([4, 2]) },
    nodes: [node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["a"]), node("MatMul", ["a", "v"], ["y"])],
  });

  test("is an error that names the initializer and the group", async () => {
    const prunable = await prepared(original);
    const removed = removal(prunable, { h: [1] });
    expect(() => checkCut(prunable, removed, cut(prunable, removed))).not.toThrow();
    expect(() => checkCut(prunable, removed, original)).toThrow(
      'initializer "w": its axis 1 is 4 in the smaller model, expected 3 of 4 without the removed units of group "h"',
    );
    const { graph } = cut(prunable, removed);
    const renamed = graph.nodes.map((one) => (readsOf(one).includes("v") ? { ...one, outputs: ["z"] } : one));
    const other = { ...original, graph: graph.with({ nodes: renamed, outputs: [{ name: "z" }] }) };
    expect(() => checkCut(prunable, removed, other)).toThrow('initializer "v": its axis 0 is missing');
  });
});
