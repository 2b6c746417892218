import { expect, test } from "vitest";
import { latencyOf } from "../../src/latency/compare.ts";
import type { Runner } from "../../src/runner.ts";

/** A clock that only runs of the fake models move: the file's first byte is its milliseconds. */
function fake(): { runner: Runner; clock: () => number; order: number[]; open: () => number } {
  let [now, open] = [0, 0];
  const order: number[] = [];
  const runner: Runner = {
    name: "fake",
    async load(file) {
      open++;
      return {
        async run() {
          const time = file[0] as number;
          order.push(time);
          now += order.length % 7 === 0 ? time * 50 : time; // hiccups
          return {};
        },
        async release() {
          open--;
        },
      };
    },
  };
  return { runner, clock: () => now, order, open: () => open };
}

test("medians of runs in turns, warmed up, whatever a few runs took", async () => {
  const { runner, clock, order, open } = fake();
  const files = { before: Uint8Array.of(20), after: Uint8Array.of(5) };
  const latency = await latencyOf(runner, files, {}, { clock, threads: 2 });
  expect(latency).toMatchObject({ before: 20, after: 5, speedup: 4, runs: 120, threads: 2 });
  const [low, high] = latency?.interval ?? [];
  expect(low).toBeLessThanOrEqual(4);
  expect(high).toBeGreaterThanOrEqual(4);
  expect(order).toHaveLength(2 * (3 + 120));
  expect(order.slice(6, 10)).toEqual([20, 5, 5, 20]);
  expect(open()).toBe(0);
});

test("slow models run a few times, fast ones many", async () => {
  const runs = async (before: number, after: number): Promise<number | undefined> => {
    const { runner, clock } = fake();
    const files = { before: Uint8Array.of(before), after: Uint8Array.of(after) };
    return (await latencyOf(runner, files, {}, { clock, threads: 1 }))?.runs;
  };
  expect(await runs(250, 250)).toBe(6);
  expect(await runs(255, 255)).toBe(5);
  expect(await runs(0, 0)).toBe(301);
});
