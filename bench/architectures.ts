/**
 * What can be removed from whole model files: for each, the share of units and MACs that is free, and the proof that the
 * file without 30 % of every group computes what the gated original does; and how long `shrinknet inspect` takes, from its
 * start to its end by the clock, once. Run `npm run build` before.
 *
 *     npx tsx --conditions=source bench/architectures.ts [--markdown] MODEL.onnx ...
 */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import {
  prepare,
  readModel,
  ShrinkError,
  sampleFeeds,
  sizeAfter,
  stateOf,
  type Units,
  verify,
  writeModel,
} from "@shrinknet/core";
import { nodeRunner } from "@shrinknet/runtime/node";

const cli = fileURLToPath(new URL("../packages/shrinknet/bin/shrinknet.js", import.meta.url));
const markdown = process.argv.includes("--markdown");
const files = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const runner = nodeRunner({ threads: 2 });
if (markdown)
  console.log(
    "| model | groups | units | of all | MACs that depend on them | 30 % of each group removed: parameters, MACs | difference | inspect |\n|---|---|---|---|---|---|---|---|",
  );
for (const file of files)
  console.log(await examine(file).catch((error: unknown) => `${basename(file)}: ${(error as Error).message}`));

async function examine(file: string): Promise<string> {
  const seconds = secondsToInspect(file);
  const model = readModel(readFileSync(file));
  const prunable = await prepare(model, runner);
  const { units } = prunable;
  const whole = sizeAfter(prunable, new Uint8Array(units.count));
  const fewest = sizeAfter(
    prunable,
    removal(units, (size) => size - 1),
  );
  const removed = removal(units, (size) => Math.floor(size * 0.3));
  const less = sizeAfter(prunable, removed);
  const bytes = writeModel(stateOf(prunable, removed).model);
  const feeds = sampleFeeds(prunable, undefined);
  const difference = await verify({ prunable, original: model, removed, bytes, feeds, runner }).then(
    (verification) => verification.difference,
    (error: unknown) => {
      if (error instanceof ShrinkError) return Number.POSITIVE_INFINITY;
      throw error;
    },
  );
  const outputs = units.frozen
    .filter(({ reason }) => reason.startsWith("output"))
    .reduce((sum, { size }) => sum + size, 0);
  const frozen = units.frozen.reduce((sum, { size }) => sum + size, 0) - outputs;
  const percent = (part: number): string => `${(100 * part).toFixed(0)} %`;
  const cells = [
    basename(file, ".onnx"),
    units.groups.length,
    units.count,
    percent(units.count / (units.count + frozen)),
    percent(1 - fewest.macs / whole.macs),
    `${percent(less.parameters / whole.parameters)}, ${percent(less.macs / whole.macs)}`,
    difference.toExponential(0),
    `${seconds.toFixed(1)} s`,
  ];
  return markdown ? `| ${cells.join(" | ")} |` : cells.join("\t");
}

function secondsToInspect(file: string): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [cli, "inspect", file], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return (performance.now() - started) / 1000;
}

/** Removes `howMany(size)` units of every group, spread over it. */
function removal(units: Units, howMany: (size: number) => number): Uint8Array {
  const removed = new Uint8Array(units.count);
  for (const { first, size } of units.groups) {
    const count = howMany(size);
    for (let i = 0; i < count; i++) removed[first + Math.floor((i * size) / Math.max(1, count))] = 1;
  }
  return removed;
}
