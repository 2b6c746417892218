/** Inputs that are fixed, and branches that they decide. */
import { expect, test } from "vitest";
import { inspect } from "../src/inspect.ts";
import { readModel } from "../src/onnx/index.ts";
import { prune } from "../src/prune.ts";
import { dataset, runner } from "./helpers.ts";
import { AttributeType, floats, info, modelFile, node } from "./onnx/files.ts";
import { random } from "./support/build.ts";

const r = random(8);
const values = (count: number): number[] => Array.from(r.tensor([count]).numbers);

/** A branch of 6 units between x[N, 3] and two numbers. */
const branch = (name: string) => ({
  name,
  initializer: [floats(`${name}/w`, values(18), [3, 6]), floats(`${name}/v`, values(12), [6, 2])],
  node: [
    node("MatMul", ["x", `${name}/w`], [`${name}/h`]),
    node("Relu", [`${name}/h`], [`${name}/a`]),
    node("MatMul", [`${name}/a`, `${name}/v`], [`${name}/y`]),
  ],
  output: [info(`${name}/y`, ["N", 2])],
});

const file = modelFile({
  node: [
    node("Greater", ["rate", "limit"], ["isFast"]),
    node("If", ["isFast"], ["z"], {
      attribute: [
        { name: "then_branch", type: AttributeType.GRAPH, g: branch("fast") },
        { name: "else_branch", type: AttributeType.GRAPH, g: branch("slow") },
      ],
    }),
    node("Tanh", ["z"], ["y"]),
  ],
  initializer: [floats("limit", [10], [])],
  input: [info("x", ["N", 3]), info("rate", [])],
  output: [info("y", ["N", 2])],
});

test("the branch that a fixed input decides is cut like the rest of the model", async () => {
  const before = await inspect(file, { runner });
  expect(before.units).toBe(0);
  const { groups, inputs } = await inspect(file, { runner, fix: { rate: [16] } });
  expect(inputs.map(({ name }) => name)).toEqual(["x"]);
  expect(groups.map(({ layer, size }) => [layer, size])).toEqual([["fast/h", 6]]);
  const data = dataset({ x: r.tensor([40, 3]) });
  const options = { runner, data, criterion: "oracle", budget: { remove: { count: 2 } } } as const;
  const { bytes, plan, summary } = await prune(file, { ...options, fix: { rate: [4] } });
  expect(plan.fix).toEqual({ rate: [4] });
  expect(summary.verified).toBeLessThan(1e-5);
  const { graph } = readModel(bytes);
  expect(graph.feeds.map(({ name }) => name)).toEqual(["x"]);
  expect(graph.initializers.get("slow/w")?.dims).toEqual([3, 4]);
  expect([...graph.initializers.keys()].filter((name) => name.startsWith("fast"))).toEqual([]);
});

test("an input that the model does not have, and too many numbers, are refused", async () => {
  await expect(inspect(file, { runner, fix: { speed: [1] } })).rejects.toThrow(
    "fixed input speed: the model has no such input, expected one of x, rate",
  );
  await expect(inspect(file, { runner, fix: { rate: [1, 2] } })).rejects.toThrow(
    "fixed input rate: 2 numbers, expected 1",
  );
  const picks = modelFile({
    node: [node("Gather", ["x", "at"], ["y"], {})],
    input: [info("x", ["N", 3]), info("at", [], 7)],
    output: [info("y", [3])],
  });
  await expect(inspect(picks, { runner, fix: { at: [0.5] } })).rejects.toThrow(
    "fixed input at: 0.5 for an input of type int64, expected an integer",
  );
});

test("branches that only lengths decide give way where the shape is the only one", async () => {
  const ofLength = modelFile({
    node: [
      node("Shape", ["x"], ["dims"]),
      node("Gather", ["dims", "last"], ["length"]),
      node("Equal", ["length", "three"], ["isShort"]),
      node("If", ["isShort"], ["z"], {
        attribute: [
          { name: "then_branch", type: AttributeType.GRAPH, g: branch("fast") },
          { name: "else_branch", type: AttributeType.GRAPH, g: branch("slow") },
        ],
      }),
      node("Tanh", ["z"], ["y"]),
    ],
    initializer: [
      { name: "last", dims: [], dataType: 7, int64Data: [1n] },
      { name: "three", dims: [], dataType: 7, int64Data: [3n] },
    ],
    input: [info("x", ["N", "length"])],
    output: [info("y", ["N", 2])],
  });
  expect((await inspect(ofLength, { runner, shapes: { x: [1, 3] } })).units).toBe(0);
  const fix = { x: { dims: [1, 3] } };
  const { groups, inputs } = await inspect(ofLength, { runner, fix });
  expect(groups.map(({ layer, size }) => [layer, size])).toEqual([["fast/h", 6]]);
  expect(inputs).toEqual([{ name: "x", type: "float32", shape: [1, 3] }]);
  const data = dataset({ x: r.tensor([40, 1, 3]) });
  const { bytes, plan, summary } = await prune(ofLength, { runner, data, fix, budget: { remove: { count: 2 } } });
  expect(plan.fix).toEqual(fix);
  expect(summary.verified).toBeLessThan(1e-5);
  expect(readModel(bytes).graph.feeds[0]?.shape?.[1]).toBe(3);
  await expect(inspect(ofLength, { runner, fix: { x: { dims: [1, 3, 1] } } })).rejects.toThrow(
    "fixed input x: dims 1x3x1, expected Nxlength",
  );
});
