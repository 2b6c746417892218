/** Poolings over the spatial axes of X[N, C, ...]. */
import { sizeOf } from "../../../src/graph/tensor.ts";
import { build, get, indexesOf, type NumArray, offset } from "./array.ts";
import type { Call, Operator, Operators } from "./call.ts";
import { position, sourceOf, type Window, windowOf } from "./window.ts";

/** `f` sees all values of one channel of one sample. */
const globally =
  (f: (values: number[], call: Call) => number): Operator =>
  (call) => {
    const x = call.input(0);
    const [batch, channels, ...spatial] = x.dims as [number, number, ...number[]];
    const cells = sizeOf(spatial);
    return build([batch, channels, ...spatial.map(() => 1)], ([n, c]) => {
      const start = ((n as number) * channels + (c as number)) * cells;
      return f(Array.from(x.data.subarray(start, start + cells)), call);
    });
  };

export const pooling: Operators = {
  GlobalAveragePool: globally((values) => sum(values) / values.length),
  GlobalMaxPool: globally((values) => values.reduce((a, b) => Math.max(a, b))),
  GlobalLpPool: globally((values, call) => norm(values, call.int("p", 2))),

  /** The second result is the position in the whole input, row-major (or, with storage_order 1, columns first). */
  MaxPool(call) {
    const x = call.input(0);
    const spatial = x.dims.slice(2);
    const window = poolWindow(call, x);
    const places: number[] = [];
    const values = pool(x, window, (reads, index) => {
      const best = reads.reduce((a, b) => (get(x, b) > get(x, a) ? b : a));
      const plane = offset(x.dims.slice(0, 2), index.slice(0, 2)) * sizeOf(spatial);
      const inPlane = best.slice(2);
      const columnFirst = call.int("storage_order", 0) === 1;
      places.push(
        plane + (columnFirst ? offset(spatial.toReversed(), inPlane.toReversed()) : offset(spatial, inPlane)),
      );
      return get(x, best);
    });
    return [values, { type: "int64", dims: values.dims, data: Float64Array.from(places) }];
  },
  /** Divides by the elements under the window; with count_include_pad, by those in the stated padding too. */
  AveragePool(call) {
    const x = call.input(0);
    const spatial = x.dims.slice(2);
    const window = poolWindow(call, x);
    const withPad = call.int("count_include_pad", 0) === 1;
    return pool(x, window, (reads, index) => {
      const place = index.slice(2);
      const total = sum(reads.map((source) => get(x, source)));
      return total / (withPad ? countPadded(window, spatial, place) : reads.length);
    });
  },
  LpPool(call) {
    const x = call.input(0);
    const p = call.int("p", 2);
    return pool(x, poolWindow(call, x), (reads) =>
      norm(
        reads.map((source) => get(x, source)),
        p,
      ),
    );
  },
};

function poolWindow(call: Call, x: NumArray): Window {
  return windowOf(call, call.ints("kernel_shape") ?? [], x.dims.slice(2));
}

/** `f` sees the positions in `x` under the window, and the position in the result. */
function pool(x: NumArray, window: Window, f: (reads: number[][], index: readonly number[]) => number): NumArray {
  const [batch, channels, ...spatial] = x.dims as [number, number, ...number[]];
  return build(
    [batch, channels, ...window.out],
    (index) => {
      const [n, c, ...place] = index as [number, number, ...number[]];
      const reads: number[][] = [];
      for (const tap of indexesOf(window.kernel)) {
        const source = sourceOf(window, spatial, place, tap);
        if (source) reads.push([n, c, ...source]);
      }
      return f(reads, index);
    },
    x.type,
  );
}

/** Kernel positions that lie in the input or its stated padding (a rounded-up window may reach further). */
function countPadded(window: Window, spatial: readonly number[], place: readonly number[]): number {
  let count = 0;
  for (const tap of indexesOf(window.kernel)) {
    const inside = spatial.every(
      (length, axis) => position(window, axis, place, tap) < length + (window.after[axis] as number),
    );
    if (inside) count++;
  }
  return count;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function norm(values: readonly number[], p: number): number {
  return sum(values.map((value) => Math.abs(value) ** p)) ** (1 / p);
}
