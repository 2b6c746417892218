/**
 * The end of a repair: what is kept only where it brings the outputs for the held-out samples closer to the original
 * network's. Statistics of normalisations are measured anew ({@link recalibrated}), then all consumers are fitted together
 * ({@link outputSteps}) as long as that gains something.
 */
import type { Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { type State, stateOf } from "../measure/state.ts";
import { NoDerivative } from "../ops/no-derivative.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { sizeAfter } from "../surgery/size.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Fittable, keptOutputs } from "./consumers.ts";
import { heldOutChange, outputSteps, stepMacs, stepPasses } from "./output-fit.ts";
import { outputsOf } from "./outputs.ts";
import { recalibrated } from "./recalibrate.ts";
import { type Layer, layerAt } from "./rows.ts";
import { withAdjustment } from "./weights.ts";

/** Joint steps; they end before where one gains less than a share of what is left. */
const MOST_STEPS = 8;
const LEAST_GAIN = 0.01;

/** Multiply-accumulates that all steps may take together, about; the first is made in any case, with fewer samples if need be. */
const AFFORDABLE = 5e11;

export interface LastFitRequest {
  readonly evaluator: Evaluator;
  readonly fittable: Fittable;
  /** The repaired model, not cut, and the units that are gone. */
  readonly repaired: Prunable;
  readonly removed: RemovedUnits;
  /** Number of samples to fit on; the others judge. */
  readonly fit: number;
  readonly recalibrates: boolean;
  /** Whether weights may change, or statistics alone. */
  readonly fitsWeights: boolean;
}

/** Passes over the data that a last fit takes about as long as, if three of its steps help. */
export function lastFitPasses({ evaluator, fittable, repaired, removed, fit, fitsWeights }: LastFitRequest): number {
  const EVALUATIONS = 8;
  if (!fitsWeights) return EVALUATIONS;
  const affordable = AFFORDABLE / stepMacs({ evaluator, fit }, sizeAfter(repaired, removed).macs);
  const layers = layersAt(fittable, stateOf(repaired, removed));
  return EVALUATIONS + stepPasses({ evaluator, fit }, layers) * Math.min(3, affordable);
}

/** The consumers that are left, with the number of their outputs. */
function layersAt({ prunable, consumers }: Fittable, state: State): { layer: Layer; width: number }[] {
  return consumers.flatMap((consumer) => {
    const layer = layerAt(consumer, prunable, state);
    const width = layer && (keptOutputs(prunable, consumer, state)?.length ?? layer.outputs);
    return layer && width ? [{ layer, width }] : [];
  });
}

/** New initializers of the intact model, by name; empty where nothing helps. */
export async function lastFit(request: LastFitRequest): Promise<Map<string, Tensor>> {
  const { evaluator, fittable, repaired, removed, fit } = request;
  const intact = stateOf(fittable.prunable, new Uint8Array(removed.length));
  const shared = { evaluator, original: await outputsOf(evaluator, intact.model), fit };
  const found = new Map<string, Tensor>();
  let prunable = repaired;
  let outputs = await outputsOf(evaluator, stateOf(repaired, removed).model);
  let best = heldOutChange(shared, outputs);
  const keepIfCloser = async (from: Prunable, weights: ReadonlyMap<string, Tensor>): Promise<void> => {
    const trial = withWeights(from, weights);
    const now = await outputsOf(evaluator, stateOf(trial, removed).model);
    const change = heldOutChange(shared, now);
    if (!(change < best)) return;
    [best, outputs, prunable] = [change, now, trial];
    for (const [name, tensor] of weights) found.set(name, tensor);
  };
  if (request.recalibrates) {
    const statistics = await recalibrated(fittable.prunable, evaluator, intact, stateOf(repaired, removed), fit);
    if (statistics.size > 0) await keepIfCloser(repaired, statistics);
  }
  const work = stepMacs({ evaluator, fit }, sizeAfter(repaired, removed).macs);
  const most = Math.min(MOST_STEPS, Math.max(1, Math.floor(AFFORDABLE / work)));
  const share = Math.min(1, AFFORDABLE / work);
  for (let step = 0; request.fitsWeights && step < most; step++) {
    const [from, before] = [prunable, best];
    const state = stateOf(from, removed);
    const layers = layersAt(fittable, state);
    const { graph } = from.model;
    const steps = await outputSteps({ ...shared, state, layers, outputs, share }).catch((cause: unknown) => {
      if (cause instanceof NoDerivative) return []; // each layer's own fit stays
      throw cause;
    });
    for (const adjustments of steps) {
      const weights = adjustments.flatMap((one) =>
        withAdjustment(graph, one, keptOutputs(fittable.prunable, one.layer.consumer, state)),
      );
      await keepIfCloser(from, new Map(weights));
    }
    if (!(best < (1 - LEAST_GAIN) * before)) break;
  }
  return found;
}

/** A model, not cut, with other initializers. */
export function withWeights(prunable: Prunable, weights: ReadonlyMap<string, Tensor>): Prunable {
  const { model } = prunable;
  const initializers = new Map([...model.graph.initializers, ...weights]);
  return { ...prunable, model: { ...model, graph: model.graph.with({ initializers }) } };
}
