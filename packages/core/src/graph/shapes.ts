/**
 * Shapes of all values, learnt by running the model on a sample instead of by hand-written shape inference: whatever
 * onnxruntime computes is right by definition.
 */
import { ShrinkError } from "../errors.ts";
import type { Runner } from "../runner.ts";
import { type Batching, growingAxis, ONE_BY_ONE, stack } from "./batching.ts";
import { dummyFeeds } from "./dummy-inputs.ts";
import { describe, type Graph, type Model, readsOf } from "./graph.ts";
import { type InputLayout, inputLayouts, type ProbeOptions } from "./input-layout.ts";
import type { Values } from "./pieces.ts";
import { type ProbedValue, type ProbeRun, probeRun } from "./probe-run.ts";
import { shortenSums } from "./short-sums.ts";
import { type ElementType, Tensor } from "./tensor.ts";

/** Type and dims of a value when the model runs on one sample. */
export interface ValueShape {
  readonly type: ElementType;
  /** For one sample. */
  readonly dims: readonly number[];
  /** The axis that grows with the number of samples; undefined for constants, and where samples run one by one. */
  readonly batchAxis?: number | undefined;
  /** For few integers that do not depend on the samples or their number (lengths of axes, mostly): the values. */
  readonly constant?: Tensor | undefined;
  /** Whether the dims differ from sample to sample, such as the number of boxes that a detector finds. */
  readonly isVarying?: boolean | undefined;
}

/** By value name; initializers and graph inputs included. */
export type Shapes = ReadonlyMap<string, ValueShape>;

/** Integers in at most this number are kept as constants. */
const FEW = 64;

/** Shapes, and the way that samples were seen to go through the model. */
export interface Probed {
  readonly shapes: Shapes;
  readonly batching: Batching;
}

/**
 * Runs the model on one and on two samples together (on another one where it takes no two) and notes of every inner value
 * type, dims and which axis follows the samples. That they are independent is not proved here. Throws a `model` error where
 * the runtime refuses the model, and for weights that do not fit what they are multiplied with.
 */
export async function probeShapes(
  model: Model,
  runner: Runner,
  options: ProbeOptions = {},
  layouts: readonly InputLayout[] = inputLayouts(model.graph, options),
): Promise<Probed> {
  const { graph, sums } = shortenSums(model);
  const probed = await probeByRunning({ ...model, graph }, model.graph, runner, layouts, options.samples).catch(
    (refusal: unknown) => {
      if (graph === model.graph) throw refusal;
      return probeByRunning(model, model.graph, runner, layouts, options.samples); // refused for what the file says
    },
  );
  for (const { node, value, axis, length } of sums) {
    const found = dimsOf(probed.shapes, value).at(axis);
    if (found === length) continue;
    throw new ShrinkError(
      "model",
      `${describe(node)}: its weights are for ${length} inputs, but "${value}" has ${found}; the model is damaged, export it again`,
    );
  }
  return probed;
}

/** The feeds that a model is probed with: of real samples as far as there are, else dummy inputs. */
export function probeFeeds(layouts: readonly InputLayout[], count: number, samples: readonly Values[] = []): Values[] {
  if (samples.length >= count) return samples.slice(0, count);
  const dummies = dummyFeeds(layouts, count);
  const [first] = samples;
  if (!first) return dummies;
  // integers are ids or settings: of these only real ones are sure to be valid
  const isReal = new Map(layouts.map(({ name, type }) => [name, type === "float32" || type === "float64"]));
  return dummies.map((dummy, n) =>
    Object.fromEntries(
      Object.entries(samples[n] ?? dummy).map(([name, tensor]) => [
        name,
        isReal.get(name) ? tensor : (first[name] as Tensor),
      ]),
    ),
  );
}

/** The shapes of `graph`, whose values the model that is run has too. */
async function probeByRunning(
  model: Model,
  graph: Graph,
  runner: Runner,
  layouts: readonly InputLayout[],
  samples: readonly Values[] | undefined,
): Promise<Probed> {
  const batching = batchingOf(layouts);
  const [first, other] = probeFeeds(layouts, 2, samples) as [Values, Values];
  const both = batching.axes.size > 0 ? stack([first, other], batching) : undefined;
  const [one, second] = await probeRun(model, runner, both ? [first, both] : [first, other]);
  if (!one || one instanceof Error) throw one;
  const together = both && second && !(second instanceof Error) ? { run: second, samples: 2 } : undefined;
  if (together && isFollowed(graph, one, together)) {
    return { shapes: shapesOf(graph, layouts, one, { together }), batching };
  }
  const [alone] = both ? await probeRun(model, runner, [other]).catch((error: Error) => [error]) : [second];
  const rest = alone && !(alone instanceof Error) ? alone : undefined;
  return { shapes: shapesOf(graph, layouts, one, { together, other: rest }), batching: ONE_BY_ONE };
}

