/** Fits as tensors: where a layer's weights and bias stand in the model's initializers. */
import { Tensor } from "../graph/tensor.ts";
import type { Adjustment } from "./output-fit.ts";
import type { Fit } from "./ridge.ts";
import type { Layer } from "./rows.ts";

type Initializers = ReadonlyMap<string, Tensor>;

/** New initializers of the intact layer, by name. */
export type NewWeights = readonly (readonly [name: string, tensor: Tensor])[];

/** What is left of a layer's weights [features, outputs], and its bias. */
export function fitIn(initializers: Initializers, layer: Layer): Fit {
  const { stored, bias } = tensorsOf(initializers, layer);
  const numbers = stored.numbers;
  const weights = new Float64Array(layer.features * layer.outputs);
  eachWeight(layer, stored, (at, place) => {
    weights[at] = numbers[place] as number;
  });
  return { weights, bias: Float64Array.from(bias.numbers as ArrayLike<number>) };
}

/** The layer with a fit in the place of what is left of it. */
export function withFit(initializers: Initializers, layer: Layer, fit: Fit): NewWeights {
  const { stored, bias } = tensorsOf(initializers, layer);
  const weights = (stored.data as Float32Array).slice();
  eachWeight(layer, stored, (at, place) => {
    weights[place] = fit.weights[at] as number;
  });
  const biases = (bias.data as Float32Array).slice();
  biases.set(fit.bias);
  return named(layer, { stored, bias }, weights, biases);
}

/** The layer after an adjustment of the outputs that are left. `kept`: their numbers in the intact layer; undefined: all. */
export function withAdjustment(
  initializers: Initializers,
  { layer, scale, weights: added, bias: shift }: Adjustment,
  kept: readonly number[] | undefined,
): NewWeights {
  const { outputs } = layer;
  const { stored, bias } = tensorsOf(initializers, layer);
  const weights = (stored.data as Float32Array).slice();
  const biases = (bias.data as Float32Array).slice();
  const left = kept ?? Array.from({ length: outputs }, (_, o) => o);
  const placeOf = new Map(left.map((o, i) => [o, i]));
  eachWeight(layer, stored, (at, place) => {
    const i = placeOf.get(at % outputs);
    if (i === undefined) return;
    const change = added?.[Math.floor(at / outputs) * left.length + i] ?? 0;
    weights[place] = (weights[place] as number) * (scale[i] as number) + change;
  });
  for (const [i, o] of left.entries()) biases[o] = (biases[o] as number) * (scale[i] as number) + (shift[i] as number);
  return named(layer, { stored, bias }, weights, biases);
}

interface Stored {
  readonly stored: Tensor;
  readonly bias: Tensor;
}

function tensorsOf(initializers: Initializers, { consumer }: Layer): Stored {
  return {
    stored: initializers.get(consumer.weights) as Tensor,
    bias: initializers.get(consumer.bias) as Tensor,
  };
}

function named({ consumer }: Layer, { stored, bias }: Stored, weights: Float32Array, biases: Float32Array): NewWeights {
  return [
    [consumer.weights, new Tensor(stored.type, stored.dims, weights)],
    [consumer.bias, new Tensor(bias.type, bias.dims, biases)],
  ];
}

/** Visits every weight that is left: its place in [features, outputs] and in the intact layer's tensor. */
function eachWeight(layer: Layer, { size }: Tensor, visit: (at: number, place: number) => void): void {
  const { features, outputs, regression, keptInputs } = layer;
  const { span, outputsFirst } = regression;
  const allFeatures = size / outputs;
  for (let f = 0; f < features; f++) {
    const index = Math.floor(f / span);
    const feature = (keptInputs ? (keptInputs[index] as number) : index) * span + (f % span);
    for (let o = 0; o < outputs; o++) {
      visit(f * outputs + o, outputsFirst ? o * allFeatures + feature : feature * outputs + o);
    }
  }
}
