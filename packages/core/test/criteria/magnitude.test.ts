/** Magnitude on layers that read the units they make, behind normalisations, and on quantised weights. */
import { describe, expect, test } from "vitest";
import type { ScoringContext } from "../../src/criteria/criterion.ts";
import { magnitude } from "../../src/criteria/magnitude.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { stateOf } from "../../src/measure/state.ts";
import { prepared, removal } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

/** Scores by group. */
async function scores(one: Model): Promise<Record<string, number[]>> {
  const prunable = await prepared(one);
  const state = stateOf(prunable, removal(prunable, []));
  const all = await magnitude.score({ prunable, state } as unknown as ScoringContext);
  return Object.fromEntries(
    prunable.units.groups.map(({ id, first, size }) => [id, Array.from(all.subarray(first, first + size))]),
  );
}

function expectClose(found: Record<string, number[]>, expected: Record<string, number[]>): void {
  expect(Object.keys(found)).toEqual(Object.keys(expected));
  for (const [id, values] of Object.entries(expected)) {
    expect(found[id]).toHaveLength(values.length);
    values.forEach((value, i) => {
      expect(found[id]?.[i], `${id}, unit ${i}`).toBeCloseTo(value, 5);
    });
  }
}

describe("a layer that reads and makes the same units", () => {
  const nodes = (square: Node): Node[] => [
    node("MatMul", ["x", "a"], ["h"]),
    square,
    node("Add", ["h", "s"], ["z"]),
    node("MatMul", ["z", "v"], ["y"]),
  ];
  const initializers = {
    a: [[3, 1]],
    w: [
      [10, 4],
      [20, 2],
    ],
    v: [[7], [7]],
  };
  const square = (one: Node): Model =>
    model({ inputs: { x: ["N", 1] }, outputs: ["y"], initializers, nodes: nodes(one) });

  test("counts what it makes of them, not what it reads", async () => {
    const made = [Math.hypot(3, 10, 20), Math.hypot(1, 4, 2)];
    expectClose(await scores(square(node("MatMul", ["h", "w"], ["s"]))), { h: made });
    expectClose(await scores(square(node("Gemm", ["h", "w"], ["s"]))), { h: made });
  });

  test("the same where its weights are stored the other way round", async () => {
    const made = [Math.hypot(3, 10, 4), Math.hypot(1, 20, 2)];
    expectClose(await scores(square(node("Gemm", ["h", "w"], ["s"], { transB: 1 }))), { h: made });
    expectClose(await scores(square(node("Einsum", ["h", "w"], ["s"], { equation: "nk,jk->nj" }))), { h: made });
  });

  test("of weights that two such layers share each use counts", async () => {
    const twice = model({
      inputs: { x: ["N", 1] },
      outputs: ["y"],
      initializers,
      nodes: [
        node("MatMul", ["x", "a"], ["h"]),
        node("MatMul", ["h", "w"], ["s"]),
        node("Add", ["h", "s"], ["z"]),
        node("MatMul", ["z", "w"], ["t"]),
        node("Add", ["z", "t"], ["u"]),
        node("MatMul", ["u", "v"], ["y"]),
      ],
    });
    expectClose(await scores(twice), { h: [Math.hypot(3, 10, 20, 10, 20), Math.hypot(1, 4, 2, 4, 2)] });
  });
});

const r = random(6);

/** Weights whose element belongs to output channel `channel(at)`, with the normalisation's factors taken up. */
function folded(weights: Tensor, factors: readonly number[], channel: (at: number) => number): Tensor {
  const values = Array.from(weights.numbers, (value, at) => value * (factors[channel(at)] as number));
  return tensorOf("float32", values, weights.dims);
}

