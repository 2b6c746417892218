/**
 * A wide layer at many positions, much removed from it: what kept activations take, in seconds and in memory. Runs on any
 * version of the command, so that two can be compared:
 *
 *     npx tsx --conditions=source bench/tokens.ts [command and its arguments...]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { model, node, random } from "../packages/core/test/support/build.ts";
import { machine } from "./timed.ts";

const [SAMPLES, TOKENS, WIDTH, HIDDEN, REMOVED] = [500, 16, 32, 256, 60];

const [command = process.execPath, ...given] = process.argv.slice(2);
const own =
  command === process.execPath
    ? [fileURLToPath(new URL("../packages/shrinknet/bin/shrinknet.js", import.meta.url))]
    : given;
const folder = mkdtempSync(join(tmpdir(), "tokens-"));
const r = random(1);
const network = model({
  inputs: { x: ["N", TOKENS, WIDTH] },
  outputs: ["y"],
  initializers: { w: r.tensor([WIDTH, HIDDEN]), b: r.tensor([HIDDEN]), v: r.tensor([HIDDEN, WIDTH]) },
  nodes: [
    node("MatMul", ["x", "w"], ["m"]),
    node("Add", ["m", "b"], ["s"]),
    node("Relu", ["s"], ["h"]),
    node("MatMul", ["h", "v"], ["y"]),
  ],
});
writeFileSync(join(folder, "tokens.onnx"), writeModel(network));
writeFileSync(
  join(folder, "x.npz"),
  writeNpz({ x: r.tensor([SAMPLES, TOKENS, WIDTH]), y: r.tensor([SAMPLES, TOKENS, WIDTH]) }),
);

const args = [
  "prune",
  "tokens.onnx",
  "--data",
  "x.npz",
  "--remove",
  String(REMOVED),
  "--objective",
  "sse",
  "--oracle",
  "exact",
  "--out",
  "small.onnx",
];
const started = performance.now();
const { status, stdout, stderr } = spawnSync("/usr/bin/time", ["-f", "%M", command, ...own, ...args, "--json"], {
  cwd: folder,
  encoding: "utf8",
  maxBuffer: 2 ** 26,
});
const seconds = (performance.now() - started) / 1000;
if (status !== 0) throw new Error(stderr);
const { removed } = JSON.parse(stdout) as { removed: { unit: number }[] };
console.log(machine());
console.log(`${seconds.toFixed(1)} s, ${Math.round(Number(stderr.trim().split("\n").at(-1)) / 1024)} MB at most`);
console.log(`units ${removed.map(({ unit }) => unit).join(" ")}`);
