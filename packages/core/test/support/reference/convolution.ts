/** Convolutions over any number of spatial axes. */
import { sizeOf } from "../../../src/graph/tensor.ts";
import { build, indexesOf, offset } from "./array.ts";
import type { Call, Operators } from "./call.ts";
import { sourceOf, type Window, windowOf } from "./window.ts";

export const convolution: Operators = {
  /** X[N, C, ...], W[M, C / group, ...], B[M]. */
  Conv(call) {
    const x = call.input(0);
    const w = call.input(1);
    const bias = call.inputs[2]?.data;
    const [batch, channels, ...spatial] = x.dims as [number, number, ...number[]];
    const [maps, depth, ...kernel] = w.dims as [number, number, ...number[]];
    const group = call.int("group", 1);
    if (channels !== depth * group) throw new RangeError(`${channels} channels, expected ${depth * group}`);
    const window = windowOf(call, kernel, spatial);
    const cells = sizeOf(spatial);
    const taps = sizeOf(kernel);
    const places = [...reads(window, spatial)];
    return build([batch, maps, ...window.out], (index) => {
      const [n, m, ...place] = index as [number, number, ...number[]];
      const first = Math.floor(m / (maps / group)) * depth;
      let total = bias ? (bias[m] as number) : 0;
      for (const { at, tap } of places[offset(window.out, place)] as Read[]) {
        for (let c = 0; c < depth; c++) {
          total +=
            (x.data[(n * channels + first + c) * cells + at] as number) *
            (w.data[(m * depth + c) * taps + tap] as number);
        }
      }
      return total;
    });
  },
  /** X[N, C, ...], W[C, M / group, ...], B[M]: every input element adds its multiple of the kernel to the result. */
  ConvTranspose(call) {
    const x = call.input(0);
    const w = call.input(1);
    const bias = call.inputs[2]?.data;
    const [batch, channels, ...spatial] = x.dims as [number, number, ...number[]];
    const [, perGroup, ...kernel] = w.dims as [number, number, ...number[]];
    const group = call.int("group", 1);
    const window = transposedWindow(call, kernel, spatial);
    const maps = perGroup * group;
    const dims = [batch, maps, ...window.out];
    const result = build(dims, (index) => (bias ? (bias[index[1] as number] as number) : 0));
    for (const source of indexesOf(x.dims)) {
      const [n, c, ...from] = source as [number, number, ...number[]];
      const value = x.data[offset(x.dims, source)] as number;
      const first = Math.floor(c / (channels / group)) * perGroup;
      for (const tap of indexesOf(kernel)) {
        const place = sourceOf(window, window.out, from, tap);
        if (!place) continue;
        for (let m = 0; m < perGroup; m++) {
          const at = offset(dims, [n, first + m, ...place]);
          const weight = w.data[offset(w.dims, [c, m, ...tap])] as number;
          result.data[at] = (result.data[at] as number) + value * weight;
        }
      }
    }
    return result;
  },
  /** X[N, C * taps, L] of columns, summed back into an image [N, C, ...]; the opposite of taking patches. */
  Col2Im(call) {
    const x = call.input(0);
    const spatial = Array.from(call.input(1).data);
    const block = Array.from(call.input(2).data);
    const taps = sizeOf(block);
    const [batch, rows] = x.dims as [number, number];
    const window = windowOf(call, block, spatial);
    const dims = [batch, rows / taps, ...spatial];
    const data = new Float64Array(sizeOf(dims));
    const places = [...reads(window, spatial)];
    if (places.length !== x.dims[2]) throw new RangeError(`${x.dims[2]} columns, expected ${places.length}`);
    for (let plane = 0; plane < batch * (rows / taps); plane++) {
      places.forEach((found, column) => {
        for (const { at, tap } of found) {
          const to = plane * sizeOf(spatial) + at;
          const value = x.data[(plane * taps + tap) * places.length + column] as number;
          data[to] = (data[to] as number) + value;
        }
      });
    }
    return { type: x.type, dims, data };
  },
};

/** One element under the window: position in the plane and in the kernel. */
interface Read {
  readonly at: number;
  readonly tap: number;
}

/** For every place of the result, in order, what its window reads. */
function* reads(window: Window, spatial: readonly number[]): Generator<Read[]> {
  for (const place of indexesOf(window.out)) {
    const found: Read[] = [];
    for (const tap of indexesOf(window.kernel)) {
      const source = sourceOf(window, spatial, place, tap);
      if (source)
        found.push({
          at: offset(spatial, source),
          tap: offset(window.kernel, tap),
        });
    }
    yield found;
  }
}

/** The window whose input is the result: `out` is the dims of the result. */
function transposedWindow(call: Call, kernel: readonly number[], spatial: readonly number[]): Window {
  const rank = spatial.length;
  const strides = call.ints("strides") ?? spatial.map(() => 1);
  const dilations = call.ints("dilations") ?? spatial.map(() => 1);
  const pads = call.ints("pads") ?? [...spatial, ...spatial].map(() => 0);
  const extra = call.ints("output_padding") ?? spatial.map(() => 0);
  const wanted = call.ints("output_shape")?.slice(-rank);
  const auto = call.string("auto_pad", "NOTSET");
  const before: number[] = [];
  const after: number[] = [];
  const out: number[] = [];
  spatial.forEach((length, axis) => {
    const stride = strides[axis] as number;
    const reach = ((kernel[axis] as number) - 1) * (dilations[axis] as number) + 1;
    const full = stride * (length - 1) + (extra[axis] as number) + reach;
    const size = wanted?.[axis] ?? (auto.startsWith("SAME") ? length * stride : undefined);
    let [start, end] = auto === "VALID" ? [0, 0] : [pads[axis] as number, pads[axis + rank] as number];
    if (size !== undefined) {
      const total = Math.max(0, full - size);
      start = auto === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
      end = total - start;
    }
    before.push(start);
    after.push(end);
    out.push(wanted?.[axis] ?? full - start - end);
  });
  return { kernel, strides, dilations, before, after, out };
}
