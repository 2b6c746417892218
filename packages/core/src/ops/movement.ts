/** Operators that move elements without computing: shapes change, values do not. */
import { intAttribute, intsAttribute, normalAxis } from "../graph/attributes.ts";
import { int64 } from "../graph/tensor.ts";
import type { Backward, Cut, CutResult, OpRule, Port, Ties } from "./rule.ts";

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
  cut: (c) => cutTarget(c, 1, true),
};

/**
 * New lengths for a target shape in input `slot`: in the constant, or in place of what the graph computes. `takesRest`: whether -1 stands
 * for what the other lengths leave.
 */
export function cutTarget(c: Cut, slot: number, takesRest = false): CutResult {
  const follows = c.followsCut(slot); // then also of axes that lose nothing: the shape may be that of others that do
  const kept = c.dims("output").map((_, axis) => {
    if (!follows && !c.kept("output", 0, axis)) return undefined;
    // an axis that holds units times samples is what the other lengths leave, or what the shape that is followed has
    if (c.grows(0, axis)) return takesRest ? c.kept("output", 0, axis) && -1 : undefined;
    // so may an axis without units be, such as the length of heads that is computed from a width
    return c.left("output", 0, axis) ?? (c.followsCut(slot, axis) ? c.dims("output")[axis] : undefined);
  });
  if (kept.every((length) => length === undefined)) return {};
  const target = c.constant(slot);
  if (!target) {
    const lengths = new Map(kept.flatMap((length, axis) => (length === undefined ? [] : [[axis, length] as const])));
    return { lengths: new Map([[slot, lengths]]) };
  }
  const lead = kept.length - target.size; // Expand may name fewer axes than the result has
  const after = Array.from(target.numbers, (dim, at) => (dim > 1 ? (kept[at + lead] ?? dim) : dim));
  return { constants: new Map([[slot, int64(after, target.dims)]]) };
}

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
 * Ties across a change of shape. Both shapes are split into common factors (Flatten: [C, H, W] and [C*H*W] into C, H, W;
 * attention: [E] and [heads, size] into heads, size). In a run of several factors one carries the units, because cutting
 * along two would not leave a box; the others are frozen.
 */
function tieReshaped(t: Ties, x: Port | undefined, y: Port | undefined): void {
  const runs = x && y && commonFactors(x.dims, y.dims);
  if (!x || !y || !runs) return;
  let same = true; // axes of length 1 have no factors; they are matched where all axes before them are the same
  for (let axis = 0; axis < Math.min(x.dims.length, y.dims.length) && same; axis++) {
    same = x.dims[axis] === y.dims[axis];
    if (same && x.dims[axis] === 1) t.tie(x, axis, y, axis);
  }
  for (const factors of runs) {
    const chosen = factors.length === 1 ? 0 : t.carrier(factors.map(({ a, b }) => [x, a.axis, y, b.axis] as const));
    const factor = factors[chosen ?? -1];
    if (!factor) continue;
    const { length, a, b } = factor;
    // both sides are tied through their digit: first within y's axis, then to x's
    const digit = (j: number, inner: number): number => Math.floor(j / inner) % length;
    t.tie(x, a.axis, y, b.axis, (j) => digit(j, b.inner) * a.inner);
    t.tie(x, a.axis, x, a.axis, (i) => digit(i, a.inner) * a.inner);
  }
}

/** A factor that both shapes share: `length`, and on each side its axis and the product of the factors inside it there. */
interface Factor {
  readonly length: number;
  readonly a: { readonly axis: number; readonly inner: number };
  readonly b: { readonly axis: number; readonly inner: number };
}

/**
 * The common factors of two shapes with the same number of elements, outermost first, in runs that share axes; axes of
 * length 1 are passed over. Undefined where a boundary of one shape cuts through an axis of the other unevenly.
 */
export function commonFactors(x: readonly number[], y: readonly number[]): Factor[][] | undefined {
  const runs: Factor[][] = [];
  const walk = (dims: readonly number[]): { axis: number; left: number }[] =>
    dims.flatMap((dim, axis) => (dim > 1 ? [{ axis, left: dim }] : []));
  const [as, bs] = [walk(x), walk(y)];
  let run: Factor[] = [];
  while (as[0] && bs[0]) {
    const [a, b] = [as[0], bs[0]];
    const length = Math.min(a.left, b.left);
    if (a.left % length !== 0 || b.left % length !== 0) return undefined;
    a.left /= length;
    b.left /= length;
    run.push({ length, a: { axis: a.axis, inner: a.left }, b: { axis: b.axis, inner: b.left } });
    if (a.left === 1) as.shift();
    if (b.left === 1) bs.shift();
    if (a.left === 1 && b.left === 1) {
      runs.push(run);
      run = [];
    }
  }
  return runs;
}
