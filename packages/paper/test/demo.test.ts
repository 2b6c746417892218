/** What is promised of the demo's network: the paper's figure, and the paper's order of the three criteria. */

import { compare, createEvaluator, prepare, prune, readModel, writeModel } from "@shrinknet/core";
import { nodeRunner } from "@shrinknet/runtime/node";
import { expect, test } from "vitest";
import { demoDigits, trainDemo } from "../src/demo/network.ts";

test("the demo's network loses 60 % of its neurons and stays above 95 %; oracle, taylor2, taylor1 is the order", async () => {
  const runner = nodeRunner();
  const { data, test: held } = demoDigits();
  const { model, quality } = await trainDemo(runner, data);
  expect(quality.accuracy).toBeGreaterThanOrEqual(0.99);
  const file = writeModel(model);

  const { runs } = await compare(file, { runner, data, objective: "sse" });
  const area = Object.fromEntries(
    runs.map(({ criterion, steps }) => [criterion, steps.reduce((sum, { error }) => sum + error, 0)]),
  );
  expect(area.oracle).toBeLessThan(area.taylor2 as number);
  expect(area.taylor2).toBeLessThan(area.taylor1 as number);
  const oracle = runs.find(({ criterion }) => criterion === "oracle");
  expect(oracle?.steps.find(({ removed }) => removed === 60)?.accuracy).toBeGreaterThanOrEqual(0.95);

  const { bytes, summary } = await prune(file, {
    runner,
    data,
    test: held,
    objective: "sse",
    budget: { remove: { share: 0.6 } },
  });
  expect(summary.after.accuracy).toBeGreaterThanOrEqual(0.95);
  const small = await createEvaluator(await prepare(readModel(bytes), runner), runner, data, { objective: "sse" });
  expect((await small.evaluate()).quality).toMatchObject({ accuracy: summary.after.accuracy });
});
