/** The page's own backend: an {@link Engine} in a worker, over onnxruntime-web. */
import { webRunner } from "@shrinknet/runtime/web";
import { createBirpc } from "birpc";
import mjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";
import type { Watching } from "./backend/backend.ts";
import { type Functions, functionsOf } from "./backend/functions.ts";
import { Engine } from "./engine/engine.ts";

const threads = self.crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1;
const runner = webRunner({ threads, wasm, mjs });
const watching: Watching = { step: (step) => void page.step.asEvent(step) };
const engine = new Engine({ runner, threads, clock: () => performance.now(), watching });
const page = createBirpc<Watching, Functions>(functionsOf(engine), {
  post: (message) => self.postMessage(message),
  bind: "functions",
  timeout: -1,
  on: (listen) => self.addEventListener("message", ({ data }) => listen(data)),
});
