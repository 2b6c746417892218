/** What the benchmarks share: the machine in words, time taken, trained networks, and brute force. */
import { cpus, loadavg } from "node:os";
import {
  createEvaluator,
  type Dataset,
  type Evaluator,
  type Model,
  prepare,
  type Removal,
  type Runner,
  stateOf,
  unitsLeft,
} from "@shrinknet/core";
import { cropped, datasetOf, denseModel, loadDigits, train } from "@shrinknet/paper";
import { nodeRunner } from "@shrinknet/runtime/node";

export const threads: number = Math.min(2, cpus().length);
export const runner: Runner = nodeRunner({ threads });

/** Seconds on the clock, and of processors: on a busy machine only these say what the work takes. */
export interface Taken {
  readonly seconds: number;
  readonly processor: number;
}

export async function timed<T>(work: () => Promise<T>): Promise<Taken & { readonly result: T }> {
  const [started, before] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - started) / 1000, processor: (user + system) / 1e6, result };
}

/** `AMD EPYC, 2 threads, Node v20.20.0, onnxruntime-node 1.30.0, load 0.3` */
export function machine(): string {
  return `${cpus()[0]?.model.trim()}, ${cpus().length} processors, Node ${process.version}, ${runner.name}, load ${loadavg()[0]?.toFixed(1)}`;
}

/** A dense network of these widths, trained on that many digits until 99 % are right, with these digits. */
export async function trained(name: string, samples: number): Promise<Evaluator> {
  const widths = name.split("-").map(Number);
  const digits = loadDigits();
  const data = datasetOf(widths[0] === 400 ? cropped(digits, 20) : digits, "digits", 0, samples);
  const model = await trainedOn(widths, data);
  return createEvaluator(await prepare(model, runner), runner, data, { objective: "sse" });
}

/** A dense network of these widths, trained on these digits until 99 % are right. */
export async function trainedOn(widths: readonly number[], data: Dataset): Promise<Model> {
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
  return model;
}

/**
 * What full passes would take along the given trace: for every candidate of every removal the network without it runs
 * over all samples. Two candidates of every `every`-th removal are run, and count for all of these removals.
 */
export async function bruteForce(
  evaluator: Evaluator,
  trace: readonly Removal[],
  every = 1,
): Promise<Taken & { readonly evaluations: number }> {
  const { units } = evaluator.prunable;
  const removed = new Uint8Array(units.count);
  let [seconds, processor, evaluations] = [0, 0, 0];
  let perCandidate = { seconds: 0, processor: 0 };
  for (const [index, { group, unit }] of trace.entries()) {
    const left = unitsLeft(units, removed);
    if (index % every === 0) {
      const models: Model[] = left.slice(0, 2).map((candidate) => {
        const without = removed.slice();
        without[candidate] = 1;
        return stateOf(evaluator.prunable, without).model;
      });
      const taken = await timed(async () => {
        for (const model of models) await evaluator.evaluate(model);
      });
      perCandidate = { seconds: taken.seconds / models.length, processor: taken.processor / models.length };
    }
    evaluations += left.length;
    seconds += perCandidate.seconds * left.length;
    processor += perCandidate.processor * left.length;
    removed[(units.groups.find(({ id }) => id === group)?.first ?? 0) + unit] = 1;
  }
  return { seconds, processor, evaluations };
}