describe("a BatchNormalization directly behind a layer", () => {
  const [gamma, variance] = [r.tensor([4]), tensorOf("float32", [0.1, 1, 4, 0])];
  const epsilon = 0.01;
  const factors = Array.from(gamma.numbers, (g, i) => g / Math.sqrt((variance.numbers[i] as number) + epsilon));
  const normal = { gamma, variance, beta: r.tensor([4]), mean: r.tensor([4]) };
  const batchNorm = (from: string): Node =>
    node("BatchNormalization", [from, "gamma", "beta", "mean", "variance"], ["n"], { epsilon });

  /** The layer with and without the normalisation, then Relu and a layer that reads it. */
  const both = (
    layer: readonly Node[],
    last: string,
    weights: Tensor,
    inputs: number[],
    more: Record<string, Tensor>,
  ) => {
    const rank = inputs.length + 1;
    const end = [
      node("Relu", ["n"], ["z"]),
      rank > 2 ? node("Conv", ["z", "v"], ["y"]) : node("MatMul", ["z", "v"], ["y"]),
    ];
    const v = r.tensor(rank > 2 ? [2, 4, ...inputs.slice(1).map(() => 1)] : [4, 2]);
    const build = (w: Tensor, middle: Node): Model =>
      model({
        inputs: { x: ["N", ...inputs] },
        outputs: ["y"],
        initializers: { ...normal, ...more, w, v },
        nodes: [...layer, middle, ...end],
      });
    return {
      plain: build(weights, batchNorm(last)),
      folded: (channel: (at: number) => number) =>
        build(folded(weights, factors, channel), node("Identity", [last], ["n"])),
    };
  };

  test("multiplies a convolution's weights", async () => {
    const w = r.tensor([4, 2, 3, 3]);
    const { plain, folded } = both([node("Conv", ["x", "w"], ["c"])], "c", w, [2, 5, 5], {});
    expectClose(await scores(plain), await scores(folded((at) => Math.floor(at / 18))));
  });

  test("multiplies those of a transposed convolution, with groups too", async () => {
    const one = both([node("ConvTranspose", ["x", "w"], ["c"])], "c", r.tensor([3, 4, 2, 2]), [3, 4, 4], {});
    expectClose(await scores(one.plain), await scores(one.folded((at) => Math.floor(at / 4) % 4)));
    const layers = [node("Conv", ["x", "u"], ["h"]), node("ConvTranspose", ["h", "w"], ["c"], { group: 2 })];
    const groups = both(layers, "c", r.tensor([6, 2, 2, 2]), [3, 4, 4], { u: r.tensor([6, 3, 1, 1]) });
    const channel = (at: number): number => (Math.floor(at / 8) >= 3 ? 2 : 0) + (Math.floor(at / 4) % 2);
    const expected = await scores(groups.folded(channel));
    expectClose(await scores(groups.plain), expected);
  });

  test("multiplies a dense layer's weights, a bias between them or not", async () => {
    const w = r.tensor([3, 4]);
    const bias = { b: r.tensor([4]) };
    const gemm = both([node("Gemm", ["x", "w", "b"], ["c"])], "c", w, [3], bias);
    expectClose(await scores(gemm.plain), await scores(gemm.folded((at) => at % 4)));
    const sum = both([node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["c"])], "c", w, [3], bias);
    expectClose(await scores(sum.plain), await scores(sum.folded((at) => at % 4)));
  });

  test("multiplies nothing where something else reads the layer too", async () => {
    const shared = model({
      inputs: { x: ["N", 2, 3, 3] },
      outputs: ["y"],
      initializers: { ...normal, w: r.tensor([4, 2, 1, 1]), v: r.tensor([2, 4, 1, 1]) },
      nodes: [
        node("Conv", ["x", "w"], ["c"]),
        batchNorm("c"),
        node("Add", ["c", "n"], ["z"]),
        node("Conv", ["z", "v"], ["y"]),
      ],
    });
    const w = shared.graph.initializers.get("w") as Tensor;
    const norms = [0, 1, 2, 3].map((o) => Math.hypot(...Array.from(w.numbers).slice(2 * o, 2 * o + 2)));
    expectClose(await scores(shared), { c: norms });
  });
});

test("quantised weights count as the reals that they stand for, and only where they make units", async () => {
  const quantised = model({
    inputs: { x: ["N", 2] },
    outputs: ["y"],
    initializers: {
      wq: tensorOf("int8", [1, 3, 2, -5], [2, 2]),
      scale: tensorOf("float32", [0.5, 2]),
      zero: tensorOf("int8", [1, 0]),
      vq: tensorOf("int8", [100, 50], [2, 1]),
      one: tensorOf("float32", [1], []),
    },
    nodes: [
      node("DequantizeLinear", ["wq", "scale", "zero"], ["w"], { axis: 1 }),
      node("MatMul", ["x", "w"], ["h"]),
      node("Relu", ["h"], ["z"]),
      node("DequantizeLinear", ["vq", "one"], ["v"]),
      node("MatMul", ["z", "v"], ["y"]),
    ],
  });
  expectClose(await scores(quantised), { h: [0.5, 2 * Math.hypot(3, 5)] });
});
