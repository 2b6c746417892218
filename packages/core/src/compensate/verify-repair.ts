/** Proof before writing, for files with a repair and without. */
import type { Model } from "../graph/graph.ts";
import type { Values } from "../graph/pieces.ts";
import { writeModel } from "../onnx/index.ts";
import type { Verification } from "../results.ts";
import type { Runner } from "../runner.ts";
import { withWrittenWeights } from "../surgery/file.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { verify } from "../surgery/verify.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Compensator } from "./compensator.ts";

export interface VerifyRepairRequest {
  /** The model as it was read, and as it was prepared. */
  readonly original: Model;
  readonly prepared: Prunable;
  readonly compensator: Compensator | undefined;
  readonly removed: RemovedUnits;
  /** The smaller file. */
  readonly bytes: Uint8Array;
  /** One for each sample. */
  readonly feeds: readonly Values[];
  readonly runner: Runner;
}

/**
 * The smaller file computes what the original computes with its units switched off. With a repair in two steps: what the
 * repair started from computes what the original does, and the file what the repaired model does with its units switched off.
 *
 * @returns the worse of the two comparisons
 * @throws a `verification` error if that is far beyond rounding
 */
export async function verifyRepair(request: VerifyRepairRequest): Promise<Verification> {
  const { original, prepared, compensator, removed, bytes, feeds, runner } = request;
  const { kind = "none" } = compensator ?? {};
  if (!compensator || kind === "none") return verify({ prunable: prepared, original, removed, bytes, feeds, runner });
  const none = new Uint8Array(removed.length);
  const intact = writeModel(compensator.intact.model);
  const inFloat32 = { ...prepared, stored: undefined }; // as the intact model is
  const start = await verify({ prunable: inFloat32, original, removed: none, bytes: intact, feeds, runner });
  const written = withWrittenWeights(compensator.written, removed, bytes);
  const end = await verify({ prunable: written, original: written.model, removed, bytes, feeds, runner });
  if (start.isInDoubt !== end.isInDoubt) return start.isInDoubt ? start : end;
  return start.difference > end.difference ? start : end;
}
