/** Units of dense layers. */
import { int64, tensorOf } from "../../../src/graph/tensor.ts";
import { node } from "../../support/build.ts";
import { type Case, first4, layer, t } from "./tie-case.ts";

const [twin, square, narrow] = [layer("g", 3, 4), layer("g", 4, 4, "a"), layer("f", 3, 2)];

/** Element-wise operators of one input, with what they need besides. */
const unary: readonly [string, Parameters<typeof node>[3]?, number?][] = [
  ["Abs"],
  ["Ceil"],
  ["Clip"],
  ["Cos"],
  ["Dropout"],
  ["Elu"],
  ["Erf"],
  ["Exp"],
  ["Floor"],
  ["Gelu", {}, 20],
  ["HardSigmoid"],
  ["HardSwish"],
  ["Identity"],
  ["LeakyRelu"],
  ["Neg"],
  ["Reciprocal"],
  ["Relu"],
  ["Round"],
  ["Selu"],
  ["Sigmoid"],
  ["Sign"],
  ["Sin"],
  ["Softplus"],
  ["Softsign"],
  ["Tanh"],
  ["ThresholdedRelu"],
];

export const denseTies: Readonly<Record<string, Case>> = {
  ...Object.fromEntries(
    unary.map(([op, attributes, opset = 17]): [string, Case] => [
      op,
      { nodes: [node(op, ["h"], ["z"], attributes)], opset, groups: first4 },
    ]),
  ),
  "Log and Sqrt of positive units": {
    nodes: [
      node("Softplus", ["h"], ["p"]),
      node("Log", ["p"], ["l"]),
      node("Exp", ["l"], ["e"]),
      node("Sqrt", ["e"], ["z"]),
    ],
    groups: first4,
  },
  "Pow by one exponent per unit": {
    nodes: [node("Softplus", ["h"], ["p"]), node("Pow", ["p", "c"], ["z"])],
    initializers: { c: t(4) },
    groups: first4,
  },
  ...Object.fromEntries(
    ["Add", "Sub", "Mul", "Div"].flatMap((op): [string, Case][] => [
      [
        `${op} of a constant per unit`,
        { nodes: [node(op, ["h", "c"], ["z"])], initializers: { c: t(4) }, groups: first4 },
      ],
      [
        `${op} of a constant row`,
        { nodes: [node(op, ["c", "h"], ["z"])], initializers: { c: t(1, 4) }, groups: first4 },
      ],
      [
        `${op} of one constant for all`,
        { nodes: [node(op, ["h", "c"], ["z"])], initializers: { c: t() }, groups: first4 },
      ],
      [
        `${op} of one constant in an axis of length 1`,
        { nodes: [node(op, ["h", "c"], ["z"])], initializers: { c: t(1) }, groups: first4 },
      ],
    ]),
  ),
  "Add of two layers ties their units": {
    nodes: [twin.node, node("Add", ["h", "g"], ["z"])],
    initializers: twin.weights,
    groups: first4,
  },
  "Mul of two layers ties their units": {
    nodes: [twin.node, node("Sigmoid", ["g"], ["s"]), node("Mul", ["h", "s"], ["z"])],
    initializers: twin.weights,
    groups: first4,
  },
  "a residual block ties its input and output": {
    nodes: [node("Relu", ["h"], ["a"]), square.node, node("Add", ["h", "g"], ["z"])],
    initializers: square.weights,
    groups: first4,
  },
  "Add of the model's input freezes": {
    nodes: [node("Add", ["h", "x"], ["z"])],
    width: 3,
    groups: {},
    frozen: 'input "x" of the model',
  },
  "a unit that is broadcast over others freezes": {
    nodes: [node("Add", ["h", "c"], ["z"])],
    initializers: { c: t(5) },
    width: 1,
    into: 5,
    groups: {},
    frozen: "mixes the indexes",
  },
  "Concat keeps layers apart": {
    nodes: [narrow.node, node("Concat", ["f", "h"], ["z"], { axis: 1 })],
    initializers: narrow.weights,
    into: 6,
    groups: { first: 4, f: 2 },
  },
  "Concat with the input along the last axis": {
    nodes: [node("Concat", ["x", "h"], ["z"], { axis: -1 })],
    into: 7,
    groups: first4,
  },
  "Concat of a layer with itself": {
    nodes: [node("Concat", ["h", "h"], ["z"], { axis: 1 })],
    into: 8,
    groups: first4,
  },
  "nested Concat": {
    nodes: [
      narrow.node,
      node("Concat", ["f", "h"], ["c"], { axis: 1 }),
      node("Concat", ["c", "f"], ["z"], { axis: 1 }),
    ],
    initializers: narrow.weights,
    into: 8,
    groups: { first: 4, f: 2 },
  },
  Flatten: { nodes: [node("Flatten", ["h"], ["z"])], groups: first4 },
  "Flatten of units with two positions each": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("MatMul", ["c", "m"], ["p"]),
      node("Tanh", ["p"], ["a"]),
      node("Flatten", ["a"], ["z"]),
    ],
    initializers: { s: int64([0, 4, 1]), m: t(1, 2) },
    into: 8,
    groups: first4,
  },
  "Reshape to blocks makes units of several neurons": {
    nodes: [node("Reshape", ["h", "s"], ["c"]), node("Relu", ["c"], ["a"]), node("Flatten", ["a"], ["z"])],
    initializers: { s: int64([0, 3, 2]) },
    width: 6,
    groups: { first: 3 },
  },
  "Reshape with a length that follows": {
    nodes: [node("Reshape", ["h", "s"], ["c"]), node("Reshape", ["c", "u"], ["z"])],
    initializers: { s: int64([-1, 4, 1]), u: int64([0, -1]) },
    groups: first4,
  },
  "Reshape with the length written out": {
    nodes: [node("Reshape", ["h", "s"], ["c"]), node("Relu", ["c"], ["a"]), node("Reshape", ["a", "u"], ["z"])],
    initializers: { s: int64([-1, 1, 4]), u: int64([-1, 4]) },
    groups: first4,
  },
  "Transpose of units with positions": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("MatMul", ["c", "m"], ["p"]),
      node("Transpose", ["p"], ["q"], { perm: [0, 2, 1] }),
      node("ReduceMean", ["q"], ["z"], { axes: [1], keepdims: 0 }),
    ],
    initializers: { s: int64([0, 4, 1]), m: t(1, 2) },
    groups: { ...first4, p: 2 },
  },
  "Reshape that interleaves freezes": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("Transpose", ["c"], ["q"], { perm: [0, 2, 1] }),
      node("Flatten", ["q"], ["z"]),
    ],
    initializers: { s: int64([0, 3, 2]) },
    width: 6,
    groups: {},
    frozen: "mixes the indexes",
  },
  BatchNormalization: {
    nodes: [node("BatchNormalization", ["h", "g", "b", "m", "v"], ["z"])],
    initializers: { g: t(4), b: t(4), m: t(4), v: tensorOf("float32", [0.5, 1, 2, 0.1]) },
    groups: first4,
  },
  "Softmax over the units freezes": {
    nodes: [node("Softmax", ["h"], ["z"], { axis: -1 })],
    groups: {},
    frozen: 'Softmax "z" normalises over this axis',
  },
  "LogSoftmax over the units freezes": {
    nodes: [node("LogSoftmax", ["h"], ["z"], { axis: 1 })],
    opset: 11,
    groups: {},
    frozen: "normalises over this axis",
  },
  "Softmax over positions": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("MatMul", ["c", "m"], ["p"]),
      node("Softmax", ["p"], ["a"], { axis: 2 }),
      node("Flatten", ["a"], ["z"]),
    ],
    initializers: { s: int64([0, 4, 1]), m: t(1, 2) },
    into: 8,
    groups: first4,
  },
  "Softmax before opset 13 mixes every axis from its own on": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("Softmax", ["c"], ["a"], { axis: 1 }),
      node("Flatten", ["a"], ["z"]),
    ],
    initializers: { s: int64([0, 4, 1]) },
    opset: 11,
    groups: {},
    frozen: "normalises over this axis",
  },
  "ReduceSum over the units reads them": {
    nodes: [node("Relu", ["h"], ["a"]), node("ReduceSum", ["a", "axes"], ["z"])],
    initializers: { axes: int64([1]) },
    into: 0,
    groups: first4,
  },
  "ReduceSum over the units without keeping the axis": {
    nodes: [node("ReduceSum", ["h"], ["z"], { axes: [-1], keepdims: 0 })],
    opset: 11,
    into: 0,
    groups: first4,
  },
  ...Object.fromEntries(
    [
      ["ReduceL2", "takes the length of the vectors along this axis"],
      ["ReduceMax", "takes the largest along this axis"],
      ["ReduceMin", "takes the smallest along this axis"],
    ].map(([opType = "", what]): [string, Case] => [
      `${opType} over the units freezes`,
      { nodes: [node(opType, ["h"], ["z"], { axes: [1] })], into: 1, groups: {}, frozen: `${opType} "z" ${what}` },
    ]),
  ),
  "ReduceMean over the units, which leave it": {
    nodes: [node("ReduceMean", ["h"], ["z"], { axes: [1] })],
    into: 1,
    groups: first4,
  },
  "ReduceSum over the units and their positions": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("MatMul", ["c", "m"], ["p"]),
      node("ReduceSum", ["p", "axes"], ["z"], { keepdims: 0 }),
    ],
    initializers: { s: int64([0, 4, 1]), m: t(1, 2), axes: int64([1, 2]) },
    into: 0,
    groups: { first: 4, p: 2 },
  },
  "ReduceSum over products of units with each other": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("Transpose", ["c"], ["q"], { perm: [0, 2, 1] }),
      node("MatMul", ["c", "q"], ["p"]),
      node("Tanh", ["p"], ["a"]),
      node("ReduceSum", ["a", "axes"], ["z"], { keepdims: 0 }),
    ],
    initializers: { s: int64([0, 4, 1]), axes: int64([1, 2]) },
    into: 0,
    groups: first4,
  },
  "Einsum with weights": {
    nodes: [node("Einsum", ["h", "m"], ["z"], { equation: "ni,ij->nj" }, { name: "einsum" })],
    initializers: { m: t(4, 5) },
    into: 5,
    groups: { first: 4, einsum: 5 },
  },
  "CumSum over positions": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("MatMul", ["c", "m"], ["p"]),
      node("CumSum", ["p", "axis"], ["q"]),
      node("ReduceSum", ["q", "axes"], ["z"], { keepdims: 0 }),
    ],
    initializers: { s: int64([0, 4, 1]), m: t(1, 3), axis: int64([2], []), axes: int64([2]) },
    groups: first4,
  },
  "ScatterElements freezes": {
    nodes: [node("ScatterElements", ["h", "places", "u"], ["z"], { axis: 1 })],
    initializers: { places: int64([1], [1, 1]), u: t(1, 1) },
    groups: {},
    frozen: 'ScatterElements "z" writes at places along this axis',
  },
  "Einsum with an ellipsis": {
    nodes: [node("Einsum", ["h", "m"], ["z"], { equation: "...i,ij->...j" }, { name: "einsum" })],
    initializers: { m: t(4, 4) },
    groups: { ...first4, einsum: 4 },
  },
  "Einsum over two values": {
    nodes: [node("Tanh", ["h"], ["a"]), node("Einsum", ["h", "a"], ["z"], { equation: "ni,ni->ni" })],
    groups: first4,
  },
  "MatMul without a bias": {
    nodes: [node("MatMul", ["h", "m"], ["z"])],
    initializers: { m: t(4, 5) },
    into: 5,
    groups: { first: 4, z: 5 },
  },
  "MatMul by a vector": {
    nodes: [node("Tanh", ["h"], ["a"]), node("MatMul", ["a", "m"], ["z"])],
    initializers: { m: t(4) },
    into: 0,
    groups: first4,
  },
  "MatMul with weights on the left": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("MatMul", ["m", "c"], ["p"]),
      node("Relu", ["p"], ["a"]),
      node("Flatten", ["a"], ["z"]),
    ],
    initializers: { s: int64([0, 4, 1]), m: t(5, 4) },
    into: 5,
    groups: { first: 4, p: 5 },
  },
  "MatMul where samples lie on the second axis": {
    nodes: [
      node("Reshape", ["h", "s"], ["c"]),
      node("MatMul", ["c", "m"], ["p"]),
      node("Relu", ["p"], ["a"]),
      node("Reshape", ["a", "u"], ["z"]),
    ],
    initializers: { s: int64([1, -1, 4]), u: int64([-1, 5]), m: t(4, 5) },
    into: 5,
    groups: { first: 4, p: 5 },
  },
  "MatMul by weights that the graph computes": {
    nodes: [node("Mul", ["m", "mask"], ["w"]), node("MatMul", ["h", "w"], ["z"])],
    initializers: { m: t(4, 5), mask: t(4, 5) },
    into: 0,
    groups: first4,
  },
  "Gemm with a transposed input": {
    nodes: [node("Transpose", ["h"], ["q"]), node("Gemm", ["q", "m"], ["z"], { transA: 1 })],
    initializers: { m: t(4, 5) },
    into: 5,
    groups: { first: 4, z: 5 },
  },
  "Gemm with weights on the left": {
    nodes: [
      node("Gemm", ["m", "h"], ["p"], { transB: 1, alpha: 0.5 }),
      node("Relu", ["p"], ["a"]),
      node("Transpose", ["a"], ["z"]),
    ],
    initializers: { m: t(5, 4) },
    into: 5,
    groups: { first: 4, p: 5 },
  },
  "Gemm with a bias for every element of a fixed batch of rows": {
    nodes: [node("Gemm", ["h", "m", "c"], ["z"], { transB: 1, beta: 2 })],
    initializers: { m: t(5, 4), c: t(1, 5) },
    into: 5,
    groups: { first: 4, z: 5 },
  },
  "an operator without a rule freezes": {
    nodes: [node("Hardmax", ["h"], ["z"])],
    groups: {},
    frozen: 'Hardmax "z": operator without a rule',
  },
  "an operator of another domain freezes": {
    nodes: [node("Relu", ["h"], ["a"]), node("BiasGelu", ["a", "c"], ["z"], {}, { domain: "com.microsoft" })],
    initializers: { c: t(4) },
    groups: {},
    frozen: 'BiasGelu "z": operator without a rule',
  },
  "an output of the model freezes": {
    nodes: [node("Relu", ["h"], ["z"])],
    into: 0,
    groups: {},
    frozen: 'output "z" of the model',
  },
  "ReduceSum over axes that the graph computes": {
    nodes: [
      node("Shape", ["x"], ["n"]),
      node("Sub", ["n", "n"], ["zero"]),
      node("Slice", ["zero", "i0", "i1"], ["one"]),
      node("Add", ["one", "i1"], ["axes"]),
      node("ReduceSum", ["h", "axes"], ["z"]),
    ],
    initializers: { i0: int64([0]), i1: int64([1]) },
    into: 1,
    groups: first4,
  },
};
