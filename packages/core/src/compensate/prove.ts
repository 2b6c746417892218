/** Proof before writing, for files with a repair and without. */
import type { Model } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { verify } from "../surgery/verify.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Compensator } from "./compensator.ts";

export interface ProveRequest {
  /** The model as it was read, and as it was prepared. */
  readonly original: Model;
  readonly prepared: Prunable;
  readonly compensator: Compensator | undefined;
  readonly removed: RemovedUnits;
  /** The smaller file. */
  readonly bytes: Uint8Array;
  /** Inputs by name, in batches. */
  readonly feeds: readonly Readonly<Record<string, Tensor>>[];
  readonly runner: Runner;
}

/**
 * The smaller file computes what the original computes with its units switched off. With a repair in two steps: what the
 * repair started from computes what the original does, and the file what the repaired model does with its units switched off.
 *
 * @returns the largest difference, relative to that output's largest size
 * @throws a `verification` error if that is beyond rounding
 */
export async function prove(request: ProveRequest): Promise<number> {
  const { original, prepared, compensator, removed, bytes, feeds, runner } = request;
  if (!compensator) return verify(prepared, original, removed, bytes, feeds, runner);
  const none = new Uint8Array(removed.length);
  const start = await verify(prepared, original, none, writeModel(compensator.intact.model), feeds, runner);
  const { written } = compensator;
  return Math.max(start, await verify(written, written.model, removed, bytes, feeds, runner));
}
