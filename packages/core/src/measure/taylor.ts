/**
 * Taylor terms of every unit, from one derivative graph: the sums over samples (and positions) of o dE/do and
 * o^2 d2E/do^2, with o the unit's output where its consumers read it.
 *
 * dE/do is the gradient at the gate, so the first sum is exactly the derivative of the error in the unit's gain. The
 * second uses the diagonal recursion: exact with one hidden layer, an approximation with more.
 */
import { differentiate } from "../derive/backward.ts";
import { GAINS, gainsTensor, gateModel, realTypeOf } from "../derive/gate.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import { dimsOf } from "../graph/shapes.ts";
import type { Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Group, Sink } from "../units/units.ts";
import { TARGET } from "./objective.ts";
import { ownersLeft, type State } from "./state.ts";
import type { Subject } from "./subject.ts";

export interface TaylorTerms {
  /** By unit: sum of o dE/do, the slope of the error in the unit's gain. Removed units: 0. */
  readonly slope: Float64Array;
  /** By unit: sum of |sample's o dE/do|. */
  readonly absolute: Float64Array;
  /** By unit: sum of (sample's o dE/do)^2, as the Fisher criterion takes it. */
  readonly squared: Float64Array;
  /** By unit: sum of o^2 d2E/do^2, the bend of the error in the unit's gain on the diagonal. */
  readonly bend: Float64Array;
}

/** Measures the Taylor terms of all units of a state. `second` adds the second-order pass; without it `bend` is 0. */
export async function taylorTerms(subject: Subject, state: State, second: boolean): Promise<TaylorTerms> {
  const { units } = subject.prunable;
  const left = { ...units, groups: units.groups.map((group) => ({ ...group, sinks: sinksLeft(group) })) };
  const gated = gateModel(state.model, state.shapes, left);
  const { graph } = gated.model;
  const b = new GraphBuilder({ opset: opsetOf(state.model), real: realTypeOf(graph, state.shapes), base: graph });
  b.input(TARGET, subject.targets.type);
  const { value } = subject.objective;
  const seed = subject.objective.derivatives(b, value, TARGET);
  const { gradient, curvature } = differentiate({
    builder: b,
    graph,
    shapes: gated.shapes,
    opset: b.opset,
    seeds: new Map([[value, second ? seed : { gradient: seed.gradient }]]),
    wanted: gated.gates.map((gate) => gate.gated),
  });
  const outputs = gated.gates.map((gate) => {
    const g = gradient.get(gate.gated);
    const h = curvature.get(gate.gated);
    const { axis } = gate.sink;
    const rank = dimsOf(state.shapes, gate.value).length;
    const batch = gated.shapes.get(gate.gated)?.batchAxis;
    const overPositions = Array.from({ length: rank }, (_, a) => a).filter((a) => a !== axis && a !== batch);
    return {
      owners: gate.sink.owners,
      batchFirst: batch === undefined || batch < axis,
      product: g && b.sum(b.mul(gate.gated, g), overPositions),
      bend: h && b.sum(b.mul(b.square(gate.gated), h), overPositions),
    };
  });
  const names = outputs.flatMap(({ product, bend }) => [product, bend].filter((name) => name !== undefined));
  const terms = {
    slope: new Float64Array(units.count),
    absolute: new Float64Array(units.count),
    squared: new Float64Array(units.count),
    bend: new Float64Array(units.count),
  };
  if (names.length === 0) return terms; // the error depends on no unit
  const session = await subject.runner.load(writeModel({ ...state.model, graph: b.graph(names) }));
  const gains = gainsTensor(new Float64Array(units.count).fill(1), units.count, realTypeOf(graph, state.shapes));
  try {
    for (const chunk of subject.chunks) {
      const result = await session.run({ ...chunk.feeds, [TARGET]: chunk.targets, [GAINS]: gains });
      addSlopes(result);
      for (const { owners, bend, batchFirst } of outputs) {
        if (bend !== undefined) addRows(terms.bend, owners, result[bend] as Tensor, batchFirst);
      }
    }
  } finally {
    await session.release();
  }
  return terms;

  /** Where the group's units are still read; a layer that has lost all its units has nothing to gate. */
  function sinksLeft(group: Group): Sink[] {
    return group.sinks
      .map((sink) => ({ ...sink, owners: ownersLeft(sink, state.cut) }))
      .filter((sink) => sink.owners.length > 0);
  }

  /** A unit read at several places, or at several indexes, has one slope per sample: their sum. */
  function addSlopes(result: Record<string, Tensor>): void {
    const perSample = new Map<number, Float64Array>();
    for (const { owners, product, batchFirst } of outputs) {
      if (product === undefined) continue;
      const tensor = result[product] as Tensor;
      const values = tensor.numbers;
      const samples = tensor.size / owners.length;
      for (let index = 0; index < owners.length; index++) {
        const unit = owners[index] as number;
        if (unit < 0) continue;
        const row = perSample.get(unit) ?? new Float64Array(samples);
        perSample.set(unit, row);
        for (let n = 0; n < samples; n++) {
          row[n] =
            (row[n] as number) + (values[batchFirst ? n * owners.length + index : index * samples + n] as number);
        }
      }
    }
    for (const [unit, row] of perSample) {
      for (const value of row) {
        terms.slope[unit] = (terms.slope[unit] as number) + value;
        terms.absolute[unit] = (terms.absolute[unit] as number) + Math.abs(value);
        terms.squared[unit] = (terms.squared[unit] as number) + value * value;
      }
    }
  }
}

/** Adds values[n, index] to sums by the index's unit. */
function addRows(sums: Float64Array, owners: Int32Array, tensor: Tensor, batchFirst: boolean): void {
  const values = tensor.numbers;
  const samples = tensor.size / owners.length;
  for (let index = 0; index < owners.length; index++) {
    const unit = owners[index] as number;
    if (unit < 0) continue;
    let sum = 0;
    for (let n = 0; n < samples; n++)
      sum += values[batchFirst ? n * owners.length + index : index * samples + n] as number;
    sums[unit] = (sums[unit] as number) + sum;
  }
}
