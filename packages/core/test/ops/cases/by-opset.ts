/** Every operator with derivative rules in each form that an opset gives it. */
import { int64, tensorOf } from "../../../src/graph/tensor.ts";
import { type Case, clearOf, distinct, mapped, nonzero, positive, scalar, t, vector } from "./case.ts";

/** The opsets that are read. */
export const FIRST_OPSET = 7;
export const LAST_OPSET = 25;

/** One form of an operator, with the first and the last opset that has it. */
type Form = readonly [from: number, to: number, one: Case];

const ever = LAST_OPSET;
const scales = (...values: number[]) => tensorOf("float32", values);
const image = { batch: [0] };
/** Values at which finite differences of functions with a pole at 0 are exact enough. */
const large = (...dims: number[]) => mapped(positive(...dims), (value) => value + 0.5);

/** Operators that every opset knows in the same form. */
const lasting: readonly Case[] = [
  ["Abs", [nonzero(2, 3)]],
  ["Add", [t(2, 3), t(3)], {}, { batch: [0] }],
  ["AveragePool", [t(2, 2, 5, 5)], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }, image],
  ["AveragePool", [t(1, 2, 5, 5)], { kernel_shape: [2, 2], auto_pad: "SAME_LOWER", count_include_pad: 1 }],
  ["BatchNormalization", [t(2, 3, 2), t(3), t(3), t(3), positive(3)], {}, { by: [0, 1, 2], batch: [0] }],
  ["Cast", [t(2, 3)], { to: 1 }],
  ["Ceil", [clearOf([-2, -1, 0, 1, 2], 2, 3)]],
  ["Concat", [t(2, 3), t(2, 1)], { axis: 1 }, { batch: [0, 1] }],
  ["Conv", [t(2, 2, 5, 5), t(4, 1, 3, 3), t(4)], { group: 2, strides: [2, 2], pads: [1, 1, 1, 1] }, image],
  ["ConvTranspose", [t(2, 2, 3, 3), t(2, 2, 2, 2), t(2)], { strides: [2, 2] }, image],
  ["ConvTranspose", [t(2, 2, 4), t(2, 2, 3)], { strides: [2], output_shape: [6] }, image],
  ["Cos", [t(2, 3)]],
  ["Div", [t(2, 3), nonzero(3)], {}, { batch: [0] }],
  ["Dropout", [t(2, 3)]],
  ["Elu", [clearOf([0], 2, 3)], { alpha: 0.7 }],
  ["Exp", [t(2, 3)]],
  ["Flatten", [t(2, 3, 2)], {}, { batch: [0] }],
  ["Floor", [clearOf([-2, -1, 0, 1, 2], 2, 3)]],
  ["Gather", [t(2, 4), int64([3, 0, 3])], { axis: 1 }, { batch: [0] }],
  ["Gather", [t(4, 3), int64([1, 3, 1, 0], [2, 2])], { axis: 0 }],
  ["Gather", [t(2, 4), int64([2], [])], { axis: 1 }, { batch: [0] }],
  ["Gemm", [t(2, 3), t(4, 3), t(4)], { transB: 1, alpha: 0.5, beta: 2 }, { batch: [0] }],
  ["GlobalAveragePool", [t(2, 3, 2, 2)], {}, image],
  ["GlobalMaxPool", [distinct(2, 3, 2, 2)], {}, image],
  ["HardSigmoid", [clearOf([-2.5, 2.5], 2, 3)]],
  ["Identity", [t(2, 3)]],
  ["InstanceNormalization", [t(2, 3, 4), t(3), t(3)], {}, { by: [0], batch: [0] }],
  ["LeakyRelu", [clearOf([0], 2, 3)], { alpha: 0.2 }],
  ["Log", [large(2, 3)]],
  ["LogSoftmax", [t(2, 3)], {}, { batch: [0] }],
  ["MatMul", [t(2, 2, 3), t(3, 2)], {}, { batch: [0] }],
  ["MatMul", [t(2, 2, 3), t(3)], {}, { batch: [0] }],
  ["Max", [vector(1, 5, 2), vector(3, 4, 0), vector(0, 0, 1)]],
  ["MaxPool", [distinct(1, 2, 5, 5)], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
  ["Min", [vector(1, 5, 2), vector(3, 4, 0)]],
  ["Mul", [t(2, 3), t(3)], {}, { batch: [0] }],
  ["Neg", [t(2, 3)]],
  ["PRelu", [clearOf([0], 2, 3), t(3)], {}, { by: [0], batch: [0] }],
  ["Pow", [large(2, 3), vector(2, 0.5, -1)], {}, { batch: [0] }],
  ["Reciprocal", [large(2, 3)]],
  ["Relu", [clearOf([0], 2, 3)]],
  ["Reshape", [t(2, 6), int64([0, 2, -1])], {}, { batch: [0] }],
  ["Selu", [clearOf([0], 2, 3)]],
  ["Sigmoid", [t(2, 3)]],
  ["Sin", [t(2, 3)]],
  ["Softmax", [t(2, 3)], {}, { batch: [0] }],
  ["Softplus", [t(2, 3)]],
  ["Softsign", [nonzero(2, 3)]],
  ["Sqrt", [large(2, 3)]],
  ["Sub", [t(2, 3), t(3)], {}, { batch: [0] }],
  ["Sum", [t(2, 3), t(2, 3)]],
  ["Tanh", [t(2, 3)]],
  ["DepthToSpace", [t(2, 4, 2, 3)], { blocksize: 2 }, image],
  ["SpaceToDepth", [t(2, 3, 4, 2)], { blocksize: 2 }, image],
  ["Transpose", [t(2, 3, 2)], { perm: [0, 2, 1] }, { batch: [0] }],
];

