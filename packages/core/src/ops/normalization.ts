/** Softmax and normalisation layers. */
import { floatAttribute, intAttribute, normalAxis } from "../graph/attributes.ts";
import { type Backward, NORMALISES, type OpRule, type SecondOrder, type Ties } from "./rule.ts";

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
    else t.freeze(x, axis, NORMALISES);
  });
}

// ----- Normalisation over axes of one sample -----

/**
 * y = scale * n + shift, n = (x - mean) / deviation over `axes`. With A_ij = d_ij - (1 + n_i n_j) / N:
 * dn_j/dx_i = A_ij / deviation, d2n_j/dx_i^2 = -(2 n_i A_ij + A_ii n_j) / (N deviation^2).
 */
interface Normal {
  readonly axes: readonly number[];
  readonly count: number;
  /** n, shaped like X. */
  readonly n: string;
  /** 1 / deviation, with the normalised axes kept at length 1. */
  readonly inverse: string;
}

function normalOf(d: Backward, x: string, axes: readonly number[], count: number): Normal {
  const { b } = d;
  const centred = b.sub(x, b.mean(x, axes, true));
  const variance = b.mean(b.square(centred), axes, true);
  const epsilon = b.scalar(floatAttribute(d.node, "epsilon", 1e-5));
  const inverse = b.op("Reciprocal", [b.op("Sqrt", [b.add(variance, epsilon)])]);
  return { axes, count, n: b.mul(centred, inverse), inverse };
}

/** dE/dx from dE/dn: (g - mean g - n mean(g n)) / deviation. */
function normalGradient(d: Backward, { axes, n, inverse }: Normal, g: string): string {
  const { b } = d;
  const centred = b.sub(g, b.mean(g, axes, true));
  return b.mul(b.sub(centred, b.mul(n, b.mean(b.mul(g, n), axes, true))), inverse);
}

/** d2E/dx^2 from dE/dn and d2E/dn^2, dropping only the cross terms of E in different n. */
function normalCurvature(d: Backward, { axes, count, n, inverse }: Normal, g: string, h: string): string {
  const { b } = d;
  const sum = (x: string): string => b.sum(x, axes, true);
  const share = b.scalar(1 / count);
  const n2 = b.square(n);
  const onePlus = b.add(b.scalar(1), n2); // 1 + n_i^2
  const [h0, h1, h2] = [sum(h), sum(b.mul(h, n)), sum(b.mul(h, n2))];
  const own = b.mul(h, b.sub(b.scalar(1), b.mul(b.scalar(2 / count), onePlus)));
  const others = b.add(b.add(h0, b.mul(b.mul(b.scalar(2), n), h1)), b.mul(n2, h2));
  const squares = b.add(own, b.mul(b.scalar(1 / count ** 2), others));
  const [g0, g1] = [sum(g), sum(b.mul(g, n))];
  const reduced = b.sub(g, b.mul(share, b.add(g0, b.mul(n, g1)))); // sum_j g_j A_ij
  const bend = b.add(b.mul(b.mul(b.scalar(2), n), reduced), b.mul(b.sub(b.scalar(1), b.mul(share, onePlus)), g1));
  return b.mul(b.sub(squares, b.mul(share, bend)), b.square(inverse));
}

/** What a normalisation operator averages over, and how its scale lines up with X. */
interface Layout {
  /** X seen so that whole axes are averaged over; default as it is. */
  readonly view?: (d: Backward, x: string) => string;
  /** The averaged axes of that view. */
  readonly axes: (d: Backward) => number[];
  /** Elements that are averaged together. */
  readonly count: (d: Backward) => number;
  /** The scale, broadcast to X. */
  readonly scale: (d: Backward) => string;
}

function normalization({ view, axes, count, scale }: Layout): Pick<OpRule, "vjp" | "curvature"> {
  const seen = (d: Backward, x: string): string => view?.(d, x) ?? x;
  const back = (d: Backward, x: string): string => (view ? d.b.reshapeLike(x, d.X(0)) : x);
  const normal = (d: Backward): Normal => normalOf(d, seen(d, d.X(0)), axes(d), count(d));
  const scaled = (d: Backward, x: string): string => seen(d, d.b.mul(x, d.coefficient(scale(d))));
  return {
    vjp: [(d) => back(d, normalGradient(d, normal(d), scaled(d, d.incoming() as string)))],
    curvature: [
      (d) => {
        const g = seen(d, d.b.mul(d.gradient() as string, scale(d)));
        return back(d, normalCurvature(d, normal(d), g, scaled(d, d.incoming() as string)));
      },
    ],
  };
}

