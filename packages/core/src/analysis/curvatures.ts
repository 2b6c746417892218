/**
 * The exact second derivative of the error in a unit's gain, E''(1), to hold the diagonal recursion's curvature to.
 *
 * The first derivative E'(alpha) is exact at any gain: the gradient graph gives it by the chain rule. So one difference
 * is enough, (E'(1 + h) - E'(1 - h)) / 2h, and rounding grows by 1/h only, where a second difference of errors would
 * grow it by 1/h^2. Two steps by Richardson's rule, (4 D(h/2) - D(h)) / 3, leave an error of order h^4.
 */
import { differentiate } from "../derive/backward.ts";
import { GAINS, gainsTensor, gateModel, realTypeOf } from "../derive/gate.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import { extract } from "../graph/extract.ts";
import { dimsOf } from "../graph/shapes.ts";
import type { Tensor } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import type { Activations } from "../measure/activations.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { derivativeSeeds, targetInputs } from "../measure/objectives/model-objective.ts";
import { ownersLeft } from "../measure/state.ts";
import { writeModel } from "../onnx/index.ts";
import type { Group } from "../units/units.ts";

/** Distance h from gain 1. See {@link curvaturesOf} for why. */
const STEP = 0.05;

/**
 * E''(1) of the given units at the activations' state, by unit; the mean over samples.
 *
 * The step of 0.05 was chosen on trained 400-100-10 and 400-50-50-10 networks with 5,000 samples, against float64: the
 * largest error of a float32 curvature (of about 0.1 each) is 2.5e-5; 3e-4 at twice the step, where the curve's higher
 * derivatives tell, and 5e-5 at a fifth of it, where rounding does.
 *
 * Where a consumer is followed by a kink (ReLU) the derivative jumps; then this is the curvature over gains of 1 +- h,
 * samples that cross their kink on the way included.
 */
export async function curvaturesOf(
  evaluator: Evaluator,
  activations: Activations,
  units: readonly number[],
  step: number = STEP,
): Promise<Map<number, number>> {
  const curvatures = new Map<number, number>();
  for (const group of evaluator.prunable.units.groups) {
    const own = units.filter((unit) => unit >= group.first && unit < group.first + group.size);
    if (own.length === 0) continue;
    const meter = await gradientMeter(evaluator, activations, group);
    try {
      for (const unit of own) {
        const difference = async (h: number): Promise<number> =>
          ((await meter.gradientAt(unit, 1 + h)) - (await meter.gradientAt(unit, 1 - h))) / (2 * h);
        curvatures.set(unit, (4 * (await difference(step / 2)) - (await difference(step))) / 3);
      }
    } finally {
      await meter.release();
    }
  }
  return curvatures;
}

/** Gradients of gain curves of one group's units at any gain. */
interface GradientMeter {
  /** dE/dalpha of the unit at that gain, all others at 1: the mean over samples, the sum over indexes, of o dE/d(alpha o). */
  gradientAt(unit: number, gain: number): Promise<number>;
  release(): Promise<void>;
}

/** Compiles the gradient of the error at the group's gates, from kept activations: nothing before the gates runs again. */
async function gradientMeter(evaluator: Evaluator, activations: Activations, group: Group): Promise<GradientMeter> {
  const { state } = activations;
  const { graph: whole } = state.model;
  const { count } = evaluator.prunable.units;
  const type = realTypeOf(whole, state.shapes);
  const sinks = group.sinks.map((sink) => ({ ...sink, owners: ownersLeft(sink, state.cut) }));
  const gated = gateModel(state.model, state.shapes, { ...evaluator.prunable.units, groups: [{ ...group, sinks }] });
  const { graph } = gated.model;
  const b = new GraphBuilder({ opset: opsetOf(state.model), real: type, base: graph });
  targetInputs(b, evaluator.terms);
  const seeds = [...derivativeSeeds(b, evaluator.terms)];
  const { gradient } = differentiate({
    builder: b,
    graph,
    shapes: gated.shapes,
    opset: b.opset,
    seeds: new Map(seeds.map(([value, seed]) => [value, { gradient: seed.gradient }])),
    wanted: gated.gates.map((gate) => gate.gated),
  });
  const products = gated.gates.flatMap(({ gated: name, sink }) => {
    const g = gradient.get(name);
    const ungated = graph.value(name)?.producer?.inputs[0]; // of the gate that multiplies it by the gains
    if (g === undefined || ungated === undefined) return [];
    const others = dimsOf(state.shapes, sink.value).flatMap((_, axis) => (axis === sink.axis ? [] : [axis]));
    const output = b.sum(b.cast(b.mul(ungated, g), "float64"), others); // [owners]
    return [{ owners: sink.owners, output }];
  });
  const changed = downstream(
    whole,
    sinks.map((sink) => sink.node),
  );
  const before = [...whole.feeds.map(({ name }) => name), ...whole.nodes.flatMap((node) => node.outputs)].filter(
    (name) => name !== "" && !changed.has(name),
  );
  const piece = extract(
    b.graph([]),
    before,
    products.map(({ output }) => output),
    state.shapes,
  );
  const own = new Set([GAINS, ...evaluator.terms.map(({ target }) => target)]);
  const fed = piece.feeds.map(({ name }) => name).filter((name) => !own.has(name));
  await activations.keep(fed);
  const session = await evaluator.runner.load(writeModel({ ...state.model, graph: piece }));
  const reads = new Set(piece.feeds.map(({ name }) => name));
  return {
    async gradientAt(unit, gain) {
      const gains = new Float64Array(count).fill(1);
      gains[unit] = gain;
      const row = gainsTensor(gains, count, type);
      let sum = 0;
      for (const [index, chunk] of evaluator.chunks.entries()) {
        const feeds: Record<string, Tensor> = Object.fromEntries(
          fed.map((name) => [name, activations.get(index, name)]),
        );
        if (reads.has(GAINS)) feeds[GAINS] = row;
        for (const [name, target] of Object.entries(chunk.targets)) if (reads.has(name)) feeds[name] = target;
        const result = await session.run(feeds);
        for (const { owners, output } of products) {
          const values = (result[output] as Tensor).numbers;
          for (let at = 0; at < owners.length; at++) if (owners[at] === unit) sum += values[at] as number;
        }
      }
      return sum / evaluator.samples.size;
    },
    release: () => session.release(),
  };
}
