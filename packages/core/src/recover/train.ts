/**
 * Training steps as graphs: one run computes the gradients of all weights on a batch and their updated values (Adam,
 * Kingma and Ba 2015). The weights are graph inputs and outputs, so the caller owns them between steps.
 */
import { differentiate, hasGradient } from "../derive/backward.ts";
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Model, Node } from "../graph/graph.ts";
import type { Values } from "../graph/pieces.ts";
import { allocate, isFloat, Tensor, tensorOf } from "../graph/tensor.ts";
import { derivativeSeeds, type OutputTerm, targetInputs, termError } from "../measure/objectives/model-objective.ts";
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import type { Prunable } from "../units/prepare.ts";

export interface TrainOptions {
  readonly runner: Runner;
  /** Outputs that are trained, each with its objective. */
  readonly terms: readonly OutputTerm[];
  /** Step size of Adam; default 0.001. May be changed between steps. */
  readonly rate?: number;
  /** Share of a weight that each step takes away, times the step size (AdamW, Loshchilov and Hutter 2019); default 0. */
  readonly decay?: number;
  /** Names of the initializers to train; default: all floating-point ones of rank 1 and more that have a gradient. */
  readonly weights?: readonly string[];
}

/** A network in training. */
export interface Training {
  /** One step on a batch: inputs and targets by name. Returns the batch's mean error before it. */
  step(feeds: Values, targets: Values, rate?: number): Promise<number>;
  /** The model with the present weights. */
  model(): Model;
  release(): Promise<void>;
}

const BETA1 = 0.9;
const BETA2 = 0.999;

/** Compiles a training step for a prepared model: mean error over the batch, Adam on every weight. */
export async function trainingStep({ model, shapes }: Prunable, options: TrainOptions): Promise<Training> {
  const { runner, terms, rate: defaultRate = 0.001, decay = 0 } = options;
  const { graph } = model;
  const names = options.weights ?? trainable(model);
  const real = (graph.initializers.get(names[0] ?? "") as Tensor).type;
  const fixed = new Map([...graph.initializers].filter(([name]) => !names.includes(name)));
  const base = graph.with({ initializers: fixed, inputs: graph.feeds });
  const b = new GraphBuilder({ opset: opsetOf(model), real, base });
  for (const name of names) b.input(name, real, graph.initializers.get(name)?.dims);
  targetInputs(b, terms);
  const scale = b.input("shrinknet/scale", real, []); // 1 / samples
  const rate = b.input("shrinknet/rate", real, []); // with Adam's bias correction
  const errors = terms.map((term) => termError(b, term, term.value)).reduce((sum, one) => b.add(sum, one));
  const error = b.mul(b.sum(errors), scale);
  const seeds = [...derivativeSeeds(b, terms)].map(
    ([value, seed]) => [value, { gradient: b.mul(seed.gradient, scale) }] as const,
  );
  const { gradient } = differentiate({
    builder: b,
    graph: base,
    shapes,
    opset: b.opset,
    seeds: new Map(seeds),
    wanted: names,
  });
  const updates = names.map((name) => {
    const [m, v] = [`${name}/m`, `${name}/v`].map((moment) => b.input(b.fresh(moment), real)) as [string, string];
    const g = gradient.get(name);
    if (g === undefined) return { name, m, v, next: [name, m, v] };
    const newM = b.add(b.mul(b.scalar(BETA1), m), b.mul(b.scalar(1 - BETA1), g));
    const newV = b.add(b.mul(b.scalar(BETA2), v), b.mul(b.scalar(1 - BETA2), b.square(g)));
    const change = b.div(newM, b.add(b.op("Sqrt", [newV]), b.scalar(1e-8)));
    const whole = decay > 0 ? b.add(change, b.mul(b.scalar(decay), name)) : change;
    return { name, m, v, next: [b.sub(name, b.mul(rate, whole)), newM, newV] };
  });
  const outputs = [error, ...updates.flatMap(({ next }) => next)];
  const session = await runner.load(writeModel({ ...model, graph: b.graph(outputs) }));
  let held: Record<string, Tensor> = {};
  for (const { name, m, v } of updates) {
    const weight = graph.initializers.get(name) as Tensor;
    const zero = new Tensor(weight.type, weight.dims, allocate(weight.type, weight.size));
    held = { ...held, [name]: weight, [m]: zero, [v]: zero };
  }
  let steps = 0;
  return {
    async step(feeds, targets, stepRate = defaultRate) {
      steps++;
      const corrected = (stepRate * Math.sqrt(1 - BETA2 ** steps)) / (1 - BETA1 ** steps);
      const scalars = {
        [scale]: tensorOf(real, [1 / (Object.values(targets)[0]?.dims[0] ?? 1)], []),
        [rate]: tensorOf(real, [corrected], []),
      };
      const result = await session.run({ ...feeds, ...held, ...scalars, ...targets });
      const next: Record<string, Tensor> = {};
      for (const { name, m, v, next: produced } of updates) {
        [name, m, v].forEach((key, i) => {
          next[key] = result[produced[i] as string] as Tensor;
        });
      }
      held = next;
      return (result[error] as Tensor).numbers[0] as number;
    },
    model: () => ({
      ...model,
      graph: graph.with({
        initializers: new Map([...graph.initializers].map(([name, tensor]) => [name, held[name] ?? tensor])),
      }),
    }),
    release: () => session.release(),
  };
}

function trainable({ graph }: Model): string[] {
  return [...graph.initializers]
    .filter(([, tensor]) => isFloat(tensor.type) && tensor.dims.length > 0)
    .map(([name]) => name)
    .filter((name) =>
      graph.value(name)?.uses.every(({ node, slot }) => hasGradient(node, slot) && !isLimit(node, slot)),
    );
}

/** Limits of a Clip have a derivative, but are no weights. */
function isLimit({ opType }: Node, slot: number): boolean {
  return opType === "Clip" && slot > 0;
}
