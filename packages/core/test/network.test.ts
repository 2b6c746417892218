/** The blocks that a drawing shows. */
import { expect, test } from "vitest";
import { inspect } from "../src/inspect.ts";
import { writeModel } from "../src/onnx/index.ts";
import { runner } from "./helpers.ts";
import { model, node, random } from "./support/build.ts";

test("what has no weights folds into the block it follows; joints, outputs and inputs are blocks of their own", async () => {
  const r = random(4);
  const residual = model({
    inputs: { x: ["N", 2, 4, 4] },
    outputs: ["y"],
    initializers: { w1: r.tensor([3, 2, 1, 1]), w2: r.tensor([3, 3, 1, 1]), w3: r.tensor([3, 2]) },
    nodes: [
      node("Conv", ["x", "w1"], ["a"], {}, { name: "one" }),
      node("Relu", ["a"], ["b"]),
      node("Conv", ["b", "w2"], ["c"], {}, { name: "two" }),
      node("Add", ["c", "b"], ["d"], {}, { name: "join" }),
      node("GlobalAveragePool", ["d"], ["e"]),
      node("Shape", ["e"], ["s"]),
      node("Flatten", ["e"], ["f"]),
      node("MatMul", ["f", "w3"], ["y"], {}, { name: "last" }),
    ],
  });
  const { network } = await inspect(writeModel(residual), { runner });
  expect(network.groups).toEqual([{ id: "one", kind: "channel", size: 3, layer: "one" }]);
  const tied = { groups: ["one"], frozen: [] };
  expect(network.blocks).toEqual([
    { name: "x", kind: "input", operators: [], dims: [1, 2, 4, 4], from: [], groups: [], frozen: [] },
    { name: "one", kind: "layer", operators: ["Conv", "Relu"], dims: [1, 3, 4, 4], from: [0], ...tied },
    { name: "two", kind: "layer", operators: ["Conv"], dims: [1, 3, 4, 4], from: [1], ...tied },
    {
      name: "join",
      kind: "joint",
      operators: ["Add", "GlobalAveragePool", "Flatten"],
      dims: [1, 3, 4, 4],
      from: [2, 1],
      ...tied,
    },
    {
      name: "last",
      kind: "layer",
      operators: ["MatMul"],
      dims: [1, 2],
      from: [3],
      groups: [],
      frozen: ['output "y" of the model'],
    },
    { name: "y", kind: "output", operators: [], dims: [1, 2], from: [4], groups: [], frozen: [] },
  ]);
});
