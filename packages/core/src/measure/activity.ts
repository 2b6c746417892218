/** How active units are: the mean size of their outputs, and the share of outputs that are 0. */

import { allSinks } from "../derive/gate.ts";
import { extract } from "../graph/extract.ts";
import type { Tensor } from "../graph/tensor.ts";
import { sizeOf } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Evaluator } from "./evaluator.ts";
import { ownersLeft, type State } from "./state.ts";

export interface Activity {
  /** By unit: mean of |o| over samples, positions and consumers. Units that are cut: 0. */
  readonly mean: Float64Array;
  /** By unit: share of outputs that are exactly 0, from 0 to 1. */
  readonly zeros: Float64Array;
}

/** Runs the model over the data and looks at every value that a consumer of units reads. */
export async function activityOf(evaluator: Evaluator, state: State): Promise<Activity> {
  const { units } = evaluator.prunable;
  const { initializers } = state.model.graph;
  const sinks = allSinks(units).filter(({ value }) => !initializers.has(value)); // weights say nothing of outputs
  const values = [...new Set(sinks.map((sink) => sink.value))];
  const piece = extract(state.model.graph, [], values, state.shapes);
  const session = await evaluator.runner.load(writeModel({ ...state.model, graph: piece }));
  const sums = new Float64Array(units.count);
  const zeros = new Float64Array(units.count);
  const counts = new Float64Array(units.count);
  try {
    for (const { feeds } of evaluator.chunks) {
      const result = await session.run(feeds, values);
      for (const sink of sinks) tally(result[sink.value] as Tensor, sink.axis, ownersLeft(sink, state.cut));
    }
  } finally {
    await session.release();
  }
  const mean = sums.map((sum, unit) => sum / Math.max(1, counts[unit] as number));
  return { mean, zeros: zeros.map((zero, unit) => zero / Math.max(1, counts[unit] as number)) };

  function tally(tensor: Tensor, axis: number, owners: Int32Array): void {
    const numbers = tensor.numbers;
    const inner = sizeOf(tensor.dims.slice(axis + 1));
    for (let at = 0; at < numbers.length; at++) {
      const unit = owners[Math.floor(at / inner) % owners.length] as number;
      if (unit < 0) continue;
      const value = numbers[at] as number;
      sums[unit] = (sums[unit] as number) + Math.abs(value);
      if (value === 0) zeros[unit] = (zeros[unit] as number) + 1;
      counts[unit] = (counts[unit] as number) + 1;
    }
  }
}
