/**
 * Which units pass through which operator: each case is a small graph around one operator. The groups found, or the
 * reason why there are none, are as stated, and the cut file computes what the gated original computes.
 */
import { describe, expect, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { int64, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { subjectOf } from "../../src/measure/subject.ts";
import { rules } from "../../src/ops/index.ts";
import type { Prunable } from "../../src/units/prepare.ts";
import {
  cutBytes,
  cutDifference,
  dataset,
  errorWithout,
  oracleErrors,
  prepared,
  removal,
  runner,
  sizes,
} from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

/** A layer "first" makes `h`[N, width] from x[N, 3]; `nodes` lead from `h` to `z`; a layer "last" reads `z` unless told. */
interface Case {
  readonly nodes: readonly Node[];
  readonly initializers?: Readonly<Record<string, Tensor>>;
  /** Units of "first"; default 4. */
  readonly width?: number;
  /** Length of z's last axis; 0: `z` is the output itself. Default `width`. */
  readonly into?: number;
  readonly opset?: number;
  /** Groups found: size by id. */
  readonly groups?: Readonly<Record<string, number>>;
  /** Part of the reason why "first" is frozen. */
  readonly frozen?: string;
}

const r = random(3);
const t = (...dims: number[]): Tensor => r.tensor(dims);
/** A dense layer from x (or `from`) to `y`, and its weights. */
const layer = (y: string, from: number, to: number, x = "x"): { node: Node; weights: Record<string, Tensor> } => ({
  node: node("Gemm", [x, `${y}.w`, `${y}.b`], [y]),
  weights: { [`${y}.w`]: t(from, to), [`${y}.b`]: t(to) },
});
const [twin, square, narrow] = [layer("g", 3, 4), layer("g", 4, 4, "a"), layer("f", 3, 2)];
const first4 = { first: 4 };

/** Element-wise operators of one input, with what they need besides. */
const unary: readonly [string, Parameters<typeof node>[3]?, number?][] = [
  ["Clip"],
  ["Dropout"],
  ["Elu"],
  ["Erf"],
  ["Exp"],
  ["Gelu", {}, 20],
  ["HardSigmoid"],
  ["Identity"],
  ["LeakyRelu"],
  ["Neg"],
  ["Relu"],
  ["Selu"],
  ["Sigmoid"],
  ["Softplus"],
  ["Tanh"],
];

const cases: Readonly<Record<string, Case>> = {
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
    groups: first4,
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
    frozen: 'Softmax "z": Softmax normalises over this axis',
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
  "ReduceMean over the units freezes": {
    nodes: [node("ReduceMean", ["h"], ["z"], { axes: [1] })],
    into: 1,
    groups: {},
    frozen: 'ReduceMean "z": ReduceMean averages over this axis',
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
  "axes that the graph computes freeze": {
    nodes: [
      node("Shape", ["x"], ["n"]),
      node("Sub", ["n", "n"], ["zero"]),
      node("Slice", ["zero", "i0", "i1"], ["one"]),
      node("Add", ["one", "i1"], ["axes"]),
      node("ReduceSum", ["h", "axes"], ["z"]),
    ],
    initializers: { i0: int64([0]), i1: int64([1]) },
    into: 1,
    groups: {},
    frozen: "mixes the indexes",
  },
};

/** Float32 sums of at most eight terms, in another order. */
const ROUNDING = 1e-5;

describe.each(Object.entries(cases))("%s", (_name, one) => {
  test("finds the units, or says why there are none", async () => {
    const prunable = await prepared(graphOf(one));
    const { last: _, ...found } = sizes(prunable);
    expect(found).toEqual(one.groups);
    const frozen = prunable.units.frozen.find(({ layer }) => layer === "first");
    if (one.frozen === undefined) expect(frozen).toBeUndefined();
    else expect(frozen?.reason).toContain(one.frozen);
  });

  test("the cut file computes what the gated original computes", async () => {
    const original = graphOf(one);
    const prunable = await prepared(original);
    const feeds = { x: random(9).tensor([5, 3]) };
    for (const removed of removals(prunable)) {
      expect(await cutDifference(original, prunable, removed, feeds)).toBeLessThan(ROUNDING);
      const session = await runner.load(cutBytes(prunable, removed));
      for (const batch of [1, 5]) {
        const { y, z } = await session.run({ x: random(9).tensor([batch, 3]) });
        expect((y ?? z)?.size).toBeGreaterThan(0);
      }
      await session.release();
    }
  });

  test("the oracle measures the error of the cut file", async () => {
    const prunable = await prepared(graphOf(one));
    const subject = await subjectOf(
      prunable,
      runner,
      dataset({ x: random(9).tensor([5, 3]) }, { targets: targetsFor(prunable) }),
    );
    const units = prunable.units.groups.flatMap(({ first, size }) => (size > 1 ? range(first, first + size) : []));
    for (const loops of [true, false]) {
      const errors = await oracleErrors(subject, [removal(prunable, [])], units, { loops });
      expect(errors.size).toBe(units.length);
      for (const [unit, measured] of errors) {
        const error = await errorWithout(subject, removal(prunable, [unit]));
        expect(Math.abs(measured - error) / error, `unit ${unit}`).toBeLessThan(ROUNDING);
      }
    }
  });
});

test("every operator with ties stands in a case", () => {
  const seen = new Set(Object.values(cases).flatMap(({ nodes }) => nodes.map(({ opType }) => opType)));
  expect(Object.entries(rules).flatMap(([name, rule]) => (rule.ties && !seen.has(name) ? [name] : []))).toEqual([]);
});

test("a removed channel's mask goes too, and a mask that is an output of the model freezes", async () => {
  const one: Case = { nodes: [node("Dropout", ["h"], ["z", "mask"])] };
  const plain = graphOf(one);
  expect(sizes(await prepared(plain))).toEqual({ first: 4 });
  const shown = {
    ...plain,
    graph: plain.graph.with({ outputs: [...plain.graph.outputs, { name: "mask", type: "bool" }] }),
  };
  const { units } = await prepared(shown);
  expect(units.groups).toEqual([]);
  expect(units.frozen.find(({ layer }) => layer === "first")?.reason).toBe('output "mask" of the model');
});

function targetsFor({ shapes, model: { graph } }: Prunable): Tensor {
  const [, ...dims] = shapes.get(graph.outputs[0]?.name as string)?.dims as readonly number[];
  return random(8).tensor([5, ...dims]);
}

function graphOf({ nodes, initializers = {}, width = 4, into = width, opset = 17 }: Case) {
  const own = random(21);
  const weights: Record<string, Tensor> = { "first.w": own.tensor([3, width]), "first.b": own.tensor([width]) };
  const tail = into === 0 ? [] : [node("Gemm", ["z", "last.w", "last.b"], ["y"], {}, { name: "last" })];
  if (into > 0) Object.assign(weights, { "last.w": own.tensor([into, 2]), "last.b": own.tensor([2]) });
  return model({
    opset,
    inputs: { x: ["N", 3] },
    outputs: [into === 0 ? "z" : "y"],
    initializers: { ...weights, ...initializers },
    nodes: [node("Gemm", ["x", "first.w", "first.b"], ["h"], {}, { name: "first" }), ...nodes, ...tail],
  });
}

/** None, each single unit, and every second unit of every group; at least one of each group stays. */
function removals(prunable: Prunable): Uint8Array[] {
  const groups = prunable.units.groups.filter(({ size }) => size > 1);
  const single = groups.flatMap(({ first, size }) => range(first, first + size).map((unit) => [unit]));
  const half = groups.flatMap(({ first, size }) =>
    range(first, first + size).filter((unit) => (unit - first) % 2 === 1),
  );
  return [[], ...single, half].map((gone) => removal(prunable, gone));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
