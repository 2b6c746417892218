/** A plan gives the file that prune wrote, byte for byte. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyPlan } from "../../src/apply.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Model } from "../../src/graph/graph.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import { parsePlan } from "../../src/plan/plan.ts";
import { prune } from "../../src/prune.ts";
import { dataset, runner } from "../helpers.ts";
import { buildImage, imageNetwork, SIDE } from "../property/image-networks.ts";
import { build, network } from "../property/networks.ts";
import { closeTo, model, node, random } from "../support/build.ts";

const CRITERIA = ["oracle", "taylor2", "magnitude", "random", "obs"] as const;

/** Prunes by a criterion and replays the plan as it is read from its file, with the data and without. */
async function hold(original: Model, data: Dataset, criterion: string): Promise<void> {
  const file = writeModel(original);
  const { bytes, plan } = await prune(file, {
    runner,
    data,
    criterion,
    budget: { remove: { share: 0.4 } },
    bestEffort: true,
  });
  const read = parsePlan(JSON.stringify(plan));
  expect((await applyPlan(file, read, { runner, data })).bytes, criterion).toEqual(bytes);
  expect((await applyPlan(file, read, { runner })).bytes, `${criterion}, without data`).toEqual(bytes);
}

test("dense networks (property)", async () => {
  await fc.assert(
    fc.asyncProperty(network, fc.constantFrom(...CRITERIA), (recipe, criterion) =>
      hold(build(recipe).model, dataset({ x: random(recipe.seed).tensor([20, recipe.inputs]) }), criterion),
    ),
    { numRuns: 15 },
  );
});

test("image networks (property)", async () => {
  await fc.assert(
    fc.asyncProperty(imageNetwork({ stages: 2 }), fc.constantFrom(...CRITERIA), (recipe, criterion) =>
      hold(buildImage(recipe), dataset({ x: random(recipe.seed).tensor([8, 2, SIDE, SIDE]) }), criterion),
    ),
    { numRuns: 6 },
  );
});

const r = random(81);
const images = dataset({ x: r.tensor([12, 2, 6, 6]) });
const rows = dataset({ x: r.tensor([20, 4]) });
const conv = (x: string, w: string, y: string, bias: string[] = []) =>
  node("Conv", [x, w, ...bias], [y], { pads: [1, 1, 1, 1] });

const structures: Record<string, readonly [Model, Dataset]> = {
  PRelu: [
    model({
      inputs: { x: ["N", 2, 6, 6] },
      outputs: ["y"],
      initializers: {
        w: r.tensor([6, 2, 3, 3]),
        slope: r.tensor([6, 1, 1]),
        v: r.tensor([5, 6, 3, 3]),
        u: r.tensor([5, 1, 1]),
        last: r.tensor([3, 5, 1, 1]),
      },
      nodes: [
        conv("x", "w", "a"),
        node("PRelu", ["a", "slope"], ["h"]),
        conv("h", "v", "b"),
        node("PRelu", ["b", "u"], ["i"]),
        node("Conv", ["i", "last"], ["c"]),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Flatten", ["p"], ["y"]),
      ],
    }),
    images,
  ],
  "one slope for all PRelus": [
    model({
      inputs: { x: ["N", 4] },
      outputs: ["y"],
      initializers: {
        w: r.tensor([4, 7]),
        v: r.tensor([7, 6]),
        u: r.tensor([6, 2]),
        slope: tensorOf("float32", [0.2]),
      },
      nodes: [
        node("MatMul", ["x", "w"], ["a"]),
        node("PRelu", ["a", "slope"], ["h"]),
        node("MatMul", ["h", "v"], ["b"]),
        node("PRelu", ["b", "slope"], ["i"]),
        node("MatMul", ["i", "u"], ["y"]),
      ],
    }),
    rows,
  ],
  "initializers that are graph inputs too": [
    {
      ...withInputs(
        model({
          inputs: { x: ["N", 4] },
          outputs: ["y"],
          initializers: { w: r.tensor([4, 7]), b: r.tensor([7]), v: r.tensor([7, 6]), u: r.tensor([6, 2]) },
          nodes: [
            node("Gemm", ["x", "w", "b"], ["a"]),
            node("Relu", ["a"], ["h"]),
            node("MatMul", ["h", "v"], ["c"]),
            node("Tanh", ["c"], ["i"]),
            node("MatMul", ["i", "u"], ["y"]),
          ],
        }),
      ),
      irVersion: 3,
    },
    rows,
  ],
  "initializers that many nodes read": [
    model({
      inputs: { x: ["N", 4] },
      outputs: ["y"],
      initializers: {
        w: r.tensor([4, 6]),
        v: r.tensor([6, 6]),
        u: r.tensor([6, 2]),
        zeros: [0, 0, 0, 0, 0, 0],
        scale: r.tensor([6]),
      },
      nodes: [
        node("Gemm", ["x", "w", "zeros"], ["a"]),
        node("Mul", ["a", "scale"], ["b"]),
        node("Relu", ["b"], ["h"]),
        node("Gemm", ["h", "v", "zeros"], ["c"]),
        node("Mul", ["c", "scale"], ["d"]),
        node("Add", ["d", "zeros"], ["e"]),
        node("Relu", ["e"], ["i"]),
        node("MatMul", ["i", "u"], ["y"]),
      ],
    }),
    rows,
  ],
};

