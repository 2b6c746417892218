/** Made-up samples: what a model is run on where there is no data, to learn its shapes or to compare two models. */
import { ShrinkError } from "../errors.ts";
import { randomSource } from "../util/random.ts";
import type { ValueInfo } from "./graph.ts";
import type { Values } from "./pieces.ts";
import { allocate, type ElementType, sizeOf, Tensor } from "./tensor.ts";

/** How long the axes of a model's inputs are, as far as its file leaves that open. */
export interface ProbeOptions {
  /** Dims of inputs by name, first axis = sample (its length is not used); for inputs whose file leaves dims free. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Length of axes, other than the samples, that neither the file nor `shapes` states. Left out: that is an error. */
  readonly freeLength?: number | undefined;
}

/** Name, element type and dims of an input; the first axis is the sample. */
export interface SampleShape {
  readonly name: string;
  readonly type: ElementType;
  readonly dims: readonly number[];
}

/** Reals between -1 and 1 and zeros for all other types, `[count, ...]` by input; the same at every call. */
export function madeUpSamples(inputs: readonly SampleShape[], count: number): Record<string, Tensor> {
  const random = randomSource(1);
  const samples: Record<string, Tensor> = {};
  for (const { name, type, dims } of inputs) {
    const shape = [count, ...dims.slice(1)];
    const data = allocate(type, sizeOf(shape));
    if (type === "float32" || type === "float64") for (let i = 0; i < data.length; i++) data[i] = random() * 2 - 1;
    samples[name] = new Tensor(type, shape, data);
  }
  return samples;
}

/** Sample `n` of some samples, by itself: `[1, ...]`. */
export function oneOf(samples: Values, n: number): Values {
  const own = Object.entries(samples).map(([name, { type, dims, data }]) => {
    const width = sizeOf(dims.slice(1));
    return [name, new Tensor(type, [1, ...dims.slice(1)], data.slice(n * width, (n + 1) * width))] as const;
  });
  return Object.fromEntries(own);
}

/** An input's shape for one sample: the caller's, else the file's. */
export function sampleShape(input: ValueInfo, { shapes, freeLength }: ProbeOptions): SampleShape {
  const { name, type = "float32", shape } = input;
  const given = shapes?.[name];
  if (given) return { name, type, dims: [1, ...given.slice(1)] };
  if (!shape) {
    throw new ShrinkError(
      "model",
      `input "${name}": the file does not state its shape; give one with --shape ${name}=1x...`,
    );
  }
  const free = freeAxes(input);
  const dims = shape.map((dim, axis) => {
    if (axis === 0) return 1;
    if (!free.includes(axis)) return dim as number;
    if (freeLength !== undefined) return freeLength;
    throw new ShrinkError(
      "model",
      `input "${name}": axis ${axis} (${dim ?? "unknown"}) has no fixed length; give one with data or --shape ${name}=1x...`,
    );
  });
  return { name, type, dims };
}

/** Axes, other than the samples, that the file gives no length. */
export function freeAxes({ shape = [] }: ValueInfo): number[] {
  return shape.flatMap((dim, axis) => (axis > 0 && !(typeof dim === "number" && dim > 0) ? [axis] : []));
}
