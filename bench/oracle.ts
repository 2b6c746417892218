/**
 * The oracle in all its ways against brute force, in one run on the same network, data and machine.
 *
 *     npm run bench                                       400-100-10 and 400-50-50-10 on 5,000 digits, KWS, ResNet20
 *     npm run bench -- 784-100-10:10000 kws resnet20      widths and samples; models of ../shared/models
 *     npm run bench -- 400-100-10:5000:exact,lazy         only these ways
 *
 * Brute force is what the paper did: for every candidate the network without it runs over all samples. Before anything
 * is timed each contestant runs once on a part of the data, so that none pays for warming up the compiler.
 */
import { existsSync, readFileSync } from "node:fs";
import {
  type Budget,
  choose,
  createEvaluator,
  criterionOf,
  type Evaluator,
  oracleBy,
  pick,
  prepare,
  type Removal,
  readModel,
} from "@shrinknet/core";
import { loadData } from "@shrinknet/data/node";
import { bruteForce, machine, runner, type Taken, timed, trained } from "./timed.ts";

/** Models that are too large to be removed from altogether. */
const shared = {
  kws: {
    file: "kws-dscnn.onnx",
    data: "kws-calib.npz",
    targetMacs: 0.5,
    ways: ["exact", "lazy", "shortlist", "taylor2"],
  },
  resnet20: { file: "cifar-resnet20.onnx", data: "cifar-calib.npz", targetMacs: 0.7, ways: ["shortlist", "taylor2"] },
} as const;
const folder = new URL("../../shared/models/", import.meta.url);

console.log(`${machine()}\n`);
const columns = ["network", "samples", "way", "seconds", "processor seconds", "evaluations", "brute force : it"];
console.log(`| ${[...columns, "by processor", "area under the error curve", "accuracy"].join(" | ")} |`);
console.log(`|${"---|".repeat(columns.length + 3)}`);
const given = process.argv.slice(2);
for (const text of given.length > 0 ? given : ["400-100-10:5000", "400-50-50-10:5000", "kws", "resnet20"]) {
  const [name = "", size = "", ways = ""] = text.split(":");
  const asked = ways === "" ? undefined : (ways.split(",") as Way[]);
  if (name in shared) await measureShared(name as keyof typeof shared, asked);
  else await measureDense(name, Number(size || 5000), asked);
}

/** All units removed one by one. */
async function measureDense(
  name: string,
  samples: number,
  ways: readonly Way[] = ["exact", "lazy", "racing", "taylor2"],
): Promise<void> {
  const evaluator = await trained(name, samples);
  const part = pick(evaluator.samples, [...Array(Math.min(500, evaluator.samples.size)).keys()]);
  const small = await createEvaluator(evaluator.prunable, runner, part, { objective: "sse" });
  for (const way of ways) await bruteForce(small, (await run(small, way, {})).result.trace, 10);
  await compete(name, evaluator, ways, {}, 1);
}

/** Down to a share of the multiply-accumulates. */
async function measureShared(name: keyof typeof shared, asked: readonly Way[] | undefined): Promise<void> {
  const { file, data: samples, targetMacs, ways } = shared[name];
  if (!existsSync(new URL(file, folder))) return console.log(`${name}: not there`);
  const prunable = await prepare(readModel(readFileSync(new URL(file, folder))), runner);
  const data = await loadData(new URL(samples, folder).pathname, {});
  const evaluator = await createEvaluator(prunable, runner, data, { objective: "cross-entropy" });
  await compete(name, evaluator, asked ?? ways, { targetMacs }, 10);
}

type Way = "exact" | "lazy" | "racing" | "shortlist" | "taylor2";

function run(
  evaluator: Evaluator,
  way: Way,
  budget: Budget,
): ReturnType<typeof timed<Awaited<ReturnType<typeof choose>>>> {
  const criterion =
    way === "taylor2" ? criterionOf(way) : way === "shortlist" ? oracleBy("racing", { shortlist: 0.2 }) : oracleBy(way);
  return timed(() => choose(evaluator.prunable, evaluator, { criterion, budget, minKeep: budget.targetMacs ? 1 : 0 }));
}

async function compete(
  name: string,
  evaluator: Evaluator,
  ways: readonly Way[],
  budget: Budget,
  every: number,
): Promise<void> {
  const runs = new Map<Way, Awaited<ReturnType<typeof run>>>();
  for (const way of ways) runs.set(way, await run(evaluator, way, budget));
  const [first] = runs.values();
  const trace = first?.result.trace as readonly Removal[];
  const brute = await bruteForce(evaluator, trace, every);
  const row = (way: string, taken: Taken, evaluations: number, rows: readonly Removal[]): void => {
    const cells = [
      ...[
        name,
        evaluator.samples.size,
        way,
        taken.seconds.toFixed(2),
        taken.processor.toFixed(2),
        Math.round(evaluations),
      ],
      ...[(brute.seconds / taken.seconds).toFixed(1), (brute.processor / taken.processor).toFixed(1)],
      ...[(area(rows) / area(trace)).toFixed(3), ((rows.at(-1)?.accuracy ?? Number.NaN) * 100).toFixed(1)],
    ];
    console.log(`| ${cells.join(" | ")} |`);
  };
  row("brute force", brute, brute.evaluations, trace);
  for (const [way, taken] of runs) row(way, taken, taken.result.evaluations, taken.result.trace);
}

/** Of the error against the multiply-accumulates that are gone, at the stages that were measured. */
function area(trace: readonly Removal[]): number {
  const rows = trace.filter(({ error }) => !Number.isNaN(error));
  return rows.reduce((sum, { error, macs }, i) => {
    const last = rows[i - 1];
    return last ? sum + ((last.macs - macs) * (last.error + error)) / 2 : sum;
  }, 0);
}
