/** Small networks whose layers share weights, for tests: what people ship as siamese, tied, recursive and the like. */
import type { Model } from "../../src/graph/graph.ts";
import { int64, type Tensor } from "../../src/graph/tensor.ts";
import { model, node, random } from "../support/build.ts";

export interface SharedNetwork {
  readonly model: Model;
  /** Some samples. */
  readonly inputs: Readonly<Record<string, Tensor>>;
}

const SAMPLES = 12;

/** Two inputs through the same two convolutions; their difference is judged by a dense layer. */
export function siamese(seed = 1): SharedNetwork {
  const r = random(seed);
  const branch = (input: string, k: number) => [
    node("Conv", [input, "w", "b"], [`a${k}`], { pads: [1, 1, 1, 1] }),
    node("Relu", [`a${k}`], [`h${k}`]),
    node("Conv", [`h${k}`, "v", "c"], [`z${k}`], { strides: [2, 2] }),
    node("Tanh", [`z${k}`], [`t${k}`]),
  ];
  return {
    model: model({
      inputs: { p: ["N", 2, 5, 5], q: ["N", 2, 5, 5] },
      outputs: ["y"],
      initializers: {
        w: r.tensor([6, 2, 3, 3], 0.4),
        b: r.tensor([6], 0.3),
        v: r.tensor([5, 6, 3, 3], 0.3),
        c: r.tensor([5], 0.3),
        u: r.tensor([20, 3]),
      },
      nodes: [
        ...branch("p", 1),
        ...branch("q", 2),
        node("Sub", ["t1", "t2"], ["d"]),
        node("Abs", ["d"], ["e"]),
        node("Flatten", ["e"], ["f"]),
        node("Gemm", ["f", "u"], ["y"]),
      ],
    }),
    inputs: { p: r.tensor([SAMPLES, 2, 5, 5]), q: r.tensor([SAMPLES, 2, 5, 5]) },
  };
}

/** An autoencoder whose decoder multiplies with the encoder's weights; `byNode`: transposed by a node of their own. */
export function tied(byNode: boolean, seed = 2): SharedNetwork {
  const r = random(seed);
  const back = (x: string, w: string, b: string, y: string) =>
    byNode
      ? [node("Transpose", [w], [`${w}/back`], { perm: [0, 1] }), node("Gemm", [x, `${w}/back`, b], [y])]
      : [node("Gemm", [x, w, b], [y])];
  return {
    model: model({
      inputs: { x: ["N", 9] },
      outputs: ["y"],
      initializers: {
        w1: r.tensor([7, 9], 0.5),
        w2: r.tensor([4, 7], 0.5),
        b1: r.tensor([7]),
        b2: r.tensor([4]),
        b3: r.tensor([7]),
        b4: r.tensor([9]),
      },
      nodes: [
        node("Gemm", ["x", "w1", "b1"], ["a"], { transB: 1 }),
        node("Relu", ["a"], ["h"]),
        node("Gemm", ["h", "w2", "b2"], ["c"], { transB: 1 }),
        node("Tanh", ["c"], ["code"]),
        ...back("code", "w2", "b3", "d"),
        node("Relu", ["d"], ["g"]),
        ...back("g", "w1", "b4", "y"),
      ],
    }),
    inputs: { x: r.tensor([SAMPLES, 9]) },
  };
}

/** One layer applied three times in a row. */
export function recursive(seed = 3): SharedNetwork {
  const r = random(seed);
  const step = (x: string, k: number) => [node("Gemm", [x, "w", "b"], [`s${k}`]), node("Tanh", [`s${k}`], [`h${k}`])];
  return {
    model: model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: {
        e: r.tensor([3, 6]),
        w: r.tensor([6, 6], 0.6),
        b: r.tensor([6], 0.2),
        v: r.tensor([6, 2]),
      },
      nodes: [
        node("MatMul", ["x", "e"], ["h0"]),
        ...step("h0", 1),
        ...step("h1", 2),
        ...step("h2", 3),
        node("MatMul", ["h3", "v"], ["y"]),
      ],
    }),
    inputs: { x: r.tensor([SAMPLES, 3]) },
  };
}

/** Word vectors that are also the weights of the last layer. */
export function embedding(seed = 4): SharedNetwork {
  const r = random(seed);
  return {
    model: model({
      inputs: { ids: { type: "int64", shape: ["N", 4] } },
      outputs: ["y"],
      initializers: { table: r.tensor([10, 6]), w: r.tensor([6, 8], 0.5), v: r.tensor([8, 6], 0.5) },
      nodes: [
        node("Gather", ["table", "ids"], ["x"]),
        node("MatMul", ["x", "w"], ["a"]),
        node("Relu", ["a"], ["h"]),
        node("MatMul", ["h", "v"], ["z"]),
        node("Add", ["x", "z"], ["s"]),
        node("Transpose", ["table"], ["words"], { perm: [1, 0] }),
        node("MatMul", ["s", "words"], ["y"]),
      ],
    }),
    inputs: {
      ids: int64(
        Array.from({ length: SAMPLES * 4 }, () => r.int(10)),
        [SAMPLES, 4],
      ),
    },
  };
}

/** One detector head on two maps of different size. */
export function sharedHead(seed = 5): SharedNetwork {
  const r = random(seed);
  const head = (x: string, k: number) => [
    node("Conv", [x, "h1", "hb"], [`p${k}`], { pads: [1, 1, 1, 1] }),
    node("Relu", [`p${k}`], [`r${k}`]),
    node("Conv", [`r${k}`, "h2"], [`o${k}`]),
    node("Flatten", [`o${k}`], [`f${k}`]),
  ];
  return {
    model: model({
      inputs: { x: ["N", 2, 8, 8] },
      outputs: ["y"],
      initializers: {
        w1: r.tensor([5, 2, 3, 3], 0.4),
        w2: r.tensor([5, 5, 3, 3], 0.3),
        h1: r.tensor([6, 5, 3, 3], 0.3),
        hb: r.tensor([6], 0.2),
        h2: r.tensor([2, 6, 1, 1]),
      },
      nodes: [
        node("Conv", ["x", "w1"], ["a"], { pads: [1, 1, 1, 1], strides: [2, 2] }),
        node("Relu", ["a"], ["b"]),
        node("Conv", ["b", "w2"], ["c"], { pads: [1, 1, 1, 1], strides: [2, 2] }),
        node("Relu", ["c"], ["d"]),
        ...head("b", 1),
        ...head("d", 2),
        node("Concat", ["f1", "f2"], ["y"], { axis: 1 }),
      ],
    }),
    inputs: { x: r.tensor([SAMPLES, 2, 8, 8]) },
  };
}

export const sharedNetworks: Readonly<Record<string, (seed?: number) => SharedNetwork>> = {
  siamese,
  "tied autoencoder": (seed) => tied(false, seed),
  "tied autoencoder with a Transpose": (seed) => tied(true, seed),
  recursive,
  embedding,
  "shared head": sharedHead,
};
