/** Fits as tensors: where a layer's weights and bias stand in the model. */
import type { Graph } from "../graph/graph.ts";
import { constantTensor } from "../graph/passes.ts";
import { Tensor } from "../graph/tensor.ts";
import type { Adjustment } from "./output-fit.ts";
import type { Fit } from "./ridge.ts";
import type { Layer, LayerFamily } from "./rows.ts";

/** New initializers of the intact layer, by name. */
export type NewWeights = readonly (readonly [name: string, tensor: Tensor])[];

/** What is left of the weights [features, outputs] that layers share, and their biases. */
export function fitIn(graph: Graph, { layers, biases }: LayerFamily): Fit {
  const [layer] = layers;
  const stored = storedWeights(graph, layer);
  const numbers = stored.numbers;
  const weights = new Float64Array(layer.features * layer.outputs);
  eachWeight(layer, stored, (at, place) => {
    weights[at] = numbers[place] as number;
  });
  return { weights, biases: biases.map((name) => Float64Array.from(biasIn(graph, name).numbers)) };
}

/** The layers with a fit in the place of what is left of them. */
export function withFit(graph: Graph, { layers, biases }: LayerFamily, fit: Fit): NewWeights {
  const [layer] = layers;
  const { weights, fixed } = layer.consumer;
  const added = biases.map((name, k) => {
    const { type, dims } = biasIn(graph, name);
    return [name, new Tensor(type, dims, realsOf(type, fit.biases[k] as Float64Array))] as const;
  });
  if (fixed !== undefined) return added;
  const stored = storedWeights(graph, layer);
  const values = (stored.data as Float32Array).slice();
  eachWeight(layer, stored, (at, place) => {
    values[place] = fit.weights[at] as number;
  });
  return [[weights, new Tensor(stored.type, stored.dims, values)], ...added];
}

/** The layer after an adjustment of the outputs that are left. `kept`: their numbers in the intact layer; undefined: all. */
export function withAdjustment(
  graph: Graph,
  { layer, scale, weights: added, bias: shift }: Adjustment,
  kept: readonly number[] | undefined,
): NewWeights {
  const { outputs } = layer;
  const { consumer } = layer;
  const bias = biasIn(graph, consumer.bias);
  const biases = (bias.data as Float32Array).slice();
  const left = kept ?? Array.from({ length: outputs }, (_, o) => o);
  const placeOf = new Map(left.map((o, i) => [o, i]));
  for (const [i, o] of left.entries()) biases[o] = (biases[o] as number) * (scale[i] as number) + (shift[i] as number);
  const shifted = [consumer.bias, new Tensor(bias.type, bias.dims, biases)] as const;
  if (consumer.fixed !== undefined) return [shifted];
  const stored = storedWeights(graph, layer);
  const weights = (stored.data as Float32Array).slice();
  eachWeight(layer, stored, (at, place) => {
    const i = placeOf.get(at % outputs);
    if (i === undefined) return;
    const change = added?.[Math.floor(at / outputs) * left.length + i] ?? 0;
    weights[place] = (weights[place] as number) * (scale[i] as number) + change;
  });
  return [[consumer.weights, new Tensor(stored.type, stored.dims, weights)], shifted];
}

function storedWeights(graph: Graph, { consumer }: Layer): Tensor {
  return constantTensor(graph, consumer.weights) as Tensor;
}

function biasIn(graph: Graph, name: string): Tensor {
  return graph.initializers.get(name) as Tensor;
}

function realsOf(type: Tensor["type"], values: Float64Array): Float32Array | Float64Array {
  return type === "float64" ? values.slice() : Float32Array.from(values);
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
