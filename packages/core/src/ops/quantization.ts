/** Between reals and integers: both sides have the same axes, and derivatives pass straight through. */

import { intAttribute, normalAxis } from "../graph/attributes.ts";
import { onnxType } from "../graph/builder.ts";
import { integerRanges } from "../graph/integer-ranges.ts";
import { type ElementType, sizeOf } from "../graph/tensor.ts";
import { realWeights, tieZeroPoints } from "./integers.ts";
import type { Backward, OpRule, Ties } from "./rule.ts";

/** X and Y have the same axes; scale and zero point are one in all, or one for each index of `axis`; not in blocks. */
function tieScales(t: Ties): void {
  const [x, y] = [t.X(0), t.Y()];
  if (!x || !y || intAttribute(t.node, "block_size", 0) > 0) return;
  x.dims.forEach((_, axis) => {
    t.tie(x, axis, y, axis);
  });
  for (const slot of [1, 2]) {
    const parameter = t.X(slot);
    if (parameter?.dims.length !== 1) continue;
    const axis = x.dims.length === 0 ? 0 : normalAxis(intAttribute(t.node, "axis", 1), x.dims.length);
    if (parameter.dims[0] === x.dims[axis]) t.tie(parameter, 0, y, axis);
    else t.pass(parameter, 0);
  }
}

/** The scale, shaped so that it spreads over X. */
function scaleOf({ b, node, dims, X }: Backward): string {
  const rank = dims(0).length;
  const [length = 1] = dims(1);
  if (dims(1).length === 0 || length === 1) return X(1);
  const axis = normalAxis(intAttribute(node, "axis", 1), rank);
  return b.reshape(
    X(1),
    dims(0).map((_, at) => (at === axis ? length : 1)),
  );
}

/** DequantizeLinear: (X - zero point) * scale. */
export const DequantizeLinear: OpRule = {
  ties: tieScales,
  linear: [(d) => d.b.mul(d.incoming() as string, d.coefficient(scaleOf(d)))],
};

/**
 * QuantizeLinear: X / scale rounded, plus zero point, within the range of its type. Its derivative passes straight through where
 * nothing saturates (Bengio, Leonard and Courville 2013).
 */
export const QuantizeLinear: OpRule = {
  ties: tieScales,
  linear: [
    (d) => {
      const { b } = d;
      const along = b.div(d.incoming() as string, d.coefficient(scaleOf(d)));
      const [low, high] = integerRanges[typeOf(d)] ?? [0, 255];
      const steps = b.cast(d.Y(), b.real);
      const isInside = b.and(b.greater(steps, b.scalar(low)), b.greater(b.scalar(high), steps));
      return b.mul(along, b.indicator(isInside));
    },
  ],
};

function typeOf({ node, constant }: Backward): ElementType {
  const zero = constant(2)?.type;
  const asked = intAttribute(node, "output_dtype", 0);
  const named = Object.entries(onnxType).find(([, number]) => number === asked)?.[0] as ElementType | undefined;
  return zero ?? named ?? "uint8";
}

/**
 * DynamicQuantizeLinear: Y = X / scale rounded, with scale and zero point from the range of X, which always holds 0: what is 0
 * changes neither. So gates stand before it, and what follows reads integers of units that are left.
 */
export const DynamicQuantizeLinear: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    if (!x || !y) return;
    x.dims.forEach((_, axis) => {
      t.tie(x, axis, y, axis);
      if (axis > 0) t.absorb(0, axis);
    });
  },
  vjp: [(d) => d.b.div(d.incoming() as string, d.Y(1))],
};

/** MatMulInteger: (A - zero point) (B - zero point), A[..., M, K] integers behind {@link DynamicQuantizeLinear}, B[K, N] weights. */
export const MatMulInteger: OpRule = {
  weights: [1],
  ties(t) {
    const [a, b, y] = [t.X(0), t.X(1), t.Y()];
    if (!a || !b || !y || b.dims.length !== 2 || a.dims.length < 2 || !t.isWeight(1)) return;
    const last = y.dims.length - 1;
    for (let axis = 0; axis < last; axis++) t.tie(a, axis, y, axis);
    t.tie(a, last, b, 0);
    t.tie(b, 1, y, last);
    tieZeroPoints(t, y, last);
    t.produce(last);
  },
  vjp: [
    (d) => {
      const turned = d.b.op("Transpose", [realWeights(d, 1)], { perm: [1, 0] });
      return d.b.op("MatMul", [d.incoming() as string, turned]);
    },
  ],
  macs: ({ dims, outDims }) => sizeOf(outDims()) * (dims(0).at(-1) ?? 0),
};
