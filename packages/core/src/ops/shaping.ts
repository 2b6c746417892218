/** Operators about shapes: axes of length 1, broadcasting, sizes as data. */
import { intsAttribute, normalAxis } from "../graph/attributes.ts";
import { cutTarget } from "./movement.ts";
import { type Backward, type OpRule, type Port, type Ties, tieBroadcast } from "./rule.ts";

const reshapeBack = (d: Backward): string => d.b.reshapeLike(d.incoming() as string, d.X(0));

/** Ties the axes of `short` with those of `long` that are not in `extra`, which are left to `alone`. */
function tieAround(
  t: Ties,
  short: Port,
  long: Port,
  extra: readonly number[],
  alone: (axis: number) => void = (axis) => t.pass(long, axis),
): void {
  let next = 0;
  for (let axis = 0; axis < long.dims.length; axis++) {
    if (extra.includes(axis)) alone(axis);
    else t.tie(short, next++, long, axis);
  }
}

/** Axes of Squeeze and Unsqueeze: an attribute before opset 13, then an input. */
function axesOf(t: Ties, rank: number): number[] | undefined {
  const axes = intsAttribute(t.node, "axes") ?? t.constant(1)?.numbers;
  return axes && Array.from(axes, (axis) => normalAxis(axis, rank));
}

/** Squeeze: takes away axes of length 1. */
export const Squeeze: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    if (!x || !y) return;
    const axes =
      axesOf(t, x.dims.length) ??
      (t.node.inputs[1] ? undefined : x.dims.flatMap((dim, axis) => (dim === 1 ? [axis] : [])));
    // without its only index there would be nothing to squeeze
    if (axes) tieAround(t, y, x, axes, (axis) => t.freeze(x, axis, "takes this axis away"));
  },
  linear: reshapeBack,
};

/** Unsqueeze: adds axes of length 1. */
export const Unsqueeze: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    const axes = y && axesOf(t, y.dims.length);
    if (x && y && axes) tieAround(t, x, y, axes);
  },
  linear: reshapeBack,
};

/** Expand: broadcasts X to a target shape. */
export const Expand: OpRule = {
  ties: (t) => {
    tieBroadcast(t, t.X(0), t.Y());
    const [x, y] = [t.X(0), t.Y()];
    const lead = (y?.dims.length ?? 0) - (x?.dims.length ?? 0);
    y?.dims.forEach((dim, axis) => {
      if (axis < lead || x?.dims[axis - lead] !== dim) t.pass(y, axis);
    });
  },
  cut: (c) => cutTarget(c, 1),
  linear: [(d) => d.unbroadcast(d.incoming() as string, 0)],
};

/** Shape: the lengths of X's axes, as data. Targets computed from them follow a cut by themselves. */
export const Shape: OpRule = {
  ties(t) {
    const x = t.X(0);
    x?.dims.forEach((_, axis) => {
      t.pass(x, axis);
    });
  },
};

/** ConstantOfShape: one value everywhere. */
export const ConstantOfShape: OpRule = {
  ties(t) {
    const y = t.Y();
    y?.dims.forEach((_, axis) => {
      t.pass(y, axis);
    });
  },
  cut: (c) => cutTarget(c, 0),
};
