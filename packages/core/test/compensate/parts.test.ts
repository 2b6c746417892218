/** What repair is made of: sensitivities against a Jacobian, statistics of normalisations against plain sums. */
import { describe, expect, test } from "vitest";
import { fittable } from "../../src/compensate/consumers.ts";
import {
  directionsOf,
  distanceFactor,
  outputDistance,
  randomDirections,
} from "../../src/compensate/output-distance.ts";
import { type Adjustment, outputSteps } from "../../src/compensate/output-fit.ts";
import type { Outputs } from "../../src/compensate/outputs.ts";
import { recalibrated } from "../../src/compensate/recalibrate.ts";
import { layerAt } from "../../src/compensate/rows.ts";
import { measureSensitivities } from "../../src/compensate/sensitivity.ts";
import type { Model } from "../../src/graph/graph.ts";
import { sizeOf, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import type { OutputTerm } from "../../src/measure/objectives/model-objective.ts";
import { stateOf } from "../../src/measure/state.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { columnVariances, rowsOf } from "../support/objectives.ts";
import { evaluate } from "../support/reference.ts";

test("sensitivity of a linear layer's output: the squared norm of its column of the Jacobian", async () => {
  const r = random(31);
  const network = model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: { w: r.tensor([4, 5]), v: r.tensor([5, 3]) },
    nodes: [node("Gemm", ["x", "w"], ["h"]), node("Identity", ["h"], ["i"]), node("Gemm", ["i", "v"], ["y"])],
  });
  const { prunable, consumers } = fittable(await prepared(network));
  const data = dataset({ x: r.tensor([200, 4]) });
  const evaluator = await createEvaluator(prunable, runner, data, { objective: "match" });
  const state = stateOf(prunable, removal(prunable, []));
  const layers = consumers.flatMap((consumer) => layerAt(consumer, prunable, state) ?? []);
  const outputs = evaluator.chunks.map(({ feeds }) => {
    const { numbers, dims } = evaluate(network, feeds).y as Tensor;
    return [tensorOf("float32", numbers, dims)];
  });
  const found = await measureSensitivities(evaluator, state, layers, outputs);
  const v = network.graph.initializers.get("v")?.numbers as ArrayLike<number>;
  const first = found.get(layers[0] as (typeof layers)[number]) as Float64Array;
  // match weighs each column by its variance, which makes the distance a sum of squares of o / sqrt(3 variance)
  const rows = rowsOf((evaluate(network, data.inputs).y as Tensor).numbers, 200);
  const variances = columnVariances(rows, (element) => element);
  first.forEach((value, o) => {
    const exact = [0, 1, 2].reduce(
      (sum, k) => sum + (2 * (v[o * 3 + k] as number) ** 2) / (3 * (variances[k] as number)),
      0,
    );
    expect(Math.abs(value / exact - 1), `output ${o}`).toBeLessThan(0.25); // 400 random draws
  });
});

test("a joint fit with too many unknowns takes the layers nearest the output", async () => {
  const r = random(33);
  const WIDE = 3000; // more outputs than a joint fit has unknowns
  const network = model({
    inputs: { x: ["N", 4] },
    outputs: ["y"],
    initializers: { w: r.tensor([4, WIDE]), v: r.tensor([WIDE, 6]), u: r.tensor([6, 3]) },
    nodes: [
      node("Gemm", ["x", "w"], ["h"]),
      node("Relu", ["h"], ["a"]),
      node("Gemm", ["a", "v"], ["i"]),
      node("Tanh", ["i"], ["b"]),
      node("Gemm", ["b", "u"], ["y"]),
    ],
  });
  const { prunable, consumers } = fittable(await prepared(network));
  const data = dataset({ x: r.tensor([200, 4]) });
  const evaluator = await createEvaluator(prunable, runner, data, { objective: "match" });
  const state = stateOf(prunable, removal(prunable, []));
  const layers = consumers.flatMap((consumer) => {
    const layer = layerAt(consumer, prunable, state);
    return layer ? [{ layer, width: layer.outputs }] : [];
  });
  const outputsOf = (from: Model): Outputs[] =>
    evaluator.chunks.map(({ feeds }) => {
      const { numbers, dims } = evaluate(from, feeds).y as Tensor;
      return [tensorOf("float32", numbers, dims)];
    });
  const original = outputsOf(network);
  const wrong = original.map(([y]) => [
    tensorOf(
      "float32",
      Array.from((y as Tensor).numbers, (v) => v + 0.5),
      (y as Tensor).dims,
    ),
  ]);
  const steps = await outputSteps({ evaluator, state, layers, original, outputs: wrong, fit: 200, share: 1 });
  expect(steps.map((adjustments) => adjustments.map(({ layer }) => layer.consumer.weights))).toEqual(
    steps.map(() => ["v", "u"]),
  );
  const [first] = steps[0] as Adjustment[];
  expect(steps.length).toBeGreaterThan(0);
  expect(first?.bias.some((value) => value !== 0)).toBe(true);
});

