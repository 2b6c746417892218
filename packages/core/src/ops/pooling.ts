/** Pooling. Channels pass through; windows over space are fixed by attributes. */
import { intAttribute, intsAttribute } from "../graph/attributes.ts";
import { sizeOf, Tensor, tensorOf } from "../graph/tensor.ts";
import { outputPadding, windowOf } from "./convolution.ts";
import type { Backward, OpRule, Ties } from "./rule.ts";

/** Samples and channels pass; an axis that a window moves over is frozen. */
const tieChannels = (t: Ties): void => {
  const [x, y] = [t.X(0), t.Y()];
  if (!x || !y) return;
  t.tie(x, 0, y, 0);
  t.tie(x, 1, y, 1);
};

/** A kernel[C * k, 1, ...kernel] of k one-hot windows per channel: takes windows apart, or puts them together. */
function oneHotKernel(d: Backward, channels: number, kernel: readonly number[]): string {
  const places = sizeOf(kernel);
  const values = new Float64Array(channels * places * places);
  for (let row = 0; row < channels * places; row++) values[row * places + (row % places)] = 1;
  return d.b.tensor(tensorOf(d.b.real, values, [channels * places, 1, ...kernel]), "windows");
}

/** MaxPool: what arrives goes to the first largest element of each window; the same in the second-order pass. */
export const MaxPool: OpRule = {
  ties: tieChannels,
  linear: [
    (d) => {
      const { b } = d;
      const kernel = intsAttribute(d.node, "kernel_shape") ?? [];
      const geometry = windowOf(d, kernel);
      const channels = d.outDims()[1] as number;
      const places = sizeOf(kernel);
      const space = d.outDims().slice(2);
      const windows = oneHotKernel(d, channels, kernel);
      const ends = outputPadding(d, geometry).map((extra) => Math.max(0, -extra)); // ceil_mode reaches over the end
      const rank = kernel.length;
      const pads = geometry.pads.map((pad, i) => (i < rank ? pad : pad + (ends[i - rank] as number)));
      const low = b.tensor(tensorOf(b.real, [-1e30], []), "low");
      const padded = b.pad(d.X(0), [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)], low, -1e30);
      const { strides, dilations } = geometry;
      const apart = b.op("Conv", [padded, windows], { strides, dilations, group: channels });
      const byPlace = b.reshape(apart, [-1, channels, places, ...space]);
      const first = b.op("ArgMax", [byPlace], { axis: 2, keepdims: 1 });
      const index = b.tensor(
        tensorOf(
          "int64",
          Array.from({ length: places }, (_, i) => i),
          [1, 1, places, ...space.map(() => 1)],
        ),
      );
      const mask = b.indicator(b.equalIntegers(first, index));
      const routed = b.mul(b.unsqueeze(d.incoming() as string, [2]), mask);
      const extra = outputPadding(d, { ...geometry, pads }).map((one) => Math.max(0, one));
      return b.op("ConvTranspose", [b.reshape(routed, [-1, channels * places, ...space]), windows], {
        strides,
        dilations,
        pads,
        output_padding: extra,
        group: channels,
      });
    },
  ],
};

/** AveragePool: every element of a window gets an equal share; squared shares in the second-order pass. */
export const AveragePool: OpRule = {
  ties: tieChannels,
  linear: [
    (d) => {
      const { b } = d;
      const kernel = intsAttribute(d.node, "kernel_shape") ?? [];
      const geometry = windowOf(d, kernel);
      const channels = d.outDims()[1] as number;
      const space = d.outDims().slice(2);
      const counts = windowSizes(d, geometry, space, intAttribute(d.node, "count_include_pad", 0) === 1);
      const shares = b.tensor(
        tensorOf(
          b.real,
          counts.map((count) => d.factor(1 / count)),
          [1, 1, ...space],
        ),
        "shares",
      );
      const ones = b.tensor(
        tensorOf(b.real, new Float64Array(channels * sizeOf(kernel)).fill(1), [channels, 1, ...kernel]),
      );
      const { strides, dilations } = geometry;
      const missing = outputPadding(d, geometry);
      const rank = kernel.length;
      const pads = geometry.pads.map((pad, i) => (i < rank ? pad : pad + Math.max(0, -(missing[i - rank] as number))));
      return b.op("ConvTranspose", [b.mul(d.incoming() as string, shares), ones], {
        strides,
        dilations,
        pads,
        output_padding: missing.map((one) => Math.max(0, one)),
        group: channels,
      });
    },
  ],
};

/** Elements that each window averages over, by output position. */
function windowSizes(
  d: Backward,
  { kernel, strides, dilations, pads }: ReturnType<typeof windowOf>,
  space: readonly number[],
  withPads: boolean,
): number[] {
  const rank = kernel.length;
  const perAxis = space.map((length, axis) => {
    const input = d.dims(0)[axis + 2] as number;
    const [begin, end] = [pads[axis] as number, pads[axis + rank] as number];
    const [low, high] = withPads ? [-begin, input + end] : [0, input];
    return Array.from({ length }, (_, at) => {
      let count = 0;
      for (let k = 0; k < (kernel[axis] as number); k++) {
        const place = at * (strides[axis] as number) - begin + k * (dilations[axis] as number);
        if (place >= low && place < high) count++;
      }
      return count;
    });
  });
  return perAxis.reduce<number[]>((all, axis) => all.flatMap((count) => axis.map((own) => count * own)), [1]);
}

/** GlobalAveragePool: mean over all positions of a channel. */
export const GlobalAveragePool: OpRule = {
  ties: tieChannels,
  linear: [
    (d) => {
      const positions = sizeOf(d.dims(0).slice(2));
      const share = d.b.mul(d.incoming() as string, d.b.scalar(d.factor(1 / positions)));
      return d.b.expandLike(share, d.X(0));
    },
  ],
};

/** GlobalMaxPool: what arrives goes to the first largest position of the channel. */
export const GlobalMaxPool: OpRule = {
  ties: tieChannels,
  linear: [
    (d) => {
      const { b } = d;
      const [, channels = 1, ...space] = d.dims(0);
      const positions = sizeOf(space);
      const flat = b.reshape(d.X(0), [-1, channels, positions]);
      const first = b.op("ArgMax", [flat], { axis: 2, keepdims: 1 });
      const index = b.tensor(
        new Tensor(
          "int64",
          [1, 1, positions],
          BigInt64Array.from({ length: positions }, (_, i) => BigInt(i)),
        ),
      );
      const mask = b.indicator(b.equalIntegers(first, index));
      const dy = b.reshape(d.incoming() as string, [-1, channels, 1]);
      return b.reshape(b.mul(dy, mask), [-1, channels, ...space]);
    },
  ],
};
