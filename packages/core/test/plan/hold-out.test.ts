import fc from "fast-check";
import { expect, test } from "vitest";
import type { Samples } from "../../src/data/samples.ts";
import { float32, tensorOf } from "../../src/graph/tensor.ts";
import { holdOut } from "../../src/measure/hold-out.ts";

/** Sample n holds n, is of class n and has the target n; all share one setting. */
function numbered(size: number): Samples {
  const numbers = Array.from({ length: size }, (_, n) => n);
  const column = float32(numbers, [size, 1]);
  return {
    source: "numbered",
    size,
    inputs: {
      x: { tensor: column, isShared: false },
      rate: { tensor: float32([16000], []), isShared: true },
    },
    answers: { "": tensorOf("int32", numbers), other: column },
  };
}

/** The classes of samples. */
const classes = ({ answers }: Samples): number[] => Array.from(answers[""]?.numbers ?? []);

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
          expect(part.source).toBe("numbered");
          expect(part.inputs.x?.tensor.dims).toEqual([part.size, 1]);
          expect(part.inputs.x?.tensor.numbers).toEqual(Float32Array.from(classes(part)));
          expect(part.inputs.rate).toEqual(numbered(size).inputs.rate);
          expect(part.answers.other?.dims).toEqual([part.size, 1]);
          expect(part.answers.other?.numbers).toEqual(part.inputs.x?.tensor.numbers);
          expect(classes(part)).toHaveLength(part.size);
          expect(classes(part)).toEqual(classes(part).sort((a, b) => a - b));
        }
        const both = [...classes(fit), ...classes(heldOut)].sort((a, b) => a - b);
        expect(both).toEqual(classes(numbered(size)));
        expect(Math.abs(heldOut.size - share * size)).toBeLessThanOrEqual(1);
      },
    ),
  );
});

test("the split depends on the seed alone", () => {
  const of = (seed: number): number[] => classes(holdOut(numbered(50), 0.2, seed).heldOut);
  expect(of(0)).toHaveLength(10);
  expect(of(1)).toEqual(of(1));
  expect(of(1)).not.toEqual(of(0));
});

test("shares and sizes that leave nothing on one side are refused", () => {
  for (const share of [0, 1, -0.1, Number.NaN])
    expect(() => holdOut(numbered(9), share, 0)).toThrow("expected a share above 0% and below 100%");
  expect(() => holdOut(numbered(1), 0.5, 0)).toThrow("numbered: has 1 sample, expected at least 2");
});
