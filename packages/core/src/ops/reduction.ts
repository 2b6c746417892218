/** Operators that reduce axes. */

import { intAttribute, intsAttribute, normalAxis } from "../graph/attributes.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { noDerivative } from "./no-derivative.ts";
import { AVERAGES, type Backward, type OpRule, type Ties } from "./rule.ts";

/** ReduceSum: adds up axes. A removed unit adds 0, so a reduced axis may be cut. */
export const ReduceSum: OpRule = {
  ties: (t) => tieReduced(t),
  linear: [(d) => spread(d, d.incoming() as string)],
  contribution(c) {
    const axes = reducedAxes(c, c.dims(0).length);
    if (axes?.length !== 1 || axes[0] !== c.axis || c.axis !== 1) return undefined;
    const { b, candidates, span } = c;
    const keepdims = intAttribute(c.node, "keepdims", 1) === 1;
    const rest = c.dims(0).slice(2);
    const sums = b.sum(b.reshape(c.slices, [-1, candidates, span, ...rest]), [2], false); // [N, K, ...rest]
    const perm = Array.from({ length: rest.length + 2 }, (_, axis) => (axis < 2 ? 1 - axis : axis));
    const byCandidate = b.op("Transpose", [sums], { perm });
    return keepdims ? b.unsqueeze(byCandidate, [2]) : byCandidate;
  },
};

/** ReduceMean: averages axes. An averaged axis is frozen, because the divisor counts the removed units too. */
export const ReduceMean: OpRule = {
  ties: (t) => tieReduced(t, AVERAGES),
  linear: [
    (d) => {
      const axes = knownAxes(d);
      if (axes.some((axis) => d.isBatch(0, axis))) return meanOverBatch(d, axes);
      const count = axes.reduce((product, axis) => product * (d.dims(0)[axis] as number), 1);
      return d.b.mul(spread(d, d.incoming() as string), d.b.scalar(d.factor(1 / count)));
    },
  ],
};

/**
 * ReduceL2: the length y = |x| of the vectors along some axes (cosine attention). dy/dx_j = x_j / y and, on the diagonal,
 * d2y/dx_j2 = (1 - (x_j / y)^2) / y; both are taken as 0 where the vector is 0.
 */
export const ReduceL2: OpRule = {
  ties: (t) => tieReduced(t, "takes the length of the vectors along this axis"),
  vjp: [(d) => d.b.mul(spread(d, d.incoming() as string), direction(d))],
  curvature: [
    (d) => {
      const { b } = d;
      const squared = b.square(direction(d));
      const bend = b.mul(b.sub(b.scalar(1), squared), spread(d, inverse(d)));
      return b.add(b.mul(spread(d, d.incoming() as string), squared), b.mul(spread(d, d.gradient() as string), bend));
    },
  ],
};

/** x / y, shaped like x. */
function direction(d: Backward): string {
  return d.b.mul(d.X(0), spread(d, inverse(d)));
}

/** 1 / y, or 0 where y is 0. */
function inverse(d: Backward): string {
  const { b } = d;
  const isZero = b.not(b.greater(d.Y(), b.scalar(0)));
  return b.where(isZero, b.scalar(0), b.op("Reciprocal", [b.where(isZero, b.scalar(1), d.Y())]));
}

/** ReduceMax: the largest along some axes. A removed unit counts as 0 there; without it there is no 0. */
export const ReduceMax: OpRule = {
  ties: (t) => tieReduced(t, "takes the largest along this axis"),
  linear: [(d) => toReached(d, (b, x, y) => b.greater(y, x))],
};

/** ReduceMin: the smallest along some axes; see {@link ReduceMax}. */
export const ReduceMin: OpRule = {
  ties: (t) => tieReduced(t, "takes the smallest along this axis"),
  linear: [(d) => toReached(d, (b, x, y) => b.greater(x, y))],
};

/** What arrives goes to the elements that the result came from, in equal parts. */
function toReached(d: Backward, misses: (b: GraphBuilder, x: string, y: string) => string): string {
  const { b } = d;
  const reached = b.indicator(b.not(misses(b, d.X(0), spread(d, d.Y()))));
  const part = b.div(reached, b.sum(reached, knownAxes(d), true));
  return b.mul(spread(d, d.incoming() as string), d.coefficient(part));
}

/** The mean also runs over samples, whose number is known only when the graph runs. */
function meanOverBatch(d: Backward, axes: readonly number[]): string {
  const { b } = d;
  const lengths = b.op("Gather", [b.op("Shape", [d.X(0)]), b.ints(axes)]);
  const count = b.cast(b.op("ReduceProd", [lengths], { keepdims: 0 }), b.real);
  return b.div(spread(d, d.incoming() as string), d.coefficient(count));
}

/** The reduced axes: an attribute, or an input in newer opsets; undefined if they are not constant. */
function reducedAxes(d: Pick<Ties, "node" | "constant">, rank: number): readonly number[] | undefined {
  const given = d.node.inputs[1] ? d.constant(1)?.numbers : (intsAttribute(d.node, "axes") ?? []);
  if (!given) return undefined;
  const everything = given.length === 0 && intAttribute(d.node, "noop_with_empty_axes", 0) === 0;
  const axes = everything ? Array.from({ length: rank }, (_, axis) => axis) : Array.from(given);
  return axes.map((axis) => normalAxis(axis, rank)).sort((a, b) => a - b);
}

function knownAxes(d: Backward): readonly number[] {
  const axes = reducedAxes(d, d.dims(0).length);
  if (!axes) throw noDerivative(d.node, "no derivative for axes that are not constant");
  return axes;
}

/** Ties the axes that stay. The others are summed over, or frozen for the given reason. */
function tieReduced(t: Ties, frozen?: string): void {
  const [x, y] = [t.X(0), t.Y()];
  const axes = x && reducedAxes(t, x.dims.length);
  if (!x || !y || !axes) return;
  const keepdims = intAttribute(t.node, "keepdims", 1) === 1;
  let out = 0;
  for (let axis = 0; axis < x.dims.length; axis++) {
    const reduced = axes.includes(axis);
    if (!reduced) t.tie(x, axis, y, out);
    else if (frozen === undefined) t.absorb(0, axis);
    else if ((x.dims[axis] as number) > 1) t.freeze(x, axis, frozen);
    if (!reduced || keepdims) out++;
  }
}

/** Copies a reduced value back over the reduced axes. */
function spread(d: Backward, dy: string): string {
  const axes = knownAxes(d);
  const keepdims = intAttribute(d.node, "keepdims", 1) === 1;
  const kept = keepdims ? dy : d.b.unsqueeze(dy, axes);
  return d.b.expandLike(kept, d.X(0));
}
