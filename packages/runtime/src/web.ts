/**
 * The Runner over onnxruntime-web: WebAssembly with SIMD, and threads where the page is isolated. Nothing is fetched but its own files.
 *
 * @module @shrinknet/runtime/web
 */
import type { Runner } from "@shrinknet/core";
import * as ort from "onnxruntime-web/wasm";
import { sessionOf } from "./session.ts";

export interface WebRunnerOptions {
  /** Threads inside one operator; default: the processors up to 4 where the page is isolated (COOP and COEP), else 1. */
  readonly threads?: number;
  /**
   * Where onnxruntime's WebAssembly lies: the URL of the `.wasm` file, or its bytes. Default: beside the script, which is where bundlers
   * put it.
   */
  readonly wasm?: string | ArrayBuffer | undefined;
}

/** Kernels of the WebAssembly build compute channels in fours. */
const CHANNEL_BLOCK = 4;

/**
 * A runner over onnxruntime-web. Threads and files are settled by the first runner of a page that loads a model: onnxruntime starts once.
 */
export function webRunner({ threads = defaultThreads(), wasm }: WebRunnerOptions = {}): Runner {
  ort.env.logLevel = "fatal";
  ort.env.wasm.numThreads = threads;
  if (typeof wasm === "string") ort.env.wasm.wasmPaths = { wasm };
  else if (wasm) ort.env.wasm.wasmBinary = wasm;
  return {
    channelBlock: CHANNEL_BLOCK,
    name: `onnxruntime-web ${ort.env.versions.web ?? ort.env.versions.common}, ${threads} thread${threads === 1 ? "" : "s"}`,
    load: (model, { optimize = true, pack = optimize } = {}) =>
      sessionOf(ort, model, {
        executionProviders: ["wasm"],
        graphOptimizationLevel: optimize ? "all" : "disabled",
        enableMemPattern: optimize,
        extra: { session: { ...(!pack && { disable_prepacking: "1" }) } },
      }),
  };
}

/** Processors up to 4, where memory may be shared between threads. */
function defaultThreads(): number {
  const world = globalThis as {
    readonly crossOriginIsolated?: boolean;
    readonly navigator?: { readonly hardwareConcurrency?: number };
  };
  return world.crossOriginIsolated ? Math.min(4, world.navigator?.hardwareConcurrency ?? 1) : 1;
}
