/** Values that are no tensors of numbers: sequences, optionals, strings. The rest of the model is measured and cut all the same. */
import { describe, expect, test } from "vitest";
import type { Model } from "../../src/graph/graph.ts";
import { int64, type Tensor } from "../../src/graph/tensor.ts";
import { valueKinds } from "../../src/graph/value-kinds.ts";
import { inspect } from "../../src/inspect.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { taylorTerms } from "../../src/measure/taylor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { openModel } from "../../src/open.ts";
import { prune } from "../../src/prune.ts";
import { cutDifference, dataset, errorWithout, oracleErrors, prepared, removal, runner } from "../helpers.ts";
import { AttributeType, DataType, floats, type GraphInit, info, modelFile, node as protoNode } from "../onnx/files.ts";
import { model, node, random } from "../support/build.ts";

const SAMPLES = 5;
const r = random(17);
const weights = (...dims: number[]): Tensor => r.tensor(dims, 1 / Math.sqrt(dims[0] as number));
const data = dataset({ x: r.tensor([SAMPLES, 3]) });

/** x -> five hidden units -> h [N, 4], then the given nodes, which make z [N, 4] or [N, 8] of it, and a last layer. */
function around(nodes: Parameters<typeof model>[0]["nodes"], width: 4 | 8, opset = 18, initializers = {}): Model {
  return model({
    opset,
    inputs: { x: ["N", 3] },
    outputs: ["y"],
    initializers: { w: weights(3, 5), u: weights(5, 4), v: weights(width, 2), ...initializers },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["b"]),
      node("MatMul", ["b", "u"], ["h"]),
      ...nodes,
      node("MatMul", ["z", "v"], ["y"]),
    ],
  });
}

const list = (name: string, tensor: Tensor) => floats(name, Array.from(tensor.numbers), tensor.dims);
/** The same front, as messages: its output h [N, 4] is read by what follows. */
const front = [
  protoNode("MatMul", ["x", "w"], ["a"]),
  protoNode("Tanh", ["a"], ["b"]),
  protoNode("MatMul", ["b", "u"], ["h"]),
];
const written = (graph: Partial<GraphInit>): Model =>
  readModel(
    modelFile(
      {
        input: [info("x", ["N", 3])],
        ...graph,
        initializer: [list("w", weights(3, 5)), list("u", weights(5, 4)), ...(graph.initializer ?? [])],
      },
      { irVersion: 8n, opsetImport: [{ domain: "", version: 18n }] },
    ),
  );

const sequenceInfo = (name: string): ReturnType<typeof info> => ({
  name,
  type: {
    value: {
      case: "sequenceType",
      value: {
        elemType: {
          value: { case: "tensorType", value: { elemType: DataType.FLOAT } },
        },
      },
    },
  },
});

/** A branch that makes a sequence of h. */
const branch = (opType: string): GraphInit => ({
  name: opType,
  node: [
    protoNode(opType, ["h"], [`${opType}/own`]),
    protoNode("SequenceConstruct", ["h", `${opType}/own`], [`${opType}/s`]),
  ],
  output: [sequenceInfo(`${opType}/s`)],
});
/** `condition` is true for all samples, and not known before. */
const chosen = [
  ...front,
  protoNode("ReduceSum", ["x"], ["sum"], { attribute: [{ name: "keepdims", type: AttributeType.INT, i: 0n }] }),
  protoNode("Greater", ["sum", "least"], ["condition"]),
  protoNode("If", ["condition"], ["s"], {
    attribute: [
      { name: "then_branch", type: AttributeType.GRAPH, g: branch("Neg") },
      { name: "else_branch", type: AttributeType.GRAPH, g: branch("Exp") },
    ],
  }),
  protoNode("ConcatFromSequence", ["s"], ["z"], { attribute: [{ name: "axis", type: AttributeType.INT, i: 1n }] }),
];
const least = floats("least", [-1e6], []);

interface Case {
  readonly original: Model;
  /** Values that are no tensors of numbers. */
  readonly others: readonly string[];
  /** Outputs that are measured. */
  readonly measured: readonly string[];
}

