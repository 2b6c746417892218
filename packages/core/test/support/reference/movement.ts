/** Operators that only move elements by position: shape changes, slices, joins, padding. */
import { sizeOf } from "../../../src/graph/tensor.ts";
import {
  broadcast,
  broadcastDims,
  build,
  get,
  indexesOf,
  normalAxis,
  offset,
  permuted,
  replaced,
  reshaped,
} from "./array.ts";
import type { Call, Operators } from "./call.ts";

export const movement: Operators = {
  Flatten(call) {
    const x = call.input(0);
    const stated = call.int("axis", 1);
    const axis = stated < 0 ? stated + x.dims.length : stated; // may be the rank itself
    return reshaped(x, [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))]);
  },
  Reshape(call) {
    const x = call.input(0);
    const zeroIsZero = call.int("allowzero", 0) === 1;
    const wanted = Array.from(call.input(1).data, (dim, axis) =>
      dim === 0 && !zeroIsZero ? (x.dims[axis] as number) : dim,
    );
    const known = wanted.reduce((size, dim) => (dim === -1 ? size : size * dim), 1);
    return reshaped(
      x,
      wanted.map((dim) => (dim === -1 ? x.data.length / known : dim)),
    );
  },
  Transpose(call) {
    const x = call.input(0);
    return permuted(x, call.ints("perm") ?? [...x.dims.keys()].reverse());
  },
  Squeeze(call) {
    const x = call.input(0);
    const axes = call.moved("axes", 1, 13)?.map((axis) => normalAxis(axis, x.dims.length));
    if (axes?.some((axis) => x.dims[axis] !== 1)) throw new RangeError(`cannot squeeze axes ${axes}`);
    return reshaped(
      x,
      x.dims.filter((dim, axis) => (axes ? !axes.includes(axis) : dim !== 1)),
    );
  },
  Unsqueeze(call) {
    const x = call.input(0);
    const stated = call.moved("axes", 1, 13) ?? [];
    const rank = x.dims.length + stated.length;
    const axes = new Set(stated.map((axis) => normalAxis(axis, rank)));
    const rest = [...x.dims];
    return reshaped(
      x,
      Array.from({ length: rank }, (_, axis) => (axes.has(axis) ? 1 : (rest.shift() as number))),
    );
  },
  Concat(call) {
    const first = call.input(0);
    const axis = normalAxis(call.int("axis", 1), first.dims.length);
    const total = call.all.reduce((length, x) => length + (x.dims[axis] as number), 0);
    const dims = replaced(first.dims, axis, total);
    const data = new Float64Array(sizeOf(dims));
    let start = 0;
    for (const x of call.all) {
      for (const index of indexesOf(x.dims)) {
        data[offset(dims, replaced(index, axis, start + (index[axis] as number)))] = get(x, index);
      }
      start += x.dims[axis] as number;
    }
    return { type: first.type, dims, data };
  },
  /** Lengths: attribute before opset 13, input from then on; else equal parts, the last one smaller (opset 18). */
  Split(call) {
    const x = call.input(0);
    const axis = normalAxis(call.int("axis", 0), x.dims.length);
    const length = x.dims[axis] as number;
    const count = call.int("num_outputs", call.node.outputs.length);
    const part = Math.ceil(length / count);
    const lengths =
      call.moved("split", 1, 13) ?? Array.from({ length: count }, (_, i) => Math.min(part, length - i * part));
    let end = 0;
    return lengths.map((size) => {
      const start = end;
      end += size;
      return build(
        replaced(x.dims, axis, size),
        (index) => get(x, replaced(index, axis, start + (index[axis] as number))),
        x.type,
      );
    });
  },
  Slice(call) {
    const x = call.input(0);
    const rank = x.dims.length;
    const starts = call.moved("starts", 1, 10) ?? [];
    const ends = call.moved("ends", 2, 10) ?? [];
    const axes = call.moved("axes", 3, 10) ?? [...starts.keys()];
    const steps = (call.opset >= 10 && call.numbers(4)) || starts.map(() => 1);
    const dims = [...x.dims];
    const from = dims.map(() => 0);
    const by = dims.map(() => 1);
    axes.forEach((stated, i) => {
      const axis = normalAxis(stated, rank);
      const length = x.dims[axis] as number;
      const step = steps[i] as number;
      // Backwards, positions end at -1, just before the first element.
      const [low, high] = step > 0 ? [0, length] : [-1, length - 1];
      const place = (at: number): number => Math.min(Math.max(at < 0 ? at + length : at, low), high);
      const start = place(starts[i] as number);
      dims[axis] = Math.max(0, Math.ceil((place(ends[i] as number) - start) / step));
      from[axis] = start;
      by[axis] = step;
    });
    return build(
      dims,
      (index) =>
        get(
          x,
          index.map((at, axis) => (from[axis] as number) + at * (by[axis] as number)),
        ),
      x.type,
    );
  },
  Expand(call) {
    const x = call.input(0);
    return broadcast(x, broadcastDims(x.dims, Array.from(call.input(1).data)));
  },
  Tile(call) {
    const x = call.input(0);
    const repeats = call.input(1).data;
    return build(
      x.dims.map((dim, axis) => dim * (repeats[axis] as number)),
      (index) =>
        get(
          x,
          index.map((at, axis) => at % (x.dims[axis] as number)),
        ),
      x.type,
    );
  },
  /** Pads and value: attributes before opset 11, inputs from then on; `axes` from 18. Negative pads cut. */
  Pad(call) {
    const x = call.input(0);
    const rank = x.dims.length;
    const stated = call.moved("pads", 1, 11) ?? [];
    const value = call.opset >= 11 ? (call.inputs[2]?.data[0] ?? 0) : call.float("value", 0);
    const axes = (call.opset >= 18 ? call.numbers(3) : undefined) ?? [...x.dims.keys()];
    const before = x.dims.map(() => 0);
    const dims = [...x.dims];
    axes.forEach((at, i) => {
      const axis = normalAxis(at, rank);
      before[axis] = stated[i] as number;
      dims[axis] = (x.dims[axis] as number) + (stated[i] as number) + (stated[i + axes.length] as number);
    });
    const mode = call.string("mode", "constant");
    return build(
      dims,
      (index) => {
        const source = index.map((at, axis) =>
          padded(call, mode, at - (before[axis] as number), x.dims[axis] as number),
        );
        return source.includes(-1) ? value : get(x, source);
      },
      x.type,
    );
  },
  DepthToSpace(call) {
    const x = call.input(0);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const b = call.int("blocksize", 1);
    const depth = c / (b * b);
    const columnFirst = call.string("mode", "DCR") === "CRD";
    const split = columnFirst
      ? permuted(reshaped(x, [n, depth, b, b, h, w]), [0, 1, 4, 2, 5, 3])
      : permuted(reshaped(x, [n, b, b, depth, h, w]), [0, 3, 4, 1, 5, 2]);
    return reshaped(split, [n, depth, h * b, w * b]);
  },
  SpaceToDepth(call) {
    const x = call.input(0);
    const [n, c, h, w] = x.dims as [number, number, number, number];
    const b = call.int("blocksize", 1);
    const split = permuted(reshaped(x, [n, c, h / b, b, w / b, b]), [0, 3, 5, 1, 2, 4]);
    return reshaped(split, [n, c * b * b, h / b, w / b]);
  },
  Trilu(call) {
    const x = call.input(0);
    const upper = call.int("upper", 1) === 1;
    const k = call.inputs[1]?.data[0] ?? 0;
    return build(
      x.dims,
      (index) => {
        const [row, column] = index.slice(-2) as [number, number];
        return (upper ? column - row >= k : column - row <= k) ? get(x, index) : 0;
      },
      x.type,
    );
  },
};

/** Source position along an axis of `length`; -1 where the constant goes. */
function padded(call: Call, mode: string, at: number, length: number): number {
  if (at >= 0 && at < length) return at;
  if (mode === "constant") return -1;
  if (mode === "edge") return at < 0 ? 0 : length - 1;
  if (mode === "wrap") return ((at % length) + length) % length;
  if (mode !== "reflect") call.refuse(`mode ${mode}`);
  if (length === 1) return 0;
  const period = 2 * (length - 1);
  const folded = ((at % period) + period) % period;
  return folded < length ? folded : period - folded;
}
