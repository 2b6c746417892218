/** Replays a plan on the original file. */
import { bind } from "./compensate/bind.ts";
import type { Compensation } from "./compensate/compensator.ts";
import { verifyRepair } from "./compensate/verify-repair.ts";
import { ShrinkError } from "./errors.ts";
import { Activations } from "./measure/activations.ts";
import { objectives } from "./measure/objectives/index.ts";
import { stateOf } from "./measure/state.ts";
import { writeModel } from "./onnx/index.ts";
import { type OpenOptions, openModel } from "./open.ts";
import { modelHash, type Plan, unitsOfPlan } from "./plan/plan.ts";
import { splitData } from "./plan/split.ts";
import type { Verification } from "./results.ts";
import { sampleFeeds } from "./surgery/samples.ts";

/**
 * The smaller file that the plan describes, verified. `data`: the samples that a plan with compensation fits consumers
 * on; to get the file that `prune` wrote, the same ones. Throws a `plan` error if the plan was made for another file, a
 * `data` error if it needs samples and has none.
 */
export async function applyPlan(
  file: Uint8Array,
  plan: Plan,
  options: OpenOptions,
): Promise<{ bytes: Uint8Array; verification: Verification }> {
  const hash = modelHash(file);
  if (hash !== plan.modelHash) {
    throw new ShrinkError(
      "plan",
      `plan: made for a model with hash ${plan.modelHash}, this one has ${hash}; expected the file that was pruned`,
    );
  }
  const compensate = compensationOf(plan);
  const { runner } = options;
  const { original, prepared, samples } = await openModel(file, { ...options, untie: plan.untie });
  const removed = unitsOfPlan(plan, prepared.units);
  const { holdOut = 0, seed } = plan;
  const { fit } = splitData(samples, { holdOut, seed });
  const { evaluator, compensator } = await bind(prepared, {
    runner,
    data: compensate === "none" ? undefined : fit,
    compensate,
    objective: objectiveOf(plan),
    recalibrate: plan.recalibrate,
  });
  const intact = stateOf(compensator?.prunable ?? prepared, new Uint8Array(removed.length));
  if (compensator && evaluator) {
    const activations = new Activations(evaluator, intact);
    await compensator.repair(activations, removed);
    await compensator.finish();
  }
  const prunable = compensator?.written ?? prepared;
  const bytes = writeModel(stateOf(prunable, removed).model);
  const feeds = sampleFeeds(prunable, evaluator);
  const verification = await verifyRepair({ original, prepared, compensator, removed, bytes, feeds, runner });
  return { bytes, verification };
}

function compensationOf({ compensation }: Plan): Compensation {
  if (compensation === "none" || compensation === "mean" || compensation === "lstsq") return compensation;
  throw new ShrinkError(
    "plan",
    `plan: compensation "${compensation}" is unknown to this version, expected none, mean or lstsq; use the version that wrote it`,
  );
}

/** What the repair was judged by; undefined where it is for the model and the data to say. */
function objectiveOf({ objective }: Plan): string | undefined {
  return Object.hasOwn(objectives, objective) ? objective : undefined;
}
