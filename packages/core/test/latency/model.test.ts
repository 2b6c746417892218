/** What is learnt from cut variants: predictions, corrections, tables and goals, with times that follow a formula. */
import { beforeAll, expect, test } from "vitest";
import { measureBlock } from "../../src/latency/block.ts";
import { LatencyModel } from "../../src/latency/model.ts";
import { type LatencyTable, parseLatencyTable } from "../../src/latency/table.ts";
import { stateOf } from "../../src/measure/state.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { prune } from "../../src/prune.ts";
import type { Runner } from "../../src/runner.ts";
import type { Prunable } from "../../src/units/prepare.ts";
import { dataset, prepared, runner as real, removal } from "../helpers.ts";
import { build } from "../property/networks.ts";
import { random } from "../support/build.ts";

const layer = { form: "Gemm", normalize: false, skip: false, branches: [], move: "nothing" } as const;
const { model } = build({
  seed: 4,
  opset: 17,
  inputs: 6,
  layers: [24, 32].map((width) => ({ ...layer, width, activation: "Relu" as const })),
  outputs: 3,
  end: "linear",
});

/** Runs on the real runner; the clock moves by what the widths of a file's layers take, in milliseconds. */
function timed(timeOf: (widths: number[]) => number): { runner: Runner; clock: () => number } {
  let now = 0;
  const load: Runner["load"] = async (file, options) => {
    const session = await real.load(file, options);
    const { graph } = readModel(file);
    const widths = [...graph.initializers.values()].filter(({ dims }) => dims.length === 2).map(({ dims }) => dims[1]);
    return {
      ...session,
      async run(feeds, fetches) {
        now += timeOf(widths as number[]);
        return session.run(feeds, fetches);
      },
    };
  };
  return { runner: { ...real, load }, clock: () => now };
}

const sum = (widths: readonly number[]): number => 0.2 + widths.reduce((total, width) => total + 0.01 * width, 0);

let prunable: Prunable;
const x = random(2).tensor([1, 6]);
beforeAll(async () => {
  prunable = await prepared(model);
});

const some = (share: number) => {
  const { groups } = prunable.units;
  return removal(
    prunable,
    groups.flatMap(({ first, size }, at) => Array.from({ length: Math.floor(size * share) - at }, (_, i) => first + i)),
  );
};

test("predictions for widths that were never run, again from the table, and corrected by a measurement", async () => {
  const { runner, clock } = timed(sum);
  const options = { runner, clock, modelHash: "a", feeds: { x } };
  const times = await LatencyModel.learn(prunable, options);
  expect(times.table.milliseconds).toBeCloseTo(sum([24, 32, 3]), 9);
  expect(times.table.error).toBeLessThan(0.05);
  const removed = some(0.4);
  const { graph } = stateOf(prunable, removed).model;
  const widths = [...graph.initializers.values()].filter(({ dims }) => dims.length === 2).map(({ dims }) => dims[1]);
  const expected = sum(widths as number[]);
  expect(Math.abs(times.predict(removed) / expected - 1)).toBeLessThan(0.05);
  const again = LatencyModel.from(prunable, parseLatencyTable(JSON.stringify(times.table)), "a");
  expect(again.predict(removed)).toBe(times.predict(removed));
  await times.measure(stateOf(prunable, removed));
  expect(times.predict(removed)).toBeCloseTo(expected, 6);
  expect(() => LatencyModel.from(prunable, times.table, "b")).toThrow("latency table: was measured on another model");
});

test("a goal of latency is reached, and not by much", async () => {
  const { runner, clock } = timed(sum);
  const data = dataset({ x: random(3).tensor([40, 6]) });
  const options = { runner, data, latency: { clock, threads: 1 }, objective: "match", block: 1 };
  for (const targetLatency of [{ share: 0.6 }, { milliseconds: 0.5 }]) {
    const budget = { targetLatency };
    const { summary, plan, bytes } = await prune(writeModel(model), { ...options, budget });
    const { before, after } = summary.latency ?? { before: 0, after: 1 };
    const goal = "share" in targetLatency ? 0.6 * before : 0.5;
    expect(after).toBeLessThanOrEqual(goal * 1.001);
    expect(after).toBeGreaterThan(0.95 * goal);
    expect(summary.stopped).toBe("reached the target latency");
    const again = await prune(writeModel(model), { ...options, budget, latencyTable: plan.latencyTable });
    expect(again.plan.latencyTable).toEqual(plan.latencyTable);
    expect(again.bytes.byteLength).toBeGreaterThan(0.8 * bytes.byteLength);
  }
  await expect(
    prune(writeModel(model), { ...options, budget: { targetLatency: { milliseconds: 0.1 } } }),
  ).rejects.toThrow(/a run takes [\d.]+ ms, asked 0.1 ms/);
  await expect(
    prune(writeModel(model), { ...options, latency: undefined, budget: { targetLatency: { share: 0.5 } } }),
  ).rejects.toThrow("target latency: nothing to measure it by");
});

test("a table that is none says what is wrong", () => {
  expect(() => parseLatencyTable("{")).toThrow("latency table: not JSON");
  const table: Partial<LatencyTable> = { format: "shrinknet-latency", version: 1, modelHash: "a", runtime: "r" };
  expect(() => parseLatencyTable(JSON.stringify(table))).toThrow("latency table: milliseconds");
});

test.each([1, 4, 8, 16])("the block of a runtime that computes %i channels at once", async (block) => {
  let now = 0;
  const runner: Runner = {
    name: "fake",
    load: async (file) => {
      const width = readModel(file).graph.inputs[0]?.shape?.[1] as number;
      const whole = block * Math.ceil(width / block);
      return {
        run: async () => {
          now += whole ** 2 / 1e4;
          return {};
        },
        release: async () => undefined,
      };
    },
  };
  expect(await measureBlock(runner, () => now)).toBe(block);
});

test("what cannot be measured is said: nothing to remove, and runs that take too long", async () => {
  const slow = timed(() => 10_000);
  const options = { modelHash: "", feeds: { x } };
  const message = /^latency: cannot be learnt, expected units that can be removed and runs of a few seconds at most/;
  await expect(LatencyModel.learn(prunable, { ...options, ...slow })).rejects.toThrow(message);
  const frozen = { ...prunable, units: { ...prunable.units, groups: [] } };
  await expect(LatencyModel.learn(frozen, { ...options, ...timed(sum) })).rejects.toThrow(message);
});
