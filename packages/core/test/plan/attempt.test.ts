/** A run with repair goes by the oracle and by obs, and keeps the better end. */
import { describe, expect, test } from "vitest";
import type { Bound } from "../../src/compensate/bind.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { type Attempt, betterFirst } from "../../src/plan/attempt.ts";
import { prune } from "../../src/prune.ts";
import { dataset, prepared, removal, runner } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";

const r = random(4);
const layers = model({
  inputs: { x: ["N", 6] },
  outputs: ["y"],
  initializers: { a: r.tensor([6, 12]), b: r.tensor([12, 10]), c: r.tensor([10, 3]) },
  nodes: [
    node("MatMul", ["x", "a"], ["p"]),
    node("Tanh", ["p"], ["q"]),
    node("MatMul", ["q", "b"], ["s"]),
    node("Relu", ["s"], ["t"]),
    node("MatMul", ["t", "c"], ["y"]),
  ],
});

describe("the better of two attempts", async () => {
  const prunable = await prepared(layers);
  const removed = removal(prunable, []);
  /** Errors by sample: `seen` were fitted on. */
  const attempt = (name: string, seen: number[], unseen: number[], rest: Partial<Attempt["chosen"]> = {}): Attempt => ({
    criterion: { name } as Attempt["criterion"],
    bound: {
      evaluator: { evaluate: async () => ({ errors: Float64Array.from([...seen, ...unseen]) }) },
      compensator: { fitSamples: seen.length },
    } as unknown as Bound,
    chosen: { prunable, removed, reached: true, ...rest } as Attempt["chosen"],
  });
  const names = async (a: Attempt, b: Attempt, budget: Parameters<typeof betterFirst>[2]): Promise<string[]> =>
    (await betterFirst(a, b, budget)).map(({ criterion }) => criterion.name);

  test("has the lower error on samples that nothing was fitted on", async () => {
    const [a, b] = [attempt("a", [0, 0], [3, 5]), attempt("b", [9, 9], [3, 4])];
    expect(await names(a, b, { targetMacs: 0.5 })).toEqual(["b", "a"]);
    expect(await names(b, a, { targetMacs: 0.5 })).toEqual(["b", "a"]);
    expect(await names(a, a, { targetMacs: 0.5 })).toEqual(["a", "a"]);
  });

  test("reaches the goal", async () => {
    const [a, b] = [attempt("a", [0], [1], { reached: false }), attempt("b", [0], [2])];
    expect(await names(a, b, { targetMacs: 0.5 })).toEqual(["b", "a"]);
  });

  test("without a goal leaves fewer multiply-accumulates", async () => {
    const left = (macs: number) => ({ after: { removed: 1, parameters: 0, macs } });
    const [a, b] = [attempt("a", [0], [1], left(20)), attempt("b", [0], [2], left(10))];
    expect(await names(a, b, { maxErrorRise: 0.1 })).toEqual(["b", "a"]);
  });
});

test("the oracle with repair says what else it tried, and is nowhere worse than obs", async () => {
  const data = dataset({ x: r.tensor([60, 6]) });
  const budget = { targetMacs: 0.5 };
  const unseen = async (criterion: string): Promise<{ criterion: string; alsoTried?: string; error: number }> => {
    const { summary } = await prune(writeModel(layers), { runner, data, criterion, compensate: "lstsq", budget });
    const { error } = summary.after;
    return { criterion: summary.criterion, ...(summary.alsoTried && { alsoTried: summary.alsoTried }), error };
  };
  const [oracle, obs] = [await unseen("oracle"), await unseen("obs")];
  expect([oracle.criterion, oracle.alsoTried].sort()).toEqual(["obs", "oracle"]);
  expect(obs.alsoTried).toBeUndefined();
  if (oracle.criterion === "obs") expect(oracle.error).toBe(obs.error);
});
