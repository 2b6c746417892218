/** Units under normalisations that average over them: they leave the mean, in what is measured as in the smaller file. */
import { describe, expect, test } from "vitest";
import { GAINS, gainsTensor, gateModel } from "../../src/derive/gate.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { float32, int64, type Tensor } from "../../src/graph/tensor.ts";
import { inspect } from "../../src/inspect.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { UNIT_KINDS } from "../../src/units/units.ts";
import { cutDifference, dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(61);
const [FEATURES, WIDTH] = [5, 12];

/** A normalisation of `x` over its last axis, as an export writes it. */
interface Form {
  readonly opset: number;
  normalise(x: string, y: string): Node[];
}

const mean = (opset: number, x: string, y: string): Node =>
  opset < 18 ? node("ReduceMean", [x], [y], { axes: [-1] }) : node("ReduceMean", [x, "last"], [y]);

const decomposed = (opset: number): Form => ({
  opset,
  normalise: (x, y) => [
    mean(opset, x, `${y}/mean`),
    node("Sub", [x, `${y}/mean`], [`${y}/centred`]),
    node("Pow", [`${y}/centred`, "two"], [`${y}/squares`]),
    mean(opset, `${y}/squares`, `${y}/variance`),
    node("Add", [`${y}/variance`, "epsilon"], [`${y}/shifted`]),
    node("Sqrt", [`${y}/shifted`], [`${y}/deviation`]),
    node("Div", [`${y}/centred`, `${y}/deviation`], [`${y}/normal`]),
    node("Mul", [`${y}/normal`, "gamma"], [`${y}/scaled`]),
    node("Add", [`${y}/scaled`, "beta"], [y]),
  ],
});

const forms: Record<string, Form> = {
  LayerNormalization: {
    opset: 17,
    normalise: (x, y) => [node("LayerNormalization", [x, "gamma", "beta"], [y], { axis: -1, epsilon: 1e-5 })],
  },
  "LayerNormalization without shift": {
    opset: 17,
    normalise: (x, y) => [node("LayerNormalization", [x, "gamma"], [y], { axis: -1 })],
  },
  "decomposed, opset 13": decomposed(13),
  "decomposed, opset 18": decomposed(18),
  "root mean square": {
    opset: 17,
    normalise: (x, y) => [
      node("Mul", [x, x], [`${y}/squares`]),
      mean(17, `${y}/squares`, `${y}/mean`),
      node("Add", [`${y}/mean`, "epsilon"], [`${y}/shifted`]),
      node("Sqrt", [`${y}/shifted`], [`${y}/length`]),
      node("Reciprocal", [`${y}/length`], [`${y}/inverse`]),
      node("Mul", [x, `${y}/inverse`], [`${y}/normal`]),
      node("Mul", [`${y}/normal`, "gamma"], [y]),
    ],
  },
};

const constants = (): Record<string, Tensor> => ({
  gamma: r.tensor([WIDTH], 0.8),
  beta: r.tensor([WIDTH], 0.3),
  two: float32([2], []),
  epsilon: float32([1e-5], []),
  last: int64([-1]),
});

/** x[N, 3, features] -> width units -> normalised -> bent -> 4 outputs. */
const dense = ({ opset, normalise }: Form): Model =>
  model({
    inputs: { x: ["N", 3, FEATURES] },
    outputs: ["y"],
    opset,
    initializers: { ...constants(), w: r.tensor([FEATURES, WIDTH]), b: r.tensor([WIDTH]), v: r.tensor([WIDTH, 4]) },
    nodes: [
      node("MatMul", ["x", "w"], ["h"]),
      node("Add", ["h", "b"], ["s"]),
      ...normalise("s", "n"),
      node("Tanh", ["n"], ["a"]),
      node("MatMul", ["a", "v"], ["y"]),
    ],
  });

/** The same with a residual block between. */
const residual = ({ opset, normalise }: Form): Model =>
  model({
    inputs: { x: ["N", 3, FEATURES] },
    outputs: ["y"],
    opset,
    initializers: {
      ...constants(),
      w: r.tensor([FEATURES, WIDTH]),
      up: r.tensor([WIDTH, 7]),
      down: r.tensor([7, WIDTH], 0.5),
      v: r.tensor([WIDTH, 4]),
    },
    nodes: [
      node("MatMul", ["x", "w"], ["s"]),
      ...normalise("s", "n"),
      node("MatMul", ["n", "up"], ["h"]),
      node("Relu", ["h"], ["a"]),
      node("MatMul", ["a", "down"], ["d"]),
      node("Add", ["s", "d"], ["t"]),
      ...normalise("t", "m"),
      node("MatMul", ["m", "v"], ["y"]),
    ],
  });

const x = r.tensor([8, 3, FEATURES]);
const operators = ({ graph }: Model): string[] => graph.nodes.map(({ opType }) => opType);

describe.each(Object.entries(forms))("%s", (_, form) => {
  test("a dense layer's neurons are units; the smaller file is normalised over what is left", async () => {
    const network = dense(form);
    const prunable = await prepared(network);
    expect(prunable.units.groups.map(({ kind, size }) => [kind, size])).toEqual([["neuron", WIDTH]]);
    const gone = removal(prunable, [1, 4, 5, 11]);
    expect(await cutDifference(prunable.model, prunable, gone, { x })).toBeLessThan(1e-5);
    const data = dataset({ x: r.tensor([60, 3, FEATURES]) });
    const options = { runner, data, budget: { remove: { count: 5 } } } as const;
    for (const criterion of ["oracle", "taylor1", "obs"]) {
      const compensate = criterion === "obs" ? "lstsq" : "none";
      const { bytes, summary } = await prune(writeModel(network), { ...options, criterion, compensate });
      const small = readModel(bytes);
      expect(small.graph.initializers.get("gamma")?.dims).toEqual([WIDTH - 5]);
      expect(operators(small).filter((name) => name !== "Add")).toEqual(
        operators(network).filter((name) => name !== "Add"), // a repair adds a bias
      );
      expect(summary.after.parameters).toBeLessThan(summary.before.parameters);
    }
  });

  test("derivatives in the gains are those of finite differences", async () => {
    const prunable = await prepared(dense(form));
    const y = r.tensor([8, 3, 4]);
    const evaluator = await createEvaluator(prunable, runner, dataset({ x }, { targets: y }), { objective: "sse" });
    const none = new Uint8Array(prunable.units.count);
    const { gradient } = await taylorTerms(evaluator, stateOf(prunable, none), { second: false });
    const session = await runner.load(writeModel(gateModel(prunable.model, prunable.shapes, prunable.units).model));
    const errorAt = async (gains: readonly number[]): Promise<number> => {
      const result = await session.run({ x, [GAINS]: gainsTensor(gains, gains.length) });
      const answers = Array.from(result.y?.numbers ?? []);
      return answers.reduce((sum, value, at) => sum + (value - (y.numbers[at] as number)) ** 2, 0) / 2 / 8;
    };
    for (let unit = 0; unit < prunable.units.count; unit++) {
      const at = (gain: number): number[] => Array.from(none, (_gone, other) => (other === unit ? gain : 1));
      const STEP = 0.02;
      const numeric = ((await errorAt(at(1 + STEP))) - (await errorAt(at(1 - STEP)))) / (2 * STEP);
      expect(Math.abs((gradient[unit] as number) - numeric)).toBeLessThan(5e-3 * (Math.abs(numeric) + 0.1));
    }
    await session.release();
  });

  test("the width of a residual stream is a kind of its own, and goes only where it is asked for", async () => {
    const network = residual(form);
    const { groups, frozen } = await inspect(writeModel(network), { runner });
    expect(groups.map(({ kind, size }) => [kind, size])).toEqual([["neuron", 7]]);
    expect(frozen[0]?.reason).toBe("units of kind width are removed only where they are asked for (--kinds)");
    const prunable = await prepared(network, { kinds: UNIT_KINDS });
    expect(prunable.units.groups.map(({ kind, size }) => [kind, size])).toEqual([
      ["width", WIDTH],
      ["neuron", 7],
    ]);
    const gone = removal(prunable, [0, 3, 8, WIDTH + 2]);
    expect(await cutDifference(prunable.model, prunable, gone, { x })).toBeLessThan(1e-5);
    const data = dataset({ x: r.tensor([90, 3, FEATURES]) });
    const { summary, bytes, plan } = await prune(writeModel(network), {
      runner,
      data,
      kinds: ["width"],
      criterion: "obs",
      compensate: "lstsq",
      budget: { remove: { count: 4 } },
    });
    expect(plan.kinds).toEqual(["width"]);
    expect(readModel(bytes).graph.initializers.get("up")?.dims).toEqual([WIDTH - 4, 7]);
    expect(summary.after.error).toBeLessThan(0.5);
  });
});
