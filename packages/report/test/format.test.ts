import { describe, expect, it } from "vitest";
import {
  formatAccuracy,
  formatChange,
  formatCount,
  formatNumber,
  formatPoints,
  formatSeconds,
  formatShare,
  formatSigned,
  formatTick,
} from "../src/format.ts";

describe("numbers", () => {
  it.each([
    [0, "0"],
    [1234, "1,234"],
    [-1234567, "−1,234,567"],
    [0.4, "0"],
    [-0.4, "0"],
    [Number.NaN, "—"],
    [undefined, "—"],
    [Number.NEGATIVE_INFINITY, "−∞"],
  ])("formatCount(%s) is %s", (value, text) => expect(formatCount(value)).toBe(text));

  it.each([
    [0, "0"],
    [0.01234, "0.0123"],
    [12.345, "12.3"],
    [999.4, "999"],
    [999.7, "1,000"],
    [1234.5, "1,235"],
    [-0.5, "−0.5"],
    [3.14e-7, "3.1e−7"],
    [2e15, "2.0e15"],
    [Number.POSITIVE_INFINITY, "∞"],
    [null, "—"],
  ])("formatNumber(%s) is %s", (value, text) => expect(formatNumber(value)).toBe(text));

  it("writes signs, shares, points and changes", () => {
    expect([formatSigned(2), formatSigned(-2), formatSigned(0)]).toEqual(["+2", "−2", "0"]);
    expect([formatShare(0.034), formatShare(0.5), formatShare(177.55)]).toEqual([
      "3.4\u00a0%",
      "50\u00a0%",
      "17,755\u00a0%",
    ]);
    expect([formatAccuracy(0.9757), formatPoints(-0.012), formatPoints(0.00001)]).toEqual([
      "97.57\u00a0%",
      "−1.20 points",
      "0.00 points",
    ]);
    expect([formatChange(0.1), formatChange(-0.1), formatChange(0.0001)]).toEqual([
      "+10\u00a0%",
      "−10\u00a0%",
      "0\u00a0%",
    ]);
  });

  it.each([
    [0.42, "0.42 s"],
    [12.34, "12.3 s"],
    [200, "3 min 20 s"],
    [7500, "2 h 5 min"],
  ])("formatSeconds(%s) is %s", (value, text) => expect(formatSeconds(value)).toBe(text));

  it.each([
    [0.2, "0.2"],
    [-2000, "−2,000"],
    [1e5, "10⁵"],
    [2e-4, "2×10⁻⁴"],
    [-1e-6, "−10⁻⁶"],
  ])("formatTick(%s) is %s", (value, text) => expect(formatTick(value)).toBe(text));
});
