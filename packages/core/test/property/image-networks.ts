/** Random small image networks for property tests: structures one after another, and an end that makes them flat. */
import fc from "fast-check";
import type { Model, Node } from "../../src/graph/graph.ts";
import { type ElementType, int64, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { model, node, random } from "../support/build.ts";

const activations = ["Relu", "HardSwish", "PRelu", "Gelu", "Sigmoid", "Tanh"] as const;
/** Those without a kink. */
const smooth = ["Gelu", "Sigmoid", "Tanh"] as const;

export const structures = [
  "convolution",
  "residual",
  "nested concat",
  "split",
  "slice",
  "chunk",
  "computed padding",
  "depthwise",
  "grouped",
  "transposed",
  "shuffle",
  "squeeze and excitation",
  "option A",
  "batch norm",
  "average pool",
  "max pool",
  "layer norm",
  "layer norm decomposed",
  "instance norm",
  "group norm",
  "dense over channels",
  "resize",
  "einsum",
  "where",
  "expand",
] as const;
export type Structure = (typeof structures)[number];

const ends = [
  "pool",
  "mean",
  "flatten",
  "reshape",
  "shape chain",
  "attention split",
  "attention reshape",
  "attention dynamic",
] as const;
export type End = (typeof ends)[number];

export interface ImageRecipe {
  readonly seed: number;
  readonly opset: number;
  /** Channels of the first convolution. */
  readonly channels: number;
  readonly stages: readonly { readonly structure: Structure; readonly activation: (typeof activations)[number] }[];
  readonly end: End;
}

/** Any network of the given structures. */
export function imageNetwork(
  options: { readonly smooth?: boolean; readonly stages?: number; readonly ends?: readonly End[] } = {},
): fc.Arbitrary<ImageRecipe> {
  const kinks = ["max pool", "where"];
  return fc.record({
    seed: fc.integer({ min: 1, max: 2 ** 30 }),
    opset: fc.constantFrom(11, 12, 13, 17, 18, 21),
    channels: fc.constantFrom(4, 6, 8, 12),
    stages: fc.array(
      fc.record({
        structure: fc.constantFrom(...structures.filter((one) => !options.smooth || !kinks.includes(one))),
        activation: fc.constantFrom(...(options.smooth ? smooth : activations)),
      }),
      { minLength: 1, maxLength: options.stages ?? 4 },
    ),
    end: fc.constantFrom(...(options.ends ?? ends)),
  });
}

export const SIDE = 6;
export const OUTPUTS = 3;

/** The network of a recipe: x[N, 2, 6, 6] -> y[N, 3]; the same for the same recipe. */
export function buildImage({ seed, opset, channels, stages, end }: ImageRecipe, type: ElementType = "float32"): Model {
  const r = random(seed);
  const nodes: Node[] = [];
  const initializers: Record<string, Tensor> = {};
  let count = 0;
  const constant = (tensor: Tensor): string => {
    const name = `c${++count}`;
    initializers[name] = tensor;
    return name;
  };
  const ops = (
    opType: string,
    from: readonly string[],
    outputs: number,
    attributes: Parameters<typeof node>[3] = {},
  ): string[] => {
    const id = ++count;
    const names = Array.from({ length: outputs }, (_, i) => `${opType.toLowerCase()}${id}${i > 0 ? `.${i}` : ""}`);
    nodes.push(node(opType, from, names, attributes));
    return names;
  };
  const op = (opType: string, from: readonly string[], attributes: Parameters<typeof node>[3] = {}): string =>
    ops(opType, from, 1, attributes)[0] as string;
  const ints = (...values: number[]): string => constant(int64(values));
  const scalar = (value: number): string => constant(tensorOf(type, [value], []));
  const vector = (size: number, scale = 0.5): string => constant(r.tensor([size], scale, type));
  const positive = (size: number): string =>
    constant(
      tensorOf(
        type,
        Array.from({ length: size }, () => r.uniform(0.3, 1.5)),
      ),
    );
  const conv = (from: string, ins: number, outs: number, attributes: Record<string, number> = {}): string => {
    const { kernel = 3, group = 1, stride = 1 } = attributes;
    const fan = (ins / group) * kernel * kernel;
    const weights = constant(r.tensor([outs, ins / group, kernel, kernel], 1.3 / Math.sqrt(fan), type));
    const pad = (kernel - 1) / 2;
    return op("Conv", [from, weights, vector(outs, 0.3)], {
      group,
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
    });
  };
  const gelu = (from: string): string => {
    const erf = op("Erf", [op("Div", [from, scalar(Math.SQRT2)])]);
    return op("Mul", [op("Mul", [from, op("Add", [erf, scalar(1)])]), scalar(0.5)]);
  };
  const activate = (from: string, name: (typeof activations)[number], width: number): string => {
    if (name === "Gelu") return gelu(from);
    if (name === "PRelu") return op("PRelu", [from, constant(r.tensor([width, 1, 1], 0.3, type))]);
    if (name === "HardSwish" && opset < 14) return op("Mul", [from, op("HardSigmoid", [from], { alpha: 1 / 6 })]);
    return op(name, [from]);
  };
  const mean = (from: string, axes: readonly number[], keepdims: number): string =>
    opset >= 18
      ? op("ReduceMean", [from, ints(...axes)], { keepdims })
      : op("ReduceMean", [from], { axes: [...axes], keepdims });
  const split = (from: string, axis: number, sizes: readonly number[]): string[] =>
    opset >= 13
      ? ops("Split", [from, ints(...sizes)], sizes.length, { axis })
      : ops("Split", [from], sizes.length, { axis, split: [...sizes] });
  /** How long an axis is, as the model finds out. */
  const length = (from: string, axis: number): string => op("Gather", [op("Shape", [from]), ints(axis)], { axis: 0 });
  /** Rounds down what is whole already, by way of reals, as `int(length / 2)` is exported. */
  const byReals = (lengths: string): string => op("Cast", [op("Floor", [op("Cast", [lengths], { to: 1 })])], { to: 7 });
  const slice = (from: string, axis: number, start: number, stop: number, step = 1): string =>
    op("Slice", [from, ints(start), ints(stop), ints(axis), ints(step)]);

  let width = channels;
  let side = SIDE;
  let x = activate(conv("x", 2, width), "Tanh", width);
  for (const { structure, activation } of stages) {
    const act = (from: string, of = width): string => activate(from, activation, of);
    const half = width / 2;
    const stage: Record<Structure, () => string> = {
      convolution: () => {
        const next = [4, 6, 8][r.int(3)] as number;
        const y = act(conv(x, width, next), next);
        width = next;
        return y;
      },
      residual: () => {
        const inner = conv(act(conv(x, width, 6), 6), 6, width);
        const other = conv(x, width, width, { kernel: 1 });
        const sum = op("Add", [op("Add", [x, inner]), other]);
        return act(op("Add", [conv(act(sum), width, width), sum]));
      },
      "nested concat": () => {
        const [a, b] = [act(conv(x, width, 3), 3), act(conv(x, width, 2, { kernel: 1 }), 2)];
        const inner = op("Concat", [a, b], { axis: 1 });
        const outer = op("Concat", [x, inner, act(conv(inner, 5, 3), 3)], { axis: 1 });
        const y = op("Concat", [outer, a], { axis: -3 });
        const made = act(conv(y, width + 11, 8, { kernel: 1 }), 8);
        width = 8;
        return made;
      },
      split: () => {
        const [a, b] = split(x, 1, [half, width - half]) as [string, string];
        return op("Concat", [act(conv(b, width - half, half), half), op("Tanh", [a])], { axis: 1 });
      },
      slice: () => {
        const [a, b] = [slice(x, 1, 0, half), slice(x, 1, half, width)];
        const gated = op("Mul", [a, op("Sigmoid", [b])]);
        width = half;
        const y = act(conv(gated, width, 6), 6);
        width = 6;
        return y;
      },
      chunk: () => {
        const whole = op("Div", [length(x, 1), ints(2)]);
        const middle = r.uniform() < 0.5 ? whole : byReals(whole);
        const a = op("Slice", [x, ints(0), middle, ints(1)]);
        const b = op("Slice", [x, middle, op("Mul", [middle, ints(2)]), ints(1)]);
        return op("Concat", [act(conv(b, half, half), half), op("Tanh", [a])], { axis: 1 });
      },
      "computed padding": () => {
        const more = op("Sub", [op("Add", [length(x, 2), ints(1)]), length(x, 3)]);
        const padded = op("Pad", [x, op("Concat", [ints(0, 0), more, more, ints(0, 0, 0), more], { axis: 0 })]);
        return act(conv(slice(slice(padded, 2, 0, side), 3, 1, side + 1), width, width));
      },
      depthwise: () => act(conv(act(conv(x, width, width, { group: width })), width, width, { kernel: 1 })),
      grouped: () => {
        const wide = conv(x, width, 12, { kernel: 1 });
        const a = act(conv(wide, 12, 12, { group: 3 }), 12);
        const b = act(conv(a, 12, 12, { group: 2 }), 12);
        const y = conv(b, 12, 8, { kernel: 1 });
        width = 8;
        return y;
      },
      transposed: () => {
        const weights = constant(r.tensor([width, 5, 2, 2], 1 / Math.sqrt(width), type));
        const big = act(op("ConvTranspose", [x, weights, vector(5)], { strides: [2, 2] }), 5);
        width = 5;
        const y = op("AveragePool", [big], { kernel_shape: [2, 2], strides: [2, 2] });
        const made = conv(y, 5, 6, { kernel: 1 });
        width = 6;
        return made;
      },
      shuffle: () => {
        const parts = op("Reshape", [x, ints(-1, 2, half, side, side)]);
        const turned = op("Transpose", [parts], { perm: [0, 2, 1, 3, 4] });
        return conv(op("Reshape", [turned, ints(-1, width, side, side)]), width, width, { group: 2 });
      },
      "squeeze and excitation": () => {
        const small = act(conv(op("GlobalAveragePool", [x]), width, 3, { kernel: 1 }), 3);
        return op("Mul", [x, op("Sigmoid", [conv(small, 3, width, { kernel: 1 })])]);
      },
      "option A": () => {
        if (side % 2 === 1 || side < 4) return act(x);
        const even = op("Slice", [x, ints(0, 0), ints(side, side), ints(2, 3), ints(2, 2)]);
        const padded = op("Pad", [even, ints(0, 1, 0, 0, 0, 2, 0, 0)]);
        const main = conv(x, width, width + 3, { stride: 2 });
        [width, side] = [width + 3, side / 2];
        const y = act(op("Add", [main, padded]));
        const made = conv(y, width, 6, { kernel: 1 });
        width = 6;
        return made;
      },
      "batch norm": () => {
        const made = conv(x, width, width);
        return act(
          op("BatchNormalization", [made, vector(width), vector(width), vector(width), positive(width)], {
            epsilon: 1e-3,
          }),
        );
      },
      "average pool": () => act(op("AveragePool", [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })),
      "max pool": () => act(op("MaxPool", [x], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })),
      "layer norm": () => {
        const last = op("Transpose", [conv(x, width, width)], { perm: [0, 2, 3, 1] });
        const normal =
          opset >= 17
            ? op("LayerNormalization", [last, positive(width), vector(width)], { axis: -1 })
            : layerNorm(last, width);
        return op("Transpose", [dense(act2(dense(normal, width, 7), activation), 7, width)], { perm: [0, 3, 1, 2] });
      },
      "layer norm decomposed": () => {
        const last = op("Transpose", [x], { perm: [0, 2, 3, 1] });
        const inner = dense(act2(dense(layerNorm(last, width), width, 5), activation), 5, width);
        return op("Transpose", [op("Add", [last, inner])], { perm: [0, 3, 1, 2] });
      },
      "instance norm": () => act(op("InstanceNormalization", [conv(x, width, width), positive(width), vector(width)])),
      "group norm": () => {
        const made = conv(x, width, width);
        if (opset >= 21) {
          return act(op("GroupNormalization", [made, positive(width), vector(width)], { num_groups: 2 }));
        }
        const rows = op("Reshape", [made, ints(0, 2, -1)]);
        const normal = op("InstanceNormalization", [rows, positive(2), vector(2)]);
        const back = op("Reshape", [normal, op("Shape", [made])]);
        const scaled = op("Mul", [back, constant(r.tensor([width, 1, 1], 1, type))]);
        return act(op("Add", [scaled, constant(r.tensor([width, 1, 1], 1, type))]));
      },
      "dense over channels": () => {
        const last = op("Transpose", [x], { perm: [0, 2, 3, 1] });
        return op("Transpose", [dense(act2(dense(last, width, 7), activation), 7, width)], { perm: [0, 3, 1, 2] });
      },
      resize: () => {
        const scales = constant(tensorOf("float32", [1, 1, 2, 2]));
        const noRegion = opset >= 13 ? "" : constant(tensorOf("float32", [], [0]));
        const big = op("Resize", [x, noRegion, scales], {
          mode: "nearest",
          coordinate_transformation_mode: "asymmetric",
          nearest_mode: "floor",
        });
        return act(conv(op("AveragePool", [big], { kernel_shape: [2, 2], strides: [2, 2] }), width, width));
      },
      einsum: () => {
        const mixed =
          opset >= 12
            ? op("Einsum", [x, weights(width, 7)], { equation: "nchw,cd->ndhw" })
            : conv(x, width, 7, { kernel: 1 });
        const made = conv(act(mixed, 7), 7, 6, { kernel: 1 });
        width = 6;
        return made;
      },
      where: () => {
        const made = conv(x, width, width);
        const isLow = op("Less", [made, constant(r.tensor([width, 1, 1], 0.5, type))]);
        return op("Where", [isLow, op("Mul", [made, scalar(0.2)]), made]);
      },
      expand: () => {
        const scale = op("Expand", [constant(r.tensor([1, width, 1, 1], 1, type)), op("Shape", [x])]);
        return act(op("Mul", [conv(x, width, width), scale]));
      },
    };
    x = stage[structure]();
  }
  const [flat, features] = finish();
  const hidden = op("Tanh", [op("Gemm", [flat, weights(features, 5), vector(5)])]);
  nodes.push(node("Gemm", [hidden, weights(5, OUTPUTS), vector(OUTPUTS)], ["y"], {}, { name: "last" }));
  return model({ opset, type, inputs: { x: ["N", 2, SIDE, SIDE] }, outputs: ["y"], initializers, nodes });

  function weights(from: number, to: number): string {
    return constant(r.tensor([from, to], 1.3 / Math.sqrt(from), type));
  }
  function dense(from: string, ins: number, outs: number): string {
    return op("Add", [vector(outs), op("MatMul", [from, weights(ins, outs)])]);
  }
  /** An activation with units on the last axis. */
  function act2(from: string, name: (typeof activations)[number]): string {
    return name === "Gelu" ? gelu(from) : op(name === "PRelu" || name === "HardSwish" ? "Relu" : name, [from]);
  }
  function layerNorm(from: string, size: number): string {
    const centred = op("Sub", [from, mean(from, [-1], 1)]);
    const variance = mean(op("Pow", [centred, scalar(2)]), [-1], 1);
    const normal = op("Div", [centred, op("Sqrt", [op("Add", [variance, scalar(1e-5)])])]);
    return op("Add", [op("Mul", [normal, positive(size)]), vector(size)]);
  }
  function finish(): [string, number] {
    const all = width * side * side;
    if (end === "pool") return [op("Flatten", [op("GlobalAveragePool", [x])]), width];
    if (end === "mean") return [mean(x, [2, 3], 0), width];
    if (end === "flatten") return [op("Flatten", [x]), all];
    if (end === "reshape") return [op("Reshape", [x, ints(-1, all)]), all];
    if (end === "shape chain") {
      const batch = op("Gather", [op("Shape", [x]), ints(0)], { axis: 0 });
      return [op("Reshape", [x, op("Concat", [batch, ints(-1)], { axis: 0 })]), all];
    }
    return [mean(attention(), [1], 0), 6];
  }
  /** Tokens[N, positions, 6], plus two heads of 4 over them, as PyTorch exports it. */
  function attention(): string {
    const positions = side * side;
    const tokens = dense(
      op("Transpose", [op("Reshape", [x, ints(0, width, positions)])], { perm: [0, 2, 1] }),
      width,
      6,
    );
    const [heads, size] = [2, 4];
    const inner = heads * size;
    const qkv = dense(tokens, 6, 3 * inner);
    let parts: string[];
    if (end === "attention split") {
      parts = split(qkv, 2, [inner, inner, inner]).map((part) =>
        op("Transpose", [op("Reshape", [part, ints(0, positions, heads, size)])], { perm: [0, 2, 1, 3] }),
      );
    } else {
      const batch = op("Gather", [op("Shape", [tokens]), ints(0)], { axis: 0 });
      const shape =
        end === "attention dynamic"
          ? op("Concat", [batch, ints(positions), ints(3), ints(heads), ints(size)], { axis: 0 })
          : ints(-1, positions, 3, heads, size);
      const turned = op("Transpose", [op("Reshape", [qkv, shape])], { perm: [2, 0, 3, 1, 4] });
      parts = [0, 1, 2].map((at) => op("Gather", [turned, constant(tensorOf("int64", [at], []))], { axis: 0 }));
    }
    const [q, k, v] = parts as [string, string, string];
    const scores = op("MatMul", [
      op("Mul", [q, scalar(1 / Math.sqrt(size))]),
      op("Transpose", [k], { perm: [0, 1, 3, 2] }),
    ]);
    const mixed = op("Transpose", [op("MatMul", [op("Softmax", [scores], { axis: -1 }), v])], { perm: [0, 2, 1, 3] });
    return op("Add", [tokens, dense(op("Reshape", [mixed, ints(0, positions, inner)]), inner, 6)]);
  }
}
