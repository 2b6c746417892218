/** Samples that fit a model: what it is fed for each of them, and what is known of the right answers. */
import { type Batching, isBatched, stack } from "../graph/batching.ts";
import type { Values } from "../graph/pieces.ts";
import { materialised, sizeOf, slice, Tensor, take } from "../graph/tensor.ts";

/** What one input is fed. */
export interface SampleInput {
  /** [samples, ...dims of a feed], or the dims of a feed where it is the same for all samples. */
  readonly tensor: Tensor;
  readonly isShared: boolean;
}

export interface Samples {
  /** For messages: the file's name. */
  readonly source: string;
  readonly size: number;
  /** By model input. */
  readonly inputs: Readonly<Record<string, SampleInput>>;
  /** Labels (integers) or targets (reals) by output, [samples, ...]; "" for the first output that they fit. */
  readonly answers: Readonly<Record<string, Tensor>>;
  /** For messages: where in the file each sample stands; undefined: in its order. */
  readonly positions?: readonly number[] | undefined;
}

/** The given samples, in that order. */
export function pick(samples: Samples, order: readonly number[]): Samples {
  const rows = (tensor: Tensor): Tensor => materialised(take(tensor, 0, order));
  const inputs = Object.entries(samples.inputs).map(([name, input]): [string, SampleInput] => [
    name,
    input.isShared ? input : { ...input, tensor: rows(input.tensor) },
  ]);
  const answers = Object.entries(samples.answers).map(([name, tensor]): [string, Tensor] => [name, rows(tensor)]);
  return {
    ...samples,
    size: order.length,
    inputs: Object.fromEntries(inputs),
    answers: Object.fromEntries(answers),
    positions: order.map((n) => samples.positions?.[n] ?? n),
  };
}

/** The feed of sample `n`, exactly as the model takes it. */
export function feedOf({ inputs }: Samples, n: number): Values {
  const own = Object.entries(inputs).map(([name, { tensor, isShared }]): [string, Tensor] => [
    name,
    isShared ? tensor : entry(tensor, n),
  ]);
  return Object.fromEntries(own);
}

/** One feed for the samples from..to-1. More than one needs a batching that `canStack` them. */
export function feedsOf(samples: Samples, from: number, to: number, batching: Batching): Values {
  if (to - from === 1) return feedOf(samples, from);
  const own = Object.entries(samples.inputs).map(([name, { tensor, isShared }]): [string, Tensor] => {
    if (isShared && !batching.axes.has(name)) return [name, tensor];
    const axis = batching.axes.get(name) as number;
    if (!isShared && axis === 0) return [name, merged(slice(tensor, 0, from, to))];
    const feeds = Array.from({ length: to - from }, (_, i) => ({
      [name]: isShared ? tensor : entry(tensor, from + i),
    }));
    return [name, stack(feeds, batching)?.[name] as Tensor];
  });
  return Object.fromEntries(own);
}

/** Whether samples may run together: the inputs that are not stacked are the same for all of them. */
export function canStack({ inputs }: Samples, batching: Batching): boolean {
  return (
    isBatched(batching) && Object.entries(inputs).every(([name, input]) => input.isShared || batching.axes.has(name))
  );
}

/** The first feeds, spread over the data; at most `count`. */
export function someFeeds(samples: Samples, count: number): Values[] {
  const feeds = Math.min(count, samples.size);
  return Array.from({ length: feeds }, (_, i) => feedOf(samples, Math.floor((i * samples.size) / feeds)));
}

/** Dims of one feed by input. */
export function feedDims({ inputs }: Samples): Record<string, readonly number[]> {
  const own = Object.entries(inputs).map(([name, { tensor, isShared }]): [string, readonly number[]] => [
    name,
    isShared ? tensor.dims : tensor.dims.slice(1),
  ]);
  return Object.fromEntries(own);
}

function entry(tensor: Tensor, n: number): Tensor {
  const dims = tensor.dims.slice(1);
  const size = sizeOf(dims);
  return new Tensor(tensor.type, dims, tensor.data.subarray(n * size, (n + 1) * size));
}

/** [n, 1, ...] -> [n, ...]. */
function merged(tensor: Tensor): Tensor {
  const [count = 0, , ...rest] = tensor.dims;
  return new Tensor(tensor.type, [count, ...rest], tensor.data);
}
