import { describe, expect, test } from "vitest";
import { fittable } from "../../src/compensate/consumers.ts";
import { GraphBuilder } from "../../src/graph/builder.ts";
import { FreshNames } from "../../src/graph/fresh-names.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { int64, type Tensor } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { cutDifference, prepared, removal, runner } from "../helpers.ts";
import { closeTo, model, node, random } from "../support/build.ts";

const branch: Node = {
  ...node("If", ["isOn"], ["if/out"], {}, { name: "choice" }),
  attributes: { then_branch: { kind: "graph", value: ["captured"], own: ["inner"] } },
};

const { graph } = model({
  inputs: { x: [1], isOn: { type: "bool", shape: [] } },
  outputs: ["y"],
  initializers: { w: [1] },
  nodes: [branch, node("Add", ["x", "w"], ["y"], {}, { name: "sum" })],
});
const noted = graph.with({ valueInfo: new Map([["note", { name: "note" }]]) });

describe("fresh names", () => {
  test.each(["x", "isOn", "w", "y", "if/out", "choice", "sum", "captured", "inner", "note"])(
    "%s is taken, whatever has it",
    (name) => {
      expect(new FreshNames(noted).fresh(name)).toBe(`${name}.2`);
    },
  );

  test("are given once", () => {
    const names = new FreshNames(noted);
    names.take("free.2");
    expect(["free", "free", "w", "w", "w.2"].map((hint) => names.fresh(hint))).toEqual([
      "free",
      "free.3",
      "w.2",
      "w.3",
      "w.2.2",
    ]);
  });

  test("of a builder are those of its graph, with or without the nodes", () => {
    for (const b of [new GraphBuilder({ opset: 17, base: noted }), GraphBuilder.around(noted, 17)]) {
      expect(["choice", "inner", "note"].map((hint) => b.fresh(hint))).toEqual(["choice.2", "inner.2", "note.2"]);
    }
  });
});

const r = random(8);

/** The model with what it computes under the given names beside its output; no unit passes there. */
function crowded(plain: Model, names: readonly string[]): Model {
  const extra = names.map((name) => node("Neg", ["x"], [name]));
  const outputs = names.map((name) => ({ name, type: "float32" as const }));
  const { graph: own } = plain;
  return { ...plain, graph: own.with({ nodes: [...extra, ...own.nodes], outputs: [...own.outputs, ...outputs] }) };
}

async function expectCutToAgree(original: Model, gone: Record<string, number[]>, dims: number[]): Promise<void> {
  const prunable = await prepared(original);
  expect(await cutDifference(original, prunable, removal(prunable, gone), { x: r.tensor(dims) })).toBeLessThan(1e-5);
}

describe("a model that has values of the names that would be added", () => {
  test("a channel shuffle's order", async () => {
    const shuffled = model({
      inputs: { x: ["N", 2, 3, 3] },
      outputs: ["y"],
      initializers: {
        "a.w": r.tensor([4, 2, 1, 1]),
        apart: int64([0, 2, 2, 3, 3]),
        together: int64([0, 4, 3, 3]),
        "b.w": r.tensor([2, 4, 1, 1]),
      },
      nodes: [
        node("Conv", ["x", "a.w"], ["a"]),
        node("Reshape", ["a", "apart"], ["p"]),
        node("Transpose", ["p"], ["q"], { perm: [0, 2, 1, 3, 4] }),
        node("Reshape", ["q", "together"], ["s"]),
        node("Conv", ["s", "b.w"], ["y"]),
      ],
    });
    await expectCutToAgree(crowded(shuffled, ["s/order"]), { a: [1, 2] }, [3, 2, 3, 3]);
  });

  const reshaped = (target: readonly Node[]): Model =>
    model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: {
        "a.w": r.tensor([3, 4]),
        "b.w": r.tensor([4, 2]),
        first: int64([0]),
        second: int64([1]),
        any: int64([-1]),
        width: int64([4]),
      },
      nodes: [
        node("MatMul", ["x", "a.w"], ["a"]),
        node("Shape", ["a"], ["dims"]),
        ...target,
        node("Reshape", ["a", "target"], ["s"]),
        node("MatMul", ["s", "b.w"], ["y"]),
      ],
    });

  test("the constants of a cut", async () => {
    const target = [node("Gather", ["dims", "second"], ["w"]), node("Concat", ["any", "w"], ["target"], { axis: 0 })];
    await expectCutToAgree(crowded(reshaped(target), ["s/cut"]), { a: [1, 2] }, [3, 3]);
  });

  test("the lengths of a cut shape", async () => {
    const target = [node("Gather", ["dims", "first"], ["n"]), node("Concat", ["n", "width"], ["target"], { axis: 0 })];
    const names = ["s/isLeft", "s/lengths", "s/left", "s/shape"];
    await expectCutToAgree(crowded(reshaped(target), names), { a: [1, 2] }, [3, 3]);
  });

  test("the biases of repaired layers", async () => {
    const layers = model({
      inputs: { x: ["N", 3] },
      outputs: ["y"],
      initializers: { w: r.tensor([3, 3]) },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("Tanh", ["a"], ["b"]),
        node("MatMul", ["b", "w"], ["c"]),
        node("Tanh", ["c"], ["y"]),
      ],
    });
    const plain = crowded(layers, ["a/bias", "a/product", "c/bias", "c/product", "w/a", "w/c"]);
    const { prunable, consumers } = fittable(await prepared(plain));
    expect(consumers).toHaveLength(2);
    const x = r.tensor([4, 3]);
    const run = async (one: Model): Promise<Tensor> => {
      const session = await runner.load(writeModel(one));
      const { y } = await session.run({ x });
      await session.release();
      return y as Tensor;
    };
    expect(closeTo(await run(prunable.model), await run(plain))).toBeLessThan(1e-6);
  });
});
