/** From arrays to samples of a model: which array feeds which input, and what one sample of it is. */
import { ShrinkError } from "../errors.ts";
import type { ValueInfo } from "../graph/graph.ts";
import { isSampleName, sampleAxisOf } from "../graph/input-layout.ts";
import { type ElementType, isFloat, reshape, sizeOf, Tensor, tensorOf, transpose } from "../graph/tensor.ts";
import { answersIn } from "./answers.ts";
import type { Dataset } from "./dataset.ts";
import type { SampleInput, Samples } from "./samples.ts";

/**
 * The samples that a dataset holds for a model. `feeds` are the inputs that a caller must feed (`graph.feeds`).
 *
 * - Which array: the one of the input's name. For a model with a single input also `x`, or else the file's only array.
 * - A sample is one feed. An array with one more axis than the input holds one feed per entry. An array with as many axes,
 *   whose first one the model leaves open or fixes to 1, holds one row per sample. An array of exactly the input's shape is
 *   the same for all samples; so is a single entry beside other arrays with more. For an input that is fixed to several
 *   rows, each so many rows are one sample. Where the model names an axis for samples that is not its first (`[2, N, 8]`),
 *   the array may leave it out (`[samples, 2, 8]`) or hold the samples along it.
 * - Type: converted to the model's element type where no information of another kind is made up: any integer or float
 *   type to any float type, integers to another integer type that holds all values. Floats to integers is an error.
 * - Shape: every axis must match where the model states a positive number; a symbolic, unknown or non-positive dim takes any
 *   length. If all dims are known and the element counts match, samples are reshaped in row-major order: a flat array
 *   (`[N, 784]` for `[N, 1, 28, 28]`), any array for a flat input (`[N, 28, 28]` for `[N, 784]`), and arrays that differ in
 *   axes of length 1 only (`[N, 28, 28]` for `[N, 1, 28, 28]`). Nothing else is: a channels-last image must be transposed.
 *
 * Throws a `data` error for missing arrays, no samples, differing numbers of samples, shapes or types that do not fit, and
 * NaN or infinite values in float inputs and targets. Samples are counted from 0 in messages.
 */
export function bindSamples(dataset: Dataset, feeds: readonly ValueInfo[]): Samples {
  const { source } = dataset;
  if (feeds.length === 0) fail(`${source}: the model has no inputs to feed, expected at least 1.`);
  const bound = feeds.map((feed) => {
    if (feed.isOther) fail(`${source}: the model input "${feed.name}" is no tensor of numbers and cannot be fed.`);
    const array = arrayFor(dataset, feed, feeds);
    const where = `${source}: array "${array}"`;
    const tensor = dataset.inputs[array] as Tensor;
    return { feed, array, ...arranged(convert(tensor, feed, where), feed, where) };
  });
  const most = Math.max(...bound.map(({ isShared, tensor }) => (isShared ? 1 : (tensor.dims[0] as number))));
  const inputs = bound.map(({ feed, array, tensor, isShared }): [string, SampleInput, string] => {
    const isSingle = !isShared && tensor.dims[0] === 1 && most > 1;
    const shared = isShared || isSingle || isConstant(tensor);
    return [feed.name, { tensor: shared && !isShared ? first(tensor) : tensor, isShared: shared }, array];
  });
  const counts = bound.flatMap(({ array, tensor, isShared }, at): [string, number][] =>
    isShared || (inputs[at]?.[1].isShared && tensor.dims[0] === 1) ? [] : [[array, tensor.dims[0] as number]],
  );
  const size = counts[0]?.[1] ?? 1;
  const used = new Set(bound.map(({ array }) => array));
  const rows = bound.reduce((factor, one) => Math.max(factor, one.rowsPerSample), 1);
  const answers = Object.entries(answersIn(dataset, used)).map(([output, { array, tensor }]) => {
    const grouped = regrouped(tensor, size, rows);
    counts.push([array, grouped.dims[0] as number]);
    if (isFloat(grouped.type)) checkFinite(grouped, grouped, `${source}: array "${array}"`);
    return [output, grouped] as const;
  });
  const other = counts.find(([, count]) => count !== size);
  if (other) {
    fail(
      `${source}: array "${counts[0]?.[0]}" has ${size} samples but "${other[0]}" has ${other[1]}, expected the same ` +
        "number. Save arrays whose first axes agree.",
    );
  }
  return {
    source,
    size,
    inputs: Object.fromEntries(inputs.map(([name, input]) => [name, input])),
    answers: Object.fromEntries(answers),
  };
}

