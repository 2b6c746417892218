/**
 * Tensors as the whole project passes them around: an element type, dims, and data in row-major order.
 *
 * A tensor read from a file keeps the file's little-endian bytes and decodes them only when someone reads `data`, and a
 * slice of a tensor is made only when it is read. What had to be made is not kept where it is large. So weights that
 * nobody looks at cost no memory beyond the file itself, and those that are only looked at cost it for that moment.
 */

/** Element types that {@link Tensor} can hold. `float16` and `bfloat16` hold raw bits, `bool` one byte each. */
export type ElementType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool";

const arrayTypes = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} satisfies Record<ElementType, unknown>;

export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Elements that had to be made are kept up to this size in bytes; larger ones are made again for the next reader. */
const KEPT_BYTES = 2 ** 20;

/** An n-dimensional array. Never changed in place: every operation returns a new one. */
export class Tensor {
  readonly type: ElementType;
  /** Lengths of the axes, outermost first; `[]` for a scalar. */
  readonly dims: readonly number[];
  /** What the file said besides type, dims and data (doc string, unknown fields); opaque outside `onnx/`. */
  readonly origin?: unknown;
  #data: TypedArray | undefined;
  readonly #bytes: Uint8Array | undefined;
  readonly #make: (() => TypedArray) | undefined;

  /** `source` is a typed array of the element type, a function that makes it, or (with `raw`) the little-endian bytes. */
  constructor(
    type: ElementType,
    dims: readonly number[],
    source: TypedArray | (() => TypedArray),
    options: { raw?: boolean; origin?: unknown } = {},
  ) {
    this.type = type;
    this.dims = dims;
    this.origin = options.origin;
    if (typeof source === "function") {
      this.#make = source;
      return;
    }
    const size = sizeOf(dims);
    const count = options.raw ? source.byteLength / bytesPerElement(type) : source.length;
    if (count !== size) {
      throw new RangeError(`tensor [${dims.join(", ")}] of ${type}: needs ${size} elements, got ${count}`);
    }
    if (options.raw) this.#bytes = source as Uint8Array;
    else this.#data = source;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.dims);
  }

  /** Bytes that the data takes. */
  get byteLength(): number {
    return this.size * bytesPerElement(this.type);
  }

  /**
   * The elements. Decoded from the file's bytes (a view where alignment allows, else a copy) or made on first use; a
   * large array that is no view is made again by the next reader, so hold on to it in a loop.
   */
  get data(): TypedArray {
    if (this.#data) return this.#data;
    const data = this.#make ? this.#make() : decode(this.type, this.#bytes as Uint8Array);
    const isView = data.buffer === this.#bytes?.buffer;
    if (isView || data.byteLength <= KEPT_BYTES) this.#data = data;
    return data;
  }

  /** The elements as little-endian bytes; a view, never a copy. */
  get bytes(): Uint8Array {
    if (this.#bytes) return this.#bytes;
    const { buffer, byteOffset, byteLength } = this.data;
    return new Uint8Array(buffer, byteOffset, byteLength);
  }

  /** The elements as numbers (64-bit integers and half floats converted). A copy unless already float32/64 or small integers. */
  get numbers(): ArrayLike<number> {
    return toNumbers(this);
  }
}

/** The tensor with its elements at hand: nothing is made again when they are read, and what they come from can be let go. */
export function materialised(tensor: Tensor): Tensor {
  return new Tensor(tensor.type, tensor.dims, tensor.data, { origin: tensor.origin });
}

/** Product of the dims; 1 for a scalar. */
export function sizeOf(dims: readonly number[]): number {
  let size = 1;
  for (const dim of dims) size *= dim;
  return size;
}

export function bytesPerElement(type: ElementType): number {
  return arrayTypes[type].BYTES_PER_ELEMENT;
}

export function isFloat(type: ElementType): boolean {
  return type === "float32" || type === "float64" || type === "float16" || type === "bfloat16";
}

/** A new zeroed typed array for `size` elements of `type`. */
export function allocate(type: ElementType, size: number): TypedArray {
  return new arrayTypes[type](size);
}

/** A float32 tensor; dims default to one axis. */
export function float32(values: ArrayLike<number>, dims: readonly number[] = [values.length]): Tensor {
  return new Tensor("float32", dims, Float32Array.from(values));
}

/** An int64 tensor; dims default to one axis. */
export function int64(values: readonly number[], dims: readonly number[] = [values.length]): Tensor {
  return new Tensor("int64", dims, BigInt64Array.from(values, BigInt));
}

/** A tensor of `type` from plain numbers. */
export function tensorOf(
  type: ElementType,
  values: ArrayLike<number>,
  dims: readonly number[] = [values.length],
): Tensor {
  if (type === "int64")
    return new Tensor(
      type,
      dims,
      BigInt64Array.from(values as number[], (v) => BigInt(v)),
    );
  if (type === "uint64")
    return new Tensor(
      type,
      dims,
      BigUint64Array.from(values as number[], (v) => BigInt(v)),
    );
  if (type === "float16") return new Tensor(type, dims, Uint16Array.from(values as number[], toHalf));
  if (type === "bfloat16") return new Tensor(type, dims, Uint16Array.from(values as number[], toBrain));
  const data = allocate(type, values.length) as Float64Array;
  data.set(values);
  return new Tensor(type, dims, data);
}

/** Keeps only `indexes` along `axis`, in that order. The slice is made when it is read. */
export function take(tensor: Tensor, axis: number, indexes: ArrayLike<number>): Tensor {
  const dims = tensor.dims.map((dim, a) => (a === axis ? indexes.length : dim));
  return new Tensor(tensor.type, dims, () => slices(tensor, axis, indexes), { origin: tensor.origin });
}

function slices(tensor: Tensor, axis: number, indexes: ArrayLike<number>): TypedArray {
  const outer = sizeOf(tensor.dims.slice(0, axis));
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const length = tensor.dims[axis] as number;
  const count = indexes.length;
  const source = tensor.data as Float64Array;
  const result = allocate(tensor.type, outer * count * inner) as Float64Array;
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < count; i++) {
      const from = (o * length + (indexes[i] as number)) * inner;
      if (inner === 1) result[at] = source[from] as number;
      else result.set(source.subarray(from, from + inner), at);
      at += inner;
    }
  }
  return result;
}

