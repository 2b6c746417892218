/** Windows sliding over the spatial axes, as convolutions and poolings state them. */
import type { Call } from "./call.ts";

export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Padding before and after, per spatial axis. */
  readonly before: readonly number[];
  readonly after: readonly number[];
  /** Spatial dims of the result. */
  readonly out: readonly number[];
}

/** The window over an input of `spatial` dims. */
export function windowOf(call: Call, kernel: readonly number[], spatial: readonly number[]): Window {
  const rank = spatial.length;
  const strides = call.ints("strides") ?? spatial.map(() => 1);
  const dilations = call.ints("dilations") ?? spatial.map(() => 1);
  const pads = call.ints("pads") ?? [...spatial, ...spatial].map(() => 0);
  const auto = call.string("auto_pad", "NOTSET");
  const roundUp = call.int("ceil_mode", 0) === 1;
  const before: number[] = [];
  const after: number[] = [];
  const out: number[] = [];
  spatial.forEach((length, axis) => {
    const stride = strides[axis] as number;
    const reach = ((kernel[axis] as number) - 1) * (dilations[axis] as number) + 1;
    let [start, end] = auto === "NOTSET" ? [pads[axis] as number, pads[axis + rank] as number] : [0, 0];
    if (auto.startsWith("SAME")) {
      const total = Math.max(0, (Math.ceil(length / stride) - 1) * stride + reach - length);
      start = auto === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
      end = total - start;
    }
    const steps = (length + start + end - reach) / stride;
    let count = Math.floor(steps) + 1;
    // Rounded up, the last window may reach beyond the padding but must not start in it.
    if (roundUp && !Number.isInteger(steps) && count * stride < length + start) count++;
    before.push(start);
    after.push(end);
    out.push(count);
  });
  return { kernel, strides, dilations, before, after, out };
}

/** Input position that kernel position `tap` reads for the result at `place`; undefined in the padding. */
export function sourceOf(
  window: Window,
  spatial: readonly number[],
  place: readonly number[],
  tap: readonly number[],
): number[] | undefined {
  const source = spatial.map((_, axis) => position(window, axis, place, tap));
  return source.every((at, axis) => at >= 0 && at < (spatial[axis] as number)) ? source : undefined;
}

/** The same along one axis, padding included (negative, or beyond the length). */
export function position(window: Window, axis: number, place: readonly number[], tap: readonly number[]): number {
  return (
    (place[axis] as number) * (window.strides[axis] as number) +
    (tap[axis] as number) * (window.dilations[axis] as number) -
    (window.before[axis] as number)
  );
}