/** Name of the array to feed into `feed`. */
function arrayFor({ source, inputs }: Dataset, feed: ValueInfo, feeds: readonly ValueInfo[]): string {
  if (Object.hasOwn(inputs, feed.name)) return feed.name;
  const names = Object.keys(inputs);
  if (feeds.length === 1) {
    const [only] = names;
    if (only !== undefined && names.length === 1) return only;
    if (Object.hasOwn(inputs, "x")) return "x";
  }
  const expected = feeds.length === 1 ? `"${feed.name}" or "x"` : listText(feeds.map(({ name }) => name));
  return fail(
    `${source}: no array for the model input "${feed.name}", found ${listText(names) || "none"}, expected ${expected}. ` +
      "Save one array for each model input, under its name.",
  );
}

interface Arranged {
  /** [samples, ...dims of a feed], or the dims of a feed. */
  readonly tensor: Tensor;
  readonly isShared: boolean;
  /** Rows of the array that make one sample; 1 but for inputs that are fixed to several. */
  readonly rowsPerSample: number;
}

/** What one sample of an array is, for an input of the model. */
function arranged(tensor: Tensor, { name, shape }: ValueInfo, where: string): Arranged {
  const { dims } = tensor;
  const entries = (of: readonly number[], rowsPerSample = 1): Arranged => {
    const count = sizeOf(dims) / Math.max(1, sizeOf(of));
    return { tensor: reshape(tensor, [count, ...of]), isShared: false, rowsPerSample };
  };
  if (dims.length === 0 && shape?.length === 0) return { tensor, isShared: true, rowsPerSample: 1 };
  const [count, ...rest] = dims;
  if (count === undefined) {
    fail(`${where} is a single number, expected one axis of samples first, as in ${shapeText(shape)}.`);
  }
  if (count === 0) {
    fail(`${where} has shape ${dimsText(dims)} and so no samples, expected at least 1. Save it with samples.`);
  }
  if (sizeOf(dims) === 0)
    fail(`${where} has shape ${dimsText(dims)} and so no elements, expected some. Save it whole.`);
  if (!shape) return entries([1, ...rest]);
  if (fits(rest, shape)) return { tensor, isShared: false, rowsPerSample: 1 };
  const middle = dims.length === shape.length ? innerSampleAxis(shape) : undefined;
  if (middle !== undefined && fits(rest, shape.toSpliced(middle, 1))) {
    return entries(rest.toSpliced(middle, 0, 1));
  }
  if (middle !== undefined && fits(dims, shape) && (dims[middle] as number) > 1) {
    const perm = [middle, ...[...dims.keys()].filter((axis) => axis !== middle)];
    const moved = transpose(tensor, perm);
    const each = dims.with(middle, 1);
    return { tensor: reshape(moved, [dims[middle] as number, ...each]), isShared: false, rowsPerSample: 1 };
  }
  const [rows = null, ...inner] = shape;
  const isFixed = isKnown(rows) && rows > 1;
  if (dims.length === shape.length && fits(rest, inner)) {
    if (!isFixed) return entries([1, ...rest]);
    if (count === rows) return { tensor, isShared: true, rowsPerSample: rows };
    if (count % rows === 0) return entries([rows, ...rest], rows);
    fail(
      `${where} has ${count} rows, but the model input "${name}" takes ${rows} at a time. Save a multiple of ${rows}.`,
    );
  }
  const feed = oneFeed(shape);
  const wanted = `expected ${shapeText(shape)} for the model input "${name}"`;
  if (feed && sizeOf(rest) === sizeOf(feed)) {
    const flat = rest.length <= 1 || feed.filter(isLong).length <= 1;
    if (flat || String(rest.filter(isLong)) === String(feed.filter(isLong))) return entries(feed);
    const sorted = (list: readonly number[]): string => String(list.filter(isLong).toSorted((a, b) => a - b));
    if (sorted(rest) === sorted(feed)) {
      fail(
        `${where} has shape ${dimsText(dims)}, ${wanted}. These are the same axes in another order: ` +
          (dims.length === 4
            ? `read images as ${isChannels(dims[3]) ? "NHWC" : "NCHW"} (--layout ${isChannels(dims[3]) ? "NHWC" : "NCHW"}), or transpose the array before saving it.`
            : "transpose the array before saving it."),
      );
    }
  }
  return fail(`${where} has shape ${dimsText(dims)}, ${wanted}. Save samples of the shape that the model takes.`);
}

const isChannels = (dim: number | undefined): boolean => dim === 1 || dim === 3 || dim === 4;

/** Whether dims fit a shape; unknown lengths of it fit anything. */
function fits(dims: readonly number[], shape: NonNullable<ValueInfo["shape"]>): boolean {
  return dims.length === shape.length && shape.every((dim, axis) => !isKnown(dim) || dim === dims[axis]);
}

