/**
 * Taylor terms of every unit, from one derivative graph: the means over samples (sums over positions) of o dE/do and
 * o^2 d2E/do^2, with o the unit's output where its consumers read it.
 *
 * dE/do is the gradient at the gate, so the first mean is exactly the derivative of the error in the unit's gain. The
 * second uses the diagonal recursion: exact with one hidden layer, an approximation with more.
 */
import { differentiate } from "../derive/backward.ts";
import { GAINS, gainsTensor, gateModel, realTypeOf } from "../derive/gate.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Values } from "../graph/pieces.ts";
import { dimsOf } from "../graph/shapes.ts";
import type { Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Group, Sink } from "../units/units.ts";
import type { Chunk, Evaluator } from "./evaluator.ts";
import { derivativeSeeds, targetInputs } from "./objectives/model-objective.ts";
import { ownersLeft, type State } from "./state.ts";

export interface TaylorTerms {
  /** By unit: mean of o dE/do, the gradient of the error in the unit's gain. Removed units: 0. */
  readonly gradient: Float64Array;
  /** By unit: mean of |sample's o dE/do|. */
  readonly absolute: Float64Array;
  /** By unit: mean of (sample's o dE/do)^2, as the Fisher criterion takes it. */
  readonly squared: Float64Array;
  /** By unit: mean of o^2 d2E/do^2, the second derivative of the error in the unit's gain on the diagonal. */
  readonly curvature: Float64Array;
}

/** What is differentiated, by its derivatives at the compared values. */
export interface Seeding {
  /** Appends them to a graph, with the inputs that they need. */
  seeds(b: GraphBuilder): ReadonlyMap<string, { readonly gradient: string; readonly curvature?: string }>;
  /** What these inputs are fed for a chunk. */
  feeds(chunk: Chunk): Values;
}

/** The error: each output's objective. */
function errorSeeding({ terms }: Evaluator): Seeding {
  return {
    seeds(b) {
      targetInputs(b, terms);
      return derivativeSeeds(b, terms);
    },
    feeds: ({ targets }) => targets,
  };
}

export interface TaylorOptions {
  /** Whether the second-order pass is done; without it `curvature` is 0. */
  readonly second: boolean;
  /** Default: the error. */
  readonly seeding?: Seeding;
  /** Where a unit's output counts; default: wherever it is read. */
  readonly isCounted?: (sink: Sink) => boolean;
}

/** Measures the Taylor terms of all units of a state. */
export async function taylorTerms(
  evaluator: Evaluator,
  state: State,
  { second, seeding = errorSeeding(evaluator), isCounted = () => true }: TaylorOptions,
): Promise<TaylorTerms> {
  const { units } = evaluator.prunable;
  const left = { ...units, groups: units.groups.map((group) => ({ ...group, sinks: sinksLeft(group) })) };
  const gated = gateModel(state.model, state.shapes, left);
  const { graph } = gated.model;
  const b = new GraphBuilder({ opset: opsetOf(state.model), real: realTypeOf(graph, state.shapes), base: graph });
  const seeds = seeding.seeds(b);
  const { gradient, curvature } = differentiate({
    builder: b,
    graph,
    shapes: gated.shapes,
    opset: b.opset,
    seeds: second ? seeds : new Map([...seeds].map(([value, seed]) => [value, { gradient: seed.gradient }])),
    wanted: gated.gates.map((gate) => gate.gated),
  });
  const outputs = gated.gates.map((gate) => {
    const g = gradient.get(gate.gated);
    const h = curvature.get(gate.gated);
    const { axis } = gate.sink;
    if (state.model.graph.initializers.has(gate.value)) {
      return { owners: gate.sink.owners, batchFirst: true, product: g, bend: h }; // see OpRule.gain
    }
    const rank = dimsOf(state.shapes, gate.value).length;
    const batch = gated.shapes.get(gate.gated)?.batchAxis;
    const overPositions = Array.from({ length: rank }, (_, a) => a).filter((a) => a !== axis && a !== batch);
    const batchFirst = batch === undefined || batch < axis;
    const { length } = gate.sink.owners;
    /** Positions of one sample along the batch axis. */
    const own = batch === undefined ? 1 : (dimsOf(state.shapes, gate.value)[batch] as number);
    const perSample = (x: string): string => {
      const summed = b.sum(x, overPositions);
      if (own === 1) return summed;
      return batchFirst
        ? b.sum(b.reshape(summed, [-1, own, length]), [1])
        : b.sum(b.reshape(summed, [length, -1, own]), [2]);
    };
    return {
      owners: gate.sink.owners,
      batchFirst,
      product: g && perSample(b.mul(gate.gated, g)),
      bend: h && perSample(b.mul(b.square(gate.gated), h)),
    };
  });
  const names = outputs.flatMap(({ product, bend }) => [product, bend].filter((name) => name !== undefined));
  const terms = {
    gradient: new Float64Array(units.count),
    absolute: new Float64Array(units.count),
    squared: new Float64Array(units.count),
    curvature: new Float64Array(units.count),
  };
  if (names.length === 0) return terms; // the error depends on no unit
  const session = await evaluator.runner.load(writeModel({ ...state.model, graph: b.graph(names) }));
  const gains = gainsTensor(new Float64Array(units.count).fill(1), units.count, realTypeOf(graph, state.shapes));
  try {
    for (const chunk of evaluator.chunks) {
      const result = await session.run({ ...chunk.feeds, ...seeding.feeds(chunk), [GAINS]: gains });
      addGradients(result);
      for (const { owners, bend, batchFirst } of outputs) {
        if (bend !== undefined) addRows(terms.curvature, owners, result[bend] as Tensor, batchFirst);
      }
    }
  } finally {
    await session.release();
  }
  const { size } = evaluator.samples;
  const mean = (sums: Float64Array): Float64Array => sums.map((sum) => sum / size);
  return {
    gradient: mean(terms.gradient),
    absolute: mean(terms.absolute),
    squared: mean(terms.squared),
    curvature: mean(terms.curvature),
  };

  /** Where the group's units are still read; a layer that has lost all its units has nothing to gate. */
  function sinksLeft(group: Group): Sink[] {
    return group.sinks
      .filter(isCounted)
      .map((sink) => ({ ...sink, owners: ownersLeft(sink, state.cut) }))
      .filter((sink) => sink.owners.length > 0);
  }

  /** A unit read at several places, or at several indexes, has one gradient per sample: their sum. */
  function addGradients(result: Record<string, Tensor>): void {
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
        terms.gradient[unit] = (terms.gradient[unit] as number) + value;
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
