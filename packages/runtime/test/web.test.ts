/** The browser's runtime in Node: the same results, the same picks, errors as sentences. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { float32, Graph, type Model, type Node, prune, type Runner, Tensor, writeModel } from "@shrinknet/core";
import { beforeAll, expect, test } from "vitest";
import { nodeRunner } from "../src/node.ts";
import { webRunner } from "../src/web.ts";

let web: Runner;
beforeAll(async () => {
  const file = createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm");
  const { buffer, byteOffset, byteLength } = await readFile(file);
  web = webRunner({ threads: 1, wasm: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer });
});

const op = (opType: string, inputs: string[], output: string, attributes: Node["attributes"] = {}): Node => ({
  ...{ name: output, opType, domain: "", inputs, outputs: [output], attributes },
});
const numbers = (size: number, seed: number): number[] =>
  Array.from({ length: size }, (_, at) => Math.sin(at * 12.9 + seed) * 0.7);
const tensor = (dims: number[], seed: number): Tensor =>
  float32(
    numbers(
      dims.reduce((a, b) => a * b),
      seed,
    ),
    dims,
  );

/** x[N, 2, 8, 8] -> convolution of 12 channels -> depthwise -> pooled -> dense of 10 -> y of 3. */
const network: Model = {
  graph: new Graph({
    name: "convolutional",
    inputs: [{ name: "x", type: "float32", shape: ["N", 2, 8, 8] }],
    outputs: [{ name: "y", type: "float32", shape: ["N", 3] }],
    initializers: new Map([
      ["k", tensor([12, 2, 3, 3], 1)],
      ["d", tensor([12, 1, 3, 3], 2)],
      ["w", tensor([12, 10], 3)],
      ["v", tensor([10, 3], 4)],
    ]),
    nodes: [
      op("Conv", ["x", "k"], "c"),
      op("Relu", ["c"], "r"),
      op("Conv", ["r", "d"], "e", { group: { kind: "int", value: 12 } }),
      op("GlobalAveragePool", ["e"], "p"),
      op("Flatten", ["p"], "f"),
      op("MatMul", ["f", "w"], "h"),
      op("Tanh", ["h"], "a"),
      op("MatMul", ["a", "v"], "y"),
    ],
    valueInfo: new Map(),
  }),
  irVersion: 8,
  opsets: new Map([["", 17]]),
  metadata: new Map(),
};

test.each([
  ["oracle", "none"],
  ["taylor2", "none"],
  ["obs", "lstsq"],
] as const)("%s with %s: the same units as onnxruntime-node, verified", async (criterion, compensate) => {
  const data = { source: "made up", inputs: { x: tensor([40, 2, 8, 8], 9) } };
  const runs = [web, nodeRunner()].map((runner) =>
    prune(writeModel(network), {
      ...{ runner, data, criterion, compensate, block: 1, objective: "match" },
      budget: { remove: { count: 6 } },
    }),
  );
  const [here, there] = await Promise.all(runs);
  expect(here?.plan.removed).toEqual(there?.plan.removed);
  expect(here?.summary.verified).toBeLessThan(1e-5);
  expect(here?.bytes.byteLength).toBe(there?.bytes.byteLength);
});

test("what the runtime refuses is told in a sentence", async () => {
  await expect(web.load(new Uint8Array([1, 2, 3]))).rejects.toThrow(/^onnxruntime cannot load the model: /);
  const session = await web.load(writeModel(network));
  await expect(session.run({ x: new Tensor("float32", [1, 3, 8, 8], new Float32Array(192)) })).rejects.toThrow(
    /^onnxruntime cannot run the model: /,
  );
  await session.release();
});
