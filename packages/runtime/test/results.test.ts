/** What a model gives besides tensors of numbers: left out, or refused by name when asked for; it never crashes. */
import { type Model, prune, type Session, ShrinkError, Tensor, writeModel } from "@shrinknet/core";
import { describe, expect, test } from "vitest";
import { model, node } from "../../core/test/support/build.ts";
import { nodeRunner } from "../src/node.ts";
import { tensorFrom } from "../src/results.ts";

const runner = nodeRunner();
const x = new Tensor("float32", [2], Float32Array.of(1, -2));

/** A model with a second output "odd" beside y = Relu(x). */
function withOdd(nodes: Parameters<typeof model>[0]["nodes"], opset = 17): Model {
  const one = model({
    opset,
    ir: 10,
    inputs: { x: [2] },
    outputs: ["y"],
    nodes: [...nodes, node("Relu", ["x"], ["y"])],
  });
  return { ...one, graph: one.graph.with({ outputs: [{ name: "odd" }, ...one.graph.outputs] }) };
}

const odd: readonly (readonly [string, Model, string])[] = [
  ["text", withOdd([node("Cast", ["x"], ["odd"], { to: 8 })]), "holds elements of type string"],
  ["a sequence", withOdd([node("SequenceConstruct", ["x", "x"], ["odd"])]), "is a sequence, a map or an optional"],
  ["an optional", withOdd([node("Optional", ["x"], ["odd"])]), "is a sequence, a map or an optional"],
  ["4-bit integers", withOdd([node("Cast", ["x"], ["odd"], { to: 21 })], 21), "holds elements of type uint4"],
];

async function session(one: Model): Promise<Session> {
  return runner.load(writeModel(one));
}

describe.each(odd)("an output that is %s", (_kind, one, what) => {
  test("is left out where it is not asked for", async () => {
    const loaded = await session(one);
    expect([...(loaded.outputs ?? [])]).toEqual(["y"]);
    expect(await loaded.run({ x })).toEqual({ y: new Tensor("float32", [2], Float32Array.of(1, 0)) });
    await loaded.release();
  });

  test("is refused by name where it is asked for", async () => {
    const loaded = await session(one);
    const asked = loaded.run({ x }, ["y", "odd"]);
    await expect(asked).rejects.toBeInstanceOf(ShrinkError);
    await expect(asked).rejects.toThrow(`value "odd": ${what}, expected a tensor of numbers`);
    await loaded.release();
  });
});

test("a value that is no output is refused by name", async () => {
  const loaded = await session(withOdd([node("Neg", ["x"], ["odd"])]));
  await expect(loaded.run({ x }, ["z"])).rejects.toThrow(
    'value "z": is no output of the loaded model, expected one of odd, y',
  );
  await loaded.release();
});

test.each<[string, unknown, string]>([
  ["nothing", undefined, "no tensor"],
  ["null", null, "no tensor"],
  ["a number", 3, "no tensor"],
  ["text", { type: "string", dims: [1], data: ["a"] }, "elements of type string"],
  ["no dims", { type: "float32", data: new Float32Array(1) }, "elements of type float32"],
  ["no data", { type: "float32", dims: [1] }, "elements of type float32"],
])("a result that is %s gives a sentence", (_kind, result, what) => {
  expect(() => tensorFrom("v", result)).toThrow(ShrinkError);
  expect(() => tensorFrom("v", result)).toThrow(`value "v": onnxruntime gave ${what} for it, expected a tensor`);
});

describe("a model is pruned although it has", () => {
  const layers = [node("MatMul", ["a", "w"], ["h"]), node("MatMul", ["h", "v"], ["y"])];
  const initializers = {
    w: new Tensor(
      "float32",
      [3, 4],
      Float32Array.from({ length: 12 }, (_, i) => i + 1),
    ),
    v: new Tensor(
      "float32",
      [4, 2],
      Float32Array.from({ length: 8 }, (_, i) => i + 1),
    ),
    first: new Tensor("int64", [], BigInt64Array.of(0n)),
  };
  const built = (nodes: Parameters<typeof model>[0]["nodes"], outputs = ["y"], batch: number | string = "N"): Model => {
    const one = model({ inputs: { x: [batch, 3] }, outputs: ["y"], initializers, nodes });
    return { ...one, graph: one.graph.with({ outputs: outputs.map((name) => ({ name })) }) };
  };

  test.each<[string, Model]>([
    ["text inside", built([node("Cast", ["x"], ["s"], { to: 8 }), node("Cast", ["s"], ["a"], { to: 1 }), ...layers])],
    [
      "a sequence inside",
      built([node("SequenceConstruct", ["x"], ["s"]), node("SequenceAt", ["s", "first"], ["a"]), ...layers]),
    ],
    [
      "an output of text",
      built([node("Relu", ["x"], ["a"]), ...layers, node("Cast", ["y"], ["s"], { to: 8 })], ["y", "s"]),
    ],
    [
      "an output of text and a fixed batch",
      built([node("Relu", ["x"], ["a"]), ...layers, node("Cast", ["y"], ["s"], { to: 8 })], ["y", "s"], 1),
    ],
    [
      "constants of text",
      built([
        node("Constant", [], ["t"], { value_strings: ["1", "2", "3"] }),
        node("Cast", ["t"], ["n"], { to: 1 }),
        node("Add", ["x", "n"], ["a"]),
        ...layers,
      ]),
    ],
  ])("%s", async (_kind, one) => {
    const { plan } = await prune(writeModel(one), { runner, criterion: "magnitude", budget: { remove: { count: 1 } } });
    expect(plan.removed).toEqual({ h: [0] });
  });
});
