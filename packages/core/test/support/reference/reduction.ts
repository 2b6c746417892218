/** Reductions over axes, and what works along one axis: softmax, arg max, running sums, top k. */
import { sizeOf } from "../../../src/graph/tensor.ts";
import { alongAxis, get, indexesOf, type NumArray, normalAxis, offset, replaced, reshaped } from "./array.ts";
import type { Call, Operator, Operators } from "./call.ts";

/** `f` sees all values of one result. Axes: an input from opset `since` on, an attribute before. */
const reduce =
  (f: (values: number[]) => number, since = 18): Operator =>
  (call) => {
    const x = call.input(0);
    const axes = call.moved("axes", 1, since) ?? [];
    if (axes.length === 0 && call.int("noop_with_empty_axes", 0)) return x;
    const rank = x.dims.length;
    const gone = new Set(axes.length === 0 ? x.dims.keys() : axes.map((axis) => normalAxis(axis, rank)));
    const kept = x.dims.map((dim, axis) => (gone.has(axis) ? 1 : dim));
    const cells = Array.from({ length: sizeOf(kept) }, (): number[] => []);
    for (const index of indexesOf(x.dims)) {
      const cell = offset(
        kept,
        index.map((at, axis) => (gone.has(axis) ? 0 : at)),
      );
      cells[cell]?.push(get(x, index));
    }
    const dims = call.int("keepdims", 1) ? kept : x.dims.filter((_, axis) => !gone.has(axis));
    return {
      type: x.type,
      dims,
      data: Float64Array.from(cells, (values) => f(values)),
    };
  };

export const reduction: Operators = {
  ReduceSum: reduce(sum, 13),
  ReduceMean: reduce((values) => sum(values) / values.length),
  ReduceMax: reduce((values) => largest(values)),
  ReduceMin: reduce((values) => -largest(values.map((value) => -value))),
  ReduceProd: reduce((values) => values.reduce((a, b) => a * b, 1)),
  ReduceL1: reduce((values) => sum(values.map(Math.abs))),
  ReduceL2: reduce((values) => Math.sqrt(sum(values.map((value) => value * value)))),
  ReduceSumSquare: reduce((values) => sum(values.map((value) => value * value))),
  ReduceLogSum: reduce((values) => Math.log(sum(values))),
  ReduceLogSumExp: reduce(logSumExp),

  Softmax: (call) => acrossAxis(call, (line) => logSoftmax(line).map(Math.exp)),
  LogSoftmax: (call) => acrossAxis(call, logSoftmax),
  Hardmax: (call) => acrossAxis(call, (line) => line.map((_, i) => Number(i === line.indexOf(largest(line))))),

  ArgMax: (call) => argMax(call, 1),
  ArgMin: (call) => argMax(call, -1),
  CumSum(call) {
    const x = call.input(0);
    const exclusive = call.int("exclusive", 0) === 1;
    const reverse = call.int("reverse", 0) === 1;
    return alongAxis(x, normalAxis(call.input(1).data[0] as number, x.dims.length), (line) => {
      if (reverse) line.reverse();
      let total = 0;
      const totals = line.map((value) => {
        const before = total;
        total += value;
        return exclusive ? before : total;
      });
      return reverse ? totals.reverse() : totals;
    });
  },
  /** Always sorted; equal values by position. */
  TopK(call) {
    const x = call.input(0);
    const k = call.opset >= 10 ? (call.input(1).data[0] as number) : call.int("k", 1);
    const axis = normalAxis(call.int("axis", -1), x.dims.length);
    const sign = call.int("largest", 1) ? 1 : -1;
    const dims = replaced(x.dims, axis, k);
    const values = new Float64Array(sizeOf(dims));
    const places = new Float64Array(sizeOf(dims));
    for (const index of indexesOf(replaced(x.dims, axis, 1))) {
      const line = Array.from({ length: x.dims[axis] as number }, (_, i) => get(x, replaced(index, axis, i)));
      const order = [...line.keys()].sort((a, b) => sign * ((line[b] as number) - (line[a] as number)) || a - b);
      for (let i = 0; i < k; i++) {
        const at = offset(dims, replaced(index, axis, i));
        places[at] = order[i] as number;
        values[at] = line[order[i] as number] as number;
      }
    }
    return [
      { type: x.type, dims, data: values },
      { type: "int64", dims, data: places },
    ];
  },
};

/** Before opset 13 everything from `axis` (default 1) on is one line; from 13 on `axis` (default -1) alone. */
function acrossAxis(call: Call, f: (line: number[]) => number[]): NumArray {
  const x = call.input(0);
  const rank = x.dims.length;
  if (call.opset >= 13) return alongAxis(x, normalAxis(call.int("axis", -1), rank), f);
  const axis = normalAxis(call.int("axis", 1), rank);
  const flat = reshaped(x, [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))]);
  return reshaped(alongAxis(flat, 1, f), x.dims);
}

function argMax(call: Call, sign: 1 | -1): NumArray {
  const x = call.input(0);
  const axis = normalAxis(call.int("axis", 0), x.dims.length);
  const last = call.int("select_last_index", 0) === 1;
  const kept = replaced(x.dims, axis, 1);
  const data = new Float64Array(sizeOf(kept));
  for (const index of indexesOf(kept)) {
    const line = Array.from({ length: x.dims[axis] as number }, (_, i) => sign * get(x, replaced(index, axis, i)));
    const best = largest(line);
    data[offset(kept, index)] = last ? line.lastIndexOf(best) : line.indexOf(best);
  }
  return {
    type: "int64",
    dims: call.int("keepdims", 1) ? kept : x.dims.toSpliced(axis, 1),
    data,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function largest(values: readonly number[]): number {
  return values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}

function logSoftmax(line: readonly number[]): number[] {
  const total = logSumExp(line);
  return line.map((value) => value - total);
}

function logSumExp(values: readonly number[]): number {
  const top = largest(values);
  if (!Number.isFinite(top)) return top;
  return top + Math.log(sum(values.map((value) => Math.exp(value - top))));
}
