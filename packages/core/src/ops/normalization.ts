/** Softmax and normalisation layers. */
import { floatAttribute, intAttribute, normalAxis } from "../graph/attributes.ts";
import type { Backward, OpRule, SecondOrder, Ties } from "./rule.ts";

/** BatchNormalization at inference: per channel (axis 1) scale * (X - mean) / sqrt(var + epsilon) + B. */
export const BatchNormalization: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    if (!x || !y) return;
    x.dims.forEach((_, axis) => {
      t.tie(x, axis, y, axis);
    });
    for (let slot = 1; slot <= 4; slot++) {
      const parameter = t.X(slot);
      if (parameter) t.tie(parameter, 0, y, 1);
    }
  },
  linear: [
    (d) => d.b.mul(d.incoming() as string, perChannel(d, d.coefficient(d.b.mul(d.X(1), inverseDeviation(d))))),
    (d) => {
      const centred = d.b.sub(d.X(0), perChannel(d, d.X(3)));
      const normal = d.b.mul(centred, perChannel(d, inverseDeviation(d)));
      return overChannels(d, d.b.mul(d.incoming() as string, d.coefficient(normal)));
    },
    (d) => overChannels(d, d.incoming() as string),
  ],
};

function inverseDeviation(d: Backward): string {
  const epsilon = d.b.scalar(floatAttribute(d.node, "epsilon", 1e-5));
  return d.b.op("Reciprocal", [d.b.op("Sqrt", [d.b.add(d.X(4), epsilon)])]);
}

/** [C] -> [C, 1, ...] so that it lines up with axis 1. */
function perChannel(d: Backward, x: string): string {
  const trailing = d.dims(0).length - 2;
  return trailing > 0
    ? d.b.unsqueeze(
        x,
        Array.from({ length: trailing }, (_, i) => i + 1),
      )
    : x;
}

/** Sums everything but axis 1. */
function overChannels(d: Backward, x: string): string {
  return d.b.sum(
    x,
    d.dims(0).flatMap((_, axis) => (axis === 1 ? [] : [axis])),
  );
}

/** Softmax over one axis (opset 13 on), or over all axes from `axis` on (before). */
export const Softmax: OpRule = {
  ties: tieSoftmax,
  vjp: [
    (d) => {
      const { b } = d;
      const dy = d.incoming() as string;
      return b.mul(d.Y(), b.sub(dy, b.sum(b.mul(dy, d.Y()), softmaxAxes(d), true)));
    },
  ],
  curvature: [
    /*
     * dy_j/dx_i = y_j (d_ij - y_i); d2y_j/dx_i^2 = (1 - 2 y_i) y_i (d_ij - y_j). Summed over j:
     * h_j (dy_j/dx_i)^2 + g_j d2y_j/dx_i^2. The cross terms h_jk of different outputs are dropped (the diagonal).
     */
    (d) => {
      const { b } = d;
      const axes = softmaxAxes(d);
      const [h, g, y] = [d.incoming() as string, d.gradient() as string, d.Y()];
      const y2 = b.square(y);
      const oneMinus2y = b.sub(b.scalar(1), b.add(y, y));
      const squares = b.add(b.mul(y2, b.sum(b.mul(h, y2), axes, true)), b.mul(b.mul(h, y2), oneMinus2y));
      const centred = b.sub(g, b.sum(b.mul(g, y), axes, true));
      return b.add(squares, b.mul(b.mul(y, oneMinus2y), centred));
    },
  ],
};

/** LogSoftmax: the logarithm of Softmax. */
export const LogSoftmax: OpRule = {
  ties: tieSoftmax,
  vjp: [
    (d) => {
      const { b } = d;
      const dy = d.incoming() as string;
      return b.sub(dy, b.mul(b.op("Exp", [d.Y()]), b.sum(dy, softmaxAxes(d), true)));
    },
  ],
  curvature: [
    /* dy_j/dx_i = d_ij - p_i and d2y_j/dx_i^2 = -p_i (1 - p_i) for every j. */
    (d) => {
      const { b } = d;
      const axes = softmaxAxes(d);
      const [h, g] = [d.incoming() as string, d.gradient() as string];
      const p = b.op("Exp", [d.Y()]);
      const oneMinus2p = b.sub(b.scalar(1), b.add(p, p));
      const squares = b.add(b.mul(b.square(p), b.sum(h, axes, true)), b.mul(h, oneMinus2p));
      return b.sub(squares, b.mul(b.mul(p, b.sub(b.scalar(1), p)), b.sum(g, axes, true)));
    },
  ],
};

function softmaxAxes(d: Pick<Backward, "node" | "opset" | "outDims"> | SecondOrder): number[] {
  const rank = d.outDims().length;
  const axis = normalAxis(intAttribute(d.node, "axis", d.opset >= 13 ? -1 : 1), rank);
  return d.opset >= 13 ? [axis] : Array.from({ length: rank - axis }, (_, i) => axis + i);
}

function tieSoftmax(t: Ties): void {
  const [x, y] = [t.X(0), t.Y()];
  if (!x || !y) return;
  const mixed = softmaxAxes({
    node: t.node,
    opset: t.opset,
    outDims: () => y.dims,
  });
  x.dims.forEach((_, axis) => {
    if (!mixed.includes(axis)) t.tie(x, axis, y, axis);
    else t.freeze(x, axis, `${t.node.opType} normalises over this axis`);
  });
}