const cases: Readonly<Record<string, Case>> = {
  "a sequence that is made and put together": {
    original: around(
      [
        node("Sigmoid", ["h"], ["g"]),
        node("SequenceConstruct", ["h", "g"], ["s"]),
        node("ConcatFromSequence", ["s"], ["z"], { axis: 1 }),
      ],
      8,
    ),
    others: ["s"],
    measured: ["y"],
  },
  "a split into a sequence": {
    original: around(
      [
        node("SplitToSequence", ["h", "parts"], ["s"], { axis: 1 }),
        node("SequenceAt", ["s", "first"], ["p"]),
        node("SequenceAt", ["s", "second"], ["q"]),
        node("Mul", ["p", "q"], ["m"]),
        node("Concat", ["m", "p"], ["z"], { axis: 1 }),
      ],
      4,
      18,
      { parts: int64([2, 2]), first: int64([0], []), second: int64([1], []) },
    ),
    others: ["s"],
    measured: ["y"],
  },
  "a sequence that grows": {
    original: around(
      [
        node("SequenceEmpty", [], ["s0"]),
        node("SequenceInsert", ["s0", "h"], ["s1"]),
        node("Relu", ["h"], ["g"]),
        node("SequenceInsert", ["s1", "g"], ["s2"]),
        node("SequenceLength", ["s2"], ["length"]),
        node("ConcatFromSequence", ["s2"], ["both"], { axis: 1 }),
        node("Cast", ["length"], ["real"], { to: 1 }),
        node("Div", ["both", "real"], ["z"]),
      ],
      8,
    ),
    others: ["s0", "s1", "s2"],
    measured: ["y"],
  },
  "an optional": {
    original: around([node("Optional", ["h"], ["o"]), node("OptionalGetElement", ["o"], ["z"])], 4),
    others: ["o"],
    measured: ["y"],
  },
  "classes in words": {
    original: written({
      node: [
        ...front,
        protoNode("ArgMax", ["h"], ["class"], { attribute: [{ name: "axis", type: AttributeType.INT, i: 1n }] }),
        protoNode("Cast", ["class"], ["y"], { attribute: [{ name: "to", type: AttributeType.INT, i: 8n }] }),
      ],
      output: [info("y", ["N", 1], DataType.STRING)],
    }),
    others: ["y"],
    measured: ["y"],
  },
  "classes in words beside their scores": {
    original: written({
      node: [
        ...front,
        protoNode("Cast", ["h"], ["words"], { attribute: [{ name: "to", type: AttributeType.INT, i: 8n }] }),
        protoNode("Softmax", ["h"], ["scores"]),
      ],
      output: [info("words", ["N", 4], DataType.STRING), info("scores", ["N", 4])],
    }),
    others: ["words"],
    measured: ["words", "scores"],
  },
  "a condition whose branches give sequences": {
    original: written({
      node: [...chosen, protoNode("MatMul", ["z", "v"], ["y"])],
      initializer: [least, list("v", weights(8, 2))],
      output: [info("y", ["N", 2])],
    }),
    others: ["s"],
    measured: ["y"],
  },
  "an output that is a sequence": {
    original: written({
      node: [...front, protoNode("SequenceConstruct", ["h", "h"], ["s"]), protoNode("MatMul", ["h", "v"], ["y"])],
      initializer: [list("v", weights(4, 2))],
      output: [info("y", ["N", 2]), sequenceInfo("s")],
    }),
    others: ["s"],
    measured: ["y", "s"],
  },
};

describe.each(Object.entries(cases))("%s", (_, { original, others, measured }) => {
  const evaluated = async () => {
    const { prepared: prunable, samples } = await openModel(original, { runner, data });
    return createEvaluator(prunable, runner, samples ?? data, { objective: "match" });
  };

  test("is told from tensors before anything runs", () => {
    expect([...valueKinds(original.graph).others].sort()).toEqual([...others].sort());
    for (const other of others) expect(valueKinds(original.graph).reals.has(other)).toBe(false);
  });

  test("leaves the units of the tensors before it, with data and without", async () => {
    for (const prunable of [await prepared(original), (await evaluated()).prunable]) {
      expect(prunable.units.groups.map(({ id, size }) => [id, size])).toContainEqual(["a", 5]);
      expect(
        await cutDifference(original, prunable, removal(prunable, { a: [0, 3] }), { x: r.tensor([4, 3]) }),
      ).toBeLessThan(1e-5);
    }
    expect((await inspect(writeModel(original), { runner })).units).toBeGreaterThanOrEqual(5);
  });

  test("is measured by what is real", async () => {
    const evaluator = await evaluated();
    expect(evaluator.terms.map(({ output }) => output)).toEqual(measured);
    for (const { value } of evaluator.terms) expect(others).not.toContain(value);
    const { prunable } = evaluator;
    const removed = removal(prunable, { a: [1] });
    const left = [0, 2, 3, 4];
    const errors = await oracleErrors(evaluator, [removal(prunable, []), removed], left);
    for (const [unit, measuredError] of errors) {
      const error = await errorWithout(evaluator, removal(prunable, [1, unit]));
      expect(error).toBeGreaterThan(0);
      expect(Math.abs(measuredError - error), `unit ${unit}`).toBeLessThan(1e-5 * error);
    }
  });

  test("is pruned, or refused in our own words", async () => {
    const file = writeModel(original);
    const { bytes, summary } = await prune(file, {
      runner,
      data,
      criterion: "oracle",
      budget: { remove: { count: 2 } },
    });
    expect(summary.removed).toHaveLength(2);
    expect(summary.inDoubt).toBeUndefined();
    expect(readModel(bytes).graph.outputs.map(({ name }) => name)).toEqual(
      original.graph.outputs.map(({ name }) => name),
    );
    await (await runner.load(bytes)).release();
    const evaluator = await evaluated();
    const state = stateOf(evaluator.prunable, removal(evaluator.prunable, []));
    const terms = await taylorTerms(evaluator, state, { second: true }).catch((error: Error) => error);
    if (terms instanceof Error) expect(terms.message).toMatch(/no (gradient|second-order) rule for its/);
    else expect(terms.gradient.every(Number.isFinite)).toBe(true);
  });
});
