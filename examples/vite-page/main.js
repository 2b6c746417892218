import { prune, ShrinkError } from "@shrinknet/core";
import { readNpz } from "@shrinknet/data";
import { webRunner } from "@shrinknet/runtime/web";
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
    const { bytes, summary } = await prune(model, {
      runner: webRunner({ mjs, wasm }),
      data: { source: "samples", inputs: readNpz(npz, "samples") },
      compensate: "lstsq",
      budget: { targetMacs: element("share").value / 100 },
      onProgress: ({ removed, expected }) => say(`${removed} of about ${expected} units gone`),
    });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([bytes]));
    link.download = "small.onnx";
    link.textContent = "small.onnx";
    say(`${summary.before.bytes} -> ${summary.after.bytes} bytes, verified to ${summary.verified.toExponential(1)}: `);
    element("said").append(link);
  } catch (error) {
    say(error instanceof ShrinkError ? error.message : `unexpected: ${error}`);
  }
});
