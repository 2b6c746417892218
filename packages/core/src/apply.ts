/** Replays a plan on the original file. */
import { bind } from "./compensate/bind.ts";
import type { Compensation } from "./compensate/compensator.ts";
import { prove } from "./compensate/prove.ts";
import { bindInputs, type Dataset } from "./data.ts";
import { ShrinkError } from "./errors.ts";
import type { ProbeOptions } from "./graph/made-up.ts";
import { Activations } from "./measure/activations.ts";
import type { ObjectiveName } from "./measure/objective.ts";
import { stateOf } from "./measure/state.ts";
import { readModel, writeModel } from "./onnx/index.ts";
import { modelHash, type Plan, unitsOfPlan } from "./plan/plan.ts";
import { splitData } from "./plan/split.ts";
import { withDataShapes } from "./prune.ts";
import type { Runner } from "./runner.ts";
import { sampleFeeds } from "./surgery/samples.ts";
import { prepare } from "./units/prepare.ts";

/**
 * The smaller file that the plan describes, verified. `data`: the samples that a plan with compensation fits consumers
 * on; to get the file that `prune` wrote, the same ones. Throws a `plan` error if the plan was made for another file, a
 * `data` error if it needs samples and has none.
 */
export async function applyPlan(
  file: Uint8Array,
  plan: Plan,
  { runner, data, ...probe }: ProbeOptions & { readonly runner: Runner; readonly data?: Dataset | undefined },
): Promise<{ bytes: Uint8Array; verified: number }> {
  const hash = modelHash(file);
  if (hash !== plan.modelHash) {
    throw new ShrinkError(
      "plan",
      `plan: made for a model with hash ${plan.modelHash}, this one has ${hash}; expected the file that was pruned`,
    );
  }
  const compensate = compensationOf(plan);
  const original = readModel(file);
  const prepared = await prepare(original, runner, withDataShapes(original.graph, { ...probe, data }));
  const removed = unitsOfPlan(plan, prepared.units);
  const { holdOut = 0, seed } = plan;
  const { fit } = splitData(data && bindInputs(data, original.graph.feeds), { holdOut, seed });
  const { subject, compensator } = await bind(prepared, {
    runner,
    data: compensate === "none" ? undefined : fit,
    compensate,
    objective: objectiveOf(plan),
    recalibrate: plan.recalibrate,
  });
  const intact = stateOf(compensator?.prunable ?? prepared, new Uint8Array(removed.length));
  if (compensator && subject) {
    const activations = new Activations(subject, intact);
    await compensator.repair(activations, removed);
    await compensator.finish();
  }
  const prunable = compensator?.written ?? prepared;
  const bytes = writeModel(stateOf(prunable, removed).model);
  const feeds = sampleFeeds(prunable, subject);
  const verified = await prove({ original, prepared, compensator, removed, bytes, feeds, runner });
  return { bytes, verified };
}

function compensationOf({ compensation }: Plan): Compensation {
  if (compensation === "none" || compensation === "mean" || compensation === "lstsq") return compensation;
  throw new ShrinkError(
    "plan",
    `plan: compensation "${compensation}" is unknown to this version, expected none, mean or lstsq; use the version that wrote it`,
  );
}

/** What the repair was judged by; undefined where it is for the model and the data to say. */
function objectiveOf({ objective }: Plan): ObjectiveName | undefined {
  return objective === "sse" || objective === "cross-entropy" || objective === "match" ? objective : undefined;
}