describe("distance of outputs", () => {
  const SAMPLES = 2;
  const weights = [0.5, 2, 0.25];
  const width = weights.length;
  /** Dims of an output, and the axis of its three columns or classes. */
  const layouts = [
    { dims: [3], axis: 0 },
    { dims: [3, 2], axis: 0 },
    { dims: [2, 3], axis: 1 },
    { dims: [2, 3, 2], axis: 1 },
  ];
  type Layout = (typeof layouts)[number];
  const termOf = (kind: "squares" | "divergence", { dims, axis }: Layout): OutputTerm =>
    ({
      info: { dims, columnAxis: axis, classAxis: axis },
      bound: { distance: kind === "squares" ? { kind, weights: Float64Array.from(weights) } : { kind } },
    }) as unknown as OutputTerm;
  const outputsFor = ({ dims }: Layout): { logits: Tensor; moved: Tensor } => {
    const logits = random(dims.length).tensor([SAMPLES, ...dims], 1.5, "float64");
    const values = Float64Array.from(logits.numbers, (value, i) => value + 0.1 * Math.sin(i + 1));
    return { logits, moved: tensorOf("float64", values, logits.dims) };
  };
  /** Places of the three elements of each position, along the axis. */
  const positionsOf = ({ dims, axis }: Layout): number[][] => {
    const inner = sizeOf(dims.slice(axis + 1));
    const outer = sizeOf(dims.slice(0, axis));
    return Array.from({ length: SAMPLES * outer * inner }, (_, position) => {
      const start = Math.floor(position / inner) * width * inner + (position % inner);
      return weights.map((_weight, k) => start + k * inner);
    });
  };
  const cases = layouts.flatMap((layout) => (["squares", "divergence"] as const).map((kind) => ({ ...layout, kind })));

  test.each(cases)("$kind over axis $axis of $dims is what it is said to be", ({ kind, ...layout }) => {
    const { logits, moved } = outputsFor(layout);
    const perSample = sizeOf(layout.dims) / width;
    const expected = positionsOf(layout).reduce((sum, places) => {
      const d = places.map((at) => (moved.numbers[at] as number) - (logits.numbers[at] as number));
      if (kind === "squares") return sum + d.reduce((all, one, k) => all + (weights[k] as number) * one ** 2, 0);
      const terms = places.map((at) => Math.exp((logits.numbers[at] as number) / 2));
      const total = terms.reduce((all, one) => all + one, 0);
      const mean = d.reduce((all, one, k) => all + ((terms[k] as number) / total) * one, 0);
      const square = d.reduce((all, one, k) => all + ((terms[k] as number) / total) * one ** 2, 0);
      return sum + (square - mean ** 2) / 2 / perSample;
    }, 0);
    const term = termOf(kind, layout);
    expect(outputDistance([term], [logits], [moved])).toBeCloseTo(expected, 12);
    expect(outputDistance([term, term], [logits, logits], [moved, moved])).toBeCloseTo(2 * expected, 12);
  });

  test.each(cases)(
    "$kind over axis $axis of $dims: its factor gives it back, random directions on average",
    ({ kind, ...layout }) => {
      const term = termOf(kind, layout);
      const { logits, moved } = outputsFor(layout);
      const change = outputDistance([term], [logits], [moved]);
      const elements = sizeOf(layout.dims);
      /** Half the squared product of each sample's direction and change. */
      const along = ({ numbers }: Tensor): number =>
        Array.from({ length: SAMPLES }, (_, n) => {
          let product = 0;
          for (let at = n * elements; at < (n + 1) * elements; at++)
            product += (numbers[at] as number) * ((moved.numbers[at] as number) - (logits.numbers[at] as number));
          return product ** 2 / 2;
        }).reduce((sum, one) => sum + one, 0);
      expect(directionsOf(term)).toBe(elements);
      const factors = Array.from({ length: elements }, (_, k) => along(distanceFactor(term, logits, k)));
      expect(factors.reduce((sum, one) => sum + one, 0)).toBeCloseTo(change, 10);
      const r = random(5);
      let mean = 0;
      for (let draw = 0; draw < 20000; draw++) {
        const [directions] = randomDirections([term], [logits], () => r.uniform());
        mean += along(directions as Tensor) / 20000;
      }
      expect(Math.abs(mean / change - 1)).toBeLessThan(0.05);
    },
  );
});

