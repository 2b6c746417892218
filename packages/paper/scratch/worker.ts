import { mkdirSync, writeFileSync, existsSync, renameSync } from "node:fs";
import { serialize } from "node:v8";
import { nodeRunner } from "@shrinknet/runtime";
import { experiments } from "../src/experiments/table.ts";
import { gainsUpTo10 } from "../src/measure/gains.ts";
import { measureExperiment } from "../src/measure/measure.ts";
const runner = nodeRunner({ threads: 1 });
const order = ["mnist-2layer","mnist-1layer","diamond","random-shape","digit-0","digit-1","digit-2","cosine-big","cosine-small"];
for (const seed of [1,2,3,4,5]) for (const id of order) {
  const dir = `/tmp/pp/jobs/${id}-${seed}`;
  try { mkdirSync(dir); } catch { continue; }
  const experiment = experiments.find(e => e.id === id)!;
  const before = process.cpuUsage();
  const m = await measureExperiment(experiment, { runner, seed, cache: "/tmp/pp/cache", gains: gainsUpTo10(0.01) });
  const { experiment: _, ...rest } = m;
  writeFileSync(`${dir}/tmp`, serialize({ id, ...rest })); renameSync(`${dir}/tmp`, `${dir}/measured.bin`);
  const used = process.cpuUsage(before);
  console.log(id, seed, ((used.user+used.system)/1e6).toFixed(1), new Date().toISOString().slice(11,19));
}
