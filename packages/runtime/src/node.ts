/**
 * The Runner over onnxruntime-node: native, one process, CPU.
 *
 * @module @shrinknet/runtime/node
 */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Runner, Tensor } from "@shrinknet/core";
import * as ort from "onnxruntime-node";
import { sessionOf } from "./session.ts";

export interface NodeRunnerOptions {
  /** Threads inside one operator; default 1. Results do not depend on it beyond rounding. */
  readonly threads?: number;
}

/**
 * Threads that wait for work sleep. By default they go on looking for it, which takes the cores from other sessions: the
 * oracle's tails, run in turn on a busy machine, then take three times the processor time.
 */
const IDLE = "0";

/**
 * Its kernels hold channels in blocks of 8 or 16; without whole blocks of 8 another way through the network is taken: with
 * 63 channels in place of 64 a depthwise network of 2.7 million multiply-accumulates takes 4.4 times as long.
 */
const CHANNEL_BLOCK = 8;

/** A runner over onnxruntime-node on the CPU. */
export function nodeRunner({ threads = 1 }: NodeRunnerOptions = {}): Runner {
  return {
    channelBlock: CHANNEL_BLOCK,
    name: `onnxruntime-node ${ort.env.versions.common}, ${threads} thread${threads === 1 ? "" : "s"}`,
    async load(model, { optimize = true, pack = optimize } = {}) {
      return await sessionOf(ort, model, {
        ...sessionOptions(threads),
        graphOptimizationLevel: optimize ? "all" : "disabled",
        enableMemPattern: optimize, // planned in the first run, laid out in the second: it pays from the third on
        extra: {
          session: { intra_op: { allow_spinning: IDLE }, ...(!pack && { disable_prepacking: "1" }) },
        },
      });
    },
    profile: (model, feeds, runs) => profileOf(model, feeds, runs, threads),
  };
}

function sessionOptions(threads: number): ort.InferenceSession.SessionOptions {
  return {
    executionProviders: ["cpu"],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: "sequential",
    logSeverityLevel: 4,
    extra: { session: { intra_op: { allow_spinning: IDLE } } },
  };
}

/** Times of nodes, from the profile that onnxruntime writes into a folder. */
async function profileOf(
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  runs: number,
  threads: number,
): Promise<ReadonlyMap<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), "shrinknet-"));
  try {
    const profiled = { enableProfiling: true, profileFilePrefix: join(folder, "profile") };
    const session = await sessionOf(ort, model, { ...sessionOptions(threads), ...profiled });
    for (let i = 0; i < WARM_UP + runs; i++) await session.run(feeds);
    session.raw.endProfiling();
    await session.release();
    const [file = ""] = await readdir(folder);
    return nodeTimes(await readFile(join(folder, file), "utf8"), runs);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs whose times do not count. */
const WARM_UP = 5;

interface ProfileEvent {
  readonly cat?: string;
  readonly name?: string;
  /** Microseconds. */
  readonly dur?: number;
}

/** Sums of the last `runs` times of each kernel; layouts of channels in blocks have names of their own. */
function nodeTimes(profile: string, runs: number): ReadonlyMap<string, number> {
  const times = new Map<string, number[]>();
  for (const { cat, name = "", dur = 0 } of JSON.parse(profile) as ProfileEvent[]) {
    if (cat !== "Node" || !name.endsWith("_kernel_time")) continue;
    const node = name.slice(0, -"_kernel_time".length).replace(/_nchwc$/, "");
    times.set(node, [...(times.get(node) ?? []), dur / 1000]);
  }
  return new Map([...times].map(([node, all]) => [node, sumOf(all.slice(-runs)) / runs]));
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0);
}
