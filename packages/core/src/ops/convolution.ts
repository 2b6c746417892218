/** Convolutions. X[N, Cin, ...spatial], W[Cout, Cin / group, ...kernel], B?[Cout] -> Y[N, Cout, ...spatial]. */
import { intAttribute, intsAttribute, stringAttribute } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Node } from "../graph/graph.ts";
import { sizeOf, Tensor } from "../graph/tensor.ts";
import { realWeights, tieZeroPoints } from "./integers.ts";
import type { Backward, OpRule, Port, RegressionContext, Ties } from "./rule.ts";

/** Kernel geometry of a node, with `auto_pad` resolved from the shapes at hand. */
interface Geometry {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of each spatial axis, then end of each. */
  readonly pads: readonly number[];
}

/** What {@link windowOf} needs to know of a node. */
interface Windowed {
  readonly node: Node;
  dims(slot: number): readonly number[];
  outDims(): readonly number[];
}

/** The geometry of a convolution or pooling node whose window spans `kernel`. */
export function windowOf({ node, dims, outDims }: Windowed, kernel: readonly number[]): Geometry {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, "strides") ?? ones;
  const dilations = intsAttribute(node, "dilations") ?? ones;
  const auto = stringAttribute(node, "auto_pad", "NOTSET");
  if (!auto.startsWith("SAME")) return { kernel, strides, dilations, pads: givenPads(node, kernel.length) };
  const totals = kernel.map((k, axis) => {
    const [input, output] = [dims(0)[axis + 2] as number, outDims()[axis + 2] as number];
    const reach = (output - 1) * (strides[axis] as number) + (k - 1) * (dilations[axis] as number) + 1;
    return Math.max(0, reach - input);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total, axis) => total - (small[axis] as number));
  return { kernel, strides, dilations, pads: auto === "SAME_UPPER" ? [...small, ...large] : [...large, ...small] };
}

function givenPads(node: Node, rank: number): readonly number[] {
  return intsAttribute(node, "pads") ?? new Array<number>(2 * rank).fill(0);
}

/**
 * The geometry of the plain convolution that leads from a transposed convolution's output Y back to its input X. The node's
 * pads crop Y. If the node states Y's lengths instead (`output_shape`, `auto_pad`), the pads follow from the lengths. The
 * pads at the end are chosen such that X gets its length back, so they account for `output_padding`.
 */
function transposedWindowOf({ node, dims, outDims }: Windowed, kernel: readonly number[]): Geometry {
  const ones = kernel.map(() => 1);
  const strides = intsAttribute(node, "strides") ?? ones;
  const dilations = intsAttribute(node, "dilations") ?? ones;
  const auto = stringAttribute(node, "auto_pad", "NOTSET");
  const given = givenPads(node, kernel.length);
  const followsLength = auto.startsWith("SAME") || (intsAttribute(node, "output_shape")?.length ?? 0) > 0;
  const begins: number[] = [];
  const ends: number[] = [];
  kernel.forEach((k, axis) => {
    const [input, output] = [dims(0)[axis + 2] as number, outDims()[axis + 2] as number];
    const reach = (input - 1) * (strides[axis] as number) + (k - 1) * (dilations[axis] as number) + 1;
    const extra = intsAttribute(node, "output_padding")?.[axis] ?? 0;
    const half = Math.max(0, reach + extra - output) / 2;
    const own = auto === "SAME_UPPER" ? Math.floor(half) : Math.ceil(half);
    const begin = followsLength ? own : (given[axis] as number);
    begins.push(begin);
    ends.push(Math.max(0, reach - output - begin)); // below 0: the last elements of Y are the bias alone
  });
  return { kernel, strides, dilations, pads: [...begins, ...ends] };
}

/** Rows of X that a window never reaches: what a transposed convolution must add to get X's shape back. */
export function outputPadding(d: Backward, { kernel, strides, dilations, pads }: Geometry): number[] {
  const rank = kernel.length;
  return kernel.map((k, axis) => {
    const [input, output] = [d.dims(0)[axis + 2] as number, d.outDims()[axis + 2] as number];
    const reach = (output - 1) * (strides[axis] as number) + (k - 1) * (dilations[axis] as number) + 1;
    return input + (pads[axis] as number) + (pads[axis + rank] as number) - reach;
  });
}

/**
 * Ties of a convolution's channels. One group: it sums over all of X's channels. Several groups (depthwise included): a
 * group's inputs and outputs go together, since the groups that stay must keep equal sizes.
 */
