/**
 * Shapes of all values, learnt by running the model on a sample instead of by hand-written shape inference: whatever
 * onnxruntime computes is right by definition.
 */
import { ShrinkError } from "../errors.ts";
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import type { Graph, Model, ValueInfo } from "./graph.ts";
import { allocate, type ElementType, sizeOf, Tensor } from "./tensor.ts";

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

export interface ProbeOptions {
  /** Dims of inputs by name, first axis = sample (its length is not used); for inputs whose file leaves dims free. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
}

/**
 * Runs the model on one and on two made-up samples with every inner value as an output, and notes types, dims and
 * which axis follows the batch. Values no node makes a tensor of (sequences, maps) are left out.
 */
export async function probeShapes(model: Model, runner: Runner, options: ProbeOptions = {}): Promise<Shapes> {
  const { graph } = model;
  const names = [...new Set(graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== "")))];
  const exposed = graph.with({
    outputs: names.map((name) => ({ name })),
    valueInfo: new Map(),
  });
  const session = await runner.load(writeModel({ ...model, graph: exposed }), {
    optimize: false,
  });
  try {
    const inputs = graph.feeds.map((input) => ({
      input,
      dims: sampleDims(input, options.shapes?.[input.name]),
    }));
    const feed = (batch: number) =>
      Object.fromEntries(inputs.map(({ input, dims }) => [input.name, blank(input, [batch, ...dims.slice(1)])]));
    const one = await session.run(feed(1));
    const two = await session.run(feed(2)).catch(() => undefined);
    const shapes = new Map<string, ValueShape>();
    for (const [name, tensor] of graph.initializers) shapes.set(name, { type: tensor.type, dims: tensor.dims });
    for (const { input, dims } of inputs) {
      shapes.set(input.name, {
        type: input.type ?? "float32",
        dims: [1, ...dims.slice(1)],
        batchAxis: 0,
      });
    }
    for (const name of names) {
      const { type, dims } = one[name] as Tensor;
      const other = two?.[name];
      shapes.set(name, {
        type,
        dims,
        batchAxis: other && growingAxis(dims, other.dims),
        constant: other && sameIntegers(one[name] as Tensor, other),
      });
    }
    return shapes;
  } finally {
    await session.release();
  }
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

/** Graph inputs' dims for one sample: the caller's, else the file's. */
function sampleDims(input: ValueInfo, given: readonly number[] | undefined): readonly number[] {
  if (given) return given;
  if (!input.shape) {
    throw new ShrinkError(
      "model",
      `input "${input.name}": the file does not state its shape; give one with --shape ${input.name}=1x...`,
    );
  }
  return input.shape.map((dim, axis) => {
    if (axis === 0) return 1;
    if (typeof dim === "number" && dim > 0) return dim;
    throw new ShrinkError(
      "model",
      `input "${input.name}": axis ${axis} (${dim ?? "unknown"}) has no fixed length; give one with data or --shape ${input.name}=1x...`,
    );
  });
}

/** Values that exercise ordinary arithmetic: a ramp between -1 and 1 for reals, zeros for integers. */
function blank(input: ValueInfo, dims: readonly number[]): Tensor {
  const type = input.type ?? "float32";
  const data = allocate(type, sizeOf(dims));
  if (type === "float32" || type === "float64") {
    const reals = data as Float64Array;
    for (let i = 0; i < reals.length; i++) reals[i] = ((i * 37) % 101) / 50 - 1;
  }
  return new Tensor(type, dims, data);
}

/** Integers that came out the same for one and for two samples; undefined for anything else. */
function sameIntegers(one: Tensor, two: Tensor): Tensor | undefined {
  const few = (one.type === "int64" || one.type === "int32") && one.dims.length <= 1 && one.size <= 64;
  return few && one.size === two.size && Array.from(one.numbers).join() === Array.from(two.numbers).join()
    ? one
    : undefined;
}

function growingAxis(one: readonly number[], two: readonly number[]): number | undefined {
  if (one.length !== two.length) return undefined;
  const grown = one.flatMap((dim, axis) => (two[axis] === dim * 2 ? [axis] : []));
  return grown.length === 1 ? grown[0] : undefined;
}
