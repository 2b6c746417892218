/** Operators that make arrays from shapes and numbers. */
import { sizeOf } from "../../../src/graph/tensor.ts";
import { build, fromTensor, type NumArray, normalAxis } from "./array.ts";
import type { Operators } from "./call.ts";
import { elementTypes } from "./elementwise.ts";

export const constants: Operators = {
  Constant(call) {
    const tensor = call.tensor("value");
    if (tensor) return fromTensor(tensor);
    const attributes = Object.entries(call.node.attributes);
    for (const [name, { kind, value }] of attributes) {
      if (name === "value_float" || name === "value_int") return vector([value as number], kind === "int", []);
      if (name === "value_floats" || name === "value_ints") return vector(value as number[], kind === "ints");
    }
    return call.refuse(`a constant of ${attributes.map(([name]) => name)}`);
  },
  ConstantOfShape(call) {
    const dims = Array.from(call.input(0).data);
    const value = call.tensor("value");
    const filler = value ? fromTensor(value) : vector([0], false);
    return {
      type: filler.type,
      dims,
      data: new Float64Array(sizeOf(dims)).fill(filler.data[0] as number),
    };
  },
  /** `start` and `end` from opset 15 on, clamped like a slice. */
  Shape(call) {
    const { dims } = call.input(0);
    return vector(dims.slice(call.int("start", 0), call.int("end", dims.length)), true);
  },
  Size: (call) => vector([call.input(0).data.length], true, []),
  Range(call) {
    const [start, limit, delta] = [0, 1, 2].map((slot) => call.input(slot).data[0]) as [number, number, number];
    const length = Math.max(0, Math.ceil((limit - start) / delta));
    return build([length], ([i]) => start + (i as number) * delta, call.input(0).type);
  },
  /** Indexes outside -depth ... depth - 1 give a line of off values. */
  OneHot(call) {
    const indexes = call.input(0);
    const depth = call.input(1).data[0] as number;
    const [off, on] = call.input(2).data as unknown as [number, number];
    const axis = normalAxis(call.int("axis", -1), indexes.dims.length + 1);
    const outer = sizeOf(indexes.dims.slice(0, axis));
    const inner = sizeOf(indexes.dims.slice(axis));
    const data = new Float64Array(outer * depth * inner).fill(off);
    indexes.data.forEach((stated, i) => {
      const at = stated < 0 ? stated + depth : stated;
      if (at < 0 || at >= depth) return;
      data[(Math.floor(i / inner) * depth + at) * inner + (i % inner)] = on;
    });
    return {
      type: call.input(2).type,
      dims: indexes.dims.toSpliced(axis, 0, depth),
      data,
    };
  },
  EyeLike(call) {
    const x = call.input(0);
    const k = call.int("k", 0);
    const type = elementTypes[call.int("dtype", 0)] ?? x.type;
    return build(x.dims, ([row, column]) => Number((column as number) - (row as number) === k), type);
  },
};

function vector(values: readonly number[], whole: boolean, dims: readonly number[] = [values.length]): NumArray {
  return {
    type: whole ? "int64" : "float64",
    dims,
    data: Float64Array.from(values),
  };
}
