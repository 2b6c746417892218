/**
 * The Runner over onnxruntime-web: WebAssembly with SIMD, and threads where the page is isolated. Nothing is fetched but its own files.
 *
 * @module @shrinknet/runtime/web
 */
import type { Runner } from "@shrinknet/core";
import { sessionOf } from "./session.ts";

export { type WebGpuOptions, webgpuRunner } from "./webgpu.ts";

export interface WebRunnerOptions {
  /**
   * Threads inside one operator; default: the processors up to 4 where the page is isolated (COOP and COEP) and `mjs` is given, else 1.
   */
  readonly threads?: number;
  /**
   * Where onnxruntime's WebAssembly lies: the URL of `onnxruntime-web/ort-wasm-simd-threaded.wasm`, or its bytes. Default: beside the
   * script, which is where bundlers put it.
   */
  readonly wasm?: string | ArrayBuffer | undefined;
  /**
   * URL of `onnxruntime-web/ort-wasm-simd-threaded.mjs`, which threads begin with (with Vite: import it with `?url`). Without it they would
   * begin with the script that onnxruntime was bundled into, which may be the whole page's.
   */
  readonly mjs?: string | undefined;
}

/** Kernels of the WebAssembly build compute channels in fours. */
const CHANNEL_BLOCK = 4;

/**
 * A runner over onnxruntime-web. Threads and files are settled by the first runner of a page that loads a model: onnxruntime starts once.
 */
export function webRunner({ wasm, mjs, threads = defaultThreads(mjs) }: WebRunnerOptions = {}): Runner {
  return {
    channelBlock: CHANNEL_BLOCK,
    name: `onnxruntime-web, ${threads} thread${threads === 1 ? "" : "s"}`,
    async load(model, { optimize = true, pack = optimize } = {}) {
      const ort = await loadOrt();
      ort.env.logLevel = "fatal";
      ort.env.wasm.numThreads = threads;
      const paths = { ...(typeof wasm === "string" && { wasm }), ...(mjs !== undefined && { mjs }) };
      if (Object.keys(paths).length > 0) ort.env.wasm.wasmPaths = paths;
      if (wasm && typeof wasm !== "string") ort.env.wasm.wasmBinary = wasm;
      return await sessionOf(ort, model, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: optimize ? "all" : "disabled",
        enableMemPattern: optimize,
        extra: { session: { ...(!pack && { disable_prepacking: "1" }) } },
      });
    },
  };
}

/** A file of its own in a bundle, loaded when something runs. */
const loadOrt = (): Promise<typeof import("onnxruntime-web/wasm")> => import("onnxruntime-web/wasm");

/** Processors up to 4, where memory may be shared between threads. */
function defaultThreads(mjs: string | undefined): number {
  const world = globalThis as {
    readonly crossOriginIsolated?: boolean;
    readonly navigator?: { readonly hardwareConcurrency?: number };
  };
  return world.crossOriginIsolated && mjs !== undefined ? Math.min(4, world.navigator?.hardwareConcurrency ?? 1) : 1;
}
