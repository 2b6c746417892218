/** Which axis of an output holds what different weights make, and which parts of it mean the same. */
import { describe, expect, test } from "vitest";
import type { Node } from "../../../src/graph/graph.ts";
import { int64, type Tensor } from "../../../src/graph/tensor.ts";
import { columnsOf } from "../../../src/measure/objectives/columns.ts";
import { prepared } from "../../helpers.ts";
import { model, node, random } from "../../support/build.ts";

const r = random(3);
const kernel = r.tensor([6, 2, 3, 3]);
const conv = node("Conv", ["x", "k"], ["c"], { pads: [1, 1, 1, 1] }); // [N, 6, 4, 5]
const image = ["N", 2, 4, 5];
const dense = { a: r.tensor([4, 6]), b: r.tensor([4, 3]), bias: r.tensor([6]) };

interface Found {
  readonly axis: number;
  readonly parts: readonly [length: number, isOneKind: boolean][];
}

const cases: Readonly<
  Record<
    string,
    {
      readonly x: readonly (number | string)[];
      readonly nodes: readonly Node[];
      readonly initializers?: Readonly<Record<string, Tensor>>;
      readonly opset?: number;
      readonly found: Found | undefined;
    }
  >
> = {
  "a dense layer's outputs": {
    x: ["N", 4],
    nodes: [node("Gemm", ["x", "a", "bias"], ["y"])],
    found: { axis: 1, parts: [[6, false]] },
  },
  "those of each token": {
    x: ["N", 7, 4],
    nodes: [node("MatMul", ["x", "a"], ["y"])],
    found: { axis: 2, parts: [[6, false]] },
  },
  "a convolution's channels": {
    x: image,
    nodes: [{ ...conv, outputs: ["y"] }],
    found: { axis: 1, parts: [[6, false]] },
  },
  "behind an activation without limits": {
    x: image,
    nodes: [conv, node("Relu", ["c"], ["y"])],
    found: { axis: 1, parts: [[6, false]] },
  },
  "behind an activation with limits": {
    x: image,
    nodes: [conv, node("Sigmoid", ["c"], ["y"])],
    found: { axis: 1, parts: [[6, true]] },
  },
  "probabilities, scaled and moved": {
    x: ["N", 4],
    nodes: [
      node("MatMul", ["x", "a"], ["c"]),
      node("Softmax", ["c"], ["p"], { axis: 1 }),
      node("Mul", ["p", "hundred"], ["s"]),
      node("Identity", ["s"], ["y"]),
    ],
    initializers: { hundred: r.tensor([1]) },
    found: { axis: 1, parts: [[6, true]] },
  },
  "channels last": {
    x: image,
    nodes: [conv, node("Transpose", ["c"], ["y"], { perm: [0, 2, 3, 1] })],
    found: { axis: 3, parts: [[6, false]] },
  },
  "pixels in a row": {
    x: image,
    nodes: [conv, node("Reshape", ["c", "rows"], ["y"])],
    initializers: { rows: int64([0, 6, -1]) },
    found: { axis: 1, parts: [[6, false]] },
  },
  "pixels in a row, channels last": {
    x: image,
    nodes: [conv, node("Transpose", ["c"], ["t"], { perm: [0, 2, 3, 1] }), node("Reshape", ["t", "rows"], ["y"])],
    initializers: { rows: int64([0, -1, 6]) },
    found: { axis: 2, parts: [[6, false]] },
  },
  "channels of each anchor": {
    x: image,
    nodes: [conv, node("Reshape", ["c", "anchors"], ["r"]), node("Transpose", ["r"], ["y"], { perm: [0, 1, 3, 4, 2] })],
    initializers: { anchors: int64([0, 2, 3, 4, 5]) },
    found: { axis: 4, parts: [[3, false]] },
  },
  "anchors among the positions": {
    x: image,
    nodes: [
      conv,
      node("Reshape", ["c", "anchors"], ["r"]),
      node("Transpose", ["r"], ["t"], { perm: [0, 1, 3, 4, 2] }),
      node("Reshape", ["t", "rows"], ["y"]),
    ],
    initializers: { anchors: int64([0, 2, 3, 4, 5]), rows: int64([0, -1, 3]) },
    found: { axis: 2, parts: [[3, false]] },
  },
  "channels and pixels in one row": {
    x: image,
    nodes: [conv, node("Flatten", ["c"], ["y"])],
    found: undefined,
  },
  "pooled channels": {
    x: image,
    nodes: [conv, node("GlobalAveragePool", ["c"], ["p"]), node("Flatten", ["p"], ["y"])],
    found: { axis: 1, parts: [[6, false]] },
  },
  "means over pixels, the axes kept": {
    x: image,
    nodes: [conv, node("ReduceMean", ["c"], ["y"], { axes: [2, 3] })],
    found: { axis: 1, parts: [[6, false]] },
  },
  "means over pixels, the axes gone": {
    x: image,
    nodes: [conv, node("ReduceMean", ["c"], ["y"], { axes: [2, 3], keepdims: 0 })],
    found: { axis: 1, parts: [[6, false]] },
  },
  "means over channels": {
    x: image,
    nodes: [conv, node("ReduceMean", ["c"], ["y"], { axes: [1] })],
    found: undefined,
  },
  "heads side by side": {
    x: ["N", 7, 4],
    nodes: [
      node("MatMul", ["x", "a"], ["boxes"]),
      node("MatMul", ["x", "b"], ["logits"]),
      node("Sigmoid", ["logits"], ["scores"]),
      node("Concat", ["boxes", "scores"], ["y"], { axis: 2 }),
    ],
    found: {
      axis: 2,
      parts: [
        [6, false],
        [3, true],
      ],
    },
  },
  "heads side by side, a negative axis, and a head within a head": {
    x: ["N", 7, 4],
    nodes: [
      node("MatMul", ["x", "a"], ["boxes"]),
      node("MatMul", ["x", "b"], ["logits"]),
      node("Sigmoid", ["logits"], ["scores"]),
      node("Concat", ["boxes", "logits"], ["both"], { axis: -1 }),
      node("Concat", ["scores", "both"], ["y"], { axis: -1 }),
    ],
    found: {
      axis: 2,
      parts: [
        [3, true],
        [6, false],
        [3, false],
      ],
    },
  },
  "positions of two scales one after another": {
    x: image,
    nodes: [
      conv,
      node("Reshape", ["c", "rows"], ["p"]),
      node("AveragePool", ["c"], ["small"], { kernel_shape: [2, 2], strides: [2, 2] }),
      node("Reshape", ["small", "rows"], ["q"]),
      node("Concat", ["p", "q"], ["y"], { axis: 2 }),
    ],
    initializers: { rows: int64([0, 6, -1]) },
    found: { axis: 1, parts: [[6, false]] },
  },
  "a single channel": {
    x: image,
    nodes: [node("Conv", ["x", "single"], ["y"])],
    initializers: { single: r.tensor([1, 2, 1, 1]) },
    found: undefined,
  },
  "the input as it is": { x: image, nodes: [node("Relu", ["x"], ["y"])], found: undefined },
  "a sum with what has no columns": {
    x: ["N", 6],
    nodes: [node("Gemm", ["x", "square"], ["c"]), node("Add", ["x", "c"], ["y"])],
    initializers: { square: r.tensor([6, 6]) },
    found: { axis: 1, parts: [[6, false]] },
  },
};

