import { nodeRunner } from "@shrinknet/runtime/node";
import { describe, expect, test } from "vitest";
import { float32, int64, isFloat, Tensor, tensorOf } from "../src/graph/tensor.ts";
import { writeModel } from "../src/onnx/index.ts";
import { closeTo, model, nested, node, random } from "./support/build.ts";
import { erf } from "./support/reference/elementwise.ts";
import { evaluate } from "./support/reference.ts";
import { referenceRunner } from "./support/reference-runner.ts";

type Attributes = Parameters<typeof node>[3];
/** Operator, inputs (null: left out), attributes, and what else differs. */
type Case = [string, (Tensor | null)[], Attributes?, { opset?: number; outputs?: number }?];

const runner = nodeRunner();
const r = random(7);
const t = (...dims: number[]): Tensor => r.tensor(dims);
const positive = (...dims: number[]): Tensor =>
  tensorOf(
    "float32",
    Array.from(t(...dims).numbers, (v) => v * v + 0.1),
    dims,
  );
const bool = (values: number[], dims?: number[]): Tensor => tensorOf("bool", values, dims);
const scalar = (value: number): Tensor => nested(value);

function single([opType, inputs, attributes, { opset = 17, outputs = 1 } = {}]: Case) {
  const names = inputs.map((input, i) => (input ? `in${i}` : ""));
  const results = Array.from({ length: outputs }, (_, i) => `out${i}`);
  const given = inputs.flatMap((input, i): [string, Tensor][] => (input ? [[`in${i}`, input]] : []));
  const [fed, ...fixed] = given;
  const feeds = Object.fromEntries(fed ? [fed] : []);
  const spec = {
    opset,
    inputs: Object.fromEntries(fed ? [[fed[0], { type: fed[1].type, shape: fed[1].dims }]] : []),
    initializers: Object.fromEntries(fixed),
    nodes: [node(opType, names, results, attributes)],
  };
  const expected = evaluate(model({ ...spec, outputs: results }), feeds);
  const declared = results.map((name) => {
    const type = (expected[name] as Tensor).type;
    return [name, { type: isFloat(type) ? "float32" : type }] as const;
  });
  return { feeds, expected, model: model({ ...spec, outputs: Object.fromEntries(declared) }) };
}

const x234 = t(2, 3, 4);
const image = t(2, 4, 7, 6);
const unit = tensorOf(
  "float32",
  Array.from({ length: 12 }, (_, i) => (i - 5.5) / 6),
  [3, 4],
);
const whole = nested([[-3, 5, 2, -7]]);

