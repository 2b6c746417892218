/**
 * Shapes of all values, learnt by running the model on a sample instead of by hand-written shape inference: whatever
 * onnxruntime computes is right by definition.
 */
import { ShrinkError } from "../errors.ts";
import type { Runner } from "../runner.ts";
import { describe, type Graph, type Model } from "./graph.ts";
import { madeUpSamples, oneOf, type ProbeOptions, sampleShape } from "./made-up.ts";
import { type Look, look, type Seen } from "./probe.ts";
import { shortenSums } from "./short-sums.ts";
import { type ElementType, Tensor } from "./tensor.ts";

/** Type and dims of a value when the model runs on one sample. */
export interface ValueShape {
  readonly type: ElementType;
  /** At batch size 1. */
  readonly dims: readonly number[];
  /** The axis that grows with the number of samples; undefined for constants. */
  readonly batchAxis?: number | undefined;
  /** For few integers that do not depend on the samples or their number (lengths of axes, mostly): the values. */
  readonly constant?: Tensor | undefined;
}

/** By value name; initializers and graph inputs included. */
export type Shapes = ReadonlyMap<string, ValueShape>;

/** Integers in at most this number are kept as constants. */
const FEW = 64;

/**
 * Runs the model on one and on two made-up samples (on another one where it takes no two) and notes of every inner value
 * type, dims and which axis follows the batch. Throws a `model` error where the runtime refuses the model, and for weights
 * that do not fit what they are multiplied with.
 */
export async function probeShapes(model: Model, runner: Runner, options: ProbeOptions = {}): Promise<Shapes> {
  const { graph, sums } = shortenSums(model);
  const shapes = await shapesByRunning({ ...model, graph }, model.graph, runner, options).catch((refusal: unknown) => {
    if (graph === model.graph) throw refusal;
    return shapesByRunning(model, model.graph, runner, options); // it is refused for what the file says, if at all
  });
  for (const { node, value, axis, length } of sums) {
    const found = dimsOf(shapes, value).at(axis);
    if (found === length) continue;
    throw new ShrinkError(
      "model",
      `${describe(node)}: its weights are for ${length} inputs, but "${value}" has ${found}; the model is damaged, export it again`,
    );
  }
  return shapes;
}

/** The shapes of `graph`, whose values the model that is run has too. */
async function shapesByRunning(model: Model, graph: Graph, runner: Runner, options: ProbeOptions): Promise<Shapes> {
  const inputs = graph.feeds.map((input) => sampleShape(input, options));
  const both = madeUpSamples(inputs, 2);
  const [one, two] = await look(model, runner, [oneOf(both, 0), both]);
  if (!one || one instanceof Error) throw one;
  if (two && !(two instanceof Error)) return shapesOf(graph, options, one, { look: two, samples: 2 });
  const [other] = await look(model, runner, [oneOf(both, 1)]);
  return shapesOf(graph, options, one, other && !(other instanceof Error) ? { look: other, samples: 1 } : undefined);
}

/**
 * The shapes from two runs: on one sample, and on more or on another one. Constant is what is the same in both; without
 * the second nothing is.
 */
export function shapesOf(
  graph: Graph,
  options: ProbeOptions,
  one: Look,
  second?: { readonly look: Look; readonly samples: number },
): Shapes {
  const shapes = new Map<string, ValueShape>();
  for (const [name, tensor] of graph.initializers) shapes.set(name, { type: tensor.type, dims: tensor.dims });
  for (const input of graph.feeds) {
    const { name, type, dims } = sampleShape(input, options);
    shapes.set(name, { type, dims, batchAxis: 0 });
  }
  for (const [name, first] of one.values) {
    if (!graph.value(name)) continue; // of a helper
    const { type, dims } = first;
    const other = second?.look.values.get(name);
    shapes.set(name, {
      type,
      dims,
      batchAxis: second && other && growingAxis(dims, other.dims, second.samples),
      constant: other && sameIntegers(first, other),
    });
  }
  return shapes;
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
function sameIntegers(one: Seen, two: Seen): Tensor | undefined {
  if (!one.value || !two.value || one.value.size > FEW) return undefined;
  const { type, data, numbers } = one.value;
  const isFew = (type === "int64" || type === "int32") && one.dims.length <= 1;
  const isSame =
    one.dims.join() === two.dims.join() && Array.from(numbers).join() === Array.from(two.value.numbers).join();
  return isFew && isSame ? new Tensor(type, one.dims, data) : undefined;
}

/** The one axis that is `samples` times as long for so many samples. */
function growingAxis(one: readonly number[], many: readonly number[], samples: number): number | undefined {
  if (one.length !== many.length || samples === 1) return undefined;
  const grown = one.flatMap((dim, axis) => (many[axis] === dim * samples ? [axis] : []));
  return grown.length === 1 ? grown[0] : undefined;
}
