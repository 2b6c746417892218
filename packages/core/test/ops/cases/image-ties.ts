/** Units of convolutions, and operators on images. */
import { int64, type Tensor, tensorOf } from "../../../src/graph/tensor.ts";
import { node } from "../../support/build.ts";
import { type Case, first4, t } from "./tie-case.ts";

const image = (
  nodes: Case["nodes"],
  groups: Case["groups"] = first4,
  initializers: Record<string, Tensor> = {},
  rest: Partial<Case> = {},
): Case => ({ image: true, nodes, initializers, ...(groups && { groups }), ...rest });

const relu = node("Relu", ["h"], ["a"]);
const conv = (attributes: Parameters<typeof node>[3] = {}) => [
  relu,
  node("Conv", ["a", "w", "b"], ["c"], attributes, { name: "conv" }),
  node("Tanh", ["c"], ["z"]),
];
const positive = (...dims: number[]): Tensor =>
  tensorOf(
    "float32",
    Array.from(t(...dims).numbers, (v) => v * v + 0.1),
    dims,
  );

export const imageTies: Readonly<Record<string, Case>> = {
  "Conv into Flatten": image([node("Relu", ["h"], ["z"])]),
  "Conv reads and makes channels": image(conv(), { first: 4, conv: 5 }, { w: t(5, 4, 3, 3), b: t(5) }, { into: 20 }),
  "Conv with strides and pads": image(
    conv({ strides: [2, 2], pads: [1, 1, 1, 1] }),
    { first: 4, conv: 3 },
    { w: t(3, 4, 3, 3), b: t(3) },
    { into: 12 },
  ),
  "Conv with auto_pad": image(
    conv({ auto_pad: "SAME_UPPER" }),
    { first: 4, conv: 3 },
    { w: t(3, 4, 2, 2), b: t(3) },
    { into: 48 },
  ),
  "GridSample samples each channel": image(
    [
      node("Shape", ["h"], ["n"], { start: 0, end: 1 }),
      node("Concat", ["n", "ones"], ["s"], { axis: 0 }),
      node("Expand", ["places", "s"], ["grid"]),
      node("GridSample", ["h", "grid"], ["z"]),
    ],
    first4,
    { ones: int64([1, 1, 1]), places: t(1, 4, 4, 2) },
  ),
  "ScatterND behind the places": image(
    [
      node("Transpose", ["h"], ["c"], { perm: [2, 3, 0, 1] }),
      node("ReduceSum", ["h", "axes"], ["s"], { keepdims: 0 }),
      node("Unsqueeze", ["s", "first"], ["u"]),
      node("ScatterND", ["c", "places", "u"], ["w"]),
      node("Transpose", ["w"], ["z"], { perm: [2, 3, 0, 1] }),
    ],
    first4,
    { axes: int64([2, 3]), first: int64([0]), places: int64([0, 1], [1, 2]) },
  ),
  "depthwise Conv": image(conv({ group: 4 }), first4, { w: t(4, 1, 3, 3), b: t(4) }, { into: 16 }),
  "depthwise Conv with several outputs a channel": image(
    conv({ group: 4 }),
    first4,
    { w: t(8, 1, 3, 3), b: t(8) },
    { into: 32 },
  ),
  "grouped Conv goes by whole groups": image(
    conv({ group: 2 }),
    { first: 2 },
    { w: t(6, 2, 3, 3), b: t(6) },
    { into: 24 },
  ),
  "a residual block": image(
    [
      relu,
      node("Conv", ["a", "w", "b"], ["c"], { pads: [1, 1, 1, 1] }, { name: "conv" }),
      node("BatchNormalization", ["c", "g", "g", "g", "v"], ["n"]),
      node("Add", ["n", "h"], ["s"]),
      node("Relu", ["s"], ["z"]),
    ],
    first4,
    { w: t(4, 4, 3, 3), b: t(4), g: t(4), v: positive(4) },
  ),
  "squeeze and excitation": image(
    [
      node("GlobalAveragePool", ["h"], ["p"]),
      node("Conv", ["p", "w1", "b1"], ["c1"], {}, { name: "squeeze" }),
      node("Relu", ["c1"], ["r"]),
      node("Conv", ["r", "w2", "b2"], ["c2"], {}, { name: "excite" }),
      node("Sigmoid", ["c2"], ["s"]),
      node("Mul", ["h", "s"], ["z"]),
    ],
    { first: 4, squeeze: 2 },
    { w1: t(2, 4, 1, 1), b1: t(2), w2: t(4, 2, 1, 1), b2: t(4) },
  ),
  ConvTranspose: image(
    [
      relu,
      node("ConvTranspose", ["a", "w", "b"], ["c"], { strides: [2, 2] }, { name: "conv" }),
      node("Relu", ["c"], ["z"]),
    ],
    { first: 4, conv: 3 },
    { w: t(4, 3, 2, 2), b: t(3) },
    { into: 192 },
  ),
  "depthwise ConvTranspose": image(
    [relu, node("ConvTranspose", ["a", "w", "b"], ["z"], { group: 4 }, { name: "conv" })],
    first4,
    { w: t(4, 1, 2, 2), b: t(4) },
    { into: 100 },
  ),
  "DepthToSpace, channels of a block apart": image(
    [
      relu,
      node("Conv", ["a", "w"], ["c"], {}, { name: "conv" }),
      node("DepthToSpace", ["c"], ["d"], { blocksize: 2 }),
      node("Relu", ["d"], ["z"]),
    ],
    { first: 4, conv: 2 },
    { w: t(8, 4, 1, 1) },
    { into: 128 },
  ),
  "DepthToSpace, channels of a block together": image(
    [
      relu,
      node("Conv", ["a", "w"], ["c"], {}, { name: "conv" }),
      node("DepthToSpace", ["c"], ["d"], { blocksize: 2, mode: "CRD" }),
      node("Relu", ["d"], ["z"]),
    ],
    { first: 4, conv: 3 },
    { w: t(12, 4, 1, 1) },
    { into: 192 },
  ),
  SpaceToDepth: image([node("SpaceToDepth", ["h"], ["z"], { blocksize: 2 })], first4, {}, { into: 64 }),
  MaxPool: image([node("MaxPool", ["h"], ["z"], { kernel_shape: [2, 2], strides: [2, 2] })], first4, {}, { into: 16 }),
  AveragePool: image([node("AveragePool", ["h"], ["z"], { kernel_shape: [3, 3] })], first4, {}, { into: 16 }),
  GlobalAveragePool: image([node("GlobalAveragePool", ["h"], ["z"])], first4, {}, { into: 4 }),
  GlobalMaxPool: image([node("GlobalMaxPool", ["h"], ["z"])], first4, {}, { into: 4 }),
  InstanceNormalization: image([node("InstanceNormalization", ["h", "g", "b"], ["z"])], first4, { g: t(4), b: t(4) }),
  "GroupNormalization goes by whole groups": image(
    [node("GroupNormalization", ["h", "g", "b"], ["z"], { num_groups: 2 })],
    { first: 2 },
    { g: t(4), b: t(4) },
    { opset: 21 },
  ),
  "GroupNormalization of one group freezes nothing less than all": image(
    [node("GroupNormalization", ["h", "g", "b"], ["z"], { num_groups: 1 })],
    { first: 1 },
    { g: t(4), b: t(4) },
    { opset: 21 },
  ),
  "LayerNormalization over channels freezes": image(
    [node("LayerNormalization", ["h", "g"], ["z"], { axis: 1 })],
    {},
    { g: t(4, 4, 4) },
    { frozen: "normalises over this axis" },
  ),
  "LayerNormalization over positions": image([node("LayerNormalization", ["h", "g"], ["z"], { axis: 2 })], first4, {
    g: t(4, 4),
  }),
  "PRelu with a slope per channel": image([node("PRelu", ["h", "s"], ["z"])], first4, { s: t(4, 1, 1) }),
  "Split into halves that are multiplied": image(
    [node("Split", ["h", "s"], ["p", "q"], { axis: 1 }), node("Sigmoid", ["q"], ["g"]), node("Mul", ["p", "g"], ["z"])],
    { first: 2 },
    { s: int64([2, 2]) },
    { into: 32 },
  ),
  "Split by attribute, put together in another order": image(
    [node("Split", ["h"], ["p", "q"], { axis: 1, split: [1, 3] }), node("Concat", ["q", "p"], ["z"], { axis: 1 })],
    { first: 1, "first.2": 3 },
    {},
    { opset: 11 },
  ),
  "Slice of channels": image(
    [
      node("Slice", ["h", "s", "e", "ax"], ["p"]),
      node("Conv", ["h", "w"], ["c"], {}, { name: "conv" }),
      node("Concat", ["p", "c"], ["z"], { axis: 1 }),
    ],
    // channels 1 and 2 are read at one place more
    { first: 2, "first.2": 2, conv: 3 },
    { s: int64([1]), e: int64([3]), ax: int64([1]), w: t(3, 4, 1, 1) },
    { into: 80 },
  ),
  "Slice of positions": image(
    [node("Slice", ["h", "s", "e", "ax", "st"], ["z"])],
    first4,
    { s: int64([0]), e: int64([4]), ax: int64([3]), st: int64([2]) },
    { into: 32 },
  ),
  "Gather that shuffles channels": image([node("Gather", ["h", "i"], ["z"], { axis: 1 })], first4, {
    i: int64([2, 0, -1, 1]),
  }),
  "TopK of positions": image(
    [node("TopK", ["h", "k"], ["z", "places"], { axis: 3 })],
    first4,
    { k: int64([2]) },
    { into: 32 },
  ),
  "Pad of positions": image(
    [node("Pad", ["h", "p"], ["z"])],
    first4,
    { p: int64([0, 0, 1, 0, 0, 0, 0, 1]) },
    { into: 100 },
  ),
  "Pad of channels": image(
    [node("Pad", ["h", "p"], ["q"]), node("Conv", ["q", "w"], ["z"], {}, { name: "conv" })],
    { first: 4, conv: 3 },
    { p: int64([0, 1, 0, 0, 0, 2, 0, 0]), w: t(3, 7, 1, 1) },
    { into: 48 },
  ),
  "Squeeze and Unsqueeze": image(
    [
      node("GlobalMaxPool", ["h"], ["p"]),
      node("Squeeze", ["p", "ax"], ["q"]),
      node("Tanh", ["q"], ["r"]),
      node("Unsqueeze", ["r", "ax"], ["s"]),
      node("Mul", ["h", "s"], ["z"]),
    ],
    first4,
    { ax: int64([2, 3]) },
  ),
  "Expand of positions": image(
    [node("GlobalMaxPool", ["h"], ["p"]), node("Expand", ["p", "s"], ["z"])],
    first4,
    { s: int64([1, 4, 2, 3]) },
    { into: 24 },
  ),
  "Resize of positions": image(
    [node("Resize", ["h", "", "s"], ["z"])],
    first4,
    { s: tensorOf("float32", [1, 1, 2, 2]) },
    { into: 256 },
  ),
  "Upsample of positions": image(
    [node("Upsample", ["h", "s"], ["z"])],
    first4,
    { s: tensorOf("float32", [1, 1, 2, 2]) },
    { into: 256, opset: 9 },
  ),
  "DequantizeLinear of weights, a scale for each channel": image(
    [
      relu,
      node("DequantizeLinear", ["wq", "scale", "zero"], ["w"], { axis: 0 }),
      node("Conv", ["a", "w", "b"], ["c"], {}, { name: "conv" }),
      node("Tanh", ["c"], ["z"]),
    ],
    { first: 4, conv: 5 },
    {
      wq: tensorOf(
        "int8",
        Array.from({ length: 5 * 4 * 9 }, (_, i) => ((i * 53) % 255) - 127),
        [5, 4, 3, 3],
      ),
      scale: positive(5),
      zero: tensorOf("int8", [0, 1, -2, 3, 0]),
      b: t(5),
    },
    { into: 20 },
  ),
  "QuantizeLinear and back, a scale for each channel, then one in all": image(
    [
      relu,
      node("QuantizeLinear", ["a", "scale", "zero"], ["q"], { axis: 1 }),
      node("DequantizeLinear", ["q", "scale", "zero"], ["d"], { axis: 1 }),
      node("QuantizeLinear", ["d", "step"], ["p"]),
      node("DequantizeLinear", ["p", "step"], ["z"]),
    ],
    first4,
    {
      scale: positive(4),
      zero: tensorOf("uint8", [0, 1, 20, 3], [4]),
      step: tensorOf("float32", [0.1], []),
    },
    { into: 64 },
  ),
  "DequantizeLinear of weights with one scale": image(
    [
      relu,
      node("DequantizeLinear", ["wq", "scale"], ["w"]),
      node("Conv", ["a", "w"], ["c"], {}, { name: "conv" }),
      node("Tanh", ["c"], ["z"]),
    ],
    { first: 4, conv: 3 },
    {
      wq: tensorOf(
        "int8",
        Array.from({ length: 12 }, (_, i) => i * 9 - 50),
        [3, 4, 1, 1],
      ),
      scale: tensorOf("float32", [0.01], []),
    },
    { into: 48 },
  ),
  "Sum, Max and Min of branches": image([
    node("Tanh", ["h"], ["p"]),
    node("Relu", ["h"], ["q"]),
    node("Sum", ["h", "p", "q"], ["s"]),
    node("Max", ["s", "p"], ["m"]),
    node("Min", ["m", "q"], ["z"]),
  ]),
  "Where on comparisons": image(
    [
      node("Greater", ["h", "zero"], ["g"]),
      node("Less", ["h", "one"], ["l"]),
      node("GreaterOrEqual", ["h", "per"], ["ge"]),
      node("LessOrEqual", ["h", "per"], ["le"]),
      node("Equal", ["g", "l"], ["e"]),
      node("And", ["g", "l"], ["and"]),
      node("Or", ["ge", "le"], ["or"]),
      node("Not", ["e"], ["not"]),
      node("And", ["or", "not"], ["both"]),
      node("Where", ["both", "h", "per"], ["w"]),
      node("Cast", ["and"], ["mask"], { to: 1 }),
      node("Mul", ["w", "mask"], ["z"]),
    ],
    first4,
    { zero: t(), one: t(), per: t(4, 1, 1) },
  ),
  "a target computed from Shape": image(
    [
      node("Shape", ["h"], ["n"]),
      node("Gather", ["n", "i"], ["batch"], { axis: 0 }),
      node("Concat", ["batch", "rest"], ["target"], { axis: 0 }),
      node("Reshape", ["h", "target"], ["z"]),
    ],
    first4,
    { i: int64([0]), rest: int64([-1]) },
  ),
  "ConstantOfShape of the units' own shape": image(
    [
      node("Shape", ["h"], ["n"]),
      node("ConstantOfShape", ["n"], ["c"], { value: tensorOf("float32", [0.5]) }),
      node("Add", ["h", "c"], ["z"]),
    ],
    first4,
  ),
};
