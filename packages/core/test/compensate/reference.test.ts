/** The repaired weights are those of a plain-loop least squares in float64 on features that are gathered one by one. */
import { expect, test } from "vitest";
import { bind } from "../../src/compensate/bind.ts";
import type { Compensation } from "../../src/compensate/compensator.ts";
import { bindSamples } from "../../src/data/bind.ts";
import type { Model } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { Activations } from "../../src/measure/activations.ts";
import { stateOf } from "../../src/measure/state.ts";
import { allFeeds, dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";

const SAMPLES = 50;
const FIT = 40;
const RIDGES = [1e-7, 1e-4, 1e-2, 1e-1];

type Matrix = number[][];

/** Solves A X = B by Gaussian elimination with pivots. */
function solve(a: Matrix, b: Matrix): Matrix {
  const rows = a.map((row, i) => [...row, ...(b[i] as number[])]);
  const n = a.length;
  for (let i = 0; i < n; i++) {
    const pivot = rows.reduce(
      (best, row, r) => (r >= i && Math.abs(row[i] as number) > Math.abs(rows[best]?.[i] as number) ? r : best),
      i,
    );
    [rows[i], rows[pivot]] = [rows[pivot] as number[], rows[i] as number[]];
    for (let r = 0; r < n; r++) {
      if (r === i) continue;
      const factor = (rows[r]?.[i] as number) / (rows[i]?.[i] as number);
      rows[r] = (rows[r] as number[]).map((value, c) => value - factor * (rows[i]?.[c] as number));
    }
  }
  return rows.map((row, i) => row.slice(n).map((value) => value / (row[i] as number)));
}

const meanOf = (rows: Matrix): number[] =>
  (rows[0] as number[]).map((_, c) => rows.reduce((sum, row) => sum + (row[c] as number), 0) / rows.length);

/** Least squares drawn to `start`, with a free bias: W[features][outputs]. */
function leastSquares(x: Matrix, z: Matrix, start: Matrix, ridge: number): { w: Matrix; b: number[] } {
  const [mx, mz] = [meanOf(x), meanOf(z)];
  const features = start.length;
  const outputs = mz.length;
  const gram = start.map((_, i) =>
    start.map((_, j) =>
      x.reduce(
        (sum, row) => sum + ((row[i] as number) - (mx[i] as number)) * ((row[j] as number) - (mx[j] as number)),
        0,
      ),
    ),
  );
  const lambda = (ridge * gram.reduce((sum, row, i) => sum + (row[i] as number), 0)) / features;
  const right = start.map((row, i) =>
    row.map(
      (w, o) =>
        lambda * w +
        x.reduce(
          (sum, sample, n) =>
            sum + ((sample[i] as number) - (mx[i] as number)) * ((z[n]?.[o] as number) - (mz[o] as number)),
          0,
        ),
    ),
  );
  const w = solve(
    gram.map((row, i) => row.map((value, j) => (i === j ? value + lambda : value))),
    right,
  );
  return {
    w,
    b: Array.from(
      { length: outputs },
      (_, o) => (mz[o] as number) - mx.reduce((sum, m, i) => sum + m * (w[i]?.[o] as number), 0),
    ),
  };
}

/** The same choice as the project's, by direct sums over rows. */
function reference(kind: Compensation, x: Matrix, z: Matrix, start: Matrix, bias: number[], rowsPerSample: number) {
  const border = FIT * rowsPerSample;
  const errorsOf = ({ w, b }: { w: Matrix; b: number[] }): number[] =>
    bias.map((_, o) =>
      x.slice(border).reduce((sum, row, n) => {
        const y = row.reduce((total, value, i) => total + value * (w[i]?.[o] as number), b[o] as number);
        return sum + ((z[border + n]?.[o] as number) - y) ** 2;
      }, 0),
    );
  const meanFit = (rows: Matrix, wanted: Matrix) => {
    const [mx, mz] = [meanOf(rows), meanOf(wanted)];
    return {
      w: start,
      b: bias.map((_, o) => (mz[o] as number) - mx.reduce((sum, m, i) => sum + m * (start[i]?.[o] as number), 0)),
    };
  };
  const part = (way: (rows: Matrix, wanted: Matrix) => { w: Matrix; b: number[] }) =>
    errorsOf(way(x.slice(0, border), z.slice(0, border)));
  const ridges = RIDGES.map((ridge) => (rows: Matrix, wanted: Matrix) => leastSquares(rows, wanted, start, ridge));
  const totals = ridges.map((way) => part(way).reduce((sum, error) => sum + error, 0));
  const chosen = ridges[totals.indexOf(Math.min(...totals))] as (typeof ridges)[number];
  const ways = kind === "lstsq" ? [meanFit, chosen] : [meanFit];
  const best = errorsOf({ w: start, b: bias });
  const result = { w: start.map((row) => [...row]), b: [...bias] };
  for (const way of ways) {
    const errors = part(way);
    const final = way(x, z);
    errors.forEach((error, o) => {
      if (error >= (best[o] as number)) return;
      best[o] = error;
      result.b[o] = final.b[o] as number;
      result.w.forEach((row, i) => {
        row[o] = final.w[i]?.[o] as number;
      });
    });
  }
  return result;
}

async function repair(original: Model, x: Tensor, gone: readonly number[], compensate: Compensation) {
  const data = bindSamples(dataset({ x }), original.graph.feeds);
  const bound = await bind(await prepared(original), { runner, data, objective: "match", compensate });
  if (!bound.evaluator || !bound.compensator) throw new Error("no compensator");
  const removed = removal(bound.prunable, gone);
  const intact = stateOf(bound.prunable, removal(bound.prunable, []));
  await bound.compensator.repair(new Activations(bound.evaluator, intact), removed);
  const { graph } = stateOf(bound.compensator.written, removed).model;
  const order = allFeeds(bound.evaluator).x as Tensor; // the samples in the order of the fit
  return { weights: graph.initializers.get("v") as Tensor, bias: graph.initializers.get("c") as Tensor, order };
}

test.each(["mean", "lstsq"] as const)("%s of a dense layer", async (kind) => {
  const r = random(21);
  const original = model({
    inputs: { x: ["N", 5] },
    outputs: ["y", "h"],
    initializers: { w: r.tensor([5, 7]), b: r.tensor([7]), v: r.tensor([7, 3]), c: r.tensor([3]) },
    nodes: [node("Gemm", ["x", "w", "b"], ["s"]), node("Tanh", ["s"], ["h"]), node("Gemm", ["h", "v", "c"], ["y"])],
  });
  const network = { ...original, graph: original.graph.with({ outputs: [{ name: "y" }] }) };
  const gone = [1, 4];
  const left = [0, 2, 3, 5, 6];
  const { weights, bias, order } = await repair(network, r.tensor([SAMPLES, 5]), gone, kind);
  const { y, h } = evaluate(original, { x: order }) as { y: Tensor; h: Tensor };
  const rows = (t: Tensor, width: number): Matrix =>
    Array.from({ length: SAMPLES }, (_, n) =>
      Array.from({ length: width }, (_, i) => t.numbers[n * width + i] as number),
    );
  const stored = matrixOf(original.graph.initializers.get("v") as Tensor, 3);
  const x = rows(h, 7).map((row) => left.map((i) => row[i] as number));
  const start = left.map((i) => stored[i] as number[]);
  const expected = reference(kind, x, rows(y, 3), start, [...numbersOf(original, "c")], 1);
  expectClose(weights, expected.w.flat());
  expectClose(bias, expected.b);
});

test("behind a rectifier held-out outputs come closer than plain least squares brings them, or as close", async () => {
  const r = random(23);
  const original = model({
    inputs: { x: ["N", 5] },
    outputs: ["y", "h", "z"],
    initializers: { w: r.tensor([5, 9]), b: r.tensor([9]), v: r.tensor([9, 6]), c: r.tensor([6]) },
    nodes: [
      node("Gemm", ["x", "w", "b"], ["s"]),
      node("Tanh", ["s"], ["h"]),
      node("Gemm", ["h", "v", "c"], ["z"]),
      node("Relu", ["z"], ["y"]),
    ],
  });
  const network = { ...original, graph: original.graph.with({ outputs: [{ name: "y" }] }) };
  const left = [0, 2, 3, 6, 8];
  const { weights, bias, order } = await repair(network, r.tensor([SAMPLES, 5]), [1, 4, 5, 7], "lstsq");
  const { z, h } = evaluate(original, { x: order }) as { z: Tensor; h: Tensor };
  const x = matrixOf(h, 9).map((row) => left.map((i) => row[i] as number));
  const stored = matrixOf(original.graph.initializers.get("v") as Tensor, 6);
  const wanted = matrixOf(z, 6);
  const plain = reference(
    "lstsq",
    x,
    wanted,
    left.map((i) => stored[i] as number[]),
    [...numbersOf(original, "c")],
    1,
  );
  const missOf = (w: Matrix, b: readonly number[]): number[] =>
    b.map((base, o) =>
      x.slice(FIT).reduce((sum, row, n) => {
        const fitted = row.reduce((total, value, i) => total + value * (w[i]?.[o] as number), base);
        return sum + (Math.max(fitted, 0) - Math.max(wanted[FIT + n]?.[o] as number, 0)) ** 2;
      }, 0),
    );
  const [own, other] = [
    missOf(matrixOf(weights, 6), Array.from(bias.numbers as ArrayLike<number>)),
    missOf(plain.w, plain.b),
  ];
  own.forEach((miss, o) => {
    expect(miss).toBeLessThanOrEqual((other[o] as number) * (1 + 1e-4) + 1e-9);
  });
  expect(own.reduce((sum, miss) => sum + miss, 0)).toBeLessThan(0.98 * other.reduce((sum, miss) => sum + miss, 0));
});

test.each([
  ["mean", { pads: [1, 1, 1, 1] }],
  ["lstsq", { pads: [1, 1, 1, 1] }],
  ["lstsq", { pads: [0, 1, 1, 0], strides: [2, 1], dilations: [1, 2] }],
] as const)("%s of a convolution, %j", async (kind, attributes: Record<string, readonly number[]>) => {
  const r = random(22);
  const original = model({
    inputs: { x: ["N", 2, 6, 7] },
    outputs: ["y", "h", "z"],
    initializers: { w: r.tensor([5, 2, 3, 3]), b: r.tensor([5]), v: r.tensor([4, 5, 3, 2]), c: r.tensor([4]) },
    nodes: [
      node("Conv", ["x", "w", "b"], ["s"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["s"], ["h"]),
      node("Conv", ["h", "v", "c"], ["z"], attributes),
      node("GlobalAveragePool", ["z"], ["p"]),
      node("Flatten", ["p"], ["y"]),
    ],
  });
  const network = { ...original, graph: original.graph.with({ outputs: [{ name: "y" }] }) };
  const left = [0, 1, 3, 4];
  const { weights, bias, order } = await repair(network, r.tensor([SAMPLES, 2, 6, 7]), [2], kind);
  const { h, z } = evaluate(original, { x: order }) as { h: Tensor; z: Tensor };
  const [, , height, width] = h.dims as [number, number, number, number];
  const [, , high, wide] = z.dims as [number, number, number, number];
  const { strides = [1, 1], dilations = [1, 1], pads = [0, 0, 0, 0] } = attributes;
  const at = (n: number, c: number, row: number, column: number): number =>
    row < 0 || column < 0 || row >= height || column >= width
      ? 0
      : (h.numbers[((n * 5 + c) * height + row) * width + column] as number);
  const x: Matrix = [];
  const wanted: Matrix = [];
  for (let n = 0; n < SAMPLES; n++) {
    for (let i = 0; i < high; i++) {
      for (let j = 0; j < wide; j++) {
        const features: number[] = [];
        for (const c of left) {
          for (let a = 0; a < 3; a++) {
            for (let b = 0; b < 2; b++) {
              features.push(
                at(
                  n,
                  c,
                  i * (strides[0] as number) - (pads[0] as number) + a * (dilations[0] as number),
                  j * (strides[1] as number) - (pads[1] as number) + b * (dilations[1] as number),
                ),
              );
            }
          }
        }
        x.push(features);
        wanted.push(Array.from({ length: 4 }, (_, o) => z.numbers[((n * 4 + o) * high + i) * wide + j] as number));
      }
    }
  }
  const v = [...numbersOf(original, "v")];
  const start = left.flatMap((c) =>
    Array.from({ length: 6 }, (_, k) => Array.from({ length: 4 }, (_, o) => v[(o * 5 + c) * 6 + k] as number)),
  );
  const expected = reference(kind, x, wanted, start, [...numbersOf(original, "c")], high * wide);
  const features = start.length;
  expectClose(
    weights,
    Array.from(
      { length: 4 * features },
      (_, place) => expected.w[place % features]?.[Math.floor(place / features)] as number,
    ),
  );
  expectClose(bias, expected.b);
});

function matrixOf(tensor: Tensor, width: number): Matrix {
  return Array.from({ length: tensor.size / width }, (_, n) =>
    Array.from({ length: width }, (_, i) => tensor.numbers[n * width + i] as number),
  );
}

function numbersOf({ graph }: Model, name: string): number[] {
  return Array.from((graph.initializers.get(name) as Tensor).numbers as ArrayLike<number>);
}

function expectClose(tensor: Tensor, expected: readonly number[]): void {
  const largest = Math.max(...expected.map(Math.abs));
  expect(tensor.size).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs((tensor.numbers[i] as number) - value) / largest, `${i}`).toBeLessThan(2e-5);
  });
}
