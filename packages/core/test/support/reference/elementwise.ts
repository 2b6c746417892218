/** Operators that work element by element, with broadcasting where there are several inputs. */
import { allocate, type ElementType, isFloat } from "../../../src/graph/tensor.ts";
import { map, type NumArray, zip } from "./array.ts";
import type { Call, Operator, Operators } from "./call.ts";

/** Element types by their number in the file format. */
export const elementTypes: Readonly<Record<number, ElementType>> = {
  1: "float64",
  2: "uint8",
  3: "int8",
  4: "uint16",
  5: "int16",
  6: "int32",
  7: "int64",
  9: "bool",
  10: "float64",
  11: "float64",
  12: "uint32",
  13: "uint64",
  16: "float64",
};

const unary =
  (f: (x: number) => number): Operator =>
  (call) =>
    map(call.input(0), f);
const binary =
  (f: (a: number, b: number) => number): Operator =>
  (call) =>
    zip([call.input(0), call.input(1)], f);
const variadic =
  (f: (values: number[]) => number): Operator =>
  (call) =>
    zip(call.all, (...values) => f(values));
const predicate =
  (f: (a: number, b: number) => boolean): Operator =>
  (call) =>
    zip([call.input(0), call.input(1)], (a, b) => Number(f(a, b)), "bool");
/** With attribute `alpha`. */
const alpha =
  (otherwise: number, f: (x: number, alpha: number) => number): Operator =>
  (call) => {
    const value = call.float("alpha", otherwise);
    return map(call.input(0), (x) => f(x, value));
  };

export const elementwise: Operators = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div(call) {
    const whole = !isFloat(call.input(0).type);
    return zip([call.input(0), call.input(1)], (a, b) => (whole ? Math.trunc(a / b) : a / b));
  },
  Pow(call) {
    const whole = !isFloat(call.input(0).type);
    return zip([call.input(0), call.input(1)], (a, b) => (whole ? Math.trunc(a ** b) : a ** b));
  },
  Mod(call) {
    const truncated = call.int("fmod", 0) === 1;
    return zip([call.input(0), call.input(1)], (a, b) => {
      const rest = a % b;
      return !truncated && rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
    });
  },
  PRelu: binary((x, slope) => (x < 0 ? slope * x : x)),
  Min: variadic((values) => Math.min(...values)),
  Max: variadic((values) => Math.max(...values)),
  Sum: variadic(sum),
  Mean: variadic((values) => sum(values) / values.length),

  Equal: predicate((a, b) => a === b),
  Greater: predicate((a, b) => a > b),
  Less: predicate((a, b) => a < b),
  GreaterOrEqual: predicate((a, b) => a >= b),
  LessOrEqual: predicate((a, b) => a <= b),
  And: predicate((a, b) => a !== 0 && b !== 0),
  Or: predicate((a, b) => a !== 0 || b !== 0),
  Xor: predicate((a, b) => (a !== 0) !== (b !== 0)),
  Not: unary((x) => Number(x === 0)),
  IsNaN: (call) => map(call.input(0), (x) => Number(Number.isNaN(x)), "bool"),
  Where: (call) => zip([call.input(0), call.input(1), call.input(2)], (c, a, b) => (c ? a : b), call.input(1).type),

  Neg: unary((x) => -x),
  Abs: unary(Math.abs),
  Sign: unary(Math.sign),
  Exp: unary(Math.exp),
  Log: unary(Math.log),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((x) => 1 / x),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Round: unary(roundToEven),
  Erf: unary(erf),
  Sin: unary(Math.sin),
  Cos: unary(Math.cos),
  Tan: unary(Math.tan),
  Asin: unary(Math.asin),
  Acos: unary(Math.acos),
  Atan: unary(Math.atan),
  Sinh: unary(Math.sinh),
  Cosh: unary(Math.cosh),
  Asinh: unary(Math.asinh),
  Acosh: unary(Math.acosh),
  Atanh: unary(Math.atanh),

  Sigmoid: unary(sigmoid),
  Tanh: unary(Math.tanh),
  Relu: unary((x) => Math.max(x, 0)),
  Softplus: unary(softplus),
  Softsign: unary((x) => x / (1 + Math.abs(x))),
  Mish: unary((x) => x * Math.tanh(softplus(x))),
  HardSwish: unary((x) => x * clamp(x / 6 + 0.5, 0, 1)),
  LeakyRelu: alpha(0.01, (x, a) => (x < 0 ? a * x : x)),
  Elu: alpha(1, (x, a) => (x < 0 ? a * Math.expm1(x) : x)),
  Celu: alpha(1, (x, a) => Math.max(0, x) + Math.min(0, a * Math.expm1(x / a))),
  ThresholdedRelu: alpha(1, (x, a) => (x > a ? x : 0)),
  Selu(call) {
    const a = call.float("alpha", 1.6732631921768188);
    const scale = call.float("gamma", 1.0507010221481323);
    return map(call.input(0), (x) => scale * (x > 0 ? x : a * Math.expm1(x)));
  },
  HardSigmoid(call) {
    const slope = call.float("alpha", 0.2);
    const bias = call.float("beta", 0.5);
    return map(call.input(0), (x) => clamp(slope * x + bias, 0, 1));
  },
  Shrink(call) {
    const lambd = call.float("lambd", 0.5);
    const bias = call.float("bias", 0);
    return map(call.input(0), (x) => (x < -lambd ? x + bias : x > lambd ? x - bias : 0));
  },
  Gelu(call) {
    if (call.string("approximate", "none") === "tanh") {
      const c = Math.sqrt(2 / Math.PI);
      return map(call.input(0), (x) => 0.5 * x * (1 + Math.tanh(c * (x + 0.044715 * x ** 3))));
    }
    return map(call.input(0), (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)));
  },
  /** Bounds are attributes before opset 11 and optional inputs from then on. */
  Clip(call) {
    const bound = (slot: number, name: string, otherwise: number): number =>
      call.opset >= 11 ? (call.inputs[slot]?.data[0] ?? otherwise) : call.float(name, otherwise);
    const low = bound(1, "min", Number.NEGATIVE_INFINITY);
    const high = bound(2, "max", Number.POSITIVE_INFINITY);
    return map(call.input(0), (x) => clamp(x, low, high));
  },

  Identity: (call) => call.input(0),
  /** Inference: the input itself, and a mask (all ones from opset 12 on; before, as onnxruntime, zeros). */
  Dropout(call) {
    if (call.opset >= 12 && call.inputs[2]?.data[0]) call.refuse("training");
    const x = call.input(0);
    return [x, map(x, () => Number(call.opset >= 12), call.opset >= 10 ? "bool" : x.type)];
  },
  Cast(call) {
    const code = call.int("to", 1);
    return cast(call.input(0), elementTypes[code] ?? call.refuse(`element type ${code}`));
  },
  CastLike: (call) => cast(call.input(0), call.input(1).type),
  /** Scale and zero point for the whole tensor, per index of `axis`, or (opset 21) per block along it. */
  DequantizeLinear(call) {
    const x = call.input(0);
    const scale = fitted(call, call.input(1));
    const zero = call.inputs[2];
    const shift = zero ? fitted(call, zero) : map(scale, () => 0);
    return zip([x, scale, shift], (value, s, z) => (value - z) * s, "float64");
  },
};

