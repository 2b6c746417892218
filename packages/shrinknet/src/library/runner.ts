/** The runner of the library and the command: onnxruntime-node, loaded when something runs. */
import { availableParallelism } from "node:os";
import type { Runner } from "@shrinknet/core";

export interface RunnerChoice {
  /** Default: onnxruntime on the processor, with `threads` threads. */
  readonly runner?: Runner | undefined;
  /** Threads of the default runner; default: as many as the machine has. Results do not depend on it beyond rounding. */
  readonly threads?: number | undefined;
}

/** The runner that is asked for, and its threads. */
export async function runnerOf({
  runner,
  threads = availableParallelism(),
}: RunnerChoice): Promise<{ readonly runner: Runner; readonly threads: number }> {
  if (runner) return { runner, threads };
  const { nodeRunner } = await import("@shrinknet/runtime/node");
  return { runner: nodeRunner({ threads }), threads };
}
