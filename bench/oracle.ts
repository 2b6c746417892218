/**
 * The oracle in all its ways against brute force, in one run on the same network, data and machine.
 *
 *     npm run bench                                       400-100-10 and 400-50-50-10 on 5,000 digits
 *     npm run bench -- 784-100-10:10000 400-50-10:1000    widths and samples
 *
 * Brute force is what the paper did: for every candidate the network without it runs over all samples. Two candidates of
 * each step of the exact run are timed, and count for all of that step.
 */
import { cpus } from "node:os";
import { cropped, datasetOf, denseModel, loadDigits, train } from "@shrinknet/paper";
import { nodeRunner } from "@shrinknet/runtime";
import {
  type Chosen,
  choose,
  criterionOf,
  type Model,
  prepare,
  qualityOf,
  type Subject,
  stateOf,
  subjectOf,
  unitsLeft,
} from "shrinknet";

const threads = Math.min(2, cpus().length);
const given = process.argv.slice(2);
const runner = nodeRunner({ threads });

console.log(`${cpus()[0]?.model.trim()}, ${threads} threads, Node ${process.version}, ${runner.name}\n`);
console.log(
  "| network | samples | way | seconds | evaluations | brute force : it | area under the error curve : exact |",
);
console.log("|---|---|---|---|---|---|---|");
for (const text of given.length > 0 ? given : ["400-100-10:5000", "400-50-50-10:5000"]) await measure(text);

async function measure(text: string): Promise<void> {
  const [name = "", size = "5000"] = text.split(":");
  const widths = name.split("-").map(Number);
  const samples = Number(size);
  const digits = loadDigits();
  const data = datasetOf(widths[0] === 400 ? cropped(digits, 20) : digits, "digits", 0, samples);
  const { model } = await train(denseModel({ widths, output: "Sigmoid", seed: 1 }), {
    runner: nodeRunner({ threads: 1 }),
    data,
    objective: "sse",
    batch: 50,
    rate: 0.01,
    maxEpochs: 60,
    seed: 1,
    done: ({ accuracy = 0 }) => accuracy >= 0.99,
  });
  const subject = await subjectOf(await prepare(model, runner), runner, data, "sse");
  const runs = new Map<string, { seconds: number; run: Chosen }>();
  for (const way of ["oracle", "oracle-lazy", "oracle-racing", "taylor2"]) {
    const started = performance.now();
    const run = await choose(subject.prunable, subject, { criterion: criterionOf(way), minKeep: 0, budget: {} });
    runs.set(way, { seconds: (performance.now() - started) / 1000, run });
  }
  const exact = runs.get("oracle")?.run as Chosen;
  const brute = await bruteForce(subject, exact);
  const row = (way: string, seconds: number, evaluations: number, area: number): void => {
    const cells = [
      name,
      samples,
      way,
      seconds.toFixed(2),
      Math.round(evaluations),
      (brute.seconds / seconds).toFixed(1),
      area.toFixed(3),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  };
  row("brute force", brute.seconds, brute.evaluations, 1);
  for (const [way, { seconds, run }] of runs) row(way, seconds, run.evaluations, area(run) / area(exact));
}

/** Sum of the errors after every removal. */
function area({ trace }: Chosen): number {
  return trace.reduce((sum, { error }) => sum + error, 0);
}

/** Seconds that full passes take along the given run. */
async function bruteForce(subject: Subject, { trace }: Chosen): Promise<{ seconds: number; evaluations: number }> {
  const { units } = subject.prunable;
  const removed = new Uint8Array(units.count);
  let ms = 0;
  let evaluations = 0;
  for (const { group, unit } of trace) {
    const left = unitsLeft(units, removed);
    evaluations += left.length;
    const models: Model[] = left.slice(0, 2).map((candidate) => {
      const without = removed.slice();
      without[candidate] = 1;
      return stateOf(subject.prunable, without).model;
    });
    const started = performance.now();
    for (const model of models) await qualityOf(subject, model);
    ms += ((performance.now() - started) / models.length) * left.length;
    removed[(units.groups.find(({ id }) => id === group)?.first ?? 0) + unit] = 1;
  }
  return { seconds: ms / 1000, evaluations };
}
