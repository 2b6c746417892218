/**
 * The oracle against brute force by full passes of onnxruntime, in one run on the same network, data and machine.
 *
 *     npm run bench [-- 400-100-10 400-50-50-10]
 *
 * Brute force is what the paper did: for every candidate the network without it runs over all samples. It is timed on
 * some removals, spread over the run, and the rest is filled in from these (its cost falls evenly as units go).
 */
import { cpus } from "node:os";
import { cropped, datasetOf, denseModel, loadDigits, train } from "@shrinknet/paper";
import { nodeRunner } from "@shrinknet/runtime";
import {
  choose,
  criteria,
  type Model,
  prepare,
  qualityOf,
  type Subject,
  stateOf,
  subjectOf,
  unitsLeft,
} from "shrinknet";

const SAMPLES = 5000;
const threads = Math.min(2, cpus().length);
const networks = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ["400-100-10", "400-50-50-10"];

console.log(`${cpus()[0]?.model.trim()}, ${threads} threads, Node ${process.version}, ${SAMPLES} samples`);
for (const name of networks) await measure(name);

async function measure(name: string): Promise<void> {
  const runner = nodeRunner({ threads });
  const data = datasetOf(cropped(loadDigits(), 20), "digits", 0, SAMPLES);
  const widths = name.split("-").map(Number);
  const { model } = await train(denseModel({ widths, output: "Sigmoid", seed: 1 }), {
    runner,
    data,
    objective: "sse",
    batch: 50,
    rate: 0.01,
    maxEpochs: 60,
    seed: 1,
    done: ({ accuracy = 0 }) => accuracy >= 0.99,
  });
  const subject = await subjectOf(await prepare(model, runner), runner, data, "sse");
  const started = performance.now();
  const run = await choose(subject.prunable, subject, { criterion: criteria.oracle as never, minKeep: 0, budget: {} });
  const oracleMs = performance.now() - started;
  const order = run.trace.map(({ group, unit }) => {
    const { first } = subject.prunable.units.groups.find(({ id }) => id === group) as { first: number };
    return first + unit;
  });
  const brute = await bruteForce(subject, order);
  console.log(
    `${name}: brute force ${(brute.ms / 1000).toFixed(1)} s for ${brute.evaluations} evaluations, ` +
      `oracle ${(oracleMs / 1000).toFixed(2)} s for ${run.evaluations}, ratio ${(brute.ms / oracleMs).toFixed(1)}x`,
  );
}

/** Milliseconds that full passes take along the given order of removals. */
async function bruteForce(subject: Subject, order: readonly number[]): Promise<{ ms: number; evaluations: number }> {
  const { units } = subject.prunable;
  let ms = 0;
  let evaluations = 0;
  for (let step = 0; step < order.length; step++) {
    const removed = new Uint8Array(units.count);
    for (const unit of order.slice(0, step)) removed[unit] = 1;
    const left = unitsLeft(units, removed);
    evaluations += left.length;
    const timed = left.slice(0, 2); // of each step
    const models: Model[] = timed.map((unit) => {
      const without = removed.slice();
      without[unit] = 1;
      return stateOf(subject.prunable, without).model;
    });
    const started = performance.now();
    for (const model of models) await qualityOf(subject, model);
    ms += ((performance.now() - started) / timed.length) * left.length;
  }
  return { ms, evaluations };
}
