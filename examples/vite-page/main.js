import { prune, ShrinkError } from "@shrinknet/core";
import { readNpz } from "@shrinknet/data";
import { webgpuRunner, webRunner } from "@shrinknet/runtime/web";
import gpuMjs from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url";
import gpuWasm from "onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url";
import mjs from "onnxruntime-web/ort-wasm-simd-threaded.mjs?url";
import wasm from "onnxruntime-web/ort-wasm-simd-threaded.wasm?url";

const element = (id) => document.getElementById(id);
const bytesOf = async (id) => new Uint8Array(await element(id).files[0].arrayBuffer());
const say = (text) => {
  element("said").textContent = text;
};

element("go").addEventListener("click", async () => {
  try {
    const [model, npz] = [await bytesOf("model"), await bytesOf("data")];
    const files = { mjs, wasm, gpuFiles: { mjs: gpuMjs, wasm: gpuWasm } };
    const runner = element("gpu").checked ? await webgpuRunner(files) : webRunner(files);
    const { bytes, summary } = await prune(model, {
      runner,
      data: { source: "samples", inputs: readNpz(npz, "samples") },
      compensate: "lstsq",
      budget: { targetMacs: element("share").value / 100 },
      onProgress: ({ removed, expected }) => say(`${removed} of about ${expected} units gone`),
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = "small.onnx";
    link.textContent = "small.onnx";
    say(
      `${summary.before.bytes} -> ${summary.after.bytes} bytes, verified to ${summary.verified.toExponential(1)} on ${runner.name}: `,
    );
    element("said").append(link);
  } catch (error) {
    say(error instanceof ShrinkError ? error.message : `unexpected: ${error}`);
  }
});
