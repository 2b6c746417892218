/**
 * Shapes of all values, learnt by running the model on a sample instead of by hand-written shape inference: whatever
 * onnxruntime computes is right by definition.
 */
import { ShrinkError } from "../errors.ts";
import type { Runner } from "../runner.ts";
import { GraphBuilder, opsetOf } from "./builder.ts";
import type { Graph, Model, ValueInfo } from "./graph.ts";
import { type Outcome, runInPieces, type Values } from "./pieces.ts";
import { realValues } from "./real-values.ts";
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

/** What a run tells about a value. */
interface Probed {
  readonly dims: readonly number[];
  /** Left out for reals. */
  readonly value: Tensor | undefined;
}

/** Integers in at most this number are kept as constants. */
const FEW = 64;

export interface ProbeOptions {
  /** Dims of inputs by name, first axis = sample (its length is not used); for inputs whose file leaves dims free. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Length of axes, other than the samples, that neither the file nor `shapes` states. Left out: that is an error. */
  readonly freeLength?: number | undefined;
}

/**
 * Runs the model on one and on two made-up samples (on another one where it takes no two) and notes of every inner value
 * type, dims and which axis follows the batch. What comes out of the runs is the shape of each real value, so that large activations need not be kept, and all
 * others as they are.
 */
export async function probeShapes(model: Model, runner: Runner, options: ProbeOptions = {}): Promise<Shapes> {
  const { graph } = model;
  const b = new GraphBuilder({ opset: opsetOf(model), base: graph.with({ nodes: [], valueInfo: new Map() }) });
  const reals = realValues(graph);
  const probes = new Map<string, string>(); // of each value, what comes out: its shape or the value itself
  for (const node of graph.nodes) {
    b.append(node);
    for (const name of node.outputs) {
      if (name !== "" && !probes.has(name)) probes.set(name, reals.has(name) ? b.op("Shape", [name]) : name);
    }
  }
  const exposed = b.graph([...probes.values()]);
  const inputs = graph.feeds.map((input) => ({ input, dims: sampleDims(input, options) }));
  const feed = (batch: number, from = 0): Values =>
    Object.fromEntries(inputs.map(({ input, dims }) => [input.name, blank(input, [batch, ...dims.slice(1)], from)]));
  const run = (...feeds: Values[]): Promise<Outcome[]> => runInPieces({ ...model, graph: exposed }, runner, feeds);
  const [one, two] = (await run(feed(1), feed(2))) as [Outcome, Outcome];
  if (one instanceof Error) throw one;
  // of a model that takes one sample only, constant is what another sample does not change
  const [other] = two instanceof Error ? await run(feed(1, 50)) : [two];
  const shapes = new Map<string, ValueShape>();
  for (const [name, tensor] of graph.initializers) shapes.set(name, { type: tensor.type, dims: tensor.dims });
  for (const { input, dims } of inputs) {
    shapes.set(input.name, { type: input.type ?? "float32", dims: [1, ...dims.slice(1)], batchAxis: 0 });
  }
  for (const [name, probe] of probes) {
    const read = (run: Values): Probed => {
      const out = run[probe] as Tensor;
      return probe === name ? { dims: out.dims, value: out } : { dims: Array.from(out.numbers), value: undefined };
    };
    const [first, second] = [read(one), other && !(other instanceof Error) ? read(other) : undefined];
    shapes.set(name, {
      type: first.value?.type ?? (reals.get(name) as ElementType),
      dims: first.dims,
      batchAxis: second && growingAxis(first.dims, second.dims),
      constant: second && sameIntegers(first, second),
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

/** Graph inputs' dims for one sample: the caller's, else the file's. */
function sampleDims(input: ValueInfo, { shapes, freeLength }: ProbeOptions): readonly number[] {
  const given = shapes?.[input.name];
  if (given) return given;
  if (!input.shape) {
    throw new ShrinkError(
      "model",
      `input "${input.name}": the file does not state its shape; give one with --shape ${input.name}=1x...`,
    );
  }
  const free = freeAxes(input);
  return input.shape.map((dim, axis) => {
    if (axis === 0) return 1;
    if (!free.includes(axis)) return dim as number;
    if (freeLength !== undefined) return freeLength;
    throw new ShrinkError(
      "model",
      `input "${input.name}": axis ${axis} (${dim ?? "unknown"}) has no fixed length; give one with data or --shape ${input.name}=1x...`,
    );
  });
}

/** Axes, other than the samples, that the file gives no length. */
export function freeAxes({ shape = [] }: ValueInfo): number[] {
  return shape.flatMap((dim, axis) => (axis > 0 && !(typeof dim === "number" && dim > 0) ? [axis] : []));
}

/** Values that exercise ordinary arithmetic: a ramp between -1 and 1 for reals, zeros for integers. */
function blank(input: ValueInfo, dims: readonly number[], from: number): Tensor {
  const type = input.type ?? "float32";
  const data = allocate(type, sizeOf(dims));
  if (type === "float32" || type === "float64") {
    const reals = data as Float64Array;
    for (let i = 0; i < reals.length; i++) reals[i] = ((i * 37 + from) % 101) / 50 - 1;
  }
  return new Tensor(type, dims, data);
}

/** Integers that came out the same for one and for two samples; undefined for anything else. */
function sameIntegers(one: Probed, two: Probed): Tensor | undefined {
  if (!one.value || !two.value || one.value.size > FEW) return undefined;
  const { type, data, numbers } = one.value;
  const isFew = (type === "int64" || type === "int32") && one.dims.length <= 1;
  const isSame =
    one.dims.join() === two.dims.join() && Array.from(numbers).join() === Array.from(two.value.numbers).join();
  return isFew && isSame ? new Tensor(type, one.dims, data) : undefined;
}

function growingAxis(one: readonly number[], two: readonly number[]): number | undefined {
  if (one.length !== two.length) return undefined;
  const grown = one.flatMap((dim, axis) => (two[axis] === dim * 2 ? [axis] : []));
  return grown.length === 1 ? grown[0] : undefined;
}
