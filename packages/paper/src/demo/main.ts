/**
 * The demo: trains a network on real handwritten digits, asks the paper's three criteria which neurons it can do
 * without, and writes a smaller, verified network and a report. Everything on this machine.
 *
 *     npm run demo [-- OUT_FOLDER]
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type CompareRun, compare, type ModelState, prune, writeModel } from "@shrinknet/core";
import { compareReport } from "@shrinknet/report";
import { nodeRunner } from "@shrinknet/runtime/node";
import { demoDigits, trainDemo } from "./network.ts";

const out = process.argv[2] ?? "demo-out";
const started = performance.now();
const runner = nodeRunner({ threads: 1 }); // so that training gives the same network on every machine of a kind
const { data, test } = demoDigits();
const progress = (text: string): void => void (process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`));

const trained = await trainDemo(runner, data, (epoch, { accuracy = 0 }) =>
  progress(`training: epoch ${epoch}, ${percent(accuracy)}`),
);
const model = writeModel(trained.model);
const trainedAt = seconds();

const comparison = await compare(model, {
  runner,
  data,
  test,
  objective: "sse",
  name: "model.onnx",
  onProgress: ({ criterion }, { removed }) => progress(`${criterion}: ${removed} of 100 neurons removed`),
});
const small = await prune(model, {
  runner,
  data,
  test,
  objective: "sse",
  budget: { maxAccuracyDrop: 0.01 },
  align: 1, // one by one, as above
  names: { model: "model.onnx", out: "model.small.onnx" },
});
await mkdir(out, { recursive: true });
await writeFile(join(out, "model.onnx"), model);
await writeFile(join(out, "model.small.onnx"), small.bytes);
await writeFile(join(out, "report.html"), compareReport(comparison));
progress("");

const { before, after, verified, removed } = small.summary;
console.log(
  `Trained 400-100-10 on 5,000 digits: ${percent(trained.quality.accuracy)} right after ${trained.epochs} epochs (${trainedAt} s).`,
);
console.log(`On 5,000 digits that it has never seen: ${percent(before.test?.accuracy)}.`);
console.log("Removing neurons one by one, without re-training; right answers on its own digits after");
for (const run of comparison.runs)
  console.log(
    `  ${run.criterion.padEnd(8)} ${[20, 40, 60, 80].map((at) => `${at}: ${percent(accuracyAt(run, at))}`).join("   ")}`,
  );
console.log(
  `The oracle measured ${comparison.runs[0]?.evaluations.toLocaleString("en")} networks in ${comparison.runs[0]?.seconds.toFixed(1)} s.`,
);
console.log(
  `One point of accuracy buys ${removed.length} of 100 neurons: ${sizes(before)} -> ${sizes(after)}; ${percent(after.test?.accuracy)} on new digits.`,
);
console.log(
  `Verified: the smaller file and the original without these neurons ${verified === 0 ? "give identical outputs" : `differ by at most ${verified.toExponential(0)}`}.`,
);
console.log(`In ${out}/: model.onnx, model.small.onnx, report.html (open it in a browser). ${seconds()} s in all.`);

function accuracyAt(run: CompareRun, removedUnits: number): number | undefined {
  return run.steps.find((step) => step.removed === removedUnits)?.accuracy;
}

function sizes({ parameters, bytes }: ModelState): string {
  return `${parameters.toLocaleString("en")} parameters, ${Math.round(bytes / 1024)} kB`;
}

function percent(share: number | undefined): string {
  return share === undefined ? "?" : `${(share * 100).toFixed(1)} %`;
}

function seconds(): string {
  return ((performance.now() - started) / 1000).toFixed(1);
}