function tieChannels(t: Ties, x: Port, y: Port, group: number): void {
  t.tie(x, 0, y, 0);
  if (group === 1) return;
  const [into, from] = [(x.dims[1] as number) / group, (y.dims[1] as number) / group];
  t.tie(x, 1, y, 1, (j) => Math.floor(j / from) * into);
  t.tie(x, 1, x, 1, (i) => Math.floor(i / into) * into);
}

const groupsOf = (node: Node): number => intAttribute(node, "group", 1);

/** Number of groups that stay, given the output channels that stay. */
function keptGroups(node: Node, channels: number, kept: readonly number[] | undefined): Node {
  const group = groupsOf(node);
  if (!kept || group === 1) return node;
  const left = kept.length / (channels / group);
  return { ...node, attributes: { ...node.attributes, group: { kind: "int", value: left } } };
}

/**
 * How channels are tied and cut. W's axis 0 counts the channels of `rows`, its axis 1 those of the other side (of one
 * group, so that with several groups it stays whole).
 */
function channels(rows: "input" | "output", ofIntegers = false): Pick<OpRule, "ties" | "weights" | "cut"> {
  return {
    weights: [1],
    ties(t) {
      const [x, w, y] = [t.X(0), t.X(1), t.Y()];
      const b = ofIntegers ? undefined : t.X(2);
      if (!x || !w || !y || !t.isWeight(1)) return;
      const group = groupsOf(t.node);
      const [first, second] = rows === "output" ? [y, x] : [x, y];
      tieChannels(t, x, y, group);
      t.tie(w, 0, first, 1);
      if (b) t.tie(b, 0, y, 1);
      if (group === 1) t.tie(w, 1, second, 1);
      else t.pass(w, 1);
      if (group === 1 && !ofIntegers) t.absorb(0, 1);
      for (let axis = 2; axis < w.dims.length; axis++) t.pass(w, axis);
      t.produce(1);
    },
    cut: (c) => ({ node: keptGroups(c.node, c.dims("output")[1] as number, c.kept("output", 0, 1)) }),
  };
}

const integers = channels("output", true);

export const Conv: OpRule = {
  ...channels("output"),
  linear: [
    (d) => imageGradient(d, windowOf(d, d.dims(1).slice(2))),
    (d) =>
      weightGradient(d, windowOf(d, d.dims(1).slice(2)), {
        image: d.coefficient(d.X(0)),
        imageChannels: d.dims(0)[1] as number,
        places: d.incoming() as string,
        placeChannels: d.outDims()[1] as number,
      }),
    biasGradient,
  ],
  macs: ({ dims, outDims }) => sizeOf(outDims()) * sizeOf(dims(1).slice(1)),
  contribution(c) {
    if (c.slot !== 0 || c.axis !== 1 || groupsOf(c.node) !== 1) return undefined;
    const { candidates, span, b } = c;
    const weights = b.op("Gather", [c.X(1), c.indexes], { axis: 1 }); // [Cout, K * s, ...kernel]
    const kernel = c.dims(1).slice(2);
    const geometry = window(windowOf(c, kernel));
    const rest = c.outDims().slice(1);
    if (candidates === 1) return b.unsqueeze(b.op("Conv", [c.slices, weights], geometry), [0]);
    // each candidate's channels are a group of their own: [N, K * s, ...] * [K * Cout, s, ...kernel] -> [N, K * Cout, ...]
    const perm = [1, 0, 2, ...kernel.map((_, axis) => axis + 3)];
    const apartByCandidate = b.reshape(weights, [-1, candidates, span, ...kernel]);
    const stacked = b.reshape(b.op("Transpose", [apartByCandidate], { perm }), [-1, span, ...kernel]);
    const parts = b.op("Conv", [c.slices, stacked], { ...geometry, group: candidates });
    const apart = b.reshape(parts, [-1, candidates, ...rest]);
    return b.op("Transpose", [apart], { perm: [1, 0, ...rest.map((_, axis) => axis + 2)] });
  },
  regression(c) {
    if (groupsOf(c.node) !== 1) return undefined;
    const [channels, ...kernel] = c.dims(1).slice(1) as [number, ...number[]];
    const span = sizeOf(kernel);
    const outputs = c.dims(1)[0] as number;
    return {
      outputsFirst: true,
      span,
      biasSlot: 2,
      features: (b, input, positions) => patches(b, input, c, { channels, kernel, positions }),
      outputs(b, output, positions) {
        const apart = b.reshape(output, [0, outputs, -1]);
        const chosen = positions ? b.op("Gather", [apart, b.ints(positions)], { axis: 2 }) : apart;
        return b.op("Transpose", [chosen], { perm: [0, 2, 1] });
      },
      sums: (b, value) =>
        b.sum(
          value,
          kernel.map((_, axis) => axis + 2),
        ),
    };
  },
};

