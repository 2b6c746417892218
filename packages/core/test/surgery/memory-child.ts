/** Prunes a file and prints the peak of this process's resident memory, in bytes. */
import { readFileSync } from "node:fs";
import { nodeRunner } from "@shrinknet/runtime/node";
import { prune } from "../../src/prune.ts";

const file = readFileSync(process.argv[2] as string);
const { bytes } = await prune(file, {
  runner: nodeRunner(),
  criterion: "magnitude",
  schedule: "once",
  budget: { remove: { share: 0.3 } },
});
const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
process.stdout.write(JSON.stringify({ peak, before: file.byteLength, after: bytes.byteLength }));
