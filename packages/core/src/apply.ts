/** Replays a plan on the original file. */
import { bind } from "./compensate/bind.ts";
import type { Compensation } from "./compensate/compensator.ts";
import { verifyRepair } from "./compensate/verify-repair.ts";
import { ShrinkError } from "./errors.ts";
import { Activations } from "./measure/activations.ts";
import { objectives } from "./measure/objectives/index.ts";
import type { ObjectiveOptions } from "./measure/objectives/model-objective.ts";
import { stateOf } from "./measure/state.ts";
import { type OpenOptions, openModel } from "./open.ts";
import { modelHash, type Plan, unitsOfPlan } from "./plan/plan.ts";
import { splitData } from "./plan/split.ts";
import type { Verification } from "./results.ts";
import { fileOf } from "./surgery/file.ts";
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
  const { original, prepared, samples } = await openModel(file, {
    ...options,
    untie: plan.untie,
    kinds: plan.kinds,
    fix: plan.fix,
  });
  const removed = unitsOfPlan(plan, prepared.units);
  const { holdOut = 0, seed } = plan;
  const { fit } = splitData(samples, { holdOut, seed });
  const { evaluator, compensator } = await bind(prepared, {
    runner,
    data: compensate === "none" ? undefined : fit,
    compensate,
    ...objectivesOf(plan),
    recalibrate: plan.recalibrate,
  });
  const intact = stateOf(compensator?.prunable ?? prepared, new Uint8Array(removed.length));
  if (compensator && evaluator) {
    const activations = new Activations(evaluator, intact);
    await compensator.repair(activations, removed);
    await compensator.finish();
  }
  const prunable = compensator?.written ?? prepared;
  const bytes = fileOf(prepared, stateOf(prunable, removed).model, removed);
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

/** What the repair was judged by; an objective of one's own that this version does not know is for model and data to say. */
function objectivesOf({ objective, outputs = {} }: Plan): ObjectiveOptions {
  const isKnown = (name: string): boolean => Object.hasOwn(objectives, name);
  const known = Object.entries(outputs).filter(([, name]) => isKnown(name));
  return {
    ...(Object.keys(outputs).length > 0 && { outputs: Object.keys(outputs) }),
    objective: known.length > 0 ? Object.fromEntries(known) : isKnown(objective) ? objective : undefined,
  };
}
