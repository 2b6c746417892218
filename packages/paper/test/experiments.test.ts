import type { Dataset, Tensor } from "@shrinknet/core";
import { describe, expect, test } from "vitest";
import { unitsOf } from "../src/experiments/experiment.ts";
import { findExperiments } from "../src/experiments/find.ts";
import { irregular } from "../src/experiments/plane.ts";
import { experiments } from "../src/experiments/table.ts";
import { publishedCurves } from "../src/results/published.ts";
import { experiment } from "./small.ts";

/** As bytes: comparing millions of numbers one by one takes the test runner seconds. */
function bytesOf({ inputs }: Dataset): Buffer {
  const { buffer, byteOffset, byteLength } = (inputs.x as Tensor).data;
  return Buffer.from(buffer, byteOffset, byteLength);
}

describe.each(experiments.map((one) => [one.id, one] as const))("%s", (_, one) => {
  test("the samples fit the network, and seeds differ", () => {
    const { calibration, test: held } = one.samples(1);
    for (const data of [calibration, held]) {
      const [size] = data.inputs.x?.dims ?? [];
      expect(data.inputs.x?.dims).toEqual([size, one.widths[0]]);
      if (data.targets) expect(data.targets.dims).toEqual([size, one.widths.at(-1)]);
      else expect(Math.max(...(data.labels ?? []))).toBe((one.widths.at(-1) as number) - 1);
    }
    expect(bytesOf(held).equals(bytesOf(calibration))).toBe(false);
    expect(bytesOf(one.samples(2).calibration).equals(bytesOf(calibration))).toBe(false);
    expect(bytesOf(one.samples(1).calibration).equals(bytesOf(calibration))).toBe(true);
  });

  test("its published figures have a value for each removal", () => {
    for (const { figure } of one.figures) {
      for (const curve of Object.values(publishedCurves(figure))) {
        expect(curve).toHaveLength(unitsOf(one) + 1);
        expect(curve[0]).toBeNaN();
        expect(curve.slice(1).every(Number.isFinite)).toBe(true);
      }
    }
  });
});

test("all 17 published figures stand beside a curve of ours", () => {
  expect(new Set(experiments.flatMap(({ figures }) => figures.map(({ figure }) => figure))).size).toBe(17);
  expect(publishedCurves("cosine-small").oracle[1]).toBe(0.01039); // drawn at 0, measured after one removal
});

test("cosine targets are cosines over one period", () => {
  const { calibration } = experiment("cosine-big").samples(1);
  const [x, y] = [calibration.inputs.x?.data as Float32Array, calibration.targets?.data as Float32Array];
  expect(
    x.every((value, i) => value >= 0 && value < 6.2832 && Math.abs(Math.cos(value) - (y[i] as number)) < 1e-6),
  ).toBe(true);
});

test("one digit against the rest has raw pixels and the digit as class 0", () => {
  const { calibration } = experiment("digit-1").samples(1);
  const pixels = calibration.inputs.x?.data as Float32Array;
  expect(pixels.every((pixel) => Number.isInteger(pixel) && pixel >= 0 && pixel <= 255)).toBe(true);
  expect(pixels.some((pixel) => pixel > 250)).toBe(true);
  const share = (calibration.labels?.filter((label) => label === 0).length ?? 0) / (calibration.labels?.length ?? 0);
  expect(share).toBeGreaterThan(0.09);
  expect(share).toBeLessThan(0.14);
});

test("half of the points lie inside the shape, and the irregular shape is no circle", () => {
  for (const id of ["diamond", "random-shape"]) {
    const { calibration } = experiment(id).samples(1);
    expect(calibration.labels?.filter((label) => label === 0)).toHaveLength((calibration.labels?.length ?? 0) / 2);
  }
  const radii = Array.from({ length: 90 }, (_, i) => {
    const angle = (i / 90) * 2 * Math.PI;
    let radius = 0;
    while (irregular(radius * Math.cos(angle), radius * Math.sin(angle))) radius += 0.01;
    return radius;
  });
  expect(Math.max(...radii)).toBeLessThan(1.1);
  expect(Math.max(...radii) / Math.min(...radii)).toBeGreaterThan(2);
});

test("experiments are found by name, or all", () => {
  expect(findExperiments(["all"])).toHaveLength(9);
  expect(findExperiments(["diamond", "cosine-big"]).map(({ id }) => id)).toEqual(["cosine-big", "diamond"]);
  expect(() => findExperiments(["mnist"])).toThrow(
    /experiment "mnist": is unknown, expected all or names of cosine-small/,
  );
});
