import { renameSync, writeFileSync } from "node:fs";
import { serialize } from "node:v8";
import { compare, exactParabola } from "shrinknet";
import { nodeRunner } from "@shrinknet/runtime";
import { experiments } from "../src/experiments/table.ts";
import { trainedNetwork } from "../src/measure/trained.ts";
const runner = nodeRunner({ threads: 1 });
for (const seed of [1, 2]) for (const id of ["mnist-2layer","diamond","random-shape","digit-0","cosine-small","digit-2","digit-1","cosine-big","mnist-1layer"]) {
  const e = experiments.find(e => e.id === id)!; const samples = e.samples(seed);
  const { file } = await trainedNetwork(e, samples, { runner, seed, cache: "/tmp/pp/cache" });
  const before = process.cpuUsage().user;
  const { runs } = await compare(file, { runner, data: samples.calibration, test: samples.test, criteria: [exactParabola], schedules: ["rerank"], objective: "sse", minKeep: 0, seed, name: id });
  writeFileSync("/tmp/pp/exact.tmp", serialize(runs[0])); renameSync("/tmp/pp/exact.tmp", `/tmp/pp/jobs/exact-${id}-${seed}.bin`);
  console.log(id, seed, ((process.cpuUsage().user - before) / 1e6).toFixed(0));
}
