/**
 * Samples to measure on, and their fit to a model: {@link bindInputs} turns what a file holds into what the model
 * takes, or says in one sentence why it cannot.
 */
import { ShrinkError } from "./errors.ts";
import type { ValueInfo } from "./graph/graph.ts";
import { type ElementType, isFloat, reshape, sizeOf, Tensor, take, tensorOf } from "./graph/tensor.ts";

/** Samples to measure on. */
export interface Dataset {
  /** For messages: the file's name. */
  readonly source: string;
  /** Number of samples. */
  readonly size: number;
  /** By model input name; "x" alone where the file names no inputs. First axis = sample. */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Class of each sample. */
  readonly labels?: Int32Array;
  /** Float targets, shaped like the model's output, first axis = sample. */
  readonly targets?: Tensor;
}

/** Samples `from` (included) to `to` (excluded, default all), clamped to the dataset. Shares the data, copies nothing. */
export function slice(dataset: Dataset, from: number, to: number = dataset.size): Dataset {
  const start = Math.min(Math.max(from, 0), dataset.size);
  const end = Math.min(Math.max(to, start), dataset.size);
  const cut = (tensor: Tensor) => rows(tensor, start, end);
  return {
    source: dataset.source,
    size: end - start,
    inputs: Object.fromEntries(Object.entries(dataset.inputs).map(([name, tensor]) => [name, cut(tensor)])),
    ...(dataset.labels && { labels: dataset.labels.subarray(start, end) }),
    ...(dataset.targets && { targets: cut(dataset.targets) }),
  };
}

/** The samples in another order: sample `order[i]` comes at place i. */
export function reorder(dataset: Dataset, order: readonly number[]): Dataset {
  const { labels, targets } = dataset;
  return {
    ...dataset,
    inputs: Object.fromEntries(Object.entries(dataset.inputs).map(([name, tensor]) => [name, take(tensor, 0, order)])),
    ...(labels && { labels: Int32Array.from(order, (sample) => labels[sample] as number) }),
    ...(targets && { targets: take(targets, 0, order) }),
  };
}

/**
 * The dataset with its inputs keyed, typed and shaped as the model takes them. `feeds` are the inputs that a caller
 * must feed (`graph.feeds`).
 *
 * - Which array: the one of the input's name. For a model with a single input also the file's only array, or else `x`.
 *   Arrays that no input asks for are left out.
 * - Type: converted to the model's element type where no information of another kind is made up: any integer or float
 *   type to any float type, integers to another integer type that holds all values. Floats to integers is an error.
 * - Shape: the first axis is the sample, whatever the model says of it. Every other axis must match where the model
 *   states a positive number; a symbolic, unknown or non-positive dim takes any length.
 * - Reshaping: if all dims after the first are known and the element counts match, these are reshaped in row-major
 *   order: a flat array (`[N, 784]` for `[N, 1, 28, 28]`), any array for a flat input (`[N, 28, 28]` for `[N, 784]`),
 *   and arrays that differ in axes of length 1 only (`[N, 28, 28]` for `[N, 1, 28, 28]`). Nothing else is: a
 *   channels-last image must be transposed, not reshaped.
 *
 * Throws a `data` error for missing arrays, no samples, differing numbers of samples, shapes or types that do not fit,
 * and NaN or infinite values in float inputs and targets. Samples are counted from 0 in messages.
 */