/** Lists all initializers as inputs, as old files do. */
function withInputs(original: Model): Model {
  const { graph } = original;
  const listed = [...graph.initializers].map(([name, { type, dims }]: [string, Tensor]) => ({
    name,
    type,
    shape: dims,
  }));
  return { ...original, graph: graph.with({ inputs: [...graph.inputs, ...listed] }) };
}

structures["initializers that are graph inputs too, IR 8"] = [
  { ...(structures["initializers that are graph inputs too"] as readonly [Model, Dataset])[0], irVersion: 8 },
  rows,
];

describe.each(Object.entries(structures))("%s", (_, [original, data]) => {
  test.each([...CRITERIA, "taylor1", "fisher"])("%s", (criterion) => hold(original, data, criterion));
});

test("a plan says which outputs were measured and how, and its replay fits the repair to the same", async () => {
  const network = model({
    inputs: { x: ["N", 4] },
    outputs: ["a", "b"],
    initializers: { w: r.tensor([4, 12]), v: r.tensor([12, 3]), u: r.tensor([12, 2]) },
    nodes: [
      node("MatMul", ["x", "w"], ["s"]),
      node("Relu", ["s"], ["h"]),
      node("MatMul", ["h", "v"], ["a"]),
      node("MatMul", ["h", "u"], ["b"]),
    ],
  });
  const data = dataset({ x: r.tensor([60, 4]), y_a: r.tensor([60, 3]) });
  const file = writeModel(network);
  const shared = { runner, data, criterion: "obs", compensate: "lstsq", budget: { remove: { count: 5 } } } as const;
  const both = await prune(file, { ...shared, objective: { a: "sse", b: "match" } });
  expect(both.plan).toMatchObject({ objective: "sse+match", outputs: { a: "sse", b: "match" } });
  const one = await prune(file, { ...shared, outputs: ["b"] });
  expect(one.plan).toMatchObject({ objective: "match", outputs: { b: "match" } });
  for (const { plan, bytes } of [both, one]) {
    const again = await applyPlan(file, parsePlan(JSON.stringify(plan)), { runner, data });
    const [ours, theirs] = await Promise.all([again.bytes, bytes].map(outputsFor));
    for (const name of ["a", "b"]) expect(closeTo(ours?.[name] as Tensor, theirs?.[name] as Tensor)).toBeLessThan(1e-4);
  }

  async function outputsFor(bytes: Uint8Array): Promise<Record<string, Tensor>> {
    const session = await runner.load(bytes);
    const outputs = await session.run({ x: data.inputs.x as Tensor });
    await session.release();
    return outputs;
  }
});
