/** Operators that move elements without computing: shapes change, values do not. */
import { intAttribute, intsAttribute, normalAxis } from "../graph/attributes.ts";
import { int64, sizeOf } from "../graph/tensor.ts";
import type { Backward, OpRule, Port, Ties } from "./rule.ts";

const reshapeBack = (d: Backward): string => d.b.reshapeLike(d.incoming() as string, d.X(0));

/** Flatten: X[d0, ..., dn] -> [product before axis, product from axis on]. */
export const Flatten: OpRule = {
  ties: (t) => tieReshaped(t, t.X(0), t.Y()),
  linear: reshapeBack,
};

/** Reshape: X, target shape -> the same elements in row-major order under new dims. */
export const Reshape: OpRule = {
  ties: (t) => tieReshaped(t, t.X(0), t.Y()),
  linear: reshapeBack,
  cut(c) {
    const target = c.constant(1);
    const dims = c.dims("output");
    const kept = dims.map((_, axis) => c.kept("output", 0, axis)?.length);
    if (!target || kept.every((length) => length === undefined)) return {};
    const before = Array.from(target.numbers);
    const after = before.map((dim, axis) => (dim > 0 && kept[axis] !== undefined ? (kept[axis] as number) : dim));
    return { constants: new Map([[1, int64(after, target.dims)]]) };
  },
};

/** Transpose: axis i of the output is axis perm[i] of the input. */
export const Transpose: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    if (!x || !y) return;
    permutation(t.node, x.dims.length).forEach((from, axis) => {
      t.tie(x, from, y, axis);
    });
  },
  linear: (d) => {
    const perm = permutation(d.node, d.dims(0).length);
    const inverse = perm.map((_, axis) => perm.indexOf(axis));
    return d.b.op("Transpose", [d.incoming() as string], { perm: inverse });
  },
};

function permutation(node: Backward["node"], rank: number): readonly number[] {
  return intsAttribute(node, "perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
}

/** Concat: inputs side by side along axis. */
export const Concat: OpRule = {
  ties(t) {
    const y = t.Y();
    if (!y) return;
    const axis = normalAxis(intAttribute(t.node, "axis", 1), y.dims.length);
    let offset = 0;
    for (let slot = 0; slot < t.node.inputs.length; slot++) {
      const x = t.X(slot);
      if (!x) return;
      const start = offset;
      offset += x.dims[axis] as number;
      x.dims.forEach((_, a) => {
        t.tie(y, a, x, a, (j) => (a === axis ? start + j : j));
      });
    }
  },
  linear: (d) => {
    const axis = normalAxis(intAttribute(d.node, "axis", 1), d.outDims().length);
    let start = 0;
    for (let before = 0; before < d.slot; before++) start += d.dims(before)[axis] as number;
    return d.b.slice(d.incoming() as string, axis, start, start + (d.dims(d.slot)[axis] as number));
  },
};

/**
 * Ties across a change of shape. Dims are matched in blocks of equal product; inside a block of several axes on one
 * side, the outermost one with more than one index carries the units (a Flatten's channel, a head of attention), and
 * the others are frozen, because cutting them as well would not leave a box.
 */
function tieReshaped(t: Ties, x: Port | undefined, y: Port | undefined): void {
  if (!x || !y) return;
  for (const { a, b } of blocks(x.dims, y.dims)) {
    const long = { a: longAxes(x, a), b: longAxes(y, b) };
    if (long.a.length === 1 && long.b.length === 1) t.tie(x, long.a[0] as number, y, long.b[0] as number);
    else if (long.b.length === 1) carry(t, x, long.a, y, long.b[0] as number);
    else if (long.a.length === 1) carry(t, y, long.b, x, long.a[0] as number);
  }
}

/** A block's axes with more than one index, or its only axis. */
function longAxes({ dims }: Port, axes: readonly number[]): readonly number[] {
  return axes.length === 1 ? axes : axes.filter((axis) => dims[axis] !== 1);
}

/** Ties the outermost of `axes` of `parts` with the axis of `whole` that they make together. */
function carry(t: Ties, parts: Port, axes: readonly number[], whole: Port, axis: number): void {
  const first = axes[0] as number;
  const inner = sizeOf(axes.slice(1).map((a) => parts.dims[a] as number));
  t.tie(parts, first, whole, axis, (j) => Math.floor(j / inner));
}

/** Splits two lists of dims with the same product into the smallest runs of axes whose products agree. */
function blocks(x: readonly number[], y: readonly number[]): { a: number[]; b: number[] }[] {
  const result: { a: number[]; b: number[] }[] = [];
  let [i, j] = [0, 0];
  while (i < x.length && j < y.length) {
    const block = { a: [i], b: [j] };
    let [left, right] = [x[i++] as number, y[j++] as number];
    while (left !== right) {
      if (left < right && i < x.length) {
        block.a.push(i);
        left *= x[i++] as number;
      } else if (j < y.length) {
        block.b.push(j);
        right *= y[j++] as number;
      } else return result;
    }
    result.push(block);
  }
  return result;
}
