import { describe, expect, it } from "vitest";
import { withRoom } from "../src/charts/axis.ts";
import { colors, seriesStyle } from "../src/charts/palette.ts";
import { chooseScale, computeScale } from "../src/compute/scale.ts";
import { thinPoints } from "../src/compute/thin.ts";
import type { Point } from "../src/series.ts";

describe("computeScale", () => {
  it("widens a linear domain to whole ticks", () => {
    expect(computeScale([3, 17])).toEqual({ type: "linear", domain: [0, 20], ticks: [0, 5, 10, 15, 20] });
    expect(computeScale([3, 17], { nice: false }).ticks).toEqual([5, 10, 15]);
    expect(computeScale([97, 99.9], { limits: [0, 100] }).domain[1]).toBe(100);
  });

  it("survives nothing, one value, and values that are not finite", () => {
    expect(computeScale([]).domain).toEqual([0, 1]);
    expect(computeScale([0], { zero: true }).domain).toEqual([0, 1]);
    expect(computeScale([5]).domain[0]).toBeLessThan(5);
    expect(computeScale([Number.NaN, Number.POSITIVE_INFINITY, 2, 4]).domain).toEqual([2, 4]);
    expect(computeScale([0, -1], { type: "log" }).type).toBe("linear");
  });

  it("puts ticks on powers of ten", () => {
    expect(computeScale([1e-6, 1e3], { type: "log" }).ticks).toEqual([1e-6, 1e-4, 1e-2, 1, 100]);
    expect(computeScale([12, 90], { type: "log" }).ticks.length).toBeGreaterThan(2);
    const symlog = computeScale([-100, 0, 0.5, 1, 1000], { type: "symlog" });
    expect(symlog.ticks).toContain(0);
    expect(symlog.domain).toEqual([-100, 1000]);
    expect(symlog.constant).toBe(0.1);
  });

  it("chooses log only for a wide range", () => {
    expect(chooseScale([1, 50])).toBe("linear");
    expect(chooseScale([1, 500])).toBe("log");
    expect(chooseScale([0, 1, 500])).toBe("symlog");
    expect(chooseScale([])).toBe("linear");
  });
});

describe("thinPoints", () => {
  it("keeps ends, peaks and gaps, in order", () => {
    const points = Array.from(
      { length: 5000 },
      (_, i): Point => [i, i === 1234 ? 99 : i === 4000 ? Number.NaN : Math.sin(i)],
    );
    const thin = thinPoints(points);
    expect(thin.length).toBeLessThanOrEqual(800);
    expect(thin[0]).toEqual([0, 0]);
    expect(thin.at(-1)?.[0]).toBe(4999);
    expect(thin).toContainEqual([1234, 99]);
    expect(thin).toContainEqual([4000, Number.NaN]);
    expect(thin.every((p, i) => i === 0 || p[0] > (thin[i - 1]?.[0] ?? 0))).toBe(true);
  });

  it("leaves short lines alone", () => {
    const points: Point[] = [[0, 1]];
    expect(thinPoints(points)).toBe(points);
  });
});

describe("withRoom", () => {
  it("leaves out ticks whose labels would touch, and never that of zero", () => {
    const scale = computeScale([-30, 0.002, 0.003, 20000], { type: "symlog", count: 9 });
    expect(scale.ticks.length).toBeGreaterThan(4);
    const narrow = withRoom(scale, 120);
    expect(narrow.ticks).toContain(0);
    expect(narrow.ticks.length).toBeLessThan(scale.ticks.length);
    expect(withRoom(scale, 3000).ticks).toEqual(scale.ticks);
    expect(narrow.domain).toEqual(scale.domain);
  });

  it("knows linear and log axes", () => {
    const linear = computeScale([0, 20]);
    expect(withRoom(linear, 400).ticks).toEqual(linear.ticks);
    expect(withRoom(computeScale([1e-6, 1e3], { type: "log" }), 60).ticks).toEqual([1e-6, 1]);
  });
});

describe("palette", () => {
  const light = (hex: string): number => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => {
      const c = Number.parseInt(hex.slice(i, i + 2), 16) / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a: string, b: string): number =>
    (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);

  it.each(colors)("%s has a contrast of 3:1 on white and on #111", (color) => {
    expect(contrast(color, "#ffffff")).toBeGreaterThanOrEqual(3);
    expect(contrast(color, "#111111")).toBeGreaterThanOrEqual(3);
  });

  it("gives 120 different looks, and neighbours differ without colour", () => {
    const looks = Array.from({ length: 120 }, (_, i) => seriesStyle(i));
    expect(new Set(looks.map((l) => JSON.stringify(l))).size).toBe(120);
    expect(looks.every((l, i) => i === 0 || (l.dash !== looks[i - 1]?.dash && l.marker !== looks[i - 1]?.marker))).toBe(
      true,
    );
  });
});
