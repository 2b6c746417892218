/** Hidden units: cut as the gated original computes, differentiated through time, repaired. */
import { describe, expect, test } from "vitest";
import { GAINS, gainsTensor, gateModel } from "../../src/derive/gate.ts";
import type { Model } from "../../src/graph/graph.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { NoDerivative } from "../../src/ops/no-derivative.ts";
import { prune } from "../../src/prune.ts";
import { cutDifference, dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { FEATURES, type RecurrentSpec, recurrentNetwork, STEPS, UNITS } from "../support/recurrent.ts";

const kinds = ["LSTM", "GRU", "RNN"] as const;
const forms: RecurrentSpec[] = kinds.flatMap((kind): RecurrentSpec[] => [
  { kind, read: "mean" },
  { kind, read: "steps", direction: "reverse", states: "computed" },
  { kind, read: "last", stacked: true },
  { kind, read: "mean", direction: "bidirectional", stacked: true, states: "stored" },
  { kind, read: "last", direction: "bidirectional", bias: false },
]);
forms.push(
  { kind: "GRU", resets: "after", read: "steps" },
  { kind: "GRU", resets: "after", direction: "bidirectional" },
);
const cases = forms.map((form) => [Object.values(form).join(" "), form] as const);
const r = random(4);
const x = r.tensor([9, STEPS, FEATURES]);

describe.each(cases)("%s", (_, form) => {
  const network = recurrentNetwork(form);

  test("every hidden unit is one; the cut file computes what the gated original does", async () => {
    const prunable = await prepared(network);
    const groups = prunable.units.groups.map(({ kind, size }) => [kind, size]);
    expect(groups).toEqual(Array(form.stacked ? 2 : 1).fill(["hidden unit", UNITS]));
    const gone = removal(prunable, form.stacked ? [1, 4, UNITS, UNITS + 3] : [0, 3]);
    expect(await cutDifference(network, prunable, gone, { x })).toBeLessThan(1e-5);
    const sizes = stateOf(prunable, gone).model.graph.nodes.flatMap(({ attributes }) =>
      attributes.hidden_size?.kind === "int" ? [attributes.hidden_size.value] : [],
    );
    expect(sizes).toEqual(form.stacked ? [UNITS - 2, UNITS - 2] : [UNITS - 2]);
  });

  test("derivatives in the gains are those of finite differences", async () => {
    const prunable = await prepared(network);
    const y = r.tensor(form.read === "steps" ? [9, STEPS, 4] : [9, 4]);
    const evaluator = await createEvaluator(prunable, runner, dataset({ x }, { targets: y }), { objective: "sse" });
    const none = new Uint8Array(prunable.units.count);
    const { gradient } = await taylorTerms(evaluator, stateOf(prunable, none), { second: false });
    const errorAt = async (gains: readonly number[]): Promise<number> => errorOf(prunable, { x, y }, gains);
    for (let unit = 0; unit < prunable.units.count; unit++) {
      const at = (gain: number): number[] => Array.from(none, (_gone, other) => (other === unit ? gain : 1));
      const STEP = 0.02;
      const numeric = ((await errorAt(at(1 + STEP))) - (await errorAt(at(1 - STEP)))) / (2 * STEP);
      expect(Math.abs((gradient[unit] as number) - numeric)).toBeLessThan(5e-3 * (Math.abs(numeric) + 0.1));
    }
  });
});

/** Half the sum of squared errors, a mean over samples, of the gated model. */
async function errorOf(
  prunable: Awaited<ReturnType<typeof prepared>>,
  { x: input, y }: Record<"x" | "y", ReturnType<typeof r.tensor>>,
  gains: readonly number[],
): Promise<number> {
  const gated = gateModel(prunable.model, prunable.shapes, prunable.units).model;
  const session = await runner.load(writeModel(gated));
  const result = await session.run({ x: input, [GAINS]: gainsTensor(gains, gains.length) });
  await session.release();
  const answers = Array.from(result.y?.numbers ?? []);
  const squares = answers.reduce((sum, value, at) => sum + (value - (y.numbers[at] as number)) ** 2, 0);
  return squares / 2 / (input.dims[0] as number);
}

test("pruned with every criterion, with repair and without, and counted", async () => {
  const network = recurrentNetwork({ kind: "LSTM", stacked: true, states: "computed" });
  const data = dataset({ x: r.tensor([120, STEPS, FEATURES]) });
  for (const criterion of ["oracle", "taylor1", "obs", "magnitude"]) {
    const options = { runner, data, criterion, objective: "match", budget: { remove: { count: 5 } } } as const;
    const { bytes, summary } = await prune(writeModel(network), {
      ...options,
      compensate: criterion === "obs" ? "lstsq" : "none",
    });
    expect(summary.removed).toHaveLength(5);
    expect(summary.verified).toBeLessThan(1e-5);
    const { graph } = readModel(bytes);
    const [a = 0, b = 0] = summary.layers.map(({ after }) => after);
    expect(a + b).toBe(2 * UNITS - 5);
    expect(graph.initializers.get("R1")?.dims).toEqual([1, 4 * a, a]);
    expect(graph.initializers.get("W2")?.dims).toEqual([1, 4 * b, a]);
    expect(summary.after.macs).toBe(STEPS * (4 * a * (FEATURES + a) + 4 * b * (a + b)) + 4 * b);
  }
});

test("states that the caller keeps stay as wide as they are, and it says why", async () => {
  const weights = { W: r.tensor([1, 12, 3]), R: r.tensor([1, 12, 4]), V: r.tensor([4, 2]) };
  const streaming = model({
    inputs: { x: ["T", 1, 3], h: [1, 1, 4] },
    outputs: ["y", "hn"],
    initializers: weights,
    nodes: [
      node("GRU", ["x", "W", "R", "", "", "h"], ["Y", "hn"], { hidden_size: 4 }),
      node("MatMul", ["Y", "V"], ["y"]),
    ],
  });
  const { units } = await prepared(streaming, { shapes: { x: [5, 1, 3] } });
  expect(units.count).toBe(0);
  expect(units.frozen.map(({ reason }) => reason).join()).toMatch(/input "h" of the model/);
});

test("what has no derivative is refused by name", async () => {
  const refused = async (change: (one: Model) => Model): Promise<unknown> => {
    const prunable = await prepared(change(recurrentNetwork({ kind: "LSTM" })));
    const targets = r.tensor([9, 4]);
    const evaluator = await createEvaluator(prunable, runner, dataset({ x }, { targets }), { objective: "sse" });
    const none = new Uint8Array(prunable.units.count);
    return taylorTerms(evaluator, stateOf(prunable, none), { second: false }).catch((error: unknown) => error);
  };
  const withAttribute = (one: Model): Model => {
    const nodes = one.graph.nodes.map((own) =>
      own.opType === "LSTM"
        ? { ...own, attributes: { ...own.attributes, clip: { kind: "float" as const, value: 3 } } }
        : own,
    );
    return { ...one, graph: one.graph.with({ nodes }) };
  };
  const error = await refused(withAttribute);
  expect(error).toBeInstanceOf(NoDerivative);
  expect(String(error)).toMatch(/LSTM "layer1": no gradient rule with clip/);
});
