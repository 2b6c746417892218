/**
 * Trains the networks that the studio shows, with 1,000 digits each, by our own training steps: the demo's dense one and a small
 * convolutional one. Writes packages/studio/public/examples.
 *
 *     npm run build:examples
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type Dataset,
  emptyGraph,
  float32,
  GraphBuilder,
  type Model,
  randomSource,
  Tensor,
  writeModel,
} from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { nodeRunner } from "@shrinknet/runtime/node";
import { demoDigits, trainDemo } from "../packages/paper/src/demo/network.ts";
import { train } from "../packages/paper/src/train.ts";

const folder = join(import.meta.dirname, "../packages/studio/public/examples");
const runner = nodeRunner({ threads: 1 }); // the same networks on every machine of a kind
const { data } = demoDigits();
await mkdir(folder, { recursive: true });

const dense = await trainDemo(runner, data);
await writeFile(join(folder, "digits.onnx"), writeModel(dense.model));
await writeFile(join(folder, "digits.npz"), digits([400]));

const images: Dataset = { ...data, inputs: { x: float32(pixelsOf(data), [5000, 1, 20, 20]) } };
const convolutional = await train(convolutionalModel(), {
  runner,
  data: images,
  objective: "cross-entropy",
  batch: 50,
  rate: 0.003,
  maxEpochs: 12,
  seed: 1,
  done: ({ accuracy = 0 }) => accuracy >= 0.99,
});
await writeFile(join(folder, "digits-conv.onnx"), writeModel(convolutional.model));
await writeFile(join(folder, "digits-conv.npz"), digits([1, 20, 20]));
for (const [name, { quality, epochs }] of Object.entries({ digits: dense, "digits-conv": convolutional })) {
  console.log(`${name}: ${((quality.accuracy ?? 0) * 100).toFixed(1)} % of its digits right after ${epochs} epochs`);
}

/** The first 1,000 digits, a sample shaped as the network takes it. */
function digits(dims: readonly number[]): Uint8Array {
  const pixels = pixelsOf(data).slice(0, 1000 * 400);
  const y = Int32Array.from((data.labels ?? []).slice(0, 1000));
  return writeNpz({ x: float32(pixels, [1000, ...dims]), y: new Tensor("int32", [1000], y) }, { level: 9 });
}

function pixelsOf({ inputs }: Dataset): Float32Array {
  return Float32Array.from(inputs.x?.numbers ?? []);
}

/** 8 and 16 channels of 3 x 3 with pooling, a dense layer of 32, 10 classes. */
function convolutionalModel(): Model {
  const random = randomSource(1);
  const b = new GraphBuilder({ opset: 17, base: emptyGraph() });
  const weights = (name: string, dims: readonly number[], inputs: number) =>
    b.tensor(
      float32(
        Array.from({ length: dims.reduce((a, c) => a * c, 1) }, () => (2 * random() - 1) * Math.sqrt(6 / inputs)),
        dims,
      ),
      name,
    );
  const zeros = (name: string, length: number) => b.tensor(float32(new Float32Array(length), [length]), name);
  const pool = { kernel_shape: [2, 2], strides: [2, 2] };
  b.input("x", "float32", ["N", 1, 20, 20]);
  const c1 = b.op("Relu", [
    b.op(
      "Conv",
      ["x", weights("conv1.weight", [8, 1, 3, 3], 9), zeros("conv1.bias", 8)],
      { pads: [1, 1, 1, 1] },
      "conv1",
    ),
  ]);
  const p1 = b.op("MaxPool", [c1], pool);
  const c2 = b.op("Relu", [
    b.op(
      "Conv",
      [p1, weights("conv2.weight", [16, 8, 3, 3], 72), zeros("conv2.bias", 16)],
      { pads: [1, 1, 1, 1] },
      "conv2",
    ),
  ]);
  const p2 = b.op("MaxPool", [c2], pool);
  const flat = b.op("Flatten", [p2]);
  const h = b.op("Relu", [
    b.op("Gemm", [flat, weights("dense.weight", [400, 32], 400), zeros("dense.bias", 32)], {}, "dense"),
  ]);
  b.op("Gemm", [h, weights("out.weight", [32, 10], 32), zeros("out.bias", 10)], {}, "y");
  const whole = b.graph([{ name: "y", type: "float32", shape: ["N", 10] }]);
  // a layer is called as what it gives
  const graph = whole.with({ nodes: whole.nodes.map((node) => ({ ...node, name: node.outputs[0] ?? "" })) });
  return { graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() };
}