const forms: readonly Form[] = [
  ...lasting.map((one): Form => [FIRST_OPSET, ever, one]),
  [10, ever, ["AveragePool", [t(1, 2, 7)], { kernel_shape: [3], strides: [3], ceil_mode: 1 }]],
  [7, 10, ["Clip", [clearOf([-0.5, 0.5], 2, 3)], { min: { float: -0.5 }, max: { float: 0.5 } }]],
  [11, ever, ["Clip", [clearOf([-0.5, 0.5], 2, 3), scalar(-0.5), scalar(0.5)], {}, image]],
  [12, ever, ["Einsum", [t(2, 3), t(3, 2)], { equation: "ij,jk->ik" }, { batch: [0] }]],
  [11, ever, ["CumSum", [t(2, 3), int64([1], [])], {}, { by: [0], batch: [0] }]],
  [9, ever, ["Erf", [t(2, 3)]]],
  [11, ever, ["ScatterElements", [t(3, 4), int64([1, 0, 2, 1], [1, 4]), t(1, 4)], {}, { by: [0, 2] }]],
  [11, ever, ["ScatterND", [t(4, 3), int64([2, 0], [2, 1]), t(2, 3)], {}, { by: [0, 2] }]],
  [8, ever, ["Expand", [t(3, 1), int64([1, 4])], {}, { batch: [0] }]],
  [20, ever, ["Gelu", [t(2, 3)]]],
  [20, ever, ["Gelu", [t(2, 3)], { approximate: "tanh" }]],
  [18, 20, ["GroupNormalization", [t(2, 4, 2), t(2), t(2)], { num_groups: 2 }, { by: [0], batch: [0] }]],
  [21, ever, ["GroupNormalization", [t(2, 4, 2), t(4), t(4)], { num_groups: 2 }, { by: [0], batch: [0] }]],
  [14, ever, ["HardSwish", [clearOf([-3, 3], 2, 3)]]],
  [17, ever, ["LayerNormalization", [t(2, 5), t(5), t(5)], {}, { by: [0], batch: [0] }]],
  [8, ever, ["Max", [distinct(2, 3), vector(-0.9, 0.1, 0.3)], {}, { batch: [0] }]],
  [10, ever, ["MaxPool", [distinct(1, 2, 6, 6)], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }]],
  [8, ever, ["Min", [distinct(2, 3), vector(-0.9, 0.1, 0.3)], {}, { batch: [0] }]],
  [7, 10, ["Pad", [t(2, 3)], { pads: [0, 1, 0, 2] }]],
  [11, ever, ["Pad", [t(2, 3), int64([0, 1, 0, 2]), scalar(0.5)], {}, { by: [0], batch: [0] }]],
  ...["ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin"].flatMap((op): Form[] => [
    [7, 17, [op, [distinct(2, 3, 2)], { axes: [1], keepdims: 0 }, { batch: [0] }]],
    [18, ever, [op, [distinct(2, 3, 2), int64([1])], { keepdims: 0 }, { batch: [0] }]],
  ]),
  [7, 17, ["ReduceMean", [t(2, 3)], { axes: [0], keepdims: 0 }, { batch: [0] }]],
  [18, ever, ["ReduceMean", [t(2, 3), int64([0])], { keepdims: 0 }, { batch: [0] }]],
  [7, 12, ["ReduceSum", [t(2, 3, 2)], { axes: [1], keepdims: 0 }, { batch: [0] }]],
  [13, ever, ["ReduceSum", [t(2, 3, 2), int64([1])], { keepdims: 0 }, { batch: [0] }]],
  [10, 10, ["Resize", [t(2, 2, 3), scales(1, 1, 2)], { mode: "nearest" }, { by: [0], batch: [0] }]],
  [11, ever, ["Resize", [t(2, 2, 3), scales(), scales(1, 1, 2)], { mode: "linear" }, { by: [0], batch: [0] }]],
  [13, ever, ["Resize", [t(1, 2, 3), null, null, int64([1, 2, 5])], { mode: "linear" }, { by: [0] }]],
  [18, ever, ["Resize", [t(2, 2, 3), null, scales(2)], { mode: "linear", axes: [2] }, { by: [0], batch: [0] }]],
  [11, ever, ["Round", [clearOf([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], 2, 3)]]],
  [9, ever, ["Sign", [nonzero(2, 3)]]],
  [7, 9, ["Slice", [t(2, 5)], { axes: [1], starts: [1], ends: [4] }, { batch: [0] }]],
  [10, ever, ["Slice", [t(2, 5), int64([1]), int64([4]), int64([1])], {}, { batch: [0] }]],
  [10, ever, ["Slice", [t(2, 5), int64([0]), int64([5]), int64([1]), int64([2])], {}, { batch: [0] }]],
  [7, 12, ["Split", [t(2, 5)], { axis: 1, split: [2, 3] }, { outputs: 2, batch: [0] }]],
  [13, ever, ["Split", [t(2, 5), int64([2, 3])], { axis: 1 }, { outputs: 2, seeded: [1], batch: [0] }]],
  [18, ever, ["Split", [t(2, 6)], { axis: 1, num_outputs: 3 }, { outputs: 3, batch: [0] }]],
  [7, 12, ["Squeeze", [t(2, 1, 3)], { axes: [1] }, { batch: [0] }]],
  [13, ever, ["Squeeze", [t(2, 1, 3), int64([1])], {}, { batch: [0] }]],
  [8, ever, ["Sum", [t(2, 3), t(3)], {}, { batch: [0] }]],
  [10, ever, ["ThresholdedRelu", [clearOf([1], 2, 3)]]],
  [7, 9, ["TopK", [distinct(2, 4, 3)], { axis: 1, k: 2 }, { outputs: 2, seeded: [0], batch: [0] }]],
  [10, ever, ["TopK", [distinct(2, 5), int64([3])], {}, { outputs: 2, seeded: [0], batch: [0] }]],
  [
    11,
    ever,
    ["TopK", [distinct(2, 4, 3), int64([2])], { axis: 1, largest: 0 }, { outputs: 2, seeded: [0], batch: [0] }],
  ],
  [7, 12, ["Unsqueeze", [t(2, 3)], { axes: [1] }, { batch: [0] }]],
  [13, ever, ["Unsqueeze", [t(2, 3), int64([1])], {}, { batch: [0] }]],
  [7, 8, ["Upsample", [t(2, 2, 3)], { mode: "nearest", scales: { floats: [1, 1, 2] } }, { by: [0], batch: [0] }]],
  [9, 9, ["Upsample", [t(2, 2, 3), scales(1, 1, 2)], { mode: "nearest" }, { by: [0], batch: [0] }]],
  [9, ever, ["Where", [tensorOf("bool", [1, 0, 1]), t(2, 3), t(3)], {}, { batch: [1] }]],
];

/** The operators that an opset knows, in its forms. */
export function casesAt(opset: number): Case[] {
  return forms.flatMap(([from, to, [opType, inputs, attributes, options]]): Case[] =>
    opset < from || opset > to ? [] : [[opType, inputs, attributes, { ...options, opset }]],
  );
}
