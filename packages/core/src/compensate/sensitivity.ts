/**
 * How much the network's output notices of an error in each layer's outputs: the mean over samples of
 * sum over positions of (d(v y)/dz)^2, with y the network's output, z an output of the layer and v random, whose
 * mean square is the squared norm of the Jacobian's column (Hutchinson 1990). It makes least-squares costs of different
 * layers comparable: sensitivity times mean squared error of z is, to first order, the mean change of y: its squared length,
 * or for cross-entropy on logits twice the divergence of the classes' probabilities ({@link outputChange}).
 */
import { differentiate } from "../derive/backward.ts";
import { realTypeOf } from "../derive/gate.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import { type Tensor, tensorOf } from "../graph/tensor.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";
import { randomSource } from "../util/random.ts";
import { randomDirections } from "./output-change.ts";
import type { Layer } from "./rows.ts";

/** Random directions for each sample. */
const DRAWS = 2;

const SIGNS = "shrinknet/directions";

/**
 * By layer, by output that is left: its sensitivity. Layers that the output does not depend on are missing. `outputs`: the
 * network's outputs for the first chunks, which are looked at.
 */
export async function measureSensitivities(
  { objective, runner, chunks, targets, data }: Subject,
  { model, shapes }: State,
  layers: readonly Layer[],
  outputs: readonly Tensor[],
): Promise<Map<Layer, Float64Array>> {
  const { graph } = model;
  const real = realTypeOf(graph, shapes);
  const b = new GraphBuilder({ opset: opsetOf(model), real, base: graph });
  const signs = b.input(SIGNS, real);
  const { gradient } = differentiate({
    builder: b,
    graph,
    shapes,
    opset: b.opset,
    seeds: new Map([[objective.value, { gradient: signs }]]),
    wanted: layers.map(({ consumer }) => consumer.output),
  });
  const sums = layers.flatMap((layer) => {
    const slope = gradient.get(layer.consumer.output);
    return slope ? [{ layer, name: b.sum(b.square(layer.regression.outputs(b, slope)), [0, 1]) }] : [];
  });
  const result = new Map<Layer, Float64Array>();
  if (sums.length === 0) return result;
  const session = await runner.load(writeModel({ ...model, graph: b.graph(sums.map(({ name }) => name)) }));
  const random = randomSource(data.size);
  const width = targets.dims.at(-1) as number;
  let samples = 0;
  try {
    for (const [chunk, { from, to, feeds }] of chunks.entries()) {
      if (chunk >= outputs.length) break;
      for (let draw = 0; draw < DRAWS; draw++) {
        const directions = randomDirections(objective, (outputs[chunk] as Tensor).numbers, width, random);
        const drawn = tensorOf(real, directions, [to - from, ...targets.dims.slice(1)]);
        const found = await session.run({ ...feeds, [SIGNS]: drawn });
        samples += to - from;
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
