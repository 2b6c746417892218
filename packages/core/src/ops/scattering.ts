/** Operators that write at places, sample at places, or add up along an axis. */
import { intAttribute, normalAxis, stringAttribute } from "../graph/attributes.ts";
import { noDerivative } from "./no-derivative.ts";
import { type Backward, type OpRule, type Ties, tieAll } from "./rule.ts";

/** What stands in place of elements, whatever was there: other combinations have no rule. */
const replaces = ({ node }: Pick<Ties, "node">): boolean => stringAttribute(node, "reduction", "none") === "none";

/** Data with 0 where something is written. */
function withoutWritten(d: Backward): string {
  const { b, node } = d;
  if (!replaces(d)) throw noDerivative(node, "no derivative where what is written is combined with what was there");
  const zeros = b.mul(d.X(2), b.scalar(0));
  const [dy, attributes] = [d.incoming() as string, node.opType === "ScatterND" ? {} : { axis: axisOf(d) }];
  return b.op(node.opType, [dy, d.X(1), zeros], attributes);
}

const axisOf = (d: Backward): number => normalAxis(intAttribute(d.node, "axis", 0), d.dims(0).length);

/** ScatterND: data with other elements at places; the axes behind those that the places name carry units. */
export const ScatterND: OpRule = {
  ties(t) {
    const [x, places, updates, y] = [t.X(0), t.X(1), t.X(2), t.Y()];
    const depth = places?.dims.at(-1);
    if (!x || !places || !updates || !y || depth === undefined || !replaces(t)) return;
    const shift = places.dims.length - 1 - depth;
    for (let axis = depth; axis < x.dims.length; axis++) {
      t.tie(x, axis, y, axis);
      t.tie(updates, axis + shift, y, axis);
    }
    for (let axis = 0; axis < depth; axis++) t.freeze(x, axis, "writes at places along this axis");
  },
  linear: [
    withoutWritten,
    undefined,
    (d) => {
      if (!replaces(d)) return withoutWritten(d); // refuses
      return d.b.op("GatherND", [d.incoming() as string, d.X(1)]);
    },
  ],
};

/** ScatterElements: the same element by element along one axis. */
export const ScatterElements: OpRule = {
  ties(t) {
    for (const port of [t.X(0), t.X(2), t.Y()]) {
      port?.dims.forEach((_, axis) => {
        t.freeze(port, axis, "writes at places along this axis");
      });
    }
  },
  linear: [
    withoutWritten,
    undefined,
    (d) => d.b.op("GatherElements", [d.incoming() as string, d.X(1)], { axis: axisOf(d) }),
  ],
};

/** CumSum: sums up to each index of an axis; what arrives is summed from the other end. */
export const CumSum: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    const axis = x && t.constant(1)?.numbers[0];
    if (!x || !y || axis === undefined) return;
    tieAll(t, x, y, [normalAxis(axis, x.dims.length)]);
    t.freeze(x, normalAxis(axis, x.dims.length), "adds up along this axis");
  },
  linear: [
    (d) => {
      const attributes = {
        exclusive: intAttribute(d.node, "exclusive", 0),
        reverse: 1 - intAttribute(d.node, "reverse", 0),
      };
      return d.b.op("CumSum", [d.incoming() as string, d.X(1)], attributes);
    },
  ],
};

/** GridSample: channels are sampled each by itself. */
export const GridSample: OpRule = {
  ties(t) {
    const [x, grid, y] = [t.X(0), t.X(1), t.Y()];
    if (!x || !grid || !y) return;
    t.tie(x, 0, y, 0);
    t.tie(x, 1, y, 1);
    t.tie(grid, 0, y, 0);
    for (let axis = 2; axis < x.dims.length; axis++) t.freeze(x, axis, "samples at places along this axis");
  },
};
