/**
 * Which units pass through which operator: each case is a small graph around one operator. The groups found, or the
 * reason why there are none, are as stated, and the cut file computes what the gated original computes.
 */
import { describe, expect, test } from "vitest";
import { dimsOf } from "../../src/graph/shapes.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { rules } from "../../src/ops/index.ts";
import type { Prunable } from "../../src/units/prepare.ts";
import {
  cutBytes,
  cutDifference,
  dataset,
  errorWithout,
  oracleErrors,
  prepared,
  removal,
  runner,
  sizes,
} from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { testedApart } from "./cases/case.ts";
import { denseTies } from "./cases/dense-ties.ts";
import { imageTies } from "./cases/image-ties.ts";
import type { Case } from "./cases/tie-case.ts";

const cases = { ...denseTies, ...imageTies };

/** Float32 sums of at most eight terms, in another order. */
const ROUNDING = 1e-5;

describe.each(Object.entries(cases))("%s", (_name, one) => {
  const original = graphOf(one);
  let found: Promise<Prunable> | undefined;
  const prepare = (): Promise<Prunable> => {
    found ??= prepared(original);
    return found;
  };

  test("finds the units, or says why there are none", async () => {
    const prunable = await prepare();
    const { last: _, ...found } = sizes(prunable);
    expect(found).toEqual(one.groups);
    const frozen = prunable.units.frozen.find(({ layer }) => layer === "first");
    if (one.frozen === undefined) expect(frozen).toBeUndefined();
    else expect(frozen?.reason).toContain(one.frozen);
  });

  test("the cut file computes what the gated original computes", async () => {
    const prunable = await prepare();
    const feeds = { x: random(9).tensor([5, ...sampleDims(one)]) };
    for (const removed of removals(prunable)) {
      expect(await cutDifference(original, prunable, removed, feeds)).toBeLessThan(ROUNDING);
      const session = await runner.load(cutBytes(prunable, removed));
      for (const batch of [1, 5]) {
        const { y, z } = await session.run({ x: random(9).tensor([batch, ...sampleDims(one)]) });
        expect((y ?? z)?.size).toBeGreaterThan(0);
      }
      await session.release();
    }
  });

  test("the oracle measures the error of the cut file", async () => {
    const prunable = await prepare();
    const evaluator = await createEvaluator(
      prunable,
      runner,
      dataset({ x: random(9).tensor([5, ...sampleDims(one)]) }, { targets: targetsFor(prunable) }),
    );
    const units = prunable.units.groups.flatMap(({ first, size }) => (size > 1 ? range(first, first + size) : []));
    for (const loops of [true, false]) {
      const errors = await oracleErrors(evaluator, [removal(prunable, [])], units, { loops });
      expect(errors.size).toBe(units.length);
      for (const [unit, measured] of errors) {
        const error = await errorWithout(evaluator, removal(prunable, [unit]));
        expect(Math.abs(measured - error) / error, `unit ${unit}`).toBeLessThan(ROUNDING);
      }
    }
  });
});

test("every operator with ties stands in a case", () => {
  const seen = new Set(Object.values(cases).flatMap(({ nodes }) => nodes.map(({ opType }) => opType)));
  expect(
    Object.entries(rules).flatMap(([name, rule]) =>
      rule.ties && !seen.has(name) && !testedApart.has(name) ? [name] : [],
    ),
  ).toEqual([]);
});

test("a removed channel's mask goes too, and a mask that is an output of the model freezes", async () => {
  const one: Case = { nodes: [node("Dropout", ["h"], ["z", "mask"])] };
  const plain = graphOf(one);
  expect(sizes(await prepared(plain))).toEqual({ first: 4 });
  const shown = {
    ...plain,
    graph: plain.graph.with({ outputs: [...plain.graph.outputs, { name: "mask", type: "bool" }] }),
  };
  const { units } = await prepared(shown);
  expect(units.groups).toEqual([]);
  expect(units.frozen.find(({ layer }) => layer === "first")?.reason).toBe('output "mask" of the model');
});

function targetsFor({ shapes, model: { graph } }: Prunable): Tensor {
  const [, ...dims] = dimsOf(shapes, graph.outputs[0]?.name as string);
  return random(8).tensor([5, ...dims]);
}

function graphOf({
  nodes,
  initializers = {},
  image = false,
  width = 4,
  into = width * (image ? 16 : 1),
  opset = 17,
}: Case) {
  const own = random(21);
  const weights: Record<string, Tensor> = {
    "first.w": own.tensor(image ? [width, 2, 2, 2] : [3, width]),
    "first.b": own.tensor([width]),
  };
  const first = node(image ? "Conv" : "Gemm", ["x", "first.w", "first.b"], ["h"], {}, { name: "first" });
  const last = [
    ...(image ? [node("Flatten", ["z"], ["flat"])] : []),
    node("Gemm", [image ? "flat" : "z", "last.w", "last.b"], ["y"], {}, { name: "last" }),
  ];
  if (into > 0)
    Object.assign(weights, { "last.w": own.tensor([into, 2], 1 / Math.sqrt(into)), "last.b": own.tensor([2]) });
  return model({
    opset,
    inputs: { x: ["N", ...sampleDims({ image })] },
    outputs: [into === 0 ? "z" : "y"],
    initializers: { ...weights, ...initializers },
    nodes: [first, ...nodes, ...(into === 0 ? [] : last)],
  });
}

function sampleDims({ image = false }: Pick<Case, "image">): number[] {
  return image ? [2, 5, 5] : [3];
}

/** None, each single unit, and every second unit of every group; at least one of each group stays. */
function removals(prunable: Prunable): Uint8Array[] {
  const groups = prunable.units.groups.filter(({ size }) => size > 1);
  const single = groups.flatMap(({ first, size }) => range(first, first + size).map((unit) => [unit]));
  const half = groups.flatMap(({ first, size }) =>
    range(first, first + size).filter((unit) => (unit - first) % 2 === 1),
  );
  return [[], ...single, half].map((gone) => removal(prunable, gone));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
