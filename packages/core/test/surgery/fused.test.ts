/** Fused operators of onnxruntime: their units are those of the plain ones, and the file is as fused as it was. */
import { expect, test } from "vitest";
import type { Model, Node } from "../../src/graph/graph.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { parametersOf } from "../../src/surgery/parameters.ts";
import { dataset, prepared, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(21);
const microsoft = (
  opType: string,
  inputs: string[],
  output: string,
  attributes: Parameters<typeof node>[3] = {},
): Node => node(opType, inputs, [output], attributes, { name: output, domain: "com.microsoft" });
const fusedModel = (shape: (string | number)[], nodes: Node[], initializers: Record<string, Tensor>): Model =>
  model({ inputs: { x: shape }, outputs: ["y"], domains: { "com.microsoft": 1 }, initializers, nodes });

/** x[N, 3, 8] -> 12 units -> activation -> y. */
const dense = (activation: Node[]): Model =>
  fusedModel(["N", 3, 8], [node("MatMul", ["x", "w"], ["h"]), ...activation, node("MatMul", ["a", "v"], ["y"])], {
    w: r.tensor([8, 12], 0.6),
    b: r.tensor([12], 0.4),
    v: r.tensor([12, 4], 0.5),
  });

const image = (convolution: Node[], more: Record<string, Tensor> = {}): Model =>
  fusedModel(
    ["N", 2, 6, 6],
    [
      ...convolution,
      node("GlobalAveragePool", ["a"], ["p"]),
      node("Flatten", ["p"], ["f"]),
      node("MatMul", ["f", "v"], ["y"]),
    ],
    { k: r.tensor([12, 2, 3, 3], 0.4), b: r.tensor([12], 0.3), v: r.tensor([12, 4], 0.5), ...more },
  );

const conv = (activation: string, rest: Parameters<typeof node>[3] = {}): Node =>
  microsoft("FusedConv", ["x", "k", "b"], "a", { activation, pads: [1, 1, 1, 1], ...rest });

const models: [name: string, network: Model, units: number][] = [
  ["BiasGelu", dense([microsoft("BiasGelu", ["h", "b"], "a")]), 12],
  ["FastGelu", dense([microsoft("FastGelu", ["h", "b"], "a")]), 12],
  ["FastGelu without bias", dense([microsoft("FastGelu", ["h"], "a")]), 12],
  ["QuickGelu", dense([microsoft("QuickGelu", ["h"], "a", { alpha: 1.7 })]), 12],
  ["Celu", dense([node("Celu", ["h"], ["a"], { alpha: 0.7 })]), 12],
  ["Gelu", dense([microsoft("Gelu", ["h"], "a")]), 12],
  ["FusedConv with Relu", image([conv("Relu")]), 12],
  ["FusedConv with LeakyRelu", image([conv("LeakyRelu", { activation_params: [0.2] })]), 12],
  [
    "FusedConv with Clip and a sum",
    image(
      [
        node("Conv", ["x", "k2"], ["s"]),
        microsoft("FusedConv", ["x", "k", "b", "s"], "a", { activation: "Clip", activation_params: [0.1, 6.5] }),
      ],
      { k2: r.tensor([12, 2, 3, 3], 0.4) },
    ),
    12,
  ],
  [
    "FusedGemm",
    fusedModel(
      ["N", 8],
      [
        microsoft("FusedGemm", ["x", "w", "b"], "a", { activation: "Relu", transB: 1 }),
        node("MatMul", ["a", "v"], ["y"]),
      ],
      { w: r.tensor([12, 8], 0.6), b: r.tensor([12], 0.4), v: r.tensor([12, 4], 0.5) },
    ),
    12,
  ],
  [
    "Attention and SkipLayerNormalization",
    fusedModel(
      ["N", 5, 8],
      [
        microsoft("Attention", ["x", "qkv", "qb"], "t", { num_heads: 4 }),
        node("MatMul", ["t", "o"], ["p"]),
        microsoft("SkipLayerNormalization", ["p", "x", "g", "e", "ob"], "n", { epsilon: 1e-6 }),
        node("MatMul", ["n", "v"], ["y"]),
      ],
      {
        ...{ qkv: r.tensor([8, 24], 0.5), qb: r.tensor([24], 0.2), o: r.tensor([8, 8], 0.5), ob: r.tensor([8], 0.1) },
        ...{ g: tensorOf("float32", Array(8).fill(1.1)), e: r.tensor([8], 0.1), v: r.tensor([8, 4], 0.5) },
      },
    ),
    4,
  ],
  [
    "SimplifiedLayerNormalization",
    fusedModel(
      ["N", 3, 8],
      [
        node("MatMul", ["x", "w"], ["h"]),
        node("SimplifiedLayerNormalization", ["h", "g"], ["a"], { axis: -1 }),
        node("MatMul", ["a", "v"], ["y"]),
      ],
      { w: r.tensor([8, 12], 0.6), g: r.tensor([12], 0.4), v: r.tensor([12, 4], 0.5) },
    ),
    12,
  ],
  [
    "Swish, Mish and RMSNormalization",
    model({
      inputs: { x: ["N", 3, 8] },
      outputs: ["y"],
      opset: 24,
      initializers: { w: r.tensor([8, 12], 0.6), g: r.tensor([12], 0.4), v: r.tensor([12, 4], 0.5) },
      nodes: [
        node("MatMul", ["x", "w"], ["h"]),
        node("RMSNormalization", ["h", "g"], ["n"], { axis: -1 }),
        node("Swish", ["n"], ["s"], { alpha: 1.3 }),
        node("Mish", ["s"], ["a"]),
        node("MatMul", ["a", "v"], ["y"]),
      ],
    }),
    12,
  ],
  [
    "MultiHeadAttention with bias and positions, FusedMatMul, SkipSimplifiedLayerNormalization with its sum",
    fusedModel(
      ["N", 5, 8],
      [
        node("MatMul", ["x", "wq"], ["q"]),
        node("MatMul", ["x", "wk"], ["k"]),
        microsoft("FusedMatMul", ["x", "wv"], "v", { transB: 1, alpha: 0.5 }),
        microsoft("MultiHeadAttention", ["q", "k", "v", "qkv", "", "near"], "t", { num_heads: 4 }),
        node("MatMul", ["t", "o"], ["p"]),
        node("Add", ["p", "ob"], ["s"]),
        node(
          "SkipSimplifiedLayerNormalization",
          ["s", "x", "g"],
          ["n", "", "", "sum"],
          { epsilon: 1e-6 },
          { domain: "com.microsoft" },
        ),
        node("Add", ["n", "sum"], ["z"]),
        node("MatMul", ["z", "last"], ["y"]),
      ],
      {
        ...{ wq: r.tensor([8, 8]), wk: r.tensor([8, 8]), wv: r.tensor([8, 8]), qkv: r.tensor([24], 0.3) },
        ...{ near: r.tensor([1, 1, 5, 5]), o: r.tensor([8, 8], 0.5), ob: r.tensor([8], 0.1), g: r.tensor([8]) },
        last: r.tensor([8, 4], 0.5),
      },
    ),
    4,
  ],
  ["EmbedLayerNormalization and Attention over lengths of a mask", bert({ mask: "lengths" }), 4],
  ["Attention over a mask, that only looks back", bert({ mask: "m", attributes: { unidirectional: 1 } }), 4],
  ["Attention with something added per head", bert({ mask: "", added: "near" }), 4],
  ["RotaryEmbedding and MultiHeadAttention over a mask", rotary(), 4],
  ["Attention of ONNX 23 that only looks back", onnxAttention(4, { is_causal: 1 }), 4],
  ["Attention of ONNX 23 with fewer keys and a softened limit", onnxAttention(2, { softcap: 3.5, scale: 0.4 }), 2],
];

/** Words, segments and a mask -> embeddings -> attention of 4 heads -> y. */
function bert({
  mask,
  added = "",
  attributes = {},
}: {
  mask: string;
  added?: string;
  attributes?: Parameters<typeof node>[3];
}): Model {
  return model({
    inputs: Object.fromEntries(["ids", "segments", "m"].map((name) => [name, { shape: ["N", 5], type: "int32" }])),
    outputs: ["y"],
    domains: { "com.microsoft": 1 },
    initializers: {
      ...{
        words: r.tensor([7, 8]),
        places: r.tensor([6, 8]),
        kinds: r.tensor([2, 8]),
        g: r.tensor([8]),
        e: r.tensor([8]),
      },
      ...{ qkv: r.tensor([8, 24], 0.5), qb: r.tensor([24], 0.2), o: r.tensor([8, 8], 0.5), v: r.tensor([8, 4], 0.5) },
      ...(added === "" ? {} : { [added]: r.tensor([1, 4, 5, 5]) }),
    },
    nodes: [
      node(
        "EmbedLayerNormalization",
        ["ids", "segments", "words", "places", "kinds", "g", "e", "m"],
        ["x", "lengths"],
        { epsilon: 1e-6 },
        { domain: "com.microsoft" },
      ),
      microsoft("Attention", ["x", "qkv", "qb", mask, "", added], "t", { num_heads: 4, ...attributes }),
      node("MatMul", ["t", "o"], ["p"]),
      node("Add", ["p", "x"], ["s"]),
      node("MatMul", ["s", "v"], ["y"]),
    ],
  });
}

/** x[N, 5, 8], places [N, 5] -> turned queries and keys -> attention of 4 heads of 2 numbers -> y. */
function rotary(): Model {
  const angles = Array.from({ length: 12 }, (_, at) => at / 3);
  return model({
    inputs: { x: ["N", 5, 8], at: { shape: ["N", 5], type: "int64" }, m: { shape: ["N", 5], type: "int32" } },
    outputs: ["y"],
    domains: { "com.microsoft": 1 },
    initializers: {
      ...{ wq: r.tensor([8, 16]), wk: r.tensor([8, 16]), wv: r.tensor([8, 16]), o: r.tensor([16, 8], 0.5) },
      cos: tensorOf("float32", angles.map(Math.cos), [6, 2]),
      sin: tensorOf("float32", angles.map(Math.sin), [6, 2]),
      v: r.tensor([8, 4], 0.5),
    },
    nodes: [
      ...["q", "k"].flatMap((name) => [
        node("MatMul", ["x", `w${name}`], [`${name}1`]),
        microsoft("RotaryEmbedding", [`${name}1`, "at", "cos", "sin"], name, { num_heads: 4 }),
      ]),
      node("MatMul", ["x", "wv"], ["w"]),
      microsoft("MultiHeadAttention", ["q", "k", "w", "", "m"], "t", { num_heads: 4 }),
      node("MatMul", ["t", "o"], ["p"]),
      node("Add", ["p", "x"], ["s"]),
      node("MatMul", ["s", "v"], ["y"]),
    ],
  });
}

/** x[N, 5, 8] -> attention of 4 heads of queries of 2 numbers -> y. */
function onnxAttention(keyHeads: number, attributes: Parameters<typeof node>[3]): Model {
  return model({
    inputs: { x: ["N", 5, 8] },
    outputs: ["y"],
    opset: 23,
    initializers: {
      ...{ wq: r.tensor([8, 8]), wk: r.tensor([8, 2 * keyHeads]), wv: r.tensor([8, 2 * keyHeads]) },
      ...{ o: r.tensor([8, 8], 0.5), v: r.tensor([8, 4], 0.5) },
    },
    nodes: [
      node("MatMul", ["x", "wq"], ["q"]),
      node("MatMul", ["x", "wk"], ["k"]),
      node("MatMul", ["x", "wv"], ["w"]),
      node("Attention", ["q", "k", "w"], ["t"], { q_num_heads: 4, kv_num_heads: keyHeads, ...attributes }),
      node("MatMul", ["t", "o"], ["p"]),
      node("Add", ["p", "x"], ["s"]),
      node("MatMul", ["s", "v"], ["y"]),
    ],
  });
}

/** 30 random samples of every input. */
function samplesOf(network: Model): Parameters<typeof dataset>[0] {
  return Object.fromEntries(
    network.graph.feeds.map(({ name, type, shape = [] }) => {
      const dims = [30, ...(shape.slice(1) as number[])];
      if (type === "float32") return [name, r.tensor(dims)];
      const values = Array.from(r.tensor(dims).numbers, (value) =>
        name === "ids" ? (value > 0 ? 3 : 6) : Number(value > -0.5),
      );
      return [name, tensorOf(type as "int32" | "int64", values, dims)];
    }),
  );
}

test.each(models)("%s", async (_, network, units) => {
  const file = writeModel(network);
  const data = dataset(samplesOf(network));
  expect((await prepared(readModel(file))).units.count).toBe(0); // as it is, nothing is known of it
  for (const [criterion, compensate] of [
    ["taylor2", "none"],
    ["oracle", "none"],
    ["obs", "lstsq"],
  ] as const) {
    const remove = { count: Math.ceil(units / 4) };
    const { bytes, summary } = await prune(file, {
      runner,
      data,
      criterion,
      compensate,
      objective: "match",
      budget: { remove },
    });
    expect(summary.before.units).toBe(units);
    expect(summary.verified).toBeLessThan(1e-5);
    const types = (of: Uint8Array): string[] => readModel(of).graph.nodes.map(({ opType }) => opType);
    if (compensate === "none")
      expect(types(bytes)).toEqual(types(file)); // a repair may add a bias
    else expect(types(bytes)).toEqual(expect.arrayContaining(types(file)));
    expect(summary.before.parameters).toBe(parametersOf(network));
    expect(summary.after.parameters).toBe(parametersOf(readModel(bytes)));
    if (compensate === "none") expect(summary.removed.at(-1)?.parameters).toBe(summary.after.parameters);
    expect(bytes.byteLength).toBeLessThan(file.byteLength + (compensate === "none" ? 0 : 200));
  }
});

const attentions = models.filter(([name]) => name.includes("ttention"));
test.each(attentions)("%s, by dimensions of heads", async (_, network) => {
  const file = writeModel(network);
  const data = dataset(samplesOf(network));
  for (const criterion of ["taylor2", "oracle"] as const) {
    const { bytes, summary } = await prune(file, {
      ...{ runner, data, criterion, compensate: "none", objective: "match" },
      ...{ kinds: ["head dimension"], budget: { remove: { count: 1 } } },
    });
    expect(summary.verified).toBeLessThan(1e-5);
    expect(summary.layers.map(({ kind }) => kind)).toContain("head dimension");
    expect(summary.after.parameters).toBe(parametersOf(readModel(bytes)));
    expect(readModel(bytes).graph.nodes.map(({ opType }) => opType)).toEqual(
      network.graph.nodes.map(({ opType }) => opType),
    );
  }
});
