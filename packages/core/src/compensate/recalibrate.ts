/**
 * Statistics of normalisations that a removal has shifted: mean and variance of each channel move by as much as they have
 * moved on the calibration samples, from the original network to the smaller one.
 */
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Node } from "../graph/graph.ts";
import { dimsOf } from "../graph/shapes.ts";
import { Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { State } from "../measure/state.ts";
import { writeModel } from "../onnx/index.ts";
import { keptIndexes } from "../surgery/kept.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";

/** Mean and variance by channel of a normalisation's input. */
interface Moment {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** The normalisations whose statistics can be set: constant, and read by no other node. */
function normalisations({ model }: Prunable): Node[] {
  const { graph } = model;
  const isOwn = (name: string | undefined): boolean =>
    name !== undefined && graph.initializers.has(name) && graph.value(name)?.uses.length === 1;
  return graph.nodes.filter(
    ({ opType, domain, inputs }) =>
      opType === "BatchNormalization" && domain === "" && isOwn(inputs[3]) && isOwn(inputs[4]),
  );
}

/** New statistics by initializer of the intact model; empty where nothing has moved or nothing normalises. */
export async function recalibrated(
  prunable: Prunable,
  evaluator: Evaluator,
  original: State,
  state: State,
  fit: number,
): Promise<Map<string, Tensor>> {
  // of a branch that went whole nothing is left to measure
  const nodes = normalisations(prunable).filter((node) => state.model.graph.value(nodeId(node)) !== undefined);
  const result = new Map<string, Tensor>();
  if (nodes.length === 0) return result;
  const [then, now] = [await momentsOf(nodes, evaluator, original, fit), await momentsOf(nodes, evaluator, state, fit)];
  for (const [index, node] of nodes.entries()) {
    const [before, after] = [then[index] as Moment, now[index] as Moment];
    const [, , , mean = "", variance = ""] = node.inputs;
    const kept = keptIndexes(prunable.units.places, placeKey(mean, 0, { node: nodeId(node), slot: 3 }), state.removed);
    const { initializers } = prunable.model.graph;
    const means = initializers.get(mean) as Tensor;
    const variances = initializers.get(variance) as Tensor;
    const [newMeans, newVariances] = [means, variances].map(({ data }) => (data as Float32Array).slice()) as [
      Float32Array,
      Float32Array,
    ];
    for (let i = 0; i < after.mean.length; i++) {
      const channel = kept ? (kept[i] as number) : i;
      const spread = before.variance[channel] as number;
      newMeans[channel] = (newMeans[channel] as number) + (after.mean[i] as number) - (before.mean[channel] as number);
      if (spread > 0)
        newVariances[channel] = (newVariances[channel] as number) * ((after.variance[i] as number) / spread);
    }
    result.set(mean, new Tensor(means.type, means.dims, newMeans));
    result.set(variance, new Tensor(variances.type, variances.dims, newVariances));
  }
  return result;
}

async function momentsOf(nodes: readonly Node[], evaluator: Evaluator, state: State, fit: number): Promise<Moment[]> {
  const { model, shapes } = state;
  const b = new GraphBuilder({ opset: opsetOf(model), real: evaluator.type, base: model.graph });
  const outputs = nodes.map((node) => {
    const x = node.inputs[0] as string;
    const axes = dimsOf(shapes, x).flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    const wide = b.cast(x, "float64");
    return { sum: b.sum(wide, axes), squares: b.sum(b.square(wide), axes), perSample: dimsOf(shapes, x) };
  });
  const names = outputs.flatMap(({ sum, squares }) => [sum, squares]);
  const session = await evaluator.runner.load(writeModel({ ...model, graph: b.graph(names) }));
  const sums = outputs.map(({ perSample }) => ({
    sum: new Float64Array(perSample[1] as number),
    squares: new Float64Array(perSample[1] as number),
  }));
  let samples = 0;
  try {
    for (const { from, to, feeds } of evaluator.chunks) {
      if (from > 0 && to > fit) break; // the held-out samples judge
      const result = await session.run(feeds, names);
      samples += to - from;
      for (const [index, { sum, squares }] of outputs.entries()) {
        const own = sums[index] as { sum: Float64Array; squares: Float64Array };
        const [p, q] = [(result[sum] as Tensor).numbers, (result[squares] as Tensor).numbers];
        for (let c = 0; c < own.sum.length; c++) {
          own.sum[c] = (own.sum[c] as number) + (p[c] as number);
          own.squares[c] = (own.squares[c] as number) + (q[c] as number);
        }
      }
    }
  } finally {
    await session.release();
  }
  return sums.map(({ sum, squares }, index) => {
    const dims = (outputs[index] as { perSample: readonly number[] }).perSample;
    const count = samples * dims.slice(2).reduce((product, dim) => product * dim, 1);
    const mean = sum.map((value) => value / count);
    return { mean, variance: squares.map((value, c) => value / count - (mean[c] as number) ** 2) };
  });
}