/** Indexes `from` to `to` - 1 along `axis`. A view of the elements where the axes before it have length 1, else a copy. */
export function slice(tensor: Tensor, axis: number, from: number, to: number): Tensor {
  const dims = tensor.dims.map((dim, a) => (a === axis ? to - from : dim));
  const outer = sizeOf(tensor.dims.slice(0, axis));
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const { data } = tensor;
  if (outer === 1) return new Tensor(tensor.type, dims, data.subarray(from * inner, to * inner));
  const length = tensor.dims[axis] as number;
  const result = allocate(tensor.type, sizeOf(dims)) as Float64Array;
  const width = (to - from) * inner;
  for (let o = 0; o < outer; o++) {
    const start = (o * length + from) * inner;
    result.set(data.subarray(start, start + width) as Float64Array, o * width);
  }
  return new Tensor(tensor.type, dims, result);
}

/** Tensors of one type side by side along `axis`; their other dims are the same. */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  const [first] = tensors as readonly [Tensor, ...Tensor[]];
  if (tensors.length === 1) return first;
  const widths = tensors.map(({ dims }) => sizeOf(dims.slice(axis)));
  const length = tensors.reduce((sum, { dims }) => sum + (dims[axis] as number), 0);
  const dims = first.dims.map((dim, a) => (a === axis ? length : dim));
  const outer = sizeOf(dims.slice(0, axis));
  const result = allocate(first.type, sizeOf(dims)) as Float64Array;
  const all = tensors.map(({ data }) => data as Float64Array);
  let at = 0;
  for (let o = 0; o < outer; o++) {
    for (const [i, data] of all.entries()) {
      const width = widths[i] as number;
      result.set(data.subarray(o * width, (o + 1) * width), at);
      at += width;
    }
  }
  return new Tensor(first.type, dims, result);
}

/** Swaps axes: axis `i` of the result is axis `perm[i]` of the input. The elements are put in order when they are read. */
export function transpose(tensor: Tensor, perm: readonly number[]): Tensor {
  const dims = perm.map((axis) => tensor.dims[axis] as number);
  return new Tensor(tensor.type, dims, () => transposed(tensor, perm, dims), { origin: tensor.origin });
}

function transposed(tensor: Tensor, perm: readonly number[], dims: readonly number[]): TypedArray {
  const strides = stridesOf(tensor.dims);
  const steps = perm.map((axis) => strides[axis] as number);
  const source = tensor.data as Float64Array;
  const result = allocate(tensor.type, tensor.size) as Float64Array;
  const index = new Array<number>(dims.length).fill(0);
  let from = 0;
  for (let at = 0; at < result.length; at++) {
    result[at] = source[from] as number;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      from += steps[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (dims[axis] as number)) break;
      from -= (steps[axis] as number) * (dims[axis] as number);
      index[axis] = 0;
    }
  }
  return result;
}

/** The same elements under other dims (same element count). Shares the data. */
export function reshape(tensor: Tensor, dims: readonly number[]): Tensor {
  if (sizeOf(dims) !== tensor.size) {
    throw new RangeError(
      `reshape: [${tensor.dims.join(", ")}] has ${tensor.size} elements, not those of [${dims.join(", ")}]`,
    );
  }
  return new Tensor(tensor.type, dims, () => tensor.data, { origin: tensor.origin });
}

/** Row-major strides in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length).fill(1);
  for (let axis = dims.length - 2; axis >= 0; axis--) {
    strides[axis] = (strides[axis + 1] as number) * (dims[axis + 1] as number);
  }
  return strides;
}

function decode(type: ElementType, bytes: Uint8Array): TypedArray {
  const array = arrayTypes[type];
  const width = array.BYTES_PER_ELEMENT;
  if (bytes.byteOffset % width === 0) {
    return new array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / width) as TypedArray;
  }
  const copy = bytes.slice();
  return new array(copy.buffer, 0, copy.byteLength / width) as TypedArray;
}

function toNumbers(tensor: Tensor): ArrayLike<number> {
  const { type, data } = tensor;
  if (type === "int64" || type === "uint64") return Float64Array.from(data as BigInt64Array, Number);
  if (type === "float16") return Float32Array.from(data as Uint16Array, fromHalf);
  if (type === "bfloat16") return Float32Array.from(data as Uint16Array, fromBrain);
  return data as Float32Array;
}

const word = new Uint32Array(1);
const real = new Float32Array(word.buffer);

function fromBrain(bits: number): number {
  word[0] = bits << 16;
  return real[0] as number;
}

function toBrain(value: number): number {
  real[0] = value;
  const bits = word[0] as number;
  return Number.isNaN(value) ? 0x7fc0 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Nearest half-precision bits, ties to even. */
function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size || 2 ** -30)));
  const steps = size / 2 ** (exponent - 10); // in units of the last place
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return sign | (exponent === -14 && rounded < 1024 ? rounded : ((exponent + 14) << 10) + rounded);
}
