/** What one feed of a model's input looks like, and which of its axes may count samples. */
import { ShrinkError } from "../errors.ts";
import type { Graph, ValueInfo } from "./graph.ts";
import type { Values } from "./pieces.ts";
import type { ElementType } from "./tensor.ts";

/** How long the axes of a model's inputs are, as far as its file leaves that open. */
export interface ProbeOptions {
  /** Dims of one feed by input name, all axes; for inputs whose file leaves dims free. */
  readonly shapes?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Length of axes, other than the samples', that neither the file nor `shapes` states. Left out: that is an error. */
  readonly freeLength?: number | undefined;
  /** Feeds of real samples, each exactly as the model takes it. The model is probed with these; default: dummy inputs. */
  readonly samples?: readonly Values[] | undefined;
}

/** Name, element type and dims of an input in one feed. */
export interface InputLayout {
  readonly name: string;
  readonly type: ElementType;
  /** The sample axis, if there is one, has length 1. */
  readonly dims: readonly number[];
  /** The axis that may count samples: along it the feeds of several samples are stacked. Undefined: none. */
  readonly sampleAxis: number | undefined;
}

/** Which of its free axes an input's sample axis is taken to be: the most likely one, or another one. */
export type Guess = 0 | 1;

/**
 * The layouts of all inputs. Throws a `model` error for lengths that nobody states.
 *
 * An axis may count samples where the file leaves its length open or fixes it to 1. Of several such axes an input's sample
 * axis is the one whose symbolic name says so, else the first. Where real samples hold more than one row along it, no axis
 * is: then such a feed is one sample.
 */
export function inputLayouts(graph: Graph, options: ProbeOptions, guess: Guess = 0): InputLayout[] {
  const layouts = graph.feeds.map((input) => layoutOf(input, options, guess));
  const isOneRow = layouts.every(({ dims, sampleAxis }) => sampleAxis === undefined || dims[sampleAxis] === 1);
  return isOneRow ? layouts : layouts.map((layout) => ({ ...layout, sampleAxis: undefined }));
}

/** Whether a second {@link Guess} differs from the first. */
export function isAmbiguous(graph: Graph): boolean {
  return graph.feeds.some((input) => sampleAxisOf(input.shape) !== sampleAxisOf(input.shape, 1));
}

function layoutOf(input: ValueInfo, { shapes, freeLength, samples }: ProbeOptions, guess: Guess): InputLayout {
  const { name, type = "float32", shape } = input;
  const sampleAxis = sampleAxisOf(input.shape, guess);
  const real = samples?.[0]?.[name];
  if (real) return { name, type, dims: real.dims, sampleAxis };
  const given = shapes?.[name];
  if (given) return { name, type, dims: given.map((dim, axis) => (axis === sampleAxis ? 1 : dim)), sampleAxis };
  if (!shape) {
    throw new ShrinkError(
      "model",
      `input "${name}": the file does not state its shape; give one with --shape ${name}=1x...`,
    );
  }
  const dims = shape.map((dim, axis) => {
    if (axis === sampleAxis) return 1;
    if (isFixed(dim)) return dim;
    if (freeLength !== undefined) return freeLength;
    throw new ShrinkError(
      "model",
      `input "${name}": axis ${axis} (${dim ?? "unknown"}) has no fixed length; give one with data or --shape ${name}=1x...`,
    );
  });
  return { name, type, dims, sampleAxis };
}

/** Symbolic names that exporters and people give to the axis of samples. */
const SAMPLES = /^(n|b|bs|samples?|.*batch.*)$/i;

/** Whether a symbolic length is called like a number of samples. */
export function isSampleName(dim: number | string | null | undefined): boolean {
  return typeof dim === "string" && SAMPLES.test(dim);
}

/** The axis that an input's samples are likely to be counted along. */
export function sampleAxisOf(shape: ValueInfo["shape"], guess: Guess = 0): number | undefined {
  if (!shape) return 0;
  const named = shape.findIndex(isSampleName);
  if (named >= 0) return named;
  const free = shape.flatMap((dim, axis) => (isFixed(dim) ? [] : [axis]));
  if (free.length > 0) return free[guess] ?? free[0];
  const one = shape.indexOf(1);
  return one < 0 ? undefined : one;
}

function isFixed(dim: number | string | null): dim is number {
  return typeof dim === "number" && dim > 0;
}

/** Axes, other than the sample axis, that the file gives no length. */
export function freeAxes(input: ValueInfo): number[] {
  const sampleAxis = sampleAxisOf(input.shape);
  return (input.shape ?? []).flatMap((dim, axis) => (axis !== sampleAxis && !isFixed(dim) ? [axis] : []));
}
