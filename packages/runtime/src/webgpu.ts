/** WebGPU where there is one and it computes what WebAssembly computes. */
import { emptyGraph, float32, GraphBuilder, type Runner, type Tensor, writeModel } from "@shrinknet/core";
import { sessionOf } from "./session.ts";
import { type WebRunnerOptions, webRunner } from "./web.ts";

export interface WebGpuOptions extends WebRunnerOptions {
  /** URLs of `onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm` and `.mjs`: the build with WebGPU has files of its own. */
  readonly gpuFiles?: { readonly wasm?: string; readonly mjs?: string } | undefined;
}

/** Largest difference between the two, relative to the largest value, that rounding explains. */
const TOLERANCE = 1e-4;

/**
 * A runner over WebGPU; where the browser has no adapter, or a convolution, a product and a softmax come out otherwise than in WebAssembly, the
 * runner of {@link webRunner}. Its name says which it is. Graphs that it cannot run, such as those in float64, run in WebAssembly.
 */
export async function webgpuRunner({ gpuFiles = {}, ...options }: WebGpuOptions = {}): Promise<Runner> {
  const plain = webRunner(options);
  const { gpu } =
    (globalThis as { readonly navigator?: { readonly gpu?: { requestAdapter(): Promise<unknown> } } }).navigator ?? {};
  const adapter = await gpu?.requestAdapter().catch(() => undefined);
  if (!adapter) return plain;
  const ort = await import("onnxruntime-web/webgpu");
  const runner: Runner = {
    channelBlock: 4,
    name: "onnxruntime-web, WebGPU",
    async load(model, loading = {}) {
      ort.env.logLevel = "fatal";
      ort.env.wasm.numThreads = 1;
      if (Object.keys(gpuFiles).length > 0) ort.env.wasm.wasmPaths = gpuFiles;
      const graphOptimizationLevel = (loading.optimize ?? true) ? "all" : "disabled";
      const options = { executionProviders: ["webgpu"], graphOptimizationLevel } as const;
      // what it cannot place, such as products in float64, runs in the other build
      return await sessionOf(ort, model, options).catch(() => plain.load(model, loading));
    },
  };
  return (await isRight(runner, plain)) ? runner : plain;
}

/** Whether both give the same for a small network. */
async function isRight(one: Runner, other: Runner): Promise<boolean> {
  const { model, x } = probe();
  try {
    const [found, expected] = [await valuesOf(one, model, x), await valuesOf(other, model, x)];
    const scale = Math.max(...expected.map(Math.abs));
    return (
      found.length === expected.length &&
      found.every((value, at) => Math.abs(value - (expected[at] as number)) <= TOLERANCE * scale)
    );
  } catch {
    return false;
  }
}

async function valuesOf(runner: Runner, model: Uint8Array, x: Tensor): Promise<readonly number[]> {
  const session = await runner.load(model);
  try {
    return Array.from((await session.run({ x })).y?.numbers ?? []);
  } finally {
    await session.release();
  }
}

function probe(): { readonly model: Uint8Array; readonly x: Tensor } {
  const numbers = (dims: readonly number[], seed: number): Tensor => {
    const size = dims.reduce((product, dim) => product * dim, 1);
    return float32(
      Array.from({ length: size }, (_, at) => Math.sin(at * 12.9 + seed)),
      dims,
    );
  };
  const b = new GraphBuilder({ opset: 17, base: emptyGraph() });
  b.input("x", "float32", [2, 3, 9, 9]);
  const c = b.op("Relu", [b.op("Conv", ["x", b.tensor(numbers([8, 3, 3, 3], 1))])]);
  const h = b.op("Tanh", [
    b.op("MatMul", [b.op("Flatten", [b.op("GlobalAveragePool", [c])]), b.tensor(numbers([8, 12], 2))]),
  ]);
  b.op("Softmax", [b.op("MatMul", [h, b.tensor(numbers([12, 5], 3))])], { axis: -1 }, "y");
  const graph = b.graph([{ name: "y", type: "float32", shape: [2, 5] }]);
  return {
    model: writeModel({ graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() }),
    x: numbers([2, 3, 9, 9], 4),
  };
}