interface Patches {
  readonly channels: number;
  readonly kernel: readonly number[];
  /** Numbers of windows, in the order of the output; undefined: all. */
  readonly positions: readonly number[] | undefined;
}

/** What windows of X[N, C, ...] cover: [N, windows, C * window]. */
function patches(
  b: GraphBuilder,
  input: string,
  c: RegressionContext,
  { channels, kernel, positions }: Patches,
): string {
  const { strides, dilations, pads } = windowOf(c, kernel);
  const rank = kernel.length;
  const [begins, ends] = [pads.slice(0, rank), pads.slice(rank)];
  const lengths = kernel.map((_, axis) => {
    return (c.dims(0)[axis + 2] as number) + (begins[axis] as number) + (ends[axis] as number);
  });
  const steps = stepsOf(lengths);
  const elements = gridOf(kernel).map((place) => dot(place, dilations, steps));
  const windows = gridOf(c.outDims().slice(2)).map((place) => dot(place, strides, steps));
  const chosen = positions ?? windows.keys();
  const indexes = [...chosen].flatMap((window) => elements.map((at) => (windows[window] as number) + at));
  const padded = pads.some((one) => one !== 0) ? b.pad(input, [0, 0, ...begins, 0, 0, ...ends], b.scalar(0), 0) : input;
  const flat = b.reshape(padded, [0, channels, -1]);
  const span = elements.length;
  const places = b.tensor(new Tensor("int64", [indexes.length / span, span], BigInt64Array.from(indexes, BigInt)));
  const covered = b.op("Gather", [flat, places], { axis: 2 }); // [N, C, windows, window]
  const turned = b.op("Transpose", [covered], { perm: [0, 2, 1, 3] });
  return b.reshape(turned, [0, indexes.length / span, channels * span]);
}

/** All places of a grid, row by row. */
function gridOf(lengths: readonly number[]): number[][] {
  return lengths.reduce<number[][]>(
    (places, length) => places.flatMap((place) => Array.from({ length }, (_, at) => [...place, at])),
    [[]],
  );
}

/** By how much an element's number rises with its index along each axis. */
function stepsOf(lengths: readonly number[]): number[] {
  return lengths.map((_, axis) => sizeOf(lengths.slice(axis + 1)));
}

function dot(place: readonly number[], factors: readonly number[], steps: readonly number[]): number {
  return place.reduce((sum, at, axis) => sum + at * (factors[axis] as number) * (steps[axis] as number), 0);
}

/** kernel_shape is left to the weights. */
function window({ strides, dilations, pads }: Geometry): {
  strides: readonly number[];
  dilations: readonly number[];
  pads: readonly number[];
} {
  return { strides, dilations, pads };
}

/** Zeros between what arrives, so many for each element of it, cost less than a transposed convolution; 2 x 2 strides have 4. */
const MOST_ZEROS = 4;

/**
 * dE/dX as a convolution of what arrives, with zeros between where the stride is above 1, with the kernel turned round: runtimes
 * have fast kernels for it, and none for transposed convolutions (Dumoulin and Visin 2016, section 4). Large strides, and pads
 * wider than the kernel, are left to a transposed convolution.
 */
function imageGradient(d: Backward, geometry: Geometry, weights = d.coefficient(d.X(1))): string {
  const { b } = d;
  const { kernel, strides, dilations, pads } = geometry;
  const rank = kernel.length;
  const group = groupsOf(d.node);
  const extra = outputPadding(d, geometry);
  const reach = kernel.map((k, axis) => (k - 1) * (dilations[axis] as number));
  const begins = reach.map((all, axis) => all - (pads[axis] as number));
  const ends = reach.map(
    (all, axis) => all - (pads[axis + rank] as number) + (extra[axis] as number) - ((strides[axis] as number) - 1),
  );
  const zeros = strides.reduce((product, stride) => product * stride, 1);
  if (zeros > MOST_ZEROS || [...begins, ...ends].some((pad) => pad < 0)) {
    const attributes = { ...window(geometry), group, output_padding: extra };
    return b.op("ConvTranspose", [d.incoming() as string, weights], attributes);
  }
  const spread = spreadOut(b, d.incoming() as string, d.outDims(), strides);
  const turned = turnedRound(b, weights, d.dims(1), group);
  return b.op("Conv", [spread, turned], {
    strides: kernel.map(() => 1),
    dilations,
    pads: [...begins, ...ends],
    group,
  });
}

