import { describe, expect, test } from "vitest";
import { accuracyByClass, pairedDrop } from "../../src/measure/correctness.ts";
import { random } from "../support/build.ts";

const flags = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe("a paired drop", () => {
  test("counts answers that changed", () => {
    const drop = pairedDrop(flags(1, 1, 1, 0, 0), flags(1, 0, 0, 1, 0));
    expect(drop).toMatchObject({ samples: 5, drop: 0.2, lost: 2, won: 1, confidence: 0.95 });
  });

  test("has the adjusted Wald interval", () => {
    const before = Uint8Array.from({ length: 100 }, (_, n) => (n < 90 ? 1 : 0));
    const after = Uint8Array.from({ length: 100 }, (_, n) => (n >= 9 && n < 91 ? 1 : 0)); // 9 lost, 1 won
    const { low, high } = pairedDrop(before, after);
    const [losing, winning] = [10 / 102, 2 / 102];
    const reach = 1.96 * Math.sqrt((losing + winning - (losing - winning) ** 2) / 102);
    expect(low).toBeCloseTo(losing - winning - reach, 3);
    expect(high).toBeCloseTo(losing - winning + reach, 3);
    expect(pairedDrop(before, after, 0.8).high).toBeLessThan(high);
  });

  test("is never of width 0, and narrows with samples", () => {
    const same = (count: number): number => {
      const right = new Uint8Array(count).fill(1);
      const { drop, low, high } = pairedDrop(right, right);
      expect(drop).toBe(0);
      expect(low).toBeCloseTo(-high, 12);
      return high;
    };
    expect(same(100)).toBeGreaterThan(0.02);
    expect(same(1000)).toBeLessThan(same(100) / 5);
  });

  test("covers the true drop about as often as it says, for few samples and rare changes too", () => {
    const r = random(17);
    for (const [samples, losing, winning] of [
      [100, 0.03, 0.01],
      [100, 0.1, 0.02],
      [400, 0.02, 0.02],
    ] as const) {
      let covered = 0;
      const runs = 2000;
      for (let run = 0; run < runs; run++) {
        const [before, after] = [new Uint8Array(samples), new Uint8Array(samples)];
        for (let n = 0; n < samples; n++) {
          const chance = r.uniform();
          if (chance < losing) before[n] = 1;
          else if (chance < losing + winning) after[n] = 1;
        }
        const { low, high } = pairedDrop(before, after);
        if (low <= losing - winning && losing - winning <= high) covered++;
      }
      expect(covered / runs).toBeGreaterThan(0.94);
    }
  });
});

test("accuracy by class leaves out classes without samples", () => {
  const labels = Int32Array.from([2, 0, 2, 2, 0, 5]);
  expect(accuracyByClass(labels, flags(1, 1, 1, 0, 1, 0), flags(0, 1, 1, 0, 0, 1))).toEqual([
    { class: 0, samples: 2, before: 1, after: 0.5 },
    { class: 2, samples: 3, before: 2 / 3, after: 1 / 3 },
    { class: 5, samples: 1, before: 0, after: 1 },
  ]);
});
