/** Arrays as the reference evaluator computes with them: every number a float64, the type only a label. */
import type { ElementType } from "../../../src/graph/tensor.ts";
import { isFloat, sizeOf, stridesOf, type Tensor } from "../../../src/graph/tensor.ts";

/** Floating values are always `float64`; integers and booleans keep their type. */
export interface NumArray {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export function fromTensor(tensor: Tensor): NumArray {
  return {
    type: isFloat(tensor.type) ? "float64" : tensor.type,
    dims: tensor.dims,
    data: Float64Array.from(tensor.numbers),
  };
}

/** The array whose element at `index` is `element(index)`. `index` is reused between calls. */
export function build(
  dims: readonly number[],
  element: (index: readonly number[]) => number,
  type: ElementType = "float64",
): NumArray {
  const data = new Float64Array(sizeOf(dims));
  let at = 0;
  for (const index of indexesOf(dims)) data[at++] = element(index);
  return { type, dims, data };
}

/** All positions in row-major order; always the same array object, changed in place. */
export function* indexesOf(dims: readonly number[]): Generator<number[]> {
  const index = dims.map(() => 0);
  const size = sizeOf(dims);
  for (let n = 0; n < size; n++) {
    yield index;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (dims[axis] as number)) break;
      index[axis] = 0;
    }
  }
}

/** Row-major position of `index`. */
export function offset(dims: readonly number[], index: readonly number[]): number {
  let at = 0;
  for (let axis = 0; axis < dims.length; axis++) at = at * (dims[axis] as number) + (index[axis] as number);
  return at;
}

export function get(x: NumArray, index: readonly number[]): number {
  return x.data[offset(x.dims, index)] as number;
}

/** Same data, other dims. */
export function reshaped(x: NumArray, dims: readonly number[]): NumArray {
  if (sizeOf(dims) !== x.data.length) throw new RangeError(`cannot reshape [${x.dims}] to [${dims}]`);
  return { type: x.type, dims, data: x.data };
}

export function map(x: NumArray, f: (value: number) => number, type: ElementType = x.type): NumArray {
  return { type, dims: x.dims, data: x.data.map((value) => f(value)) };
}

/** The dims that all of `shapes` broadcast to. */
export function broadcastDims(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, axis) => {
    let length = 1;
    for (const dims of shapes) {
      const dim = dims[axis - rank + dims.length] ?? 1;
      if (dim === 1) continue;
      if (length !== 1 && length !== dim) {
        throw new RangeError(`cannot broadcast ${shapes.map((s) => `[${s}]`).join(" with ")}`);
      }
      length = dim;
    }
    return length;
  });
}

/** `x` repeated to `dims`. */
export function broadcast(x: NumArray, dims: readonly number[]): NumArray {
  const strides = stridesOf(x.dims);
  const skip = dims.length - x.dims.length;
  return build(
    dims,
    (index) => {
      let at = 0;
      for (let axis = 0; axis < x.dims.length; axis++) {
        if (x.dims[axis] !== 1) at += (index[axis + skip] as number) * (strides[axis] as number);
      }
      return x.data[at] as number;
    },
    x.type,
  );
}

/** Element by element over the broadcast arrays. */
export function zip(
  arrays: readonly NumArray[],
  f: (...values: number[]) => number,
  type: ElementType = arrays[0]?.type ?? "float64",
): NumArray {
  const dims = broadcastDims(...arrays.map((x) => x.dims));
  const expanded = arrays.map((x) => broadcast(x, dims).data);
  const data = Float64Array.from({ length: sizeOf(dims) }, (_, i) =>
    f(...expanded.map((values) => values[i] as number)),
  );
  return { type, dims, data };
}

/** Axis i of the result is axis perm[i] of `x`. */
export function permuted(x: NumArray, perm: readonly number[]): NumArray {
  const source = perm.map(() => 0);
  return build(
    perm.map((axis) => x.dims[axis] as number),
    (index) => {
      perm.forEach((axis, i) => {
        source[axis] = index[i] as number;
      });
      return get(x, source);
    },
    x.type,
  );
}

/** Negative axes count from the end. */
export function normalAxis(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= Math.max(rank, 1)) throw new RangeError(`axis ${axis} of ${rank} axes`);
  return normal;
}

/** `index` with the entry at `axis` replaced. */
export function replaced(index: readonly number[], axis: number, value: number): number[] {
  const copy = [...index];
  copy[axis] = value;
  return copy;
}

/** Each line of `x` along `axis` through `f`, which must keep its length. */
export function alongAxis(x: NumArray, axis: number, f: (line: number[]) => ArrayLike<number>): NumArray {
  const length = x.dims[axis] as number;
  const inner = sizeOf(x.dims.slice(axis + 1));
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start++) {
    if (Math.floor(start / inner) % length !== 0) continue;
    const line = Array.from({ length }, (_, i) => x.data[start + i * inner] as number);
    const result = f(line);
    for (let i = 0; i < length; i++) data[start + i * inner] = result[i] as number;
  }
  return { type: x.type, dims: x.dims, data };
}