/** Whether every output that depends on the samples grows with their number. */
export function isFollowed(graph: Graph, one: ProbeRun, { run, samples }: Together): boolean {
  const fromData = dependingOnData(graph);
  return Object.entries(one.outputs).every(([name, { dims }]) => {
    const many = run.outputs[name];
    return many !== undefined && (!fromData.has(name) || growingAxis(dims, many.dims, samples) !== undefined);
  });
}

/** A run on several samples together. */
export interface Together {
  readonly run: ProbeRun;
  readonly samples: number;
}

/** The way to stack samples that the layouts suggest. */
export function batchingOf(layouts: readonly InputLayout[]): Batching {
  return {
    axes: new Map(layouts.flatMap(({ name, sampleAxis }) => (sampleAxis === undefined ? [] : [[name, sampleAxis]]))),
  };
}

/**
 * The shapes from a run on one sample and, as far as there are, one on several together and one on another sample. Constant
 * is what is the same in all and does not depend on what the samples hold.
 */
export function shapesOf(
  graph: Graph,
  layouts: readonly InputLayout[],
  one: ProbeRun,
  { together, other }: { readonly together?: Together | undefined; readonly other?: ProbeRun | undefined },
): Shapes {
  const shapes = new Map<string, ValueShape>();
  for (const [name, tensor] of graph.initializers) shapes.set(name, { type: tensor.type, dims: tensor.dims });
  for (const { name, type, dims, sampleAxis } of layouts) {
    shapes.set(name, { type, dims, ...(together && sampleAxis !== undefined && { batchAxis: sampleAxis }) });
  }
  const fromData = dependingOnData(graph);
  const compared = together?.run ?? other;
  for (const [name, first] of one.values) {
    if (!graph.value(name)) continue; // of a helper
    const { type, dims } = first;
    const many = together?.run.values.get(name);
    const again = compared?.values.get(name);
    const elsewhere = other?.values.get(name);
    const isVarying = elsewhere !== undefined && elsewhere.dims.join() !== dims.join();
    shapes.set(name, {
      type,
      dims,
      batchAxis: many && growingAxis(dims, many.dims, together?.samples ?? 1),
      constant: again && !fromData.has(name) ? sameIntegers(first, again) : undefined,
      ...(isVarying && { isVarying }),
    });
  }
  return shapes;
}

const dependingByGraph = new WeakMap<Graph, ReadonlySet<string>>();

/** Values that depend on what the inputs hold, not on their shapes alone. */
export function dependingOnData(graph: Graph): ReadonlySet<string> {
  const known = dependingByGraph.get(graph);
  if (known) return known;
  const depending = new Set(graph.feeds.map(({ name }) => name));
  for (const node of graph.nodes) {
    const isShape = node.domain === "" && (node.opType === "Shape" || node.opType === "Size");
    if (isShape || !readsOf(node).some((name) => depending.has(name))) continue;
    for (const name of node.outputs) if (name !== "") depending.add(name);
  }
  dependingByGraph.set(graph, depending);
  return depending;
}

/** Outputs that no data can change: anchors, grids, lengths. */
export function fixedOutputs(graph: Graph): ReadonlySet<string> {
  const fromData = dependingOnData(graph);
  return new Set(graph.outputs.flatMap(({ name }) => (fromData.has(name) ? [] : [name])));
}

/** A value that is known before the model runs: an initializer, or integers that are the same for all samples. */
export function constantOf(graph: Graph, shapes: Shapes, name: string | undefined): Tensor | undefined {
  return graph.initializers.get(name ?? "") ?? shapes.get(name ?? "")?.constant;
}

/** The dims of `name`; throws if the value is unknown. */
export function dimsOf(shapes: Shapes, name: string): readonly number[] {
  const shape = shapes.get(name);
  if (!shape)
    throw new ShrinkError("model", `value "${name}": its shape is unknown, expected a tensor that the model computes`);
  return shape.dims;
}

/** Integers that came out the same in both runs; undefined for anything else. */
function sameIntegers(one: ProbedValue, two: ProbedValue): Tensor | undefined {
  if (!one.value || !two.value || one.value.size > FEW) return undefined;
  const { type, data, numbers } = one.value;
  const isFew = (type === "int64" || type === "int32") && one.dims.length <= 1;
  const isSame =
    one.dims.join() === two.dims.join() && Array.from(numbers).join() === Array.from(two.value.numbers).join();
  return isFew && isSame ? new Tensor(type, one.dims, data) : undefined;
}
