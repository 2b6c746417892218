/**
 * Trained networks, kept in a folder by the hash of all that they depend on: the experiment, the seed, the runtime and
 * the code that trains. A second run loads what the first has trained.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Model, type Quality, type Runner, readModel, writeModel } from "@shrinknet/core";
import type { Experiment, Goal, Samples } from "../experiments/experiment.ts";
import { denseModel } from "../network.ts";
import { train } from "../train.ts";

/** To be raised when data, network or training change in a way that the experiment does not tell. */
const CODE_VERSION = 1;

export interface Trained {
  readonly model: Model;
  readonly file: Uint8Array;
  readonly epochs: number;
  /** Whether the goal was reached. */
  readonly reached: boolean;
  /** Whether it came from the cache. */
  readonly cached: boolean;
}

export interface TrainOptions {
  readonly runner: Runner;
  readonly seed: number;
  /** Folder; made where it is missing. */
  readonly cache: string;
  readonly onEpoch?: ((epoch: number, quality: Quality) => void) | undefined;
}

/** The experiment's network for a seed: from the cache, or trained now. The seed varies weights, data and their order. */
export async function trainedNetwork(
  experiment: Experiment,
  { calibration }: Samples,
  { runner, seed, cache, onEpoch }: TrainOptions,
): Promise<Trained> {
  const stem = join(cache, `${experiment.id}-${seed}-${keyOf(experiment, seed, runner)}`);
  const known = await load(stem);
  if (known) return known;
  const { widths, output, training } = experiment;
  const { goal, batch, rate, decay = 1, maxEpochs, steps, spread } = training;
  const isDone = ({ error, accuracy = 0 }: Quality): boolean =>
    "accuracy" in goal ? accuracy >= goal.accuracy : error <= goal.meanError;
  const { model, epochs, quality } = await train(denseModel({ widths, output, spread, seed }), {
    ...{ runner, data: calibration, objective: "sse", batch, steps, maxEpochs, seed, done: isDone },
    rate: (epoch) => rate * decay ** (epoch - 1),
    ...(onEpoch && { onEpoch }),
  });
  const file = writeModel(model);
  const reached = isDone(quality);
  await mkdir(cache, { recursive: true });
  await store(`${stem}.onnx`, file);
  await store(`${stem}.json`, `${JSON.stringify({ epochs, reached })}\n`); // last: a folder with it is complete
  return { model: readModel(file), file, epochs, reached, cached: false };
}

/** The goal in words. */
export function goalText(goal: Goal): string {
  return "accuracy" in goal ? `accuracy ${goal.accuracy}` : `error ${goal.meanError} per sample`;
}

function keyOf({ id, widths, output, data, training }: Experiment, seed: number, runner: Runner): string {
  const runtime = runner.name.replace(/, .*/, ""); // the number of threads is not part of it
  const all = JSON.stringify([CODE_VERSION, id, widths, output, data, training, seed, runtime]);
  return createHash("sha256").update(all).digest("hex").slice(0, 16);
}

async function load(stem: string): Promise<Trained | undefined> {
  try {
    const told = JSON.parse(await readFile(`${stem}.json`, "utf8")) as Pick<Trained, "epochs" | "reached">;
    const file = new Uint8Array(await readFile(`${stem}.onnx`));
    return { model: readModel(file), file, ...told, cached: true };
  } catch {
    return undefined; // missing or damaged: train again
  }
}

async function store(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  await writeFile(temporary, content);
  await rename(temporary, path);
}
