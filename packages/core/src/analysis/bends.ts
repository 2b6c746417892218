/**
 * The exact second derivative of the error in a unit's gain, E''(1), to hold the diagonal recursion's bend to.
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
import { TARGET } from "../measure/objective.ts";
import { ownersLeft } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";
import type { Group } from "../units/units.ts";

/** Distance h from gain 1. See {@link bendsOf} for why. */
const STEP = 0.05;

/**
 * E''(1) of the given units at the activations' state, by unit, summed over samples.
 *
 * The step of 0.05 was chosen on trained 400-100-10 and 400-50-50-10 networks with 5,000 samples, against float64: the
 * largest error of a float32 bend (of about 0.1 each) is 2.5e-5; 3e-4 at twice the step, where the curve's higher
 * derivatives tell, and 5e-5 at a fifth of it, where rounding does.
 *
 * Where a consumer is followed by a kink (ReLU) the derivative jumps; then this is the curvature over gains of 1 +- h,
 * samples that cross their kink on the way included.
 */
export async function bendsOf(
  subject: Subject,
  activations: Activations,
  units: readonly number[],
  step: number = STEP,
): Promise<Map<number, number>> {
  const bends = new Map<number, number>();
  for (const group of subject.prunable.units.groups) {
    const own = units.filter((unit) => unit >= group.first && unit < group.first + group.size);
    if (own.length === 0) continue;
    const meter = await slopeMeter(subject, activations, group);
    try {
      for (const unit of own) {
        const difference = async (h: number): Promise<number> =>
          ((await meter.slopeAt(unit, 1 + h)) - (await meter.slopeAt(unit, 1 - h))) / (2 * h);
        bends.set(unit, (4 * (await difference(step / 2)) - (await difference(step))) / 3);
      }
    } finally {
      await meter.release();
    }
  }
  return bends;
}

/** Slopes of gain curves of one group's units at any gain. */
interface SlopeMeter {
  /** dE/dalpha of the unit at that gain, all others at 1: the sum over samples and indexes of o dE/d(alpha o). */
  slopeAt(unit: number, gain: number): Promise<number>;
  release(): Promise<void>;
}

/** Compiles the gradient of the error at the group's gates, from kept activations: nothing before the gates runs again. */
async function slopeMeter(subject: Subject, activations: Activations, group: Group): Promise<SlopeMeter> {
  const { state } = activations;
  const { graph: whole } = state.model;
  const { count } = subject.prunable.units;
  const type = realTypeOf(whole, state.shapes);
  const sinks = group.sinks.map((sink) => ({ ...sink, owners: ownersLeft(sink, state.cut) }));
  const gated = gateModel(state.model, state.shapes, { ...subject.prunable.units, groups: [{ ...group, sinks }] });
  const { graph } = gated.model;
  const b = new GraphBuilder({ opset: opsetOf(state.model), real: type, base: graph });
  b.input(TARGET, subject.targets.type);
  const { value } = subject.objective;
  const { gradient } = differentiate({
    builder: b,
    graph,
    shapes: gated.shapes,
    opset: b.opset,
    seeds: new Map([[value, { gradient: subject.objective.derivatives(b, value, TARGET).gradient }]]),
    wanted: gated.gates.map((gate) => gate.gated),
  });
  const slopes = gated.gates.flatMap(({ gated: name, sink }) => {
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
    slopes.map(({ output }) => output),
    state.shapes,
  );
  const fed = piece.feeds.map(({ name }) => name).filter((name) => name !== GAINS && name !== TARGET);
  await activations.keep(fed);
  const session = await subject.runner.load(writeModel({ ...state.model, graph: piece }));
  const reads = new Set(piece.feeds.map(({ name }) => name));
  return {
    async slopeAt(unit, gain) {
      const gains = new Float64Array(count).fill(1);
      gains[unit] = gain;
      const row = gainsTensor(gains, count, type);
      let sum = 0;
      for (const [index, chunk] of subject.chunks.entries()) {
        const feeds: Record<string, Tensor> = Object.fromEntries(
          fed.map((name) => [name, activations.get(index, name)]),
        );
        if (reads.has(GAINS)) feeds[GAINS] = row;
        if (reads.has(TARGET)) feeds[TARGET] = chunk.targets;
        const result = await session.run(feeds);
        for (const { owners, output } of slopes) {
          const values = (result[output] as Tensor).numbers;
          for (let at = 0; at < owners.length; at++) if (owners[at] === unit) sum += values[at] as number;
        }
      }
      return sum;
    },
    release: () => session.release(),
  };
}
