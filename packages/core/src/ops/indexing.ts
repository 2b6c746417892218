/** Operators that pick or place parts along an axis. After a cut their positions are counted anew. */

import { intAttribute, intsAttribute, normalAxis, stringAttribute } from "../graph/attributes.ts";
import type { Node } from "../graph/graph.ts";
import { int64, sizeOf, type Tensor, tensorOf } from "../graph/tensor.ts";
import { noDerivative } from "./no-derivative.ts";
import type { Backward, Cut, OpRule, Port, Ties } from "./rule.ts";

/** Integers that are an attribute in older opsets and a constant input later; undefined where they are computed. */
function integers(d: Pick<Ties, "node" | "constant">, attribute: string, slot: number): readonly number[] | undefined {
  const given = intsAttribute(d.node, attribute);
  if (given) return given;
  const tensor = d.constant(slot);
  return tensor && Array.from(tensor.numbers);
}

const tieOthers = (t: Ties, x: Port, y: Port, skip: readonly number[]): void => {
  x.dims.forEach((_, axis) => {
    if (!skip.includes(axis)) t.tie(x, axis, y, axis);
  });
};

// ----- Split -----

const splitAxis = (node: Node, rank: number): number => normalAxis(intAttribute(node, "axis", 0), rank);

/** Split: parts of X side by side along axis become outputs. */
export const Split: OpRule = {
  ties(t) {
    const x = t.X(0);
    if (!x) return;
    const axis = splitAxis(t.node, x.dims.length);
    let offset = 0;
    for (let index = 0; index < t.node.outputs.length; index++) {
      const y = t.Y(index);
      if (!y) return;
      const start = offset;
      tieOthers(t, x, y, [axis]);
      t.tie(x, axis, y, axis, (j) => start + j);
      offset += y.dims[axis] as number;
    }
  },
  cut(c) {
    const axis = splitAxis(c.node, c.dims("input").length);
    if (!c.kept("input", 0, axis)) return {};
    const sizes = c.node.outputs.map(
      (_, index) => c.kept("output", index, axis)?.length ?? (c.dims("output", index)[axis] as number),
    );
    if (c.opset < 13)
      return { node: { ...c.node, attributes: { ...c.node.attributes, split: { kind: "ints", value: sizes } } } };
    const { num_outputs: _, ...attributes } = c.node.attributes; // opset 18: either this or sizes
    const inputs = [c.node.inputs[0] as string, c.node.inputs[1] ?? ""];
    return { node: { ...c.node, inputs, attributes }, constants: new Map([[1, int64(sizes)]]) };
  },
  linear: [
    (d) => {
      const axis = splitAxis(d.node, d.dims(0).length);
      const parts = d.node.outputs.map((name, index) => d.incoming(index) ?? d.b.zerosLike(name));
      return d.b.op("Concat", parts, { axis });
    },
  ],
};

// ----- Slice -----

interface Range {
  readonly axis: number;
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** The sliced axes with their first index, step and number of picks; undefined where they are computed. */
function ranges(
  d: Pick<Ties, "node" | "constant">,
  dims: readonly number[],
  outDims: readonly number[],
): Range[] | undefined {
  const starts = integers(d, "starts", 1);
  const axes = integers(d, "axes", 3) ?? (d.node.inputs[3] ? undefined : starts?.map((_, i) => i));
  const steps = integers(d, "steps", 4) ?? (d.node.inputs[4] ? undefined : starts?.map(() => 1));
  if (!starts || !axes || !steps) return undefined;
  return axes.map((given, i) => {
    const axis = normalAxis(given, dims.length);
    const length = dims[axis] as number;
    const step = steps[i] as number;
    const raw = starts[i] as number;
    const start = Math.min(Math.max(raw < 0 ? raw + length : raw, 0), step < 0 ? length - 1 : length);
    return { axis, start, step, count: outDims[axis] as number };
  });
}

/** Slice: a range of indexes of some axes. */
export const Slice: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    const sliced = x && y && ranges(t, x.dims, y.dims);
    if (!x || !y || !sliced) return;
    tieOthers(
      t,
      x,
      y,
      sliced.map(({ axis }) => axis),
    );
    for (const { axis, start, step, count } of sliced) {
      if (count === x.dims[axis] && step === 1) t.tie(x, axis, y, axis);
      else if (step === 1) t.tie(x, axis, y, axis, (j) => start + j);
      else t.freeze(x, axis, `picks indexes of this axis with a stride of ${step}`);
    }
  },
  cut(c) {
    const dims = c.dims("input");
    const sliced = ranges(c, dims, c.dims("output")) ?? [];
    const changed = sliced.filter(({ axis }) => c.kept("input", 0, axis));
    if (changed.length === 0) return {};
    const starts = [...(integers(c, "starts", 1) as readonly number[])];
    const ends = [...(integers(c, "ends", 2) as readonly number[])];
    sliced.forEach(({ axis, start, count }, i) => {
      const kept = c.kept("input", 0, axis);
      if (!kept) return;
      const before = kept.filter((index) => index < start).length;
      starts[i] = before;
      ends[i] = before + kept.filter((index) => index >= start && index < start + count).length;
    });
    return rewritten(c, { starts: [1, starts], ends: [2, ends] });
  },
  linear: [
    (d) => {
      const dims = d.dims(0);
      const sliced = ranges(d, dims, d.outDims());
      if (!sliced) throw noDerivative(d.node, "no derivative for computed ranges");
      let value = d.incoming() as string;
      for (const { axis, start, step, count } of sliced)
        value = spreadOut(d, value, axis, dims[axis] as number, start, step, count);
      return value;
    },
  ],
};

