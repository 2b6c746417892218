/** What people do to arrays before a model sees them: scale, mean and deviation of channels, axes in another order; and usual mistakes. */
import { type Dataset, ShrinkError, sizeOf, Tensor, take, tensorOf, transpose } from "@shrinknet/core";
import { type ImageShape, imageLayout } from "./images.ts";
import { stratified } from "./stratified.ts";

export interface ArrangeOptions {
  /** Every input value is multiplied by this and becomes float32: 1 / 255 takes pixels 0..255 to 0..1. */
  readonly scale?: number | undefined;
  /** Taken from every channel, after scaling; one number for all channels or one for each. */
  readonly mean?: readonly number[] | undefined;
  /** Every channel is divided by its own after that. */
  readonly std?: readonly number[] | undefined;
  /** How the images of arrays lie; they are turned where the model takes the other. */
  readonly layout?: "NCHW" | "NHWC" | undefined;
  /** So many samples, drawn at random, with as many of each class as its share; default all. */
  readonly samples?: number | undefined;
  /** Of the draw; default 0. */
  readonly seed?: number | undefined;
  /** Shape of the model's first input, which says where channels stand. */
  readonly shape?: ImageShape | undefined;
}

/** Of ImageNet's channels; of grey images, their mean. */
export function imagenetScale(channels: number): { readonly mean: readonly number[]; readonly std: readonly number[] } {
  return channels === 1 ? { mean: [0.449], std: [0.226] } : { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
}

const isAnswers = (name: string, { labelArrays = {} }: Dataset): boolean =>
  /^(y|labels)(_|$)/.test(name) || Object.values(labelArrays).includes(name);

/** The dataset as the options say, with notes of what was guessed. Throws `option` errors for numbers that fit no channels. */
export function arranged(dataset: Dataset, options: ArrangeOptions): Dataset {
  const part = partOf(withClasses(dataset), options);
  const notes = [...(part.notes ?? [])];
  const inputs = Object.entries(part.inputs).map(([name, tensor]) => {
    if (isAnswers(name, part)) return [name, tensor] as const;
    const turned = turnedFor(tensor, options);
    const raw = rawPixels(tensor, options);
    if (raw) notes.push(`${part.source}: array "${name}" ${raw}`);
    return [name, normalised(scaled(turned, options.scale), options)] as const;
  });
  return { ...part, inputs: Object.fromEntries(inputs), ...(notes.length > 0 && { notes }) };
}

/** Integers that hold a single 1 in each row are classes. */
function withClasses(dataset: Dataset): Dataset {
  const notes: string[] = [...(dataset.notes ?? [])];
  const inputs = Object.entries(dataset.inputs).map(([name, tensor]) => {
    if (!isAnswers(name, dataset)) return [name, tensor] as const;
    const classes = oneHot(tensor);
    if (!classes) return [name, tensor] as const;
    notes.push(
      `${dataset.source}: array "${name}" is one-hot [${tensor.dims.join(", ")}]; taken as classes 0 to ${(tensor.dims[1] as number) - 1}`,
    );
    return [name, classes] as const;
  });
  return { ...dataset, inputs: Object.fromEntries(inputs), ...(notes.length > 0 && { notes }) };
}

const INTEGERS = new Set(["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]);

/** Classes of a one-hot array of integers [N, classes], 3 classes or more; undefined: it is none. */
function oneHot({ type, dims, numbers }: Tensor): Tensor | undefined {
  const [count = 0, width = 0] = dims;
  if (dims.length !== 2 || width < 3 || count === 0 || !INTEGERS.has(type)) return undefined;
  const classes = new Int32Array(count).fill(-1);
  for (let at = 0; at < numbers.length; at++) {
    if (numbers[at] === 0) continue;
    const row = Math.floor(at / width);
    if (numbers[at] !== 1 || classes[row] !== -1) return undefined;
    classes[row] = at % width;
  }
  return classes.includes(-1) ? undefined : tensorOf("int32", classes, [count]);
}

/** A random part of all arrays that hold one entry for each sample. */
function partOf(dataset: Dataset, { samples, seed }: ArrangeOptions): Dataset {
  if (samples === undefined) return dataset;
  const count = Math.max(...Object.values(dataset.inputs).map(({ dims }) => dims[0] ?? 0));
  if (samples >= count) return dataset;
  const { labels, targets } = dataset;
  const held = Object.entries(dataset.inputs).find(([name, { dims, type }]) => {
    return isAnswers(name, dataset) && dims.length === 1 && dims[0] === count && INTEGERS.has(type);
  })?.[1];
  const classes = labels ? Array.from(labels) : held && Array.from(held.numbers);
  const rows = stratified(classes, count, samples, seed);
  const some = (tensor: Tensor): Tensor => (tensor.dims[0] === count ? take(tensor, 0, rows) : tensor);
  return {
    ...dataset,
    inputs: Object.fromEntries(Object.entries(dataset.inputs).map(([name, tensor]) => [name, some(tensor)])),
    ...(labels && { labels: Int32Array.from(rows, (row) => labels[row] as number) }),
    ...(targets && { targets: some(targets) }),
  };
}

/** Images with their channels where the model has them. */
function turnedFor(tensor: Tensor, { layout, shape }: ArrangeOptions): Tensor {
  if (layout === undefined || tensor.dims.length !== 4) return tensor;
  const wantsLast = imageLayout(shape).isChannelsLast;
  if (wantsLast === (layout === "NHWC")) return tensor;
  return transpose(tensor, wantsLast ? [0, 2, 3, 1] : [0, 3, 1, 2]);
}

function scaled(tensor: Tensor, scale: number | undefined): Tensor {
  if (scale === undefined) return tensor;
  const values = tensor.numbers;
  const result = new Float32Array(sizeOf(tensor.dims));
  for (let at = 0; at < result.length; at++) result[at] = (values[at] as number) * scale;
  return new Tensor("float32", tensor.dims, result);
}

/** (x - mean) / std, by channel. */
function normalised(tensor: Tensor, { mean, std, shape, layout }: ArrangeOptions): Tensor {
  if (!mean && !std) return tensor;
  const { dims } = tensor;
  const isLast = dims.length === 4 && imageLayout(shape, shape ? undefined : layout).isChannelsLast;
  const axis = dims.length < 3 ? dims.length - 1 : isLast ? dims.length - 1 : 1;
  const channels = dims[axis] ?? 1;
  const of = (name: string, given: readonly number[] | undefined, fallback: number): ((channel: number) => number) => {
    if (given && given.length !== 1 && given.length !== channels) {
      throw new ShrinkError(
        "option",
        `${name}: ${given.length} numbers, expected 1 or ${channels}, as the data have ${channels} channels`,
      );
    }
    return (channel) => (given ? (given.length === 1 ? given[0] : given[channel]) : fallback) as number;
  };
  const [shift, divisor] = [of("mean", mean, 0), of("std", std, 1)];
  const inner = sizeOf(dims.slice(axis + 1));
  const values = tensor.numbers;
  const result = new Float32Array(values.length);
  for (let at = 0; at < result.length; at++) {
    const channel = Math.floor(at / inner) % channels;
    result[at] = ((values[at] as number) - shift(channel)) / divisor(channel);
  }
  return new Tensor("float32", dims, result);
}

/** Pixels beyond this were not divided by 255. */
const BRIGHT = 16;

/** A hint where bytes of images are fed as they are. */
function rawPixels({ type, dims, numbers }: Tensor, { scale, mean, std }: ArrangeOptions): string | undefined {
  if (type !== "uint8" || dims.length < 3 || scale !== undefined || mean || std) return undefined;
  for (let at = 0; at < numbers.length; at++) {
    if ((numbers[at] as number) > BRIGHT)
      return "holds pixels 0..255 as they are; a model that was trained on 0..1 needs --scale 0.00392157";
  }
  return undefined;
}