/** The axis of samples, where that is known and not the first. A free axis with a name of its own is a length. */
function innerSampleAxis(shape: NonNullable<ValueInfo["shape"]>): number | undefined {
  const axis = sampleAxisOf(shape);
  const isNamed = axis !== undefined && (isSampleName(shape[axis]) || typeof shape[axis] !== "string");
  return axis !== undefined && axis > 0 && isNamed && !isKnown(shape[axis] as number | string | null)
    ? axis
    : undefined;
}

/** Dims of one feed where all but one free axis are known: that one has length 1. */
function oneFeed(shape: NonNullable<ValueInfo["shape"]>): number[] | undefined {
  const free = shape.filter((dim) => !isKnown(dim)).length;
  return free > 1 ? undefined : shape.map((dim) => (isKnown(dim) ? dim : 1));
}

/** Answers of single rows, put together where several rows are one sample. */
function regrouped(tensor: Tensor, size: number, rows: number): Tensor {
  const [count = 0, ...rest] = tensor.dims;
  return rows > 1 && count === size * rows ? reshape(tensor, [size, rows, ...rest]) : tensor;
}

/** Entries of at most this many elements are compared, to find settings that are the same for all samples. */
const SETTING = 16;

/** Whether all entries are the same: a sample rate, an image size. */
function isConstant(tensor: Tensor): boolean {
  const [count = 0, ...rest] = tensor.dims;
  const width = sizeOf(rest);
  if (count < 2 || width > SETTING) return false;
  const { data } = tensor;
  for (let at = width; at < data.length; at++) if (data[at] !== data[at % width]) return false;
  return true;
}

function first(tensor: Tensor): Tensor {
  const dims = tensor.dims.slice(1);
  return new Tensor(tensor.type, dims, tensor.data.subarray(0, sizeOf(dims)));
}

const isKnown = (dim: number | string | null): dim is number => typeof dim === "number" && dim > 0;
const isLong = (dim: number) => dim !== 1;

function convert(tensor: Tensor, { name, type = tensor.type }: ValueInfo, where: string): Tensor {
  if (!isFloat(type)) {
    if (isFloat(tensor.type)) {
      fail(
        `${where} is ${tensor.type}, expected integers, as the model input "${name}" is ${type}. Save it as ${type}.`,
      );
    }
    if (type !== tensor.type) checkRange(tensor, type, where);
  }
  const result = type === tensor.type ? tensor : tensorOf(type, tensor.numbers, tensor.dims);
  if (isFloat(type)) checkFinite(tensor, result, where);
  return result;
}

/** Integers that each type holds exactly as a JS number. */
const ranges: Readonly<Partial<Record<ElementType, readonly [least: number, most: number]>>> = {
  bool: [0, 1],
  int8: [-(2 ** 7), 2 ** 7 - 1],
  uint8: [0, 2 ** 8 - 1],
  int16: [-(2 ** 15), 2 ** 15 - 1],
  uint16: [0, 2 ** 16 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

function checkRange(tensor: Tensor, type: ElementType, where: string): void {
  const [least, most] = ranges[type] ?? [-Infinity, Infinity];
  const values = tensor.numbers;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    if (value < least || value > most) {
      fail(
        `${where} holds ${value} in sample ${sampleOf(tensor, at)}, expected ${least} to ${most}, as the model takes ` +
          `${type}. Check that the file belongs to this model.`,
      );
    }
  }
}

/** `source` is `converted` before its conversion: tells NaN in the file from a value too large for the type. */
function checkFinite(source: Tensor, converted: Tensor, where: string): void {
  const values = converted.numbers;
  for (let at = 0; at < values.length; at++) {
    if (Number.isFinite(values[at])) continue;
    const value = source.numbers[at] as number;
    const tooLarge = Number.isFinite(value) ? ` (too large for ${converted.type})` : "";
    fail(
      `${where} holds ${value}${tooLarge} in sample ${sampleOf(source, at)}, expected finite numbers. ` +
        "Remove or repair that sample.",
    );
  }
}

function sampleOf(tensor: Tensor, at: number): number {
  return Math.floor(at / sizeOf(tensor.dims.slice(1)));
}

function dimsText(dims: readonly number[]): string {
  return `[${dims.join(", ")}]`;
}

/** The model's shape for people: `[N, 1, 28, 28]`, `?` where nothing is known. */
function shapeText(shape: ValueInfo["shape"] = [null]): string {
  const [rows, ...rest] = shape.map((dim) => (typeof dim === "string" && dim ? dim : isKnown(dim) ? dim : "?"));
  if (rows === undefined) return "[N]";
  return `[${[isKnown(shape[0] ?? null) && rows !== 1 ? `N, ${rows}` : "N", ...rest].join(", ")}]`;
}

function listText(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

function fail(message: string): never {
  throw new ShrinkError("data", message);
}
