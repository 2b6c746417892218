/** What repair is made of: sensitivities against a Jacobian, statistics of normalisations against plain sums. */
import { describe, expect, test } from "vitest";
import { fittable } from "../../src/compensate/consumers.ts";
import { distanceFactor, outputChange, randomDirections } from "../../src/compensate/output-change.ts";
import { recalibrated } from "../../src/compensate/recalibrate.ts";
import { layerAt } from "../../src/compensate/rows.ts";
import { measureSensitivities } from "../../src/compensate/sensitivity.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import type { Objective } from "../../src/measure/objective.ts";
import { stateOf } from "../../src/measure/state.ts";
import { subjectOf } from "../../src/measure/subject.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
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
  const subject = await subjectOf(prunable, runner, data, "match");
  const state = stateOf(prunable, removal(prunable, []));
  const layers = consumers.flatMap((consumer) => layerAt(consumer, prunable, state) ?? []);
  const outputs = subject.chunks.map(({ feeds }) => evaluate(network, feeds).y as Tensor);
  const found = await measureSensitivities(subject, state, layers, outputs);
  const v = network.graph.initializers.get("v")?.numbers as ArrayLike<number>;
  const first = found.get(layers[0] as (typeof layers)[number]) as Float64Array;
  first.forEach((value, o) => {
    const exact = [0, 1, 2].reduce((sum, k) => sum + (v[o * 3 + k] as number) ** 2, 0);
    expect(Math.abs(value / exact - 1), `output ${o}`).toBeLessThan(0.25); // 400 random draws
  });
});

describe("distance of outputs", () => {
  const logits = Float64Array.from([1, -0.5, 2, 0, 0.3, -1]);
  const moved = logits.map((value, i) => value + 0.1 * Math.sin(i + 1));
  test.each(["match", "cross-entropy"] as const)(
    "%s: its factor gives it back, random directions on average",
    (name) => {
      const objective = { name } as Objective;
      const change = outputChange(objective, logits, moved, 3);
      const along = (columns: Float64Array): number =>
        [0, 1].reduce((sum, row) => {
          const product = [0, 1, 2].reduce(
            (s, k) =>
              s + (columns[row * 3 + k] as number) * ((moved[row * 3 + k] as number) - (logits[row * 3 + k] as number)),
            0,
          );
          return sum + product ** 2 / 2;
        }, 0);
      const byFactor = [0, 1, 2].reduce((sum, k) => sum + along(distanceFactor(objective, logits, 3, k)), 0);
      expect(byFactor).toBeCloseTo(change, 10);
      const r = random(5);
      let mean = 0;
      for (let draw = 0; draw < 20000; draw++)
        mean += along(randomDirections(objective, logits, 3, () => r.uniform())) / 20000;
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
  const subject = await subjectOf(prunable, runner, data, "match");
  const [intact, cut] = [stateOf(prunable, removal(prunable, [])), stateOf(prunable, removal(prunable, [1]))];
  const same = await recalibrated(prunable, subject, intact, intact, 30);
  const moved = await recalibrated(prunable, subject, intact, cut, 30);
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