test.each(Object.entries(cases))("%s", async (_, { x, nodes, initializers, opset, found }) => {
  const all: Record<string, Tensor> = { k: kernel, ...dense, ...initializers };
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  const { model: ready, shapes } = await prepared(
    model({
      opset: opset ?? 17,
      inputs: { x },
      outputs: ["y"],
      initializers: Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name))),
      nodes,
    }),
  );
  const columns = columnsOf(ready.graph, shapes, "y");
  expect(
    columns && { axis: columns.axis, parts: columns.parts.map(({ length, isOneKind }) => [length, isOneKind]) },
  ).toEqual(found);
});

test("one column that is picked leaves positions alone", async () => {
  const { model: ready, shapes } = await prepared(
    model({
      inputs: { x: ["N", 7, 4] },
      outputs: ["y"],
      initializers: { a: r.tensor([4, 6]), third: int64([2], []) },
      nodes: [node("MatMul", ["x", "a"], ["c"]), node("Gather", ["c", "third"], ["y"], { axis: 2 })],
    }),
  );
  expect(columnsOf(ready.graph, shapes, "y")).toBeUndefined();
});

describe("recurrent layers", () => {
  test("columns are the hidden units", async () => {
    const { model: ready, shapes } = await prepared(
      model({
        inputs: { x: [5, "N", 3] },
        outputs: ["y"],
        initializers: { w: r.tensor([1, 12, 3]), u: r.tensor([1, 12, 4]) },
        nodes: [node("GRU", ["x", "w", "u"], ["y"], { hidden_size: 4 })],
      }),
    );
    expect(columnsOf(ready.graph, shapes, "y")?.axis).toBe(3);
  });
});
