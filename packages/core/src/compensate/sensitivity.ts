/**
 * How much the network's output notices of an error in each layer's outputs: the mean over samples of
 * sum over positions of (d(v y)/dz)^2, with y the network's output, z an output of the layer and v random, whose
 * mean square is the squared norm of the Jacobian's column (Hutchinson 1990). It makes least-squares costs of different
 * layers comparable: sensitivity times mean squared error of z is, to first order, the mean change of y: its squared length,
 * twice the distance of the outputs ({@link outputDistance}).
 */
import { differentiate } from "../derive/backward.ts";
import { realTypeOf } from "../derive/gate.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { ElementType, Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { fromSamplesFirst } from "../measure/objectives/layout.ts";
import type { State } from "../measure/state.ts";
import { type Seeding, taylorTerms } from "../measure/taylor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Sink } from "../units/units.ts";
import { randomSource } from "../util/random.ts";
import { randomDirections } from "./output-distance.ts";
import type { Outputs } from "./outputs.ts";
import type { Layer } from "./rows.ts";

/** Random directions for each sample. */
export const DRAWS = 2;

/** Name of the graph input that takes the directions of a term. */
const directionsAt = (term: number): string => `shrinknet/directions/${term}`;

/** The network's outputs times random directions. `outputs`: by chunk. Each question for a chunk's feeds draws anew. */
function directionSeeding(
  { terms, chunks, samples }: Evaluator,
  outputs: readonly Outputs[],
  real: ElementType,
): Seeding {
  const random = randomSource(samples.size);
  return {
    seeds(b) {
      const seeds = new Map<string, { gradient: string }>();
      for (const [at, { value, layout, info }] of terms.entries()) {
        const own = fromSamplesFirst(b, b.input(directionsAt(at), real, ["N", ...info.dims]), layout);
        const known = seeds.get(value);
        seeds.set(value, { gradient: known ? b.add(known.gradient, own) : own });
      }
      return seeds;
    },
    feeds(chunk) {
      const directions = randomDirections(terms, outputs[chunks.indexOf(chunk)] as Outputs, random);
      return Object.fromEntries(directions.map((tensor, at) => [directionsAt(at), tensor]));
    },
  };
}

/**
 * By layer, by output that is left: its sensitivity. Layers that the output does not depend on are missing. `outputs`: the
 * network's outputs for the first chunks, which are looked at.
 */
export async function measureSensitivities(
  evaluator: Evaluator,
  { model, shapes }: State,
  layers: readonly Layer[],
  outputs: readonly Outputs[],
): Promise<Map<Layer, Float64Array>> {
  const { graph } = model;
  const real = realTypeOf(graph, shapes);
  const b = new GraphBuilder({ opset: opsetOf(model), real, base: graph });
  const seeding = directionSeeding(evaluator, outputs, real);
  const { gradient } = differentiate({
    builder: b,
    graph,
    shapes,
    opset: b.opset,
    seeds: seeding.seeds(b),
    wanted: layers.map(({ consumer }) => consumer.output),
  });
  const sums = layers.flatMap((layer) => {
    const own = gradient.get(layer.consumer.output);
    return own ? [{ layer, name: b.sum(b.square(layer.regression.outputs(b, own)), [0, 1]) }] : [];
  });
  const result = new Map<Layer, Float64Array>();
  if (sums.length === 0) return result;
  const session = await evaluator.runner.load(writeModel({ ...model, graph: b.graph(sums.map(({ name }) => name)) }));
  let samples = 0;
  try {
    for (const chunk of evaluator.chunks.slice(0, outputs.length)) {
      for (let draw = 0; draw < DRAWS; draw++) {
        const found = await session.run({ ...chunk.feeds, ...seeding.feeds(chunk) });
        samples += chunk.to - chunk.from;
        for (const { layer, name } of sums) {
          const values = (found[name] as Tensor).numbers;
          const total = result.get(layer) ?? new Float64Array(values.length);
          result.set(layer, total);
          for (let o = 0; o < total.length; o++) total[o] = (total[o] as number) + (values[o] as number);
        }
      }
    }
  } finally {
    await session.release();
  }
  for (const total of result.values()) for (let o = 0; o < total.length; o++) total[o] = (total[o] as number) / samples;
  return result;
}

/**
 * By unit: the distance of the outputs ({@link outputDistance}) that its removal makes to first order, a mean over samples,
 * where no layer is fitted again. `isCounted`: which of its readers count.
 */
export async function measureEffects(
  evaluator: Evaluator,
  state: State,
  outputs: readonly Outputs[],
  isCounted: (sink: Sink) => boolean,
): Promise<Float64Array> {
  const chunks = evaluator.chunks.slice(0, outputs.length);
  const seeding = directionSeeding(evaluator, outputs, realTypeOf(state.model.graph, state.shapes));
  const sums = new Float64Array(evaluator.prunable.units.count);
  for (let draw = 0; draw < DRAWS; draw++) {
    const { squared } = await taylorTerms({ ...evaluator, chunks }, state, { second: false, seeding, isCounted });
    for (const [unit, value] of squared.entries()) sums[unit] = (sums[unit] as number) + value;
  }
  const seen = chunks.at(-1)?.to ?? 0;
  return sums.map((sum) => (sum * evaluator.samples.size) / seen / DRAWS / 2);
}
