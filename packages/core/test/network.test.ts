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
  const nothing = { parameters: 0, macs: 0 };
  const one = { parameters: 6, macs: 96 }; // 2 channels to 3 at 16 places
  const two = { parameters: 9, macs: 144 };
  expect(network.blocks).toEqual([
    { name: "x", kind: "input", operators: [], dims: [1, 2, 4, 4], ...nothing, from: [], groups: [], frozen: [] },
    { name: "one", kind: "layer", operators: ["Conv", "Relu"], dims: [1, 3, 4, 4], ...one, from: [0], ...tied },
    { name: "two", kind: "layer", operators: ["Conv"], dims: [1, 3, 4, 4], ...two, from: [1], ...tied },
    {
      name: "join",
      kind: "joint",
      operators: ["Add", "GlobalAveragePool", "Flatten"],
      dims: [1, 3, 4, 4],
      ...nothing,
      from: [2, 1],
      ...tied,
    },
    {
      name: "last",
      kind: "layer",
      operators: ["MatMul"],
      dims: [1, 2],
      parameters: 6,
      macs: 6,
      from: [3],
      groups: [],
      frozen: ['output "y" of the model'],
    },
    { name: "y", kind: "output", operators: [], dims: [1, 2], ...nothing, from: [4], groups: [], frozen: [] },
  ]);
});