/** Puts picks back to their indexes along an axis, with zeros between: by a product with a 0/1 matrix on that axis. */
function spreadOut(
  d: Backward,
  x: string,
  axis: number,
  length: number,
  start: number,
  step: number,
  count: number,
): string {
  if (count === length && step === 1) return x;
  const { b } = d;
  const rank = d.outDims().length;
  const zero = b.scalar(0);
  if (step === 1) {
    const pads = new Array<number>(2 * rank).fill(0);
    pads[axis] = start;
    pads[rank + axis] = length - start - count;
    return b.pad(x, pads, zero, 0);
  }
  const matrix = new Float64Array(count * length);
  for (let i = 0; i < count; i++) matrix[i * length + start + i * step] = 1;
  const last = Array.from({ length: rank }, (_, a) => a).filter((a) => a !== axis);
  const toLast = [...last, axis];
  const back = toLast.map((_, a) => toLast.indexOf(a));
  const moved = b.op("Transpose", [x], { perm: toLast });
  const spread = b.op("MatMul", [moved, b.tensor(tensorOf(b.real, matrix, [count, length]), "spread")]);
  return b.op("Transpose", [spread], { perm: back });
}

// ----- Gather -----

/** Gather: the indexes of one axis that a constant names; a single index takes the axis away. */
export const Gather: OpRule = {
  weights: [0],
  ties(t) {
    const [x, indexes, y] = [t.X(0), t.X(1), t.Y()];
    if (!x || !indexes || !y) return;
    const axis = normalAxis(intAttribute(t.node, "axis", 0), x.dims.length);
    const picks = t.constant(1)?.numbers;
    const shift = indexes.dims.length - 1; // axes that the picks add
    x.dims.forEach((_, a) => {
      if (a !== axis) t.tie(x, a, y, a < axis ? a : a + shift);
    });
    for (let a = 0; a < indexes.dims.length; a++) if (!picks || indexes.dims.length !== 1) t.pass(indexes, a);
    if (picks && indexes.dims.length === 1) {
      const length = x.dims[axis] as number;
      t.tie(x, axis, y, axis, (j) => normalAxis(picks[j] as number, length));
      t.pass(indexes, 0);
    } else t.freeze(x, axis, picks ? "picks single indexes of this axis" : "picks computed indexes of this axis");
    if (t.isWeight(0)) for (let a = axis + 1; a < x.dims.length; a++) t.produce(a + shift);
  },
  cut(c) {
    const axis = normalAxis(intAttribute(c.node, "axis", 0), c.dims("input").length);
    const kept = c.kept("input", 0, axis);
    const picks = c.constant(1);
    if (!kept || picks?.dims.length !== 1) return {};
    const length = c.dims("input")[axis] as number;
    const places = new Map(kept.map((index, place) => [index, place]));
    const after = Array.from(picks.numbers, (pick) => places.get(normalAxis(pick, length))).filter(
      (place) => place !== undefined,
    );
    return { constants: new Map([[1, tensorOf(picks.type, after)]]) };
  },
  linear: [
    (d) => {
      const rank = d.dims(0).length;
      const axis = normalAxis(intAttribute(d.node, "axis", 0), rank);
      const picks = d.constant(1);
      if (!picks || picks.dims.length > 1) return scatterRows(d, axis);
      const length = d.dims(0)[axis] as number;
      const { b } = d;
      const matrix = new Float64Array(picks.size * length);
      Array.from(picks.numbers).forEach((pick, row) => {
        matrix[row * length + normalAxis(pick, length)] = 1;
      });
      const dy = picks.dims.length === 0 ? b.unsqueeze(d.incoming() as string, [axis]) : (d.incoming() as string);
      const others = Array.from({ length: rank }, (_, a) => a).filter((a) => a !== axis);
      const toLast = [...others, axis];
      const moved = b.op("Transpose", [dy], { perm: toLast });
      const spread = b.op("MatMul", [moved, b.tensor(tensorOf(b.real, matrix, [picks.size, length]), "spread")]);
      return b.op("Transpose", [spread], { perm: toLast.map((_, a) => toLast.indexOf(a)) });
    },
  ],
};

