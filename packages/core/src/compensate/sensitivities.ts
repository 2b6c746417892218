/**
 * Sensitivities through a run: measured at one stage, used for the next ones, and measured anew when enough units have gone.
 */

import type { Evaluator } from "../measure/evaluator.ts";
import { type State, stateOf } from "../measure/state.ts";
import { NoDerivative } from "../ops/no-derivative.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { sizeAfter } from "../surgery/size.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import type { Sink } from "../units/units.ts";
import { type Consumer, type Fittable, keptOutputs, MOST_FEATURES } from "./consumers.ts";
import { outputDistance } from "./output-distance.ts";
import { type Outputs, outputsOf } from "./outputs.ts";
import { type Layer, layerAt } from "./rows.ts";
import { DRAWS, measureEffects, measureSensitivities } from "./sensitivity.ts";

/** Share of the units that may go before they are measured anew; more where that takes long. */
const DRIFT = 0.05;
const LONG_DRIFT = 0.5;

/** Multiply-accumulates of a measurement, calibration included, that takes long. */
const LONG = 1e12;

/** Samples that are looked at, about; fewer where that takes long. */
const SAMPLES = 256;
const FEWEST_SAMPLES = 8;

/** Where no derivative passes some node, all outputs of a layer count the same: calibration says how much. */
function equal({ outputs }: Layer): Float64Array {
  return new Float64Array(outputs).fill(1);
}

/** What was measured at one stage. */
interface Stage {
  /** Units that were gone then. */
  readonly gone: number;
  readonly byConsumer: ReadonlyMap<Consumer, Float64Array>;
  /** By unit: what its removal changes through readers that cannot be fitted; undefined where no derivative passes. */
  readonly effects: Float64Array | undefined;
  /** Outputs for the first samples, by chunk. */
  readonly outputs: readonly Outputs[];
}

export class Sensitivities {
  readonly #evaluator: Evaluator;
  readonly #fittable: Fittable;
  readonly #drift: number;
  readonly #samples: number;
  #stage: Stage = { gone: Number.NaN, byConsumer: new Map(), effects: undefined, outputs: [] };

  constructor(evaluator: Evaluator, fittable: Fittable) {
    this.#evaluator = evaluator;
    this.#fittable = fittable;
    const { prunable } = fittable;
    const { macs } = sizeAfter(prunable, new Uint8Array(prunable.units.count));
    const passes = prunable.units.groups.length + 3 * DRAWS; // a trial of each group, and passes backward
    const affordable = LONG / Math.max(1, macs * passes);
    this.#drift = affordable < Math.min(SAMPLES, evaluator.samples.size) ? LONG_DRIFT : DRIFT;
    this.#samples = Math.min(SAMPLES, Math.max(FEWEST_SAMPLES, Math.floor(affordable)));
  }

  /** Changes whenever they are measured anew. */
  get stage(): object {
    return this.#stage;
  }

  /**
   * What the network's output notices of errors in a consumer's outputs, by output of the intact layer; 0 for outputs that
   * are gone, undefined where the output does not depend on it. Measured anew only at a stage that is repaired.
   */
  async of(consumer: Consumer, state: State, isRepaired: boolean): Promise<Float64Array | undefined> {
    const { byConsumer } = await this.#at(state, isRepaired);
    const kept = keptOutputs(this.#fittable.prunable, consumer, state);
    const isLeft = kept && new Set(kept);
    return byConsumer.get(consumer)?.map((value, o) => (isLeft?.has(o) === false ? 0 : value));
  }

  /**
   * By unit: half the squared change of the network's outputs, to first order, that comes from its removal through readers that
   * cannot be fitted again. Undefined where no derivative passes. Measured anew as sensitivities are.
   */
  async effects(state: State, isRepaired: boolean): Promise<Float64Array | undefined> {
    return (await this.#at(state, isRepaired)).effects;
  }

  async #at(state: State, isRepaired: boolean): Promise<Stage> {
    const gone = state.removed.reduce((sum, one) => sum + one, 0);
    const { gone: then } = this.#stage;
    const isStale = !(then <= gone && gone <= then + this.#drift * this.#fittable.prunable.units.count);
    if (Number.isNaN(then) || (isStale && isRepaired)) this.#stage = await this.#measure(state, gone);
    return this.#stage;
  }

  /** Distance of the outputs ({@link outputDistance}) from the last stage to a trial: the mean over the samples looked at. */
  async changeTo(trial: Prunable, removed: RemovedUnits): Promise<number> {
    const { outputs } = this.#stage;
    const after = await outputsOf(this.#evaluator, stateOf(trial, removed).model, this.#samples);
    const { terms } = this.#evaluator;
    let distance = 0;
    let samples = 0;
    for (const [chunk, before] of outputs.entries()) {
      distance += outputDistance(terms, before, after[chunk] as Outputs);
      samples += before[0]?.dims[0] ?? 0;
    }
    return distance / samples;
  }

  async #measure(state: State, gone: number): Promise<Stage> {
    const { prunable, consumers } = this.#fittable;
    const layers = consumers.flatMap((consumer) => layerAt(consumer, prunable, state) ?? []);
    const outputs = await outputsOf(this.#evaluator, state.model, this.#samples);
    const byConsumer = new Map<Consumer, Float64Array>();
    const measured = await known(measureSensitivities(this.#evaluator, state, layers, outputs));
    const fitted = new Set(
      layers.filter(({ features }) => features <= MOST_FEATURES).map(({ consumer }) => nodeId(consumer.node)),
    );
    const isUnfitted = ({ node }: Sink): boolean => !fitted.has(node);
    const effects = prunable.units.groups.some(({ sinks }) => sinks.some(isUnfitted))
      ? await known(measureEffects(this.#evaluator, state, outputs, isUnfitted))
      : new Float64Array(prunable.units.count);
    for (const layer of layers) {
      const values = measured ? measured.get(layer) : equal(layer);
      if (!values) continue;
      const all = new Float64Array(layer.outputs);
      const kept = keptOutputs(prunable, layer.consumer, state);
      for (const [i, value] of values.entries()) all[kept ? (kept[i] as number) : i] = value;
      byConsumer.set(layer.consumer, all);
    }
    return { gone, byConsumer, effects, outputs };
  }
}

/** A measurement, or undefined where no derivative passes some node. */
async function known<Result>(measurement: Promise<Result>): Promise<Result | undefined> {
  try {
    return await measurement;
  } catch (cause) {
    if (cause instanceof NoDerivative) return undefined;
    throw cause;
  }
}
