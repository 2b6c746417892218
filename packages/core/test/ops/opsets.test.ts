/**
 * The derivative graph of every operator under every opset that models may have: it loads, it runs, and its values are
 * those of the reference evaluator, which under some opsets are held to finite differences. A model of an old opset gets
 * only what that opset knows.
 */
import { readdir, readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import type { Tensor } from "../../src/graph/tensor.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { rules } from "../../src/ops/index.ts";
import { runner } from "../helpers.ts";
import { closeTo, model, node } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";
import { casesAt, FIRST_OPSET, LAST_OPSET } from "./cases/by-opset.ts";
import { type Case, testedApart } from "./cases/case.ts";
import { derive, distance, finiteDifferences, problemOf, title } from "./problem.ts";

const opsets = Array.from({ length: LAST_OPSET - FIRST_OPSET + 1 }, (_, i) => FIRST_OPSET + i);

/** Opsets at which the rules append different nodes. */
const CHECKED = new Set([7, 8, 10, 12, 17, LAST_OPSET]);

describe.each(opsets)("opset %i", (opset) => {
  test.each(casesAt(opset).map((one) => [title(one), one] as const))("%s", async (_title, one) => {
    await expectToRun(one);
    if (CHECKED.has(opset)) expectFiniteDifferences(one);
  });
});

test("what older opsets lack is appended through GraphBuilder alone", async () => {
  const direct = /\bop\(\s*"(Where|Equal|Sign|Expand|Greater|Less|GreaterOrEqual|LessOrEqual|Max|Min|ConstantOfShape)"/;
  const source = new URL("../../src/", import.meta.url);
  const files = await readdir(source, { recursive: true });
  const offenders: string[] = [];
  for (const file of files) {
    const looksItself = ["builder.ts", "unit-means.ts", "attention-masks.ts"].some((name) => file.endsWith(name)); // at the opset
    if (!file.endsWith(".ts") || looksItself) continue;
    if (direct.test(await readFile(new URL(file, source), "utf8"))) offenders.push(file);
  }
  expect(offenders).toEqual([]);
});

test("every operator that has a derivative rule stands in the table, and each opset knows those that the one before knew", () => {
  const known = (opset: number): Set<string> => new Set(casesAt(opset).map(([opType]) => opType));
  const differentiable = Object.entries(rules).filter(
    ([name, rule]) => !testedApart.has(name) && (rule.linear ?? rule.pointwise ?? rule.vjp),
  );
  const ever = new Set(opsets.flatMap((opset) => [...known(opset)]));
  expect(differentiable.map(([name]) => name).filter((name) => !ever.has(name))).toEqual([]);
  for (const opset of opsets.slice(1)) {
    const lost = [...known(opset - 1)].filter((name) => !known(opset).has(name));
    expect(lost, `opset ${opset}`).toEqual(opset === 10 ? ["Upsample"] : []);
  }
});

test("the table covers all opsets that are read", () => {
  const isRead = (opset: number): boolean => {
    const relu = model({ opset, inputs: { x: [2] }, outputs: ["y"], nodes: [node("Relu", ["x"], ["y"])] });
    try {
      return readModel(writeModel(relu)) !== undefined;
    } catch {
      return false;
    }
  };
  expect([FIRST_OPSET - 1, ...opsets, LAST_OPSET + 1].filter(isRead)).toEqual(opsets);
});

async function expectToRun(one: Case): Promise<void> {
  const problem = problemOf(one, "float32");
  const derived = derive(problem);
  const session = await runner.load(writeModel(derived.model));
  try {
    const single = await session.run(problem.feeds);
    const exact = evaluate(derived.model, problem.feeds, derived.fetches);
    for (const name of derived.fetches) {
      expect(closeTo(single[name] as Tensor, exact[name] as Tensor), name).toBeLessThan(1e-4); // float32 arithmetic
    }
  } finally {
    await session.release();
  }
}

function expectFiniteDifferences(one: Case): void {
  const problem = problemOf(one);
  const derived = derive(problem);
  const exact = evaluate(derived.model, problem.feeds, derived.fetches);
  for (const { input, gradient, curvature } of derived.results) {
    const numeric = finiteDifferences(problem, input);
    expect(distance(exact[gradient], numeric.first), `gradient by ${input}`).toBeLessThan(1e-8);
    expect(distance(exact[curvature], numeric.second), `second order by ${input}`).toBeLessThan(1e-6);
  }
}