/** Rows of a table that were picked by computed or many-dimensional indexes: one-hot rows times what arrives. */
function scatterRows(d: Backward, axis: number): string {
  const { b } = d;
  if (axis !== 0) throw noDerivative(d.node, `no derivative for computed picks of axis ${axis}`);
  const [length = 1, ...inner] = d.dims(0);
  const flat = b.cast(b.reshape(d.X(1), [-1, 1]), "int64");
  const matches = (first: number): string => {
    const rows = Array.from({ length }, (_, i) => first + i);
    return b.indicator(b.equalIntegers(flat, b.tensor(int64(rows, [1, length]))));
  };
  const oneHot = b.add(matches(0), matches(-length)); // negative picks count from the end
  const dy = b.reshape(d.incoming() as string, [-1, sizeOf(inner)]);
  return b.reshape(b.op("MatMul", [b.op("Transpose", [oneHot], { perm: [1, 0] }), dy]), [length, ...inner]);
}

// ----- TopK -----

/** TopK: the largest elements along an axis, and where they are. What arrives at an element goes back to where it was picked. */
export const TopK: OpRule = {
  ties(t) {
    const [x, values, picks] = [t.X(0), t.Y(0), t.Y(1)];
    if (!x) return;
    const axis = normalAxis(intAttribute(t.node, "axis", -1), x.dims.length);
    for (const y of [values, picks]) if (y) tieOthers(t, x, y, [axis]);
    t.freeze(x, axis, "picks the largest along this axis");
  },
  linear: [
    (d) => {
      const { b } = d;
      const axis = normalAxis(intAttribute(d.node, "axis", -1), d.dims(0).length);
      const [picks, arriving] = [d.node.outputs[1], d.incoming()];
      if (!picks || !arriving) throw noDerivative(d.node, "no derivative without the picked indexes as an output");
      const length = d.dims(0)[axis] as number;
      const indexes = b.tensor(int64(Array.from({ length }, (_, i) => i)));
      const rest = d.dims(0).length - 1 - axis;
      const along =
        rest === 0
          ? indexes
          : b.unsqueeze(
              indexes,
              Array.from({ length: rest }, (_, a) => a + 1),
            );
      const isPicked = b.indicator(b.equalIntegers(b.unsqueeze(d.Y(1), [axis]), b.unsqueeze(along, [1])));
      return b.sum(b.mul(isPicked, b.unsqueeze(arriving, [axis])), [axis + 1]);
    },
  ],
};

// ----- Pad -----

/** Pad: begins of all axes, then ends. A padded channel axis may be cut, its new indexes included. */
export const Pad: OpRule = {
  ties(t) {
    const [x, y] = [t.X(0), t.Y()];
    const pads = x && integers(t, "pads", 1);
    if (!x || !y || !pads || t.node.inputs[3]) return;
    const constant = stringAttribute(t.node, "mode", "constant") === "constant";
    x.dims.forEach((length, axis) => {
      const [begin, end] = [pads[axis] as number, pads[axis + x.dims.length] as number];
      if (begin === 0 && end === 0) t.tie(x, axis, y, axis);
      else if (!constant || begin < 0 || end < 0) t.freeze(x, axis, "pads this axis by its own elements, or cuts it");
      else t.tie(x, axis, y, axis, (j) => (j >= begin && j < begin + length ? j - begin : -1));
    });
  },
  cut(c) {
    const dims = c.dims("input");
    const pads = [...(integers(c, "pads", 1) ?? [])];
    let changed = false;
    dims.forEach((length, axis) => {
      const kept = c.kept("output", 0, axis);
      if (!kept) return;
      const begin = pads[axis] as number;
      pads[axis] = kept.filter((index) => index < begin).length;
      pads[axis + dims.length] = kept.filter((index) => index >= begin + length).length;
      changed = true;
    });
    return changed ? rewritten(c, { pads: [1, pads] }) : {};
  },
  linear: [
    (d) => {
      const rank = d.dims(0).length;
      const pads = integers(d, "pads", 1);
      if (!pads) throw noDerivative(d.node, "no derivative for computed widths");
      if (stringAttribute(d.node, "mode", "constant") !== "constant")
        throw noDerivative(d.node, "no derivative for padding by other than a constant");
      let value = d.incoming() as string;
      for (let axis = 0; axis < rank; axis++) {
        const [begin, end] = [pads[axis] as number, pads[axis + rank] as number];
        const length = d.dims(0)[axis] as number;
        if (begin !== 0 || end !== 0) value = d.b.slice(value, axis, begin, begin + length);
      }
      return value;
    },
  ],
};

/** Integers put back where they came from: attribute or constant input. */
function rewritten(
  c: Cut,
  values: Readonly<Record<string, readonly [slot: number, value: readonly number[]]>>,
): {
  node?: Node;
  constants?: ReadonlyMap<number, Tensor>;
} {
  const attributes = { ...c.node.attributes };
  const constants = new Map<number, Tensor>();
  for (const [name, [slot, value]] of Object.entries(values)) {
    if (attributes[name]) attributes[name] = { kind: "ints", value };
    else constants.set(slot, tensorOf(c.constant(slot)?.type ?? "int64", value));
  }
  return { node: { ...c.node, attributes }, constants };
}
