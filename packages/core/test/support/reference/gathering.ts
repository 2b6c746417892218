/** Operators that read or write elements at positions given as data. */
import { sizeOf } from "../../../src/graph/tensor.ts";
import { build, get, indexesOf, type NumArray, normalAxis, offset, replaced } from "./array.ts";
import type { Call, Operator, Operators } from "./call.ts";

/** Like GatherElements, but writing. */
const scatterElements: Operator = (call) => {
  const x = call.input(0);
  const indexes = call.input(1);
  const updates = call.input(2);
  const axis = normalAxis(call.int("axis", 0), x.dims.length);
  const combine = combiner(call);
  const data = x.data.slice();
  for (const index of indexesOf(indexes.dims)) {
    const at = offset(x.dims, replaced(index, axis, wrapped(get(indexes, index), x.dims[axis] as number)));
    data[at] = combine(data[at] as number, get(updates, index));
  }
  return { type: x.type, dims: x.dims, data };
};

export const gathering: Operators = {
  Gather(call) {
    const x = call.input(0);
    const indexes = call.input(1);
    const axis = normalAxis(call.int("axis", 0), x.dims.length);
    const rank = indexes.dims.length;
    return build(
      x.dims.toSpliced(axis, 1, ...indexes.dims),
      (index) => {
        const at = get(indexes, index.slice(axis, axis + rank));
        return get(x, index.toSpliced(axis, rank, wrapped(at, x.dims[axis] as number)));
      },
      x.type,
    );
  },
  GatherElements(call) {
    const x = call.input(0);
    const indexes = call.input(1);
    const axis = normalAxis(call.int("axis", 0), x.dims.length);
    return build(
      indexes.dims,
      (index) => get(x, replaced(index, axis, wrapped(get(indexes, index), x.dims[axis] as number))),
      x.type,
    );
  },
  GatherND(call) {
    const x = call.input(0);
    const indexes = call.input(1);
    const batch = call.int("batch_dims", 0);
    const outer = indexes.dims.slice(0, -1);
    const depth = indexes.dims.at(-1) as number;
    return build(
      [...outer, ...x.dims.slice(batch + depth)],
      (index) => {
        const lead = index.slice(0, outer.length);
        const place = Array.from({ length: depth }, (_, i) =>
          wrapped(get(indexes, [...lead, i]), x.dims[batch + i] as number),
        );
        return get(x, [...index.slice(0, batch), ...place, ...index.slice(outer.length)]);
      },
      x.type,
    );
  },
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND(call) {
    const x = call.input(0);
    const indexes = call.input(1);
    const updates = call.input(2);
    const depth = indexes.dims.at(-1) as number;
    const outer = indexes.dims.length - 1;
    const combine = combiner(call);
    const data = x.data.slice();
    for (const index of indexesOf(updates.dims)) {
      const lead = index.slice(0, outer);
      const place = Array.from({ length: depth }, (_, i) => wrapped(get(indexes, [...lead, i]), x.dims[i] as number));
      const at = offset(x.dims, [...place, ...index.slice(outer)]);
      data[at] = combine(data[at] as number, get(updates, index));
    }
    return { type: x.type, dims: x.dims, data };
  },
  /** One column per nonzero element: its index. */
  NonZero(call) {
    const x = call.input(0);
    const found: number[][] = [];
    for (const index of indexesOf(x.dims)) if (get(x, index) !== 0) found.push([...index]);
    return build([x.dims.length, found.length], ([axis, n]) => found[n as number]?.[axis as number] as number, "int64");
  },
  /** Rows of `axis` (of the flattened input without it) where the condition holds. */
  Compress(call) {
    const given = call.input(0);
    const flat = call.node.attributes.axis === undefined;
    const x: NumArray = flat ? { ...given, dims: [sizeOf(given.dims)] } : given;
    const axis = normalAxis(call.int("axis", 0), x.dims.length);
    const rows = Array.from(call.input(1).data).flatMap((on, i) => (on ? [i] : []));
    return build(
      replaced(x.dims, axis, rows.length),
      (index) => get(x, replaced(index, axis, rows[index[axis] as number] as number)),
      x.type,
    );
  },
};

/** Negative positions count from the end. */
function wrapped(at: number, length: number): number {
  if (at < -length || at >= length) throw new RangeError(`index ${at} of ${length}`);
  return at < 0 ? at + length : at;
}

function combiner(call: Call): (old: number, update: number) => number {
  const name = call.string("reduction", "none");
  if (name === "none") return (_, update) => update;
  if (name === "add") return (old, update) => old + update;
  if (name === "mul") return (old, update) => old * update;
  if (name === "min") return Math.min;
  if (name === "max") return Math.max;
  return call.refuse(`reduction ${name}`);
}