/** X[N, C, ...spatial] with `stride - 1` zeros behind every element of each spatial axis. */
function spreadOut(b: GraphBuilder, x: string, dims: readonly number[], strides: readonly number[]): string {
  if (strides.every((stride) => stride === 1)) return x;
  const [channels, ...lengths] = dims.slice(1) as [number, ...number[]];
  const apart = b.reshape(x, [0, channels, ...lengths.flatMap((length) => [length, 1])]);
  const behind = [0, 0, ...strides.flatMap((stride) => [0, stride - 1])];
  const padded = b.pad(apart, [...behind.map(() => 0), ...behind], b.scalar(0), 0);
  return b.reshape(padded, [0, channels, ...lengths.map((length, axis) => length * (strides[axis] as number))]);
}

/** W[Cout, Cin / group, ...kernel] -> [Cin, Cout / group, ...kernel], with the kernel's elements in reverse order. */
function turnedRound(b: GraphBuilder, weights: string, dims: readonly number[], group: number): string {
  const [outputs, inputs, ...kernel] = dims as [number, number, ...number[]];
  const places = sizeOf(kernel);
  const flat = b.reshape(weights, [group, outputs / group, inputs, places]);
  const swapped = group === outputs && inputs === 1 ? flat : b.op("Transpose", [flat], { perm: [0, 2, 1, 3] });
  const reversed = b.ints([...Array(places).keys()].reverse());
  const turned = places === 1 ? swapped : b.op("Gather", [swapped, reversed], { axis: 3 });
  return b.reshape(turned, [inputs * group, outputs / group, ...kernel]);
}

/** The two sides of a convolution in the gradient by its weights. */
interface Sides {
  /** The value that the window moves over. */
  readonly image: string;
  readonly imageChannels: number;
  /** The value with one element for each place of the window. */
  readonly places: string;
  readonly placeChannels: number;
}

/** dE/dW: channels of both sides take the place of samples, strides and dilations change roles, group by group. */
function weightGradient(
  { b, node }: Backward,
  { kernel, strides, dilations, pads }: Geometry,
  { image, imageChannels, places, placeChannels }: Sides,
): string {
  const swap = [1, 0, ...kernel.map((_, axis) => axis + 2)];
  const group = groupsOf(node);
  const [into, from] = [imageChannels / group, placeChannels / group];
  const parts = Array.from({ length: group }, (_, g) => {
    const xs = group === 1 ? image : b.slice(image, 1, g * into, (g + 1) * into);
    const ys = group === 1 ? places : b.slice(places, 1, g * from, (g + 1) * from);
    const inputs = [b.op("Transpose", [xs], { perm: swap }), b.op("Transpose", [ys], { perm: swap })];
    let gradient = b.op("Conv", inputs, { strides: dilations, dilations: strides, pads });
    for (const [axis, length] of kernel.entries()) gradient = b.slice(gradient, axis + 2, 0, length);
    return b.op("Transpose", [gradient], { perm: swap });
  });
  return parts.length === 1 ? (parts[0] as string) : b.op("Concat", parts, { axis: 0 });
}

/** dE/dB: the sum over samples and positions. */
function biasGradient(d: Backward): string {
  const axes = d.outDims().flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  return d.b.sum(d.incoming() as string, axes);
}

/**
 * ConvInteger: sums of (X - zero point) (W - zero point), X behind {@link DynamicQuantizeLinear}, which gates stand before. The weights'
 * zero points are one in all or one for each output channel.
 */
export const ConvInteger: OpRule = {
  weights: [1],
  ties(t) {
    integers.ties?.(t);
    const y = t.Y();
    if (y) tieZeroPoints(t, y, 1);
  },
  ...(integers.cut && { cut: integers.cut }),
  vjp: [(d) => imageGradient(d, windowOf(d, d.dims(1).slice(2)), realWeights(d, 0))],
  macs: ({ dims, outDims }) => sizeOf(outDims()) * sizeOf(dims(1).slice(1)),
};

/** ConvTranspose: W[Cin, Cout / group, ...kernel]. */
export const ConvTranspose: OpRule = {
  ...channels("input"),
  linear: [
    (d) => {
      const geometry = transposedWindowOf(d, d.dims(1).slice(2));
      const inputs = [d.incoming() as string, d.coefficient(d.X(1))];
      return d.b.op("Conv", inputs, { ...window(geometry), group: groupsOf(d.node) });
    },
    (d) =>
      weightGradient(d, transposedWindowOf(d, d.dims(1).slice(2)), {
        image: d.incoming() as string,
        imageChannels: d.outDims()[1] as number,
        places: d.coefficient(d.X(0)),
        placeChannels: d.dims(0)[1] as number,
      }),
    biasGradient,
  ],
  macs: ({ dims }) => sizeOf(dims(0)) * sizeOf(dims(1).slice(1)),
};
