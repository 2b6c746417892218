/**
 * The whole command against the leanest brute force: `shrinknet prune` from its start to its files, and one session that
 * runs the network once over all samples for every candidate, which a mask on the units leaves out.
 *
 *     npm run build && npm run bench:command                       400-100-10 and 400-50-50-10 on 5,000 digits
 *     npm run build && npm run bench:command -- 400-100-10:5000    widths and samples
 *
 * The command is the built one, timed by the clock from the start of its process; the best of three, after one that is not
 * counted. Brute force does not read files, load, compile or choose: only its passes count, a hundred timed in this process
 * for every ten removals.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Dataset, type Model, type Node, Tensor, writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { cropped, datasetOf, loadDigits } from "@shrinknet/paper";
import { machine, runner, trainedOn } from "./timed.ts";

const cache = new URL("../node_modules/.cache/shrinknet-bench/", import.meta.url);
const main = fileURLToPath(new URL("../packages/shrinknet/bin/shrinknet.js", import.meta.url));

console.log(`${machine()}\n`);
console.log(
  "| network | samples | candidates | brute force, seconds | command, seconds | of it choosing | brute force : command |",
);
console.log("|---|---|---|---|---|---|---|");
const given = process.argv.slice(2);
for (const text of given.length > 0 ? given : ["400-100-10:5000", "400-50-50-10:5000"]) {
  const [name = "", samples = "5000"] = text.split(":");
  await row(name, Number(samples));
}

async function row(name: string, samples: number): Promise<void> {
  const widths = name.split("-").map(Number);
  const digits = loadDigits();
  const data = datasetOf(widths[0] === 400 ? cropped(digits, 20) : digits, "digits", 0, samples);
  const model = await trainedOn(widths, data);
  const brute = await maskedPasses(model, widths, data);
  const [modelPath, dataPath] = filesOf(name, model, data);
  const units = widths.slice(1, -1).reduce((sum, width) => sum + width, 0);
  const args = ["prune", modelPath, "--data", dataPath, "--criterion", "oracle", "--oracle", "exact"];
  const goal = ["--objective", "sse", "--remove", String(units), "--min-keep", "0", "--out", path("small.onnx")];
  const runs = [...Array(4)].map(() => {
    const started = performance.now();
    const out = execFileSync(process.execPath, [main, ...args, ...goal, "--json", "--quiet"], { encoding: "utf8" });
    const seconds = (performance.now() - started) / 1000;
    return { seconds, inside: (JSON.parse(out) as { seconds: number }).seconds };
  });
  const best = runs.slice(1).reduce((a, b) => (b.seconds < a.seconds ? b : a));
  const [taken, inside] = [best.seconds.toFixed(2), best.inside.toFixed(2)];
  const cells = [name, samples, brute.candidates, brute.seconds.toFixed(1), taken, inside];
  console.log(`| ${cells.join(" | ")} | ${(brute.seconds / best.seconds).toFixed(1)} |`);
}

/** Seconds of one pass per candidate, all units removed one by one. */
async function maskedPasses(
  model: Model,
  widths: readonly number[],
  data: Dataset,
): Promise<{ candidates: number; seconds: number }> {
  const hidden = widths.slice(1, -1);
  const units = hidden.reduce((sum, width) => sum + width, 0);
  const session = await runner.load(writeModel(masked(model, hidden)));
  const inputs = Object.fromEntries(Object.entries(data.inputs));
  const mask = hidden.map((width) => new Float32Array(width).fill(1));
  const labels = data.labels as Int32Array;
  const classes = widths.at(-1) as number;
  const pass = async (): Promise<number> => {
    const feeds = mask.map((values, layer) => [`mask${layer}`, new Tensor("float32", [1, values.length], values)]);
    const [out] = Object.values(await session.run({ ...inputs, ...Object.fromEntries(feeds) }));
    const answers = out?.data as Float32Array;
    let error = 0;
    for (let i = 0, n = 0; n < labels.length; n++) {
      const label = labels[n] as number;
      for (let k = 0; k < classes; k++, i++) error += ((answers[i] as number) - (k === label ? 1 : 0)) ** 2;
    }
    return error;
  };
  for (let i = 0; i < 20; i++) await pass();
  let candidates = 0;
  for (let left = units; left > 0; left--) candidates += left;
  const timed = Math.ceil(units / 10) * 100;
  const started = performance.now();
  for (let i = 0; i < timed; i++) {
    const layer = i % hidden.length;
    const values = mask[layer] as Float32Array;
    values[i % values.length] = 0;
    await pass();
    values[i % values.length] = 1;
  }
  const seconds = (performance.now() - started) / 1000;
  await session.release();
  return { candidates, seconds: (seconds / timed) * candidates };
}

/** The model with one more input for each hidden layer, mask0[1, width] and so on, that its units are multiplied by. */
function masked(model: Model, hidden: readonly number[]): Model {
  const { graph } = model;
  const after = (name: string): string => (/^hidden\d+\.out$/.test(name) ? `${name}.masked` : name);
  const masks = hidden.map((width, layer) => ({ name: `mask${layer}`, type: "float32" as const, shape: [1, width] }));
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const [out = ""] = node.outputs;
    const reading = { ...node, inputs: node.inputs.map(after) };
    if (after(out) === out) return [reading];
    const layer = Number(/\d+/.exec(out)?.[0]) - 1;
    const inputs = [out, `mask${layer}`];
    const mask = { name: `mask of ${out}`, opType: "Mul", domain: "", inputs, outputs: [after(out)], attributes: {} };
    return [reading, mask];
  });
  return { ...model, graph: graph.with({ inputs: [...graph.inputs, ...masks], nodes }) };
}

/** The model, and the samples as an npz file. */
function filesOf(name: string, model: Model, data: Dataset): [string, string] {
  mkdirSync(cache, { recursive: true });
  const labels = data.labels as Int32Array;
  const arrays = { ...data.inputs, y: new Tensor("int32", [labels.length], labels) };
  writeFileSync(path(`${name}.onnx`), writeModel(model));
  writeFileSync(path(`${name}.npz`), writeNpz(arrays, { level: 0 }));
  return [path(`${name}.onnx`), path(`${name}.npz`)];
}

function path(name: string): string {
  return fileURLToPath(new URL(name, cache));
}
