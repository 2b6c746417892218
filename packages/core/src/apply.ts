/** Replays a plan on the original file. */
import { ShrinkError } from "./errors.ts";
import type { ProbeOptions } from "./graph/shapes.ts";
import { stateOf } from "./measure/state.ts";
import { readModel, writeModel } from "./onnx/index.ts";
import { modelHash, type Plan, unitsOfPlan } from "./plan/plan.ts";
import type { Runner } from "./runner.ts";
import { sampleFeeds } from "./surgery/samples.ts";
import { verify } from "./surgery/verify.ts";
import { prepare } from "./units/prepare.ts";

/** The smaller file that the plan describes, verified. Throws a `plan` error if it was made for another file. */
export async function applyPlan(
  file: Uint8Array,
  plan: Plan,
  { runner, ...probe }: ProbeOptions & { readonly runner: Runner },
): Promise<{ bytes: Uint8Array; verified: number }> {
  const hash = modelHash(file);
  if (hash !== plan.modelHash) {
    throw new ShrinkError(
      "plan",
      `plan: made for a model with hash ${plan.modelHash}, this one has ${hash}; expected the file that was pruned`,
    );
  }
  if (plan.compensation !== "none") {
    throw new ShrinkError(
      "plan",
      `plan: compensation "${plan.compensation}" is unknown to this version, expected none; use the version that wrote it`,
    );
  }
  const original = readModel(file);
  const prunable = await prepare(original, runner, probe);
  const removed = unitsOfPlan(plan, prunable.units);
  const bytes = writeModel(stateOf(prunable, removed).model);
  const verified = await verify(prunable, original, removed, bytes, sampleFeeds(prunable, undefined), runner);
  return { bytes, verified };
}
