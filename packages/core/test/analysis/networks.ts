/** Small networks for the analysis' tests: as ONNX models on random samples, and the same by plain loops. */

import type { Model } from "../../src/graph/graph.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { prepare } from "../../src/units/prepare.ts";
import { dataset, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

/** A logistic network with random weights, its samples and targets. */
export interface Dense {
  readonly model: Model;
  readonly x: Tensor;
  readonly targets: Tensor;
  readonly layers: readonly { readonly weights: Tensor; readonly bias: Tensor }[];
}

/** x -> Gemm, Sigmoid, ... -> y of the given widths; groups fc1, fc2, ... */
export function logistic(widths: readonly number[], type: "float32" | "float64" = "float64", samples = 30): Dense {
  const r = random(7);
  const last = widths.length - 2;
  const layers = widths.slice(1).map((width, at) => ({
    weights: r.tensor([widths[at] as number, width], 3 / Math.sqrt(widths[at] as number), type),
    bias: r.tensor([width], 0.5, type),
  }));
  const nodes = layers.flatMap((_, at) => [
    node("Gemm", [at === 0 ? "x" : `a${at - 1}`, `w${at}`, `b${at}`], [`z${at}`], {}, { name: `fc${at + 1}` }),
    node("Sigmoid", [`z${at}`], [at === last ? "y" : `a${at}`]),
  ]);
  const initializers = Object.fromEntries(
    layers.flatMap(({ weights, bias }, at) => [
      [`w${at}`, weights],
      [`b${at}`, bias],
    ]),
  );
  return {
    model: model({
      type,
      inputs: { x: ["N", widths[0] as number] },
      outputs: { y: ["N", widths.at(-1) as number] },
      initializers,
      nodes,
    }),
    x: r.tensor([samples, widths[0] as number], 1, type),
    targets: r.tensor([samples, widths.at(-1) as number], 0.5, type),
    layers,
  };
}

export async function subjectFor({ model: built, x, targets }: Omit<Dense, "layers">): Promise<Evaluator> {
  return createEvaluator(await prepare(built, runner), runner, dataset({ x }, { targets }), { objective: "sse" });
}

/** Sum of squared errors with every hidden unit's output times its gain, by plain loops. Gains layer by layer. */
export function errorAt({ x, targets, layers }: Dense, gains: readonly number[]): number {
  const [samples, width] = x.dims as [number, number];
  let error = 0;
  for (let n = 0; n < samples; n++) {
    let values = Array.from(x.numbers).slice(n * width, (n + 1) * width);
    let first = 0;
    layers.forEach(({ weights, bias }, at) => {
      const columns = weights.dims[1] as number;
      const next = Array.from({ length: columns }, (_, j) => {
        const sum = values.reduce((all, value, i) => all + value * (weights.numbers[i * columns + j] as number), 0);
        const gain = at === layers.length - 1 ? 1 : (gains[first + j] as number);
        return gain / (1 + Math.exp(-sum - (bias.numbers[j] as number)));
      });
      first += columns;
      values = next;
    });
    values.forEach((value, i) => {
      error += (value - (targets.numbers[n * values.length + i] as number)) ** 2 / 2;
    });
  }
  return error;
}
