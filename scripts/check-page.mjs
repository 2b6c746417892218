// The library in a browser: the page of examples/vite-page, built, shrinks a model in chromium, and the file is the one that the same run
// gives in Node on the same runtime. No request leaves the origin.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { prune } from "@shrinknet/core";
import { readNpz, writeNpz } from "@shrinknet/data";
import { webRunner } from "@shrinknet/runtime/web";
import { emptyGraph, float32, GraphBuilder, writeModel } from "shrinknet/graph";
import { build } from "vite";
import { launch, serve, watched } from "./browser.mjs";

const folder = mkdtempSync(join(tmpdir(), "shrinknet-page-"));
const numbers = (size, seed) => Array.from({ length: size }, (_, at) => Math.sin(at * 12.9 + seed));
const b = new GraphBuilder({ opset: 17, base: emptyGraph() });
b.input("x", "float32", ["N", 2, 8, 8]);
const c = b.op("Relu", [b.op("Conv", ["x", b.tensor(float32(numbers(16 * 18, 1), [16, 2, 3, 3]))])]);
const h = b.op("Tanh", [
  b.op("MatMul", [b.op("Flatten", [b.op("GlobalAveragePool", [c])]), b.tensor(float32(numbers(16 * 24, 2), [16, 24]))]),
]);
const y = b.op("MatMul", [h, b.tensor(float32(numbers(24 * 4, 3), [24, 4]))]);
const graph = b.graph([{ name: y, type: "float32", shape: ["N", 4] }]);
const model = writeModel({ graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() });
const npz = writeNpz({ x: float32(numbers(128 * 200, 4), [200, 2, 8, 8]) });
writeFileSync(join(folder, "model.onnx"), model);
writeFileSync(join(folder, "calib.npz"), npz);

const { buffer, byteOffset, byteLength } = readFileSync(
  createRequire(import.meta.url).resolve("onnxruntime-web/ort-wasm-simd-threaded.wasm"),
);
const runner = webRunner({ threads: 1, wasm: buffer.slice(byteOffset, byteOffset + byteLength) });
const expected = await prune(model, {
  runner,
  data: { source: "samples", inputs: readNpz(npz, "samples") },
  compensate: "lstsq",
  budget: { targetMacs: 0.6 },
});

const outDir = join(folder, "page");
await build({ root: resolve("examples/vite-page"), build: { outDir, chunkSizeWarningLimit: 2000 }, logLevel: "error" });
const browser = await launch();
const { origin, close } = await serve(outDir);
try {
  const { page, errors } = await watched(browser, origin, { viewport: { width: 390, height: 844 } });
  await page.goto(`${origin}/index.html`);
  if (!(await page.evaluate(() => crossOriginIsolated))) throw new Error("the page is not isolated");
  await page.setInputFiles("#model", join(folder, "model.onnx"));
  await page.setInputFiles("#data", join(folder, "calib.npz"));
  await page.click("#go");
  const isDone = page.waitForSelector("#said a", { timeout: 60_000 });
  await isDone.catch(async () => {
    throw new Error(`the page says "${await page.textContent("#said")}"; ${errors.join("; ")}`);
  });
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#said a")]);
  const found = readFileSync(await download.path());
  if (errors.length > 0) throw new Error(errors.join("; "));
  if (!found.equals(Buffer.from(expected.bytes)))
    throw new Error(`the file of ${found.length} bytes is not that of Node, ${expected.bytes.length} bytes`);
  console.log(
    `shrunk in chromium: ${model.length} -> ${found.length} bytes, the same as in Node; ${await page.textContent("#said")}`,
  );
  await page.setInputFiles("#model", join(folder, "calib.npz"));
  await page.click("#go");
  await page.waitForFunction(() => /expected|damaged/.test(document.getElementById("said").textContent));
  console.log(`a file that is no model: ${await page.textContent("#said")}`);
  // a WebGPU in software: the same units go, rounding apart
  const withGpu = await launch({ gpu: true });
  try {
    const { page: other, errors: found } = await watched(withGpu, origin, {});
    await other.goto(`${origin}/index.html`);
    await other.setInputFiles("#model", join(folder, "model.onnx"));
    await other.setInputFiles("#data", join(folder, "calib.npz"));
    await other.check("#gpu");
    await other.click("#go");
    await other.waitForSelector("#said a", { timeout: 120_000 }).catch(async () => {
      throw new Error(`on WebGPU the page says "${await other.textContent("#said")}"; ${found.join("; ")}`);
    });
    const said = await other.textContent("#said");
    if (!said.includes(`-> ${expected.bytes.length} bytes`))
      throw new Error(`on WebGPU: ${said}, expected ${expected.bytes.length} bytes`);
    console.log(`on WebGPU: ${said}`);
  } finally {
    await withGpu.close();
  }
} finally {
  await browser.close();
  close();
  rmSync(folder, { recursive: true, force: true });
}