const tables: Record<string, Case[]> = {
  products: [
    ["Gemm", [t(3, 4), t(4, 5), t(5)]],
    ["Gemm", [t(4, 3), t(5, 4), t(3, 1)], { transA: 1, transB: 1, alpha: 0.5, beta: 2 }],
    ["Gemm", [t(3, 4), t(4, 5)], {}, { opset: 11 }],
    ["MatMul", [t(3, 4), t(4, 5)]],
    ["MatMul", [t(2, 1, 3, 4), t(5, 4, 2)]],
    ["MatMul", [t(4), t(4)]],
    ["MatMul", [t(4), t(2, 4, 3)]],
    ["MatMul", [t(2, 3, 4), t(4)]],
    ["Einsum", [t(3, 4), t(4, 5)], { equation: "ij,jk->ik" }],
    ["Einsum", [t(3, 4), t(4, 5)], { equation: "ij, jk" }],
    ["Einsum", [t(2, 3, 4), t(2, 5, 4)], { equation: "bid,bjd->bij" }],
    ["Einsum", [t(2, 3, 4), t(4, 5)], { equation: "...j,jk->...k" }],
    ["Einsum", [t(4, 4)], { equation: "ii->i" }],
    ["Einsum", [t(2, 3, 4)], { equation: "abc->ca" }],
  ],
  elementwise: [
    ...["Add", "Sub", "Mul", "Div"].map((op): Case => [op, [t(2, 1, 4), t(3, 1)]]),
    ["Div", [int64([-7, 7, 8]), int64([2, -2, 4])]],
    ["Pow", [positive(3, 4), t(4)]],
    ["Min", [t(3, 4), t(4), t(3, 1)]],
    ["Max", [t(3, 4), t(4)]],
    ["Sum", [t(3, 4), t(4), t(1)]],
    ["Mean", [t(3, 4), t(4), t(1)]],
    ["Mod", [int64([-7, 7, -8, 5]), int64([3, -3, 4, 3])]],
    ["Mod", [whole, nested([[2, -3, 1.5, 4]])], { fmod: 1 }],
    ...["Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"].map(
      (op): Case => [
        op,
        [
          nested([
            [1, 2],
            [3, 4],
          ]),
          nested([2, 3]),
        ],
      ],
    ),
    ...["And", "Or", "Xor"].map((op): Case => [op, [bool([0, 0, 1, 1]), bool([0, 1, 0, 1])]]),
    ["Not", [bool([0, 1])]],
    ["Where", [bool([1, 0, 1]), t(2, 1), t(3)]],
    ...["Neg", "Abs", "Sign", "Exp", "Floor", "Ceil", "Erf", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh"].map(
      (op): Case => [op, [x234]],
    ),
    ...["Asin", "Acos", "Atanh"].map((op): Case => [op, [unit]]),
    ...["Log", "Sqrt", "Reciprocal"].map((op): Case => [op, [positive(3, 4)]]),
    ["Round", [nested([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.6, -2.4])]],
    ...["Sigmoid", "Tanh", "Relu", "Softplus", "Softsign", "Elu", "Selu", "Celu", "LeakyRelu"].map(
      (op): Case => [op, [x234]],
    ),
    ...["HardSigmoid", "HardSwish", "ThresholdedRelu", "Shrink"].map((op): Case => [op, [x234]]),
    ["Mish", [x234], {}, { opset: 18 }],
    ["Gelu", [x234], {}, { opset: 20 }],
    ["Gelu", [x234], { approximate: "tanh" }, { opset: 20 }],
    ["PRelu", [x234, t(3, 1)]],
    ["LeakyRelu", [x234], { alpha: 0.3 }],
    ["Elu", [x234], { alpha: 2 }],
    ["Celu", [x234], { alpha: 0.5 }],
    ["HardSigmoid", [x234], { alpha: 0.4, beta: 0.3 }],
    ["Shrink", [x234], { lambd: 0.2, bias: 0.1 }],
    ["Clip", [x234, scalar(-0.5), scalar(0.4)]],
    ["Clip", [x234, null, scalar(0.4)]],
    ["Clip", [x234], { min: { float: -1 }, max: 0.5 }, { opset: 7 }],
    ["Identity", [x234]],
    ["Dropout", [x234, scalar(0.3)], {}, { outputs: 2 }],
    ["Dropout", [x234], { ratio: 0.3 }, { opset: 10, outputs: 2 }],
    ["Cast", [nested([-1.7, 0, 2.9])], { to: 7 }],
    ["Cast", [nested([-1.7, 0, 2.9])], { to: 9 }],
    ["Cast", [int64([-1, 0, 3])], { to: 1 }],
    ["Cast", [int64([-1, 300, 3])], { to: 2 }],
    ["CastLike", [nested([-1.7, 0, 2.9]), int64([1])]],
    ["DequantizeLinear", [tensorOf("int8", [-3, 4, 5, 6], [2, 2]), scalar(0.5), tensorOf("int8", [1], [])]],
    [
      "DequantizeLinear",
      [tensorOf("uint8", [1, 2, 3, 4, 5, 6], [2, 3]), nested([0.5, 2]), tensorOf("uint8", [1, 2])],
      { axis: 0 },
    ],
    [
      "DequantizeLinear",
      [
        tensorOf("int8", [1, 2, 3, 4, 5, 6, 7, 8], [4, 2]),
        nested([
          [0.5, 2],
          [3, 4],
        ]),
      ],
      { axis: 0, block_size: 2 },
      { opset: 21 },
    ],
  ],
  reductions: [
    ...["Softmax", "LogSoftmax", "Hardmax"].flatMap((op): Case[] => [
      [op, [x234]],
      [op, [x234], { axis: 1 }],
      [op, [x234], {}, { opset: 11 }],
      [op, [x234], { axis: 2 }, { opset: 11 }],
    ]),
    ...[
      ...["ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare"],
      "ReduceLogSumExp",
    ].flatMap((op): Case[] => [
      [op, [x234], { axes: [1, -1] }],
      [op, [x234], { axes: [0], keepdims: 0 }],
      [op, [x234]],
      [op, [x234, int64([1])], { keepdims: 0 }, { opset: 18 }],
    ]),
    ["ReduceLogSum", [positive(2, 3)], { axes: [1] }],
    ["ReduceSum", [x234, int64([0, 2])]],
    ["ReduceSum", [x234, int64([])], { noop_with_empty_axes: 1 }],
    ["ReduceSum", [x234], { axes: [1], keepdims: 0 }, { opset: 11 }],
    ["ArgMax", [x234], { axis: 1 }],
    [
      "ArgMax",
      [
        nested([
          [3, 1, 3],
          [2, 2, 1],
        ]),
      ],
      { axis: 1, keepdims: 0, select_last_index: 1 },
    ],
    ["ArgMin", [x234], { axis: -1, keepdims: 0 }],
    ["CumSum", [x234, tensorOf("int64", [1], [])]],
    ["CumSum", [x234, tensorOf("int64", [-1], [])], { exclusive: 1, reverse: 1 }],
    ["TopK", [x234, int64([2])], {}, { outputs: 2 }],
    ["TopK", [x234, int64([2])], { axis: 1, largest: 0 }, { outputs: 2 }],
    ["TopK", [x234], { k: 3 }, { outputs: 2, opset: 9 }],
  ],
  movement: [
    ["Flatten", [x234]],
    ["Flatten", [x234], { axis: 0 }],
    ["Flatten", [x234], { axis: -1 }],
    ["Reshape", [x234, int64([0, -1, 2])]],
    ["Reshape", [t(0, 3), int64([3, 0])], { allowzero: 1 }],
    ["Transpose", [x234]],
    ["Transpose", [x234], { perm: [1, 2, 0] }],
    ["Squeeze", [t(1, 3, 1, 2), int64([-2])]],
    ["Squeeze", [t(1, 3, 1, 2)]],
    ["Squeeze", [t(1, 3, 1, 2)], { axes: [0] }, { opset: 11 }],
    ["Unsqueeze", [t(3, 2), int64([0, -1])]],
    ["Unsqueeze", [t(3, 2)], { axes: [1, 3] }, { opset: 11 }],
    ["Concat", [t(2, 3), t(2, 1), t(2, 2)], { axis: 1 }],
    ["Concat", [t(2, 3), t(4, 3)], { axis: -2 }],
    ["Split", [t(2, 6)], { axis: 1 }, { outputs: 3 }],
    ["Split", [t(2, 6), int64([1, 5])], { axis: -1 }, { outputs: 2 }],
    ["Split", [t(6, 2)], { split: [4, 2] }, { outputs: 2, opset: 11 }],
    ["Split", [t(7, 2)], { num_outputs: 3 }, { outputs: 3, opset: 18 }],
    ["Slice", [t(5, 6), int64([1, -3]), int64([4, 1000])]],
    ["Slice", [t(5, 6), int64([-1, 4]), int64([-1000, 0]), int64([0, -1]), int64([-1, -2])]],
    ["Slice", [t(5, 6), int64([1]), int64([-1]), int64([1]), int64([3])]],
    ["Slice", [t(5, 6)], { starts: [1], ends: [-1], axes: [1] }, { opset: 9 }],
    ["Expand", [t(3, 1), int64([2, 1, 4])]],
    ["Tile", [t(2, 3), int64([2, 2])]],
    ["Pad", [t(2, 3), int64([1, 0, 0, 2]), scalar(0.5)]],
    ["Pad", [t(3, 4), int64([1, 2, 2, 3])], { mode: "reflect" }],
    ["Pad", [t(3, 4), int64([1, 2, 2, 3])], { mode: "edge" }],
    ["Pad", [t(3, 4), int64([-1, 0, 2, -1])]],
    ["Pad", [t(3, 4), int64([1, 2]), null, int64([-1])], {}, { opset: 18 }],
    ["Pad", [t(3, 4), int64([1, 2, 2, 3])], { mode: "wrap" }, { opset: 19 }],
    ["Pad", [t(2, 3)], { pads: [1, 0, 0, 2], value: 0.5 }, { opset: 10 }],
    ["DepthToSpace", [t(1, 8, 2, 3)], { blocksize: 2 }],
    ["DepthToSpace", [t(1, 8, 2, 3)], { blocksize: 2, mode: "CRD" }],
    ["SpaceToDepth", [t(1, 2, 4, 6)], { blocksize: 2 }],
    ["Trilu", [t(2, 3, 4)]],
    ["Trilu", [t(3, 4), tensorOf("int64", [1], [])], { upper: 0 }],
  ],
  "constants and indexes": [
    ["Shape", [x234]],
    ["Shape", [x234], { start: -2, end: -1 }],
    ["Size", [x234]],
    ["ConstantOfShape", [int64([2, 3])], { value: float32([0.5]) }],
    ["ConstantOfShape", [int64([2, 3])]],
    ["Constant", [], { value: t(2, 3) }],
    ["Constant", [], { value_floats: [1, 2.5] }],
    ["Constant", [], { value_int: 3 }],
    ["Range", [scalar(1), scalar(2.3), scalar(0.4)]],
    ["Range", [tensorOf("int64", [5], []), tensorOf("int64", [-1], []), tensorOf("int64", [-2], [])]],
    ["OneHot", [int64([0, 2, -1]), int64([3]), nested([-1, 2])]],
    ["OneHot", [int64([0, 2, 1, 1], [2, 2]), int64([3]), nested([0, 1])], { axis: 1 }],
    ["EyeLike", [t(3, 4)], { k: 1 }],
    ["Gather", [x234, int64([2, 0, -1, 1], [2, 2])], { axis: 1 }],
    ["Gather", [x234, tensorOf("int64", [1], [])], { axis: 2 }],
    ["GatherElements", [t(3, 3), int64([0, 2, -1, 1], [2, 2])], { axis: 1 }],
    ["GatherND", [x234, int64([0, 1, 1, 2], [2, 2])]],
    ["GatherND", [x234, int64([0, 2], [2, 1])], { batch_dims: 1 }],
    ["ScatterND", [t(4, 3), int64([2, 0], [2, 1]), t(2, 3)]],
    ["ScatterND", [t(4, 3), int64([2, 2], [2, 1]), t(2, 3)], { reduction: "add" }],
    ["ScatterElements", [t(3, 3), int64([1, 0, 2, 1], [2, 2]), t(2, 2)], { axis: 1 }],
    ["ScatterElements", [t(3, 3), int64([1, 1], [1, 2]), t(1, 2)], { axis: 1, reduction: "add" }, { opset: 18 }],
    [
      "NonZero",
      [
        nested([
          [0, 1],
          [2, 0],
        ]),
      ],
    ],
    ["Compress", [t(3, 4), bool([1, 0, 1])], { axis: 0 }],
  ],
  convolutions: [
    ["Conv", [image, t(5, 4, 3, 3), t(5)], { pads: [1, 1, 1, 1] }],
    ["Conv", [image, t(6, 2, 3, 2)], { group: 2, strides: [2, 1], pads: [0, 1, 2, 0] }],
    ["Conv", [image, t(4, 1, 3, 3), t(4)], { group: 4, dilations: [2, 1] }],
    ["Conv", [image, t(3, 4, 4, 3)], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
    ["Conv", [image, t(3, 4, 4, 3)], { auto_pad: "SAME_LOWER", strides: [1, 2] }],
    ["Conv", [image, t(3, 4, 4, 3)], { auto_pad: "VALID" }],
    ["Conv", [t(2, 3, 9), t(4, 3, 3), t(4)], { pads: [1, 0], strides: [2] }],
    ["Conv", [t(1, 2, 4, 5, 4), t(3, 2, 2, 3, 2), t(3)], { strides: [1, 2, 1], pads: [0, 1, 1, 0, 1, 0] }],
    ["ConvTranspose", [t(2, 3, 4, 5), t(3, 2, 3, 3), t(2)]],
    [
      "ConvTranspose",
      [t(2, 4, 4, 5), t(4, 3, 3, 2)],
      { group: 2, strides: [2, 3], pads: [1, 0, 1, 1], output_padding: [1, 2] },
    ],
    ["ConvTranspose", [t(1, 2, 4, 4), t(2, 2, 3, 3)], { dilations: [2, 1], strides: [1, 2] }],
    ["ConvTranspose", [t(1, 2, 4, 4), t(2, 2, 3, 3)], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
    ["ConvTranspose", [t(1, 2, 4, 4), t(2, 2, 3, 3)], { auto_pad: "SAME_LOWER", strides: [2, 2] }],
    ["ConvTranspose", [t(1, 2, 4, 4), t(2, 2, 3, 3)], { output_shape: [10, 9], strides: [2, 2] }],
    ["ConvTranspose", [t(1, 2, 4, 4), t(2, 2, 3, 3)], { output_shape: [7, 6], strides: [2, 2] }],
    ["ConvTranspose", [t(1, 2, 4), t(2, 2, 3)], { output_shape: [6], strides: [2], auto_pad: "SAME_UPPER" }],
    ["ConvTranspose", [t(1, 2, 4), t(2, 2, 3)], { output_shape: [8], strides: [2], output_padding: [1] }],
    ["ConvTranspose", [t(1, 2, 4), t(2, 2, 3), t(2)], { output_shape: [14], strides: [3] }],
    ["ConvTranspose", [t(1, 2, 4), t(2, 2, 2), t(2)], { strides: [3], auto_pad: "SAME_UPPER" }],
    ["ConvTranspose", [t(1, 2, 4), t(2, 2, 2)], { strides: [2], auto_pad: "SAME_LOWER", output_padding: [1] }],
    ["ConvTranspose", [t(1, 2, 4), t(2, 2, 3)], { strides: [2], dilations: [3], output_padding: [1], pads: [1, 2] }],
    ["ConvTranspose", [t(1, 2, 4), t(2, 2, 2)], { auto_pad: "VALID", strides: [2] }],
    ["ConvTranspose", [t(2, 4, 3, 3), t(4, 2, 2, 2)], { group: 2, output_shape: [5, 7], strides: [2, 2] }],
    ["ConvTranspose", [t(2, 2, 5), t(2, 3, 3)], { strides: [2], pads: [1, 1] }],
    ["Col2Im", [t(1, 10, 5), int64([5, 5]), int64([1, 5])], { dilations: [1, 1], pads: [0, 0, 0, 0] }, { opset: 18 }],
    ["Col2Im", [t(2, 12, 9), int64([5, 5]), int64([2, 2])], { strides: [2, 2], pads: [0, 1, 1, 0] }, { opset: 18 }],
  ],
  poolings: [
    ["MaxPool", [image], { kernel_shape: [3, 2] }],
    ["MaxPool", [image], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }, { outputs: 2 }],
    ["MaxPool", [image], { kernel_shape: [2, 2], strides: [2, 1], storage_order: 1 }, { outputs: 2 }],
    ["MaxPool", [image], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }],
    ["MaxPool", [image], { kernel_shape: [2, 2], strides: [3, 3], ceil_mode: 1, pads: [1, 1, 1, 1] }],
    ["MaxPool", [image], { kernel_shape: [3, 2], dilations: [2, 3] }],
    ["MaxPool", [image], { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" }],
    ["MaxPool", [t(2, 3, 8)], { kernel_shape: [3], strides: [2] }],
    ["AveragePool", [image], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
    ["AveragePool", [image], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }],
    ["AveragePool", [image], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: "SAME_LOWER" }],
    ["AveragePool", [image], { kernel_shape: [3, 3], strides: [3, 2], ceil_mode: 1 }, { opset: 19 }],
    [
      "AveragePool",
      [image],
      { kernel_shape: [3, 3], strides: [3, 2], ceil_mode: 1, pads: [1, 0, 1, 1], count_include_pad: 1 },
      { opset: 19 },
    ],
    ["AveragePool", [image], { kernel_shape: [2, 2], dilations: [2, 3] }, { opset: 19 }],
    ["LpPool", [image], { kernel_shape: [2, 3], p: 2 }],
    ["GlobalAveragePool", [image]],
    ["GlobalMaxPool", [image]],
    ["GlobalLpPool", [image], { p: 2 }],
  ],
  normalizations: [
    ["BatchNormalization", [image, t(4), t(4), t(4), positive(4)], { epsilon: 0.01 }],
    ["BatchNormalization", [t(5, 3), t(3), t(3), t(3), positive(3)], {}, { opset: 7 }],
    ["LayerNormalization", [x234, t(4), t(4)], {}, { outputs: 3 }],
    ["LayerNormalization", [x234, t(3, 4)], { axis: 1, epsilon: 0.1 }],
    ["InstanceNormalization", [image, t(4), t(4)], { epsilon: 0.01 }],
    ["GroupNormalization", [image, t(2), t(2)], { num_groups: 2 }, { opset: 18 }],
    ["GroupNormalization", [image, t(4), t(4)], { num_groups: 2, epsilon: 0.01 }, { opset: 21 }],
    ["MeanVarianceNormalization", [image]],
    ["LRN", [t(2, 6, 3, 3)], { size: 3, alpha: 0.5, beta: 0.6, bias: 2 }],
    ["LRN", [t(2, 6, 3, 3)], { size: 5 }],
    ["LpNormalization", [x234]],
    ["LpNormalization", [x234], { axis: 1, p: 1 }],
  ],
  resizing: [
    ["Upsample", [t(1, 2, 3, 3)], { mode: "nearest", scales: [1, 1, 2, 3] }, { opset: 7 }],
    ["Upsample", [t(1, 2, 3, 3), nested([1, 1, 2, 3])], { mode: "linear" }, { opset: 9 }],
    ["Resize", [t(1, 2, 3, 3), nested([1, 1, 2, 3])], { mode: "linear" }, { opset: 10 }],
    ["Resize", [t(1, 2, 6, 6), nested([1, 1, 0.5, 0.4])], {}, { opset: 10 }],
    ...["half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"].flatMap((coordinates): Case[] => [
      ...["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].map(
        (nearest): Case => [
          "Resize",
          [t(1, 2, 4, 5), null, nested([1, 1, 2, 1.75])],
          { coordinate_transformation_mode: coordinates, nearest_mode: nearest },
        ],
      ),
      [
        "Resize",
        [t(1, 2, 4, 5), null, nested([1, 1, 2.5, 0.6])],
        { mode: "linear", coordinate_transformation_mode: coordinates },
      ],
      [
        "Resize",
        [t(1, 2, 4, 5), null, null, int64([1, 2, 7, 3])],
        { mode: "linear", coordinate_transformation_mode: coordinates },
        { opset: 13 },
      ],
    ]),
    ["Resize", [t(1, 2, 4, 5), null, nested([2, 3])], { axes: [2, 3], mode: "linear" }, { opset: 18 }],
    ["Resize", [t(1, 1, 4, 5), null, nested([1, 1, 1.5, 2])], { mode: "cubic" }],
    [
      "Resize",
      [t(1, 1, 4, 5), null, nested([1, 1, 1.5, 2])],
      { mode: "cubic", exclude_outside: 1, cubic_coeff_a: -0.5 },
    ],
  ],
};

for (const [family, cases] of Object.entries(tables)) {
  describe(`${family} as in onnxruntime`, () => {
    const named = cases.map((entry): [string, Case] => [label(entry), entry]);
    test.each(named)("%s", async (_, entry) => {
      const { feeds, expected, model: built } = single(entry);
      const session = await runner.load(writeModel(built), { optimize: false });
      const actual = await session.run(feeds);
      await session.release();
      for (const [name, want] of Object.entries(expected)) {
        const got = actual[name] as Tensor;
        expect(got.type).toBe(want.type === "float64" ? "float32" : want.type);
        expect(got.dims).toEqual(want.dims);
        expect(closeTo(got, want)).toBeLessThan(1e-5);
      }
    });
  });
}

function label([opType, inputs, attributes = {}, { opset = 17 } = {}]: Case): string {
  const shapes = inputs.map((input) => (input ? `[${input.dims}]` : "none")).join(" ");
  const stated = Object.entries(attributes).map(
    ([key, value]) => `${key}=${value instanceof Tensor ? "tensor" : JSON.stringify(value)}`,
  );
  return [`${opType}-${opset}`, shapes, ...stated].join(" ");
}

test("erf agrees with published values", () => {
  const known: [number, number][] = [
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
  ];
  for (const [x, value] of known) {
    expect(Math.abs(erf(x) - value)).toBeLessThan(2e-16 + 1e-15 * value);
    expect(erf(-x)).toBe(-erf(x));
  }
  // Both formulas meet at 1: the jump is what the slope predicts.
  const slope = (2 / Math.sqrt(Math.PI)) * Math.exp(-1);
  expect(erf(1) - erf(1 - 1e-9)).toBeCloseTo(slope * 1e-9, 15);
});

test("computes in float64 whatever type the graph states", () => {
  const built = model({
    inputs: { x: ["N", 1] },
    outputs: ["y"],
    initializers: { w: [[1 / 3]], b: [0] },
    nodes: [node("Gemm", ["x", "w", "b"], ["y"])],
  });
  const weight = Math.fround(1 / 3);
  const { y } = evaluate(built, { x: tensorOf("float64", [0.1, 0.2], [2, 1]) });
  expect(y?.type).toBe("float64");
  expect(Array.from(y?.data as Float64Array)).toEqual([0.1 * weight, 0.2 * weight]);
});

test("fetches inner values and runs only what they need", () => {
  const built = model({
    inputs: { x: [2] },
    outputs: ["z"],
    nodes: [node("Neg", ["x"], ["y"]), node("NoSuchOperator", ["y"], ["z"])],
  });
  const x = nested([1, 2]);
  expect(Array.from(evaluate(built, { x }, ["y"]).y?.numbers ?? [])).toEqual([-1, -2]);
  expect(() => evaluate(built, { x })).toThrow("operator NoSuchOperator is missing");
  expect(() => evaluate(built, {}, ["y"])).toThrow('value "x" is neither fed nor computed');
});

test("the reference runner reads a file and gives what evaluate gives", async () => {
  const built = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w: t(3, 2) },
    nodes: [node("MatMul", ["x", "w"], ["h"]), node("Tanh", ["h"], ["y"])],
  });
  const x = t(4, 3);
  const session = await referenceRunner().load(writeModel(built));
  const { y } = await session.run({ x });
  expect(y).toEqual(evaluate(built, { x }).y);
});