export function bindInputs(dataset: Dataset, feeds: readonly ValueInfo[]): Dataset {
  const { source, labels, targets } = dataset;
  const bound = feeds.map((feed) => ({
    feed,
    name: arrayFor(dataset, feed, feeds),
  }));
  const counts: [array: string, count: number][] = [];
  const inputs: [string, Tensor][] = [];
  for (const { feed, name } of bound) {
    const tensor = dataset.inputs[name] as Tensor;
    const where = `${source}: array "${name}"`;
    const count = tensor.dims[0];
    if (count === undefined) {
      fail(`${where} is a single number, expected one axis of samples first, as in ${shapeText(feed.shape)}.`);
    }
    if (count === 0) {
      fail(`${where} has shape ${dimsText(tensor.dims)} and so no samples, expected at least 1. Save it with samples.`);
    }
    counts.push([name, count]);
    inputs.push([feed.name, convert(fitShape(tensor, feed, where), feed, where)]);
  }
  if (labels) counts.push(["y", labels.length]);
  if (targets) {
    counts.push(["y", targets.dims[0] ?? 0]);
    checkFinite(targets, targets, `${source}: array "y"`);
  }
  const [first] = counts;
  if (!first || inputs.length === 0) fail(`${source}: the model has no inputs to feed, expected at least 1.`);
  const other = counts.find(([, count]) => count !== first[1]);
  if (other) {
    fail(
      `${source}: array "${first[0]}" has ${first[1]} samples but "${other[0]}" has ${other[1]}, expected the same ` +
        "number. Save arrays whose first axes agree.",
    );
  }
  return { ...dataset, size: first[1], inputs: Object.fromEntries(inputs) };
}

/** Throws a `data` error that names the first label outside 0..numClasses-1. Does nothing without labels. */
export function checkLabels(dataset: Dataset, numClasses: number): void {
  const { source, labels } = dataset;
  const at = labels?.findIndex((label) => label < 0 || label >= numClasses) ?? -1;
  if (labels && at >= 0) {
    fail(
      `${source}: the label of sample ${at} is ${labels[at]}, expected 0 to ${numClasses - 1} as the model has ` +
        `${numClasses} classes. Number the classes from 0, or check that the file belongs to this model.`,
    );
  }
}

function rows(tensor: Tensor, from: number, to: number): Tensor {
  const dims = tensor.dims.slice(1);
  const step = sizeOf(dims);
  return new Tensor(tensor.type, [to - from, ...dims], tensor.data.subarray(from * step, to * step));
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

function fitShape(tensor: Tensor, feed: ValueInfo, where: string): Tensor {
  if (!feed.shape) return tensor;
  const [count = 0, ...have] = tensor.dims;
  const want = feed.shape.slice(1);
  const shape = `${where} has shape ${dimsText(tensor.dims)}`;
  const wanted = `expected ${shapeText(feed.shape)} for the model input "${feed.name}"`;
  if (feed.shape.length === 0) {
    fail(`${where}: the model input "${feed.name}" takes a single number, expected a first axis for samples.`);
  }
  if (have.length === want.length && want.every((dim, axis) => !isKnown(dim) || dim === have[axis])) return tensor;
  if (want.every(isKnown) && sizeOf(have) === sizeOf(want)) {
    const flat = have.length <= 1 || want.length <= 1;
    if (flat || String(have.filter(isLong)) === String(want.filter(isLong))) return reshape(tensor, [count, ...want]);
    if (String(have.toSorted(ascending)) === String(want.toSorted(ascending))) {
      fail(`${shape}, ${wanted}. These are the same axes in another order: transpose the array before saving it.`);
    }
  }
  return fail(`${shape}, ${wanted}. Save samples of the shape that the model takes.`);
}

const isKnown = (dim: number | string | null): dim is number => typeof dim === "number" && dim > 0;
const isLong = (dim: number) => dim !== 1;
const ascending = (a: number, b: number) => a - b;

function convert(tensor: Tensor, { name, type = tensor.type }: ValueInfo, where: string): Tensor {
  if (!isFloat(type)) {
    if (isFloat(tensor.type)) {
      fail(
        `${where} is ${tensor.type}, expected integers, as the model input "${name}" is ${type}. Save it as ${type}.`,
      );
    }
    if (type !== tensor.type) checkRange(tensor, type, where);
  }
  const result = type === tensor.type ? tensor : tensorOf(type, tensor.numbers);
  const shaped = result === tensor ? tensor : reshape(result, tensor.dims);
  if (isFloat(type)) checkFinite(tensor, shaped, where);
  return shaped;
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
  const rest = shape.slice(1).map((dim) => (typeof dim === "string" && dim ? dim : isKnown(dim) ? dim : "?"));
  return `[${["N", ...rest].join(", ")}]`;
}

function listText(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}

function fail(message: string): never {
  throw new ShrinkError("data", message);
}
