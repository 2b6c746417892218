/** Resize and Upsample: each output position along an axis is a weighted sum of input positions, axis after axis. */
import { build, get, type NumArray, normalAxis, replaced } from "./array.ts";
import type { Call, Operators } from "./call.ts";

interface Tap {
  readonly at: number;
  readonly weight: number;
}

interface Rule {
  /** nearest, linear or cubic */
  readonly mode: string;
  readonly coordinates: string;
  readonly nearest: string;
}

export const resizing: Operators = {
  /** Inputs X, scales in opset 10; X, roi, scales, sizes from 11 on; `axes` from 18. */
  Resize(call) {
    const x = call.input(0);
    const mode = call.string("mode", "nearest");
    if (call.opset < 11) {
      return resize(call, x, call.numbers(1) ?? [], undefined, {
        mode,
        coordinates: "asymmetric",
        nearest: "simple",
      });
    }
    if (call.int("antialias", 0)) call.refuse("antialias");
    if (call.string("keep_aspect_ratio_policy", "stretch") !== "stretch") call.refuse("keep_aspect_ratio_policy");
    const rank = x.dims.length;
    const axes = (call.ints("axes") ?? [...x.dims.keys()]).map((axis) => normalAxis(axis, rank));
    const spread = (values: number[] | undefined, others: readonly number[]): number[] | undefined =>
      values && values.length > 0
        ? others.map((other, axis) => (axes.includes(axis) ? (values[axes.indexOf(axis)] as number) : other))
        : undefined;
    const sizes = spread(call.numbers(3), x.dims);
    const scales = spread(
      call.numbers(2),
      x.dims.map(() => 1),
    );
    return resize(call, x, scales ?? [], sizes, {
      mode,
      coordinates: call.string("coordinate_transformation_mode", "half_pixel"),
      nearest: call.string("nearest_mode", "round_prefer_floor"),
    });
  },
  /** Scales: attribute in opset 7, input in 9. */
  Upsample(call) {
    const x = call.input(0);
    const scales = (call.opset >= 9 ? call.numbers(1) : call.floats("scales")) ?? [];
    const mode = call.string("mode", "nearest");
    return resize(call, x, scales, undefined, {
      mode,
      coordinates: "asymmetric",
      nearest: "floor",
    });
  },
};

function resize(
  call: Call,
  x: NumArray,
  scales: readonly number[],
  sizes: readonly number[] | undefined,
  rule: Rule,
): NumArray {
  return x.dims.reduce((current, length, axis) => {
    const size = sizes?.[axis] ?? Math.floor(length * (scales[axis] as number));
    const scale = sizes ? size / length : (scales[axis] as number);
    if (scale === 1) return current;
    const taps = Array.from({ length: size }, (_, i) =>
      tapsAt(call, coordinate(call, rule.coordinates, i, scale, length, size), length, scale, rule),
    );
    return build(
      replaced(current.dims, axis, size),
      (index) => {
        let total = 0;
        for (const { at, weight } of taps[index[axis] as number] as Tap[]) {
          total += weight * get(current, replaced(index, axis, at));
        }
        return total;
      },
      x.type,
    );
  }, x);
}

/** Where output position `i` lies on the input's axis. */
function coordinate(call: Call, mode: string, i: number, scale: number, length: number, size: number): number {
  const halfPixel = (i + 0.5) / scale - 0.5;
  switch (mode) {
    case "half_pixel":
      return halfPixel;
    case "pytorch_half_pixel":
      return size > 1 ? halfPixel : 0;
    case "half_pixel_symmetric":
      return (length / 2) * (1 - size / (scale * length)) + halfPixel;
    case "asymmetric":
      return i / scale;
    case "align_corners":
      return size > 1 ? (i * (length - 1)) / (size - 1) : 0;
    case "tf_half_pixel_for_nn":
      return (i + 0.5) / scale;
    default:
      return call.refuse(`coordinate_transformation_mode ${mode}`);
  }
}

function tapsAt(call: Call, x: number, length: number, scale: number, { mode, nearest }: Rule): Tap[] {
  const inside = (at: number): number => Math.min(Math.max(at, 0), length - 1);
  const floor = Math.floor(x);
  if (mode === "nearest") return [{ at: inside(nearestTo(call, nearest, x, scale)), weight: 1 }];
  if (mode === "linear") {
    return [
      { at: inside(floor), weight: 1 - (x - floor) },
      { at: inside(floor + 1), weight: x - floor },
    ];
  }
  if (mode !== "cubic") call.refuse(`mode ${mode}`);
  const a = call.float("cubic_coeff_a", -0.75);
  const near = [floor - 1, floor, floor + 1, floor + 2].map((at) => ({
    at,
    weight: cubic(x - at, a),
  }));
  if (!call.int("exclude_outside", 0)) return near.map(({ at, weight }) => ({ at: inside(at), weight }));
  const within = near.filter(({ at }) => inside(at) === at);
  const total = within.reduce((sum, { weight }) => sum + weight, 0);
  return within.map(({ at, weight }) => ({ at, weight: weight / total }));
}

function nearestTo(call: Call, mode: string, x: number, scale: number): number {
  switch (mode) {
    case "round_prefer_floor":
      return Math.ceil(x - 0.5);
    case "round_prefer_ceil":
      return Math.floor(x + 0.5);
    case "floor":
      return Math.floor(x);
    case "ceil":
      return Math.ceil(x);
    case "simple": // opset 10 left it open; as onnxruntime does
      return scale < 1 ? Math.ceil(x) : Math.floor(x);
    default:
      return call.refuse(`nearest_mode ${mode}`);
  }
}

/** Keys' cubic convolution kernel. */
function cubic(distance: number, a: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1;
  return d < 2 ? a * d ** 3 - 5 * a * d ** 2 + 8 * a * d - 4 * a : 0;
}
