import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { serialize } from "node:v8";
import { nodeRunner } from "@shrinknet/runtime";
import { compare } from "shrinknet";
import { experiments } from "../src/experiments/table.ts";
import { trainedNetwork } from "../src/measure/trained.ts";
import { criteria } from "../src/measure/measured.ts";
const runner = nodeRunner({ threads: 1 });
for (const seed of [4,5]) for (const id of ["mnist-2layer","mnist-1layer","diamond","random-shape","digit-0","digit-1","digit-2"]) {
  const dir = `/tmp/pp/jobs/${id}-${seed}`;
  try { mkdirSync(`${dir}/lock3`); } catch { continue; }
  const experiment = experiments.find(e => e.id === id)!;
  const samples = experiment.samples(seed);
  const before = process.cpuUsage();
  const { file, model, ...training } = await trainedNetwork(experiment, samples, { runner, seed, cache: "/tmp/pp/cache" });
  const summary = await compare(file, { runner, data: samples.calibration, test: samples.test, criteria, schedules: experiment.schedules, seed, objective: "sse", minKeep: 0, name: id });
  const { error, accuracy, test } = summary.baseline;
  writeFileSync(`${dir}/tmp`, serialize({ id, seed, training, layers: summary.layers, runs: summary.runs, gains: { oracle: [], taylor1: [], taylor2: [] }, start: { error, ...(accuracy !== undefined && { accuracy }), ...(test && { test }) } })); renameSync(`${dir}/tmp`, `${dir}/measured.bin`);
  const used = process.cpuUsage(before);
  console.log(id, seed, ((used.user+used.system)/1e6).toFixed(1), new Date().toISOString().slice(11,19));
}
