import { describe, expect, test } from "vitest";
import type { Model } from "../../src/graph/graph.ts";
import type { Values } from "../../src/graph/pieces.ts";
import { Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { trainingStep } from "../../src/recover/train.ts";
import { prepare } from "../../src/units/prepare.ts";
import { allFeeds, dataset, onlyTerm, prepared, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";
import { referenceRunner } from "../support/reference-runner.ts";

const SAMPLES = 6;

function network(type: "float32" | "float64", opset = 17): Model {
  const r = random(4);
  return model({
    opset,
    type,
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: {
      w1: r.tensor([3, 4], 1, type),
      b1: r.tensor([4], 1, type),
      scale: r.tensor([4], 1, type),
      shift: r.tensor([4], 1, type),
      mean: r.tensor([4], 1, type),
      variance: new Tensor(type, [4], type === "float64" ? Float64Array.of(1, 2, 3, 4) : Float32Array.of(1, 2, 3, 4)),
      w2: r.tensor([2, 4], 1, type),
      b2: r.tensor([2], 1, type),
    },
    nodes: [
      node("Gemm", ["x", "w1", "b1"], ["a"]),
      node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["n"]),
      node("Tanh", ["n"], ["h"]),
      node("Gemm", ["h", "w2", "b2"], ["z"], { transB: 1 }),
      node("Softmax", ["z"], ["y"], { axis: 1 }),
    ],
  });
}

const samples = (type: "float32" | "float64") => {
  const r = random(6);
  return dataset({ x: r.tensor([SAMPLES, 3], 1, type) }, { labels: Int32Array.of(0, 1, 1, 0, 1, 0) });
};

/** All samples as one batch of feeds and targets. */
function batchOf(evaluator: Evaluator): { feeds: Values; targets: Values } {
  const { target, bound } = onlyTerm(evaluator);
  return { feeds: allFeeds(evaluator), targets: { [target]: bound.targets } };
}

test("the first step's gradient is that of finite differences, for every weight", async () => {
  const exact = referenceRunner();
  const prunable = await prepare(network("float64"), exact);
  const data = samples("float64");
  const evaluator = await createEvaluator(prunable, exact, data, { objective: "cross-entropy" });
  const { feeds, targets } = batchOf(evaluator);
  const training = await trainingStep(prunable, { runner: exact, terms: evaluator.terms, rate: 0.01 });
  const before = prunable.model.graph.initializers;
  const mean = (initializers: ReadonlyMap<string, Tensor>): number => {
    const graph = prunable.model.graph.with({ initializers });
    const z = (evaluate({ ...prunable.model, graph }, feeds, ["z"]).z as Tensor).numbers;
    let error = 0;
    for (let n = 0; n < SAMPLES; n++) {
      const [z0, z1] = [z[2 * n] as number, z[2 * n + 1] as number];
      error += Math.log(Math.exp(z0) + Math.exp(z1)) - (data.labels?.[n] === 0 ? z0 : z1);
    }
    return error / SAMPLES;
  };
  expect(await training.step(feeds, targets)).toBeCloseTo(mean(before), 12);
  const after = training.model().graph.initializers;
  for (const name of ["w1", "b1", "scale", "shift", "w2", "b2"]) {
    const weight = before.get(name) as Tensor;
    for (let i = 0; i < weight.size; i++) {
      const shifted = (by: number): number => {
        const values = Float64Array.from(weight.numbers);
        values[i] = (values[i] as number) + by;
        return mean(new Map([...before, [name, new Tensor("float64", weight.dims, values)]]));
      };
      const gradient = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
      // Adam's first step: both moments hold this gradient alone; 1e-8 is added to the root of the second
      const root = Math.sqrt(0.001) * Math.abs(gradient);
      const expected = -((0.01 * Math.sqrt(0.001)) / 0.1) * ((0.1 * gradient) / (root + 1e-8));
      const change = ((after.get(name) as Tensor).numbers[i] as number) - (weight.numbers[i] as number);
      // a gradient near 0 is blurred by the differences' own rounding, about 1e-10
      if (Math.abs(gradient) > 1e-6) expect(Math.abs(change / expected - 1), `${name} ${i}`).toBeLessThan(1e-3);
      else expect(Math.abs(change), `${name} ${i}`).toBeLessThanOrEqual(0.0101);
    }
  }
});

test("statistics of a normalisation are no weights", async () => {
  const prunable = await prepared(network("float32"));
  const evaluator = await createEvaluator(prunable, runner, samples("float32"));
  const { feeds, targets } = batchOf(evaluator);
  const training = await trainingStep(prunable, { runner, terms: evaluator.terms });
  await training.step(feeds, targets);
  const after = training.model().graph.initializers;
  for (const name of ["mean", "variance"]) expect(after.get(name)).toBe(prunable.model.graph.initializers.get(name));
  expect(after.get("scale")).not.toBe(prunable.model.graph.initializers.get("scale"));
  await training.release();
});

test("limits of a Clip are no weights", async () => {
  const r = random(5);
  const clipped = model({
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w: r.tensor([3, 2]), low: tensorOf("float32", [0]), high: tensorOf("float32", [0.5]) },
    nodes: [node("MatMul", ["x", "w"], ["z"]), node("Clip", ["z", "low", "high"], ["y"])],
  });
  const prunable = await prepared(clipped);
  const evaluator = await createEvaluator(prunable, runner, samples("float32"));
  const { feeds, targets } = batchOf(evaluator);
  const training = await trainingStep(prunable, { runner, terms: evaluator.terms });
  await training.step(feeds, targets);
  const after = training.model().graph.initializers;
  for (const name of ["low", "high"]) expect(after.get(name)).toBe(prunable.model.graph.initializers.get(name));
  await training.release();
});

describe.each([7, 9, 13, 22])("at opset %i", (opset) => {
  test("steps lower the error, and the trained model has it", async () => {
    const prunable = await prepared(network("float32", opset));
    const evaluator = await createEvaluator(prunable, runner, samples("float32"), { objective: "cross-entropy" });
    const { terms } = evaluator;
    const { feeds, targets } = batchOf(evaluator);
    const training = await trainingStep(prunable, { runner, terms, rate: 0.02 });
    const errors: number[] = [];
    for (let step = 0; step < 60; step++) errors.push(await training.step(feeds, targets));
    expect(errors.at(-1)).toBeLessThan(0.5 * (errors[0] as number));
    const again = await trainingStep({ ...prunable, model: training.model() }, { runner, terms });
    expect(await again.step(feeds, targets)).toBeLessThan(errors.at(-1) as number);
    await Promise.all([training.release(), again.release()]);
  });
});

test("only the weights that are named move, and the model that is given never does", async () => {
  const prunable = await prepared(network("float32"));
  const kept = new Map([...prunable.model.graph.initializers].map(([name, { data }]) => [name, data.slice()]));
  const evaluator = await createEvaluator(prunable, runner, samples("float32"));
  const { feeds, targets } = batchOf(evaluator);
  const training = await trainingStep(prunable, { runner, terms: evaluator.terms, weights: ["b2"] });
  await training.step(feeds, targets);
  for (const [name, tensor] of training.model().graph.initializers) {
    if (name === "b2") expect(tensor.data).not.toEqual(kept.get(name));
    else expect(tensor.data).toEqual(kept.get(name));
  }
  for (const [name, tensor] of prunable.model.graph.initializers) expect(tensor.data).toEqual(kept.get(name));
  expect(prunable.model.graph.value(onlyTerm(evaluator).target)).toBeUndefined();
  await training.release();
});