test("statistics of a normalisation move as its input has moved", async () => {
  const r = random(33);
  const positive = (size: number): number[] => Array.from({ length: size }, () => r.uniform(0.5, 1.5));
  const network = model({
    inputs: { x: ["N", 2, 4, 4] },
    outputs: ["y", "z"],
    initializers: {
      w: r.tensor([4, 2, 3, 3]),
      v: r.tensor([3, 4, 1, 1]),
      g: positive(3),
      b: positive(3),
      m: positive(3),
      s: positive(3),
    },
    nodes: [
      node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
      node("Relu", ["a"], ["h"]),
      node("Conv", ["h", "v"], ["z"]),
      node("BatchNormalization", ["z", "g", "b", "m", "s"], ["n"]),
      node("GlobalAveragePool", ["n"], ["p"]),
      node("Flatten", ["p"], ["y"]),
    ],
  });
  const one = { ...network, graph: network.graph.with({ outputs: [{ name: "y" }] }) };
  const prunable = await prepared(one);
  const data = dataset({ x: r.tensor([30, 2, 4, 4]) });
  const evaluator = await createEvaluator(prunable, runner, data, { objective: "match" });
  const [intact, cut] = [stateOf(prunable, removal(prunable, [])), stateOf(prunable, removal(prunable, [1]))];
  const same = await recalibrated(prunable, evaluator, intact, intact, 30);
  const moved = await recalibrated(prunable, evaluator, intact, cut, 30);
  const statistics = (graph: typeof network.graph): { mean: number; variance: number }[] => {
    const { z } = evaluate({ ...network, graph: graph.with({ outputs: [{ name: "z" }] }) }, data.inputs) as {
      z: Tensor;
    };
    return [0, 1, 2].map((c) => {
      const values = Array.from(z.numbers as ArrayLike<number>).filter((_, i) => Math.floor(i / 16) % 3 === c);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return { mean, variance: values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length };
    });
  };
  const [before, after] = [statistics(network.graph), statistics(cut.model.graph)];
  for (const name of ["m", "s"]) {
    const stored = network.graph.initializers.get(name)?.numbers as ArrayLike<number>;
    for (let c = 0; c < 3; c++) {
      const [then, now] = [before[c], after[c]] as [
        { mean: number; variance: number },
        { mean: number; variance: number },
      ];
      const expected =
        name === "m"
          ? (stored[c] as number) + now.mean - then.mean
          : ((stored[c] as number) * now.variance) / then.variance;
      expect(moved.get(name)?.numbers[c]).toBeCloseTo(expected, 4);
      expect(same.get(name)?.numbers[c]).toBeCloseTo(stored[c] as number, 5);
    }
  }
});
