/** What integers hold that stand for reals. */
import type { ElementType } from "./tensor.ts";

/** Smallest and largest values of the integer types that reals are quantised to. */
export const integerRanges: Readonly<Partial<Record<ElementType, readonly [low: number, high: number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
};