/** A scale or zero point in a form that broadcasts to input 0. */
function fitted(call: Call, x: NumArray): NumArray {
  const { dims } = call.input(0);
  if (x.data.length === 1) return { ...x, dims: [] };
  const axis = (call.int("axis", 1) + dims.length) % dims.length;
  if (x.dims.length === 1) return { ...x, dims: dims.map((dim, a) => (a === axis ? dim : 1)) };
  const block = call.int("block_size", 0);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = dims[axis] as number;
  const blocks = x.dims[axis] as number;
  const data = Float64Array.from({ length: call.input(0).data.length }, (_, i) => {
    const along = Math.floor(i / inner) % length;
    const outer = Math.floor(i / inner / length);
    return x.data[(outer * blocks + Math.floor(along / block)) * inner + (i % inner)] as number;
  });
  return { type: x.type, dims, data };
}

function cast(x: NumArray, type: ElementType): NumArray {
  if (isFloat(type)) return { ...x, type: "float64" };
  if (type === "bool") return map(x, (value) => Number(value !== 0), type);
  if (type === "int64" || type === "uint64") return map(x, Math.trunc, type);
  const wrapped = allocate(type, x.data.length) as Int32Array;
  wrapped.set(x.data.map(Math.trunc));
  return { type, dims: x.dims, data: Float64Array.from(wrapped) };
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function clamp(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high);
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

function roundToEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
}

/**
 * The error function to a few units in the last place: below 1 the series exp(-x²) Σ 2^n x^(2n+1) / (2n+1)!!, whose
 * terms are all positive; from 1 on one minus the continued fraction of erfc.
 */
export function erf(x: number): number {
  const size = Math.abs(x);
  if (Number.isNaN(x) || size === 0) return x;
  if (size > 6) return Math.sign(x);
  const scale = Math.exp(-size * size) / Math.sqrt(Math.PI);
  if (size < 1) {
    let term = size;
    let total = 0;
    for (let n = 0; term > total * 1e-18; n++) {
      total += term;
      term *= (2 * size * size) / (2 * n + 3);
    }
    return Math.sign(x) * 2 * scale * total;
  }
  let fraction = size;
  for (let n = 300; n > 0; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - scale / fraction);
}
