import fc from "fast-check";
import { expect, test } from "vitest";
import type { Dataset } from "../../src/data.ts";
import { float32 } from "../../src/graph/tensor.ts";
import { holdOut } from "../../src/measure/hold-out.ts";

/** Sample n holds n, is of class n and has the target n. */
function numbered(size: number): Dataset {
  const numbers = Array.from({ length: size }, (_, n) => n);
  const column = float32(numbers, [size, 1]);
  return { source: "numbered", size, inputs: { x: column }, labels: Int32Array.from(numbers), targets: column };
}

test("every sample is in one part, with its own class and target, in the order of the file", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 200 }),
      fc.double({ min: 0.01, max: 0.99, noNaN: true }),
      fc.nat(),
      (size, share, seed) => {
        const { fit, heldOut } = holdOut(numbered(size), share, seed);
        for (const part of [fit, heldOut]) {
          expect(part.size).toBeGreaterThan(0);
          expect(part.inputs.x?.dims).toEqual([part.size, 1]);
          expect(part.inputs.x?.numbers).toEqual(Float32Array.from(part.labels ?? []));
          expect(part.targets?.numbers).toEqual(part.inputs.x?.numbers);
          expect([...(part.labels ?? [])]).toEqual([...(part.labels ?? [])].sort((a, b) => a - b));
        }
        const both = [...(fit.labels ?? []), ...(heldOut.labels ?? [])].sort((a, b) => a - b);
        expect(both).toEqual([...(numbered(size).labels ?? [])]);
        expect(Math.abs(heldOut.size - share * size)).toBeLessThanOrEqual(1);
      },
    ),
  );
});

test("the split hangs on the seed alone", () => {
  const of = (seed: number): number[] => [...(holdOut(numbered(50), 0.2, seed).heldOut.labels ?? [])];
  expect(of(0)).toHaveLength(10);
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(0));
});

test("shares and sizes that leave nothing on one side are refused", () => {
  for (const share of [0, 1, -0.1, Number.NaN])
    expect(() => holdOut(numbered(9), share, 0)).toThrow("expected a share above 0% and below 100%");
  expect(() => holdOut(numbered(1), 0.5, 0)).toThrow("numbered: has 1 sample, expected at least 2");
});
