/** Local functions: their layers are cut like those of the graph. */
import { expect, test } from "vitest";
import { inspect } from "../../src/inspect.ts";
import { inlineFunctions, readModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import { dataset, runner } from "../helpers.ts";
import { random } from "../support/build.ts";
import { AttributeType, floats, info, modelFile, node } from "./files.ts";

const r = random(5);
const values = (count: number): number[] => Array.from(r.tensor([count]).numbers);

/** x[N, 3] -> 6 units by a function, bent by a function inside it with the slope that the call gives or the default -> y. */
const file = modelFile(
  {
    node: [
      node("Layer", ["x", "w", "b"], ["h"], {
        name: "call",
        domain: "local",
        attribute: [{ name: "slope", type: AttributeType.FLOAT, f: 0.3 }],
      }),
      node("Bend", ["h"], ["a"], { domain: "local" }),
      node("MatMul", ["a", "v"], ["y"]),
    ],
    initializer: [floats("w", values(18), [3, 6]), floats("b", values(6), [6]), floats("v", values(12), [6, 2])],
    input: [info("x", ["N", 3])],
    output: [info("y", ["N", 2])],
  },
  {
    opsetImport: [
      { domain: "", version: 17n },
      { domain: "local", version: 1n },
    ],
    functions: [
      {
        name: "Bend",
        domain: "local",
        input: ["in"],
        output: ["out"],
        opsetImport: [{ domain: "", version: 17n }],
        attributeProto: [{ name: "slope", type: AttributeType.FLOAT, f: 0.7 }],
        node: [
          node("LeakyRelu", ["in"], ["out"], {
            attribute: [{ name: "alpha", type: AttributeType.FLOAT, refAttrName: "slope" }],
          }),
        ],
      },
      {
        name: "Layer",
        domain: "local",
        input: ["in", "weights", "bias"],
        output: ["out"],
        opsetImport: [
          { domain: "", version: 17n },
          { domain: "local", version: 1n },
        ],
        node: [
          node("MatMul", ["in", "weights"], ["product"]),
          node("Add", ["product", "bias"], ["sum"]),
          node("Bend", ["sum"], ["out"], {
            domain: "local",
            attribute: [{ name: "slope", type: AttributeType.FLOAT, refAttrName: "slope" }],
          }),
        ],
      },
    ],
  },
);

test("bodies stand in place of calls, with the attributes of the call, or the default", async () => {
  const model = inlineFunctions(readModel(file));
  expect(model.graph.nodes.map(({ opType }) => opType)).toEqual(["MatMul", "Add", "LeakyRelu", "LeakyRelu", "MatMul"]);
  const slopes = model.graph.nodes.flatMap(({ attributes }) => attributes.alpha?.value ?? []);
  expect(slopes).toEqual([0.3, 0.7].map(Math.fround));
  const { groups, parameters, macs } = await inspect(file, { runner });
  expect(groups.map(({ size }) => size)).toEqual([6]);
  expect([parameters, macs]).toEqual([18 + 6 + 12, 18 + 12]);
});

test("they are cut, and the file holds no functions that nothing calls", async () => {
  const data = dataset({ x: r.tensor([30, 3]) });
  const { bytes, summary } = await prune(file, { runner, data, criterion: "oracle", budget: { remove: { count: 2 } } });
  expect(summary.verified).toBeLessThan(1e-5);
  expect(readModel(bytes).graph.initializers.get("w")?.dims).toEqual([3, 4]);
  expect(inlineFunctions(readModel(bytes)).graph.nodes).toHaveLength(5);
  expect(summary.after.parameters).toBe(12 + 4 + 8);
});