const product = (dims: readonly number[]): number => dims.reduce((all, dim) => all * dim, 1);

const axesFrom = (first: number, rank: number): number[] => Array.from({ length: rank - first }, (_, i) => first + i);

const layerAxis = (t: { readonly node: Ties["node"] }, rank: number): number =>
  normalAxis(intAttribute(t.node, "axis", -1), rank);

/** LayerNormalization over all axes from `axis` on. */
export const LayerNormalization: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    if (!x || !y) return;
    const first = layerAxis(t, x.dims.length);
    x.dims.forEach((_, axis) => {
      if (axis < first) t.tie(x, axis, y, axis);
      else t.freeze(x, axis, NORMALISES);
    });
  },
  ...normalization({
    axes: (d) => axesFrom(layerAxis(d, d.dims(0).length), d.dims(0).length),
    count: (d) => product(d.dims(0).slice(layerAxis(d, d.dims(0).length))),
    scale: (d) => d.X(1),
  }),
};

/** InstanceNormalization: over the positions of each channel. */
export const InstanceNormalization: OpRule = {
  ties(t) {
    const [x, scale, shift, y] = [t.X(0), t.X(1), t.X(2), t.Y()];
    if (!x || !scale || !shift || !y) return;
    t.tie(x, 0, y, 0);
    t.tie(x, 1, y, 1);
    t.tie(scale, 0, y, 1);
    t.tie(shift, 0, y, 1);
    for (let axis = 2; axis < x.dims.length; axis++) t.freeze(x, axis, NORMALISES);
  },
  ...normalization({
    axes: (d) => axesFrom(2, d.dims(0).length),
    count: (d) => product(d.dims(0).slice(2)),
    scale: (d) => perChannel(d, d.X(1)),
  }),
};

/** GroupNormalization: whole groups of channels can go, as they are normalised apart. */
export const GroupNormalization: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    if (!x || !y) return;
    const size = (x.dims[1] as number) / intAttribute(t.node, "num_groups", 1);
    t.tie(x, 0, y, 0);
    t.tie(x, 1, y, 1);
    t.tie(x, 1, x, 1, (i) => Math.floor(i / size) * size);
    for (const slot of [1, 2]) {
      const parameter = t.X(slot); // one per channel (opset 21) or per group (18)
      const perGroup = parameter?.dims[0] !== x.dims[1];
      if (parameter) t.tie(parameter, 0, y, 1, (j) => (perGroup ? Math.floor(j / size) : j));
    }
    for (let axis = 2; axis < x.dims.length; axis++) t.freeze(x, axis, NORMALISES);
  },
  cut(c) {
    const kept = c.kept("output", 0, 1);
    if (!kept) return {};
    const groups = intAttribute(c.node, "num_groups", 1);
    const left = kept.length / ((c.dims("output")[1] as number) / groups);
    return { node: { ...c.node, attributes: { ...c.node.attributes, num_groups: { kind: "int", value: left } } } };
  },
  ...normalization({
    view: (d, x) => d.b.reshape(x, [-1, intAttribute(d.node, "num_groups", 1), groupElements(d)]),
    axes: () => [2],
    count: groupElements,
    scale(d) {
      const [groups, channels] = [intAttribute(d.node, "num_groups", 1), d.dims(0)[1] as number];
      if (d.dims(1)[0] === channels) return perChannel(d, d.X(1));
      const spread = d.b.expand(d.b.unsqueeze(d.X(1), [1]), [groups, channels / groups]); // opset 18
      return perChannel(d, d.b.reshape(spread, [channels]));
    },
  }),
};

/** Elements of one sample that a group of channels normalises together. */
function groupElements(d: Backward): number {
  return product(d.dims(0).slice(1)) / intAttribute(d.node, "num_groups", 1);
}