describe("build", () => {
  test("node turns plain values into attributes", () => {
    const { attributes, name } = node("Op", [], ["y"], {
      axis: 1,
      alpha: 1,
      share: 0.5,
      perm: [1, 0],
      scales: [1, 2],
      mixed: [1, 2.5],
      mode: "edge",
      names: ["a"],
      none: [],
      forced: { float: 2 },
    });
    expect(name).toBe("y");
    expect(attributes).toEqual({
      axis: { kind: "int", value: 1 },
      alpha: { kind: "float", value: 1 },
      share: { kind: "float", value: 0.5 },
      perm: { kind: "ints", value: [1, 0] },
      scales: { kind: "floats", value: [1, 2] },
      mixed: { kind: "floats", value: [1, 2.5] },
      mode: { kind: "string", value: "edge" },
      names: { kind: "strings", value: ["a"] },
      none: { kind: "ints", value: [] },
      forced: { kind: "float", value: 2 },
    });
  });

  test("random is reproducible and of the stated distribution", () => {
    expect(random(3).tensor([2, 3])).toEqual(random(3).tensor([2, 3]));
    const { normal, uniform, int } = random(1);
    const values = Array.from({ length: 20_000 }, normal);
    expect(values.reduce((a, b) => a + b) / values.length).toBeCloseTo(0, 1);
    expect(values.reduce((a, b) => a + b * b, 0) / values.length).toBeCloseTo(1, 1);
    for (let i = 0; i < 1000; i++) {
      expect(uniform(2, 3)).toBeGreaterThanOrEqual(2);
      expect(int(4)).toBeLessThan(4);
    }
  });

  test("closeTo is relative to the largest value", () => {
    expect(closeTo(nested([1, 102]), nested([0, 100]))).toBe(0.02);
    expect(closeTo(nested([0, 0.5]), nested([0, 0]))).toBe(0.5);
    expect(closeTo(nested([1, 2]), nested([[1, 2]]))).toBeNaN();
  });
});
