/** Normalisations. */
import { sizeOf } from "../../../src/graph/tensor.ts";
import { alongAxis, build, get, map, type NumArray, normalAxis, permuted, replaced } from "./array.ts";
import type { Operators } from "./call.ts";

export const normalization: Operators = {
  /** Inference only: by the stored mean and variance of each channel. */
  BatchNormalization(call) {
    if (call.int("training_mode", 0)) call.refuse("training_mode");
    if (call.int("spatial", 1) !== 1) call.refuse("spatial 0");
    const x = call.input(0);
    const [scale, bias, mean, variance] = [1, 2, 3, 4].map((slot) => call.input(slot).data) as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const epsilon = call.float("epsilon", 1e-5);
    return build(x.dims, (index) => {
      const c = index[1] ?? 0;
      const centred = get(x, index) - (mean[c] as number);
      return (centred / Math.sqrt((variance[c] as number) + epsilon)) * (scale[c] as number) + (bias[c] as number);
    });
  },
  /** Over all axes from `axis` on. Also returns mean and inverse standard deviation. */
  LayerNormalization(call) {
    const x = call.input(0);
    const axis = normalAxis(call.int("axis", -1), x.dims.length);
    const inner = sizeOf(x.dims.slice(axis));
    const { normal, means, inverses } = standardized(x, inner, call.float("epsilon", 1e-5));
    const scale = call.input(1).data;
    const bias = call.inputs[2]?.data;
    const y = normal.data.map((value, i) => {
      const at = i % inner;
      return value * (scale[at % scale.length] as number) + (bias ? (bias[at % bias.length] as number) : 0);
    });
    const dims = x.dims.map((dim, a) => (a < axis ? dim : 1));
    return [
      { ...x, data: y },
      { type: x.type, dims, data: means },
      { type: x.type, dims, data: inverses },
    ];
  },
  InstanceNormalization(call) {
    const x = call.input(0);
    const { normal } = standardized(x, sizeOf(x.dims.slice(2)), call.float("epsilon", 1e-5));
    const scale = call.input(1).data;
    const bias = call.input(2).data;
    return build(x.dims, (index) => {
      const c = index[1] as number;
      return get(normal, index) * (scale[c] as number) + (bias[c] as number);
    });
  },
  /** Scale and bias per group in opset 18, per channel from 21 on. */
  GroupNormalization(call) {
    const x = call.input(0);
    const groups = call.int("num_groups", 1);
    const perGroup = (x.dims[1] as number) / groups;
    const { normal } = standardized(x, perGroup * sizeOf(x.dims.slice(2)), call.float("epsilon", 1e-5));
    const scale = call.input(1).data;
    const bias = call.input(2).data;
    return build(x.dims, (index) => {
      const channel = index[1] as number;
      const at = call.opset >= 21 ? channel : Math.floor(channel / perGroup);
      return get(normal, index) * (scale[at] as number) + (bias[at] as number);
    });
  },
  MeanVarianceNormalization(call) {
    const x = call.input(0);
    const axes = (call.ints("axes") ?? [0, 2, 3]).map((axis) => normalAxis(axis, x.dims.length));
    const perm = [...[...x.dims.keys()].filter((axis) => !axes.includes(axis)), ...axes];
    const moved = permuted(x, perm);
    const inner = axes.reduce((size, axis) => size * (x.dims[axis] as number), 1);
    const back = perm.map((_, axis) => perm.indexOf(axis));
    return permuted(standardized(moved, inner, 1e-9).normal, back);
  },
  /** By the squares of the neighbouring channels. */
  LRN(call) {
    const x = call.input(0);
    const size = call.int("size", 1);
    const alpha = call.float("alpha", 1e-4);
    const beta = call.float("beta", 0.75);
    const bias = call.float("bias", 1);
    const channels = x.dims[1] as number;
    return build(x.dims, (index) => {
      const c = index[1] as number;
      let squares = 0;
      const last = Math.min(channels - 1, c + Math.ceil((size - 1) / 2));
      for (let k = Math.max(0, c - Math.floor((size - 1) / 2)); k <= last; k++) {
        squares += get(x, replaced(index, 1, k)) ** 2;
      }
      return get(x, index) / (bias + (alpha / size) * squares) ** beta;
    });
  },
  LpNormalization(call) {
    const x = call.input(0);
    const p = call.int("p", 2);
    return alongAxis(x, normalAxis(call.int("axis", -1), x.dims.length), (line) => {
      const norm = line.reduce((total, value) => total + Math.abs(value) ** p, 0) ** (1 / p);
      return line.map((value) => (norm === 0 ? 0 : value / norm));
    });
  },
};

/** Each run of `inner` elements to mean 0 and variance 1. */
function standardized(
  x: NumArray,
  inner: number,
  epsilon: number,
): { normal: NumArray; means: Float64Array; inverses: Float64Array } {
  const rows = x.data.length / inner;
  const means = new Float64Array(rows);
  const inverses = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const line = Array.from(x.data.subarray(row * inner, (row + 1) * inner));
    const mean = line.reduce((a, b) => a + b, 0) / inner;
    const variance = line.reduce((total, value) => total + (value - mean) ** 2, 0) / inner;
    means[row] = mean;
    inverses[row] = 1 / Math.sqrt(variance + epsilon);
  }
  let i = 0;
  const normal = map(x, (value) => {
    const row = Math.floor(i++ / inner);
    return (value - (means[row] as number)) * (inverses[row] as number);
  });
  return { normal, means, inverses };
}
