/** Graphs written down in code, and seeded random numbers, for tests. */
import { type Attribute, Graph, type Model, type Node, type ValueInfo } from "../../src/graph/graph.ts";
import { type ElementType, sizeOf, Tensor, tensorOf } from "../../src/graph/tensor.ts";

/** Dims of an input or output; numbers, symbolic names, or null for unknown. */
type Shape = readonly (number | string | null)[];
/** A shape (of the model's element type), or type and shape; `{}` is the element type with unknown rank. */
type Declared = Shape | { readonly type?: ElementType; readonly shape?: Shape };
/** A number or (nested) rows of numbers: a tensor of the model's element type. */
type Nested = number | readonly Nested[];
/** Integers become `int`/`ints`, other numbers `float`/`floats`; `{ float }` and `{ floats }` force it. */
type PlainAttribute =
  | number
  | string
  | boolean
  | readonly number[]
  | readonly string[]
  | Tensor
  | { readonly float: number }
  | { readonly floats: readonly number[] };

interface ModelSpec {
  readonly opset?: number;
  readonly ir?: number;
  /** Element type of everything that states none; default float32. */
  readonly type?: ElementType;
  readonly name?: string;
  readonly inputs: Readonly<Record<string, Declared>>;
  /** Names alone are of the element type and unknown rank. */
  readonly outputs: readonly string[] | Readonly<Record<string, Declared>>;
  readonly initializers?: Readonly<Record<string, Tensor | Nested>>;
  readonly nodes: readonly Node[];
  /** Versions of further domains. */
  readonly domains?: Readonly<Record<string, number>>;
}

/** A model of `nodes` (in topological order); opset 17, IR 8 and float32 unless said otherwise. */
export function model(spec: ModelSpec): Model {
  const type = spec.type ?? "float32";
  const outputs = isNames(spec.outputs)
    ? Object.fromEntries(spec.outputs.map((name): [string, Declared] => [name, {}]))
    : spec.outputs;
  const initializers = Object.entries(spec.initializers ?? {}).map(([name, value]): [string, Tensor] => [
    name,
    value instanceof Tensor ? value : nested(value, type),
  ]);
  return {
    graph: new Graph({
      name: spec.name ?? "test",
      inputs: Object.entries(spec.inputs).map(([name, declared]) => valueInfo(name, declared, type)),
      outputs: Object.entries(outputs).map(([name, declared]) => valueInfo(name, declared, type)),
      initializers: new Map(initializers),
      nodes: spec.nodes,
      valueInfo: new Map(),
    }),
    irVersion: spec.ir ?? 8,
    opsets: new Map([["", spec.opset ?? 17], ...Object.entries(spec.domains ?? {})]),
    metadata: new Map(),
  };
}

/** One node; its name is its first output unless given. */
export function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, PlainAttribute>> = {},
  { name = outputs[0] ?? opType, domain = "" }: { name?: string; domain?: string } = {},
): Node {
  const entries = Object.entries(attributes).map(([key, value]): [string, Attribute] => [key, attribute(key, value)]);
  return {
    name,
    opType,
    domain,
    inputs,
    outputs,
    attributes: Object.fromEntries(entries),
  };
}

/** A tensor from a number or nested rows of equal length. */
export function nested(values: Nested, type: ElementType = "float32"): Tensor {
  const dims: number[] = [];
  const flat: number[] = [];
  const collect = (rows: Nested, depth: number): void => {
    if (typeof rows === "number") {
      flat.push(rows);
      return;
    }
    dims[depth] = rows.length;
    for (const row of rows) collect(row, depth + 1);
  };
  collect(values, 0);
  return tensorOf(type, flat, dims);
}

interface Random {
  /** Uniform in [a, b); [0, 1) by default. */
  uniform(a?: number, b?: number): number;
  /** Standard normal. */
  normal(): number;
  /** 0 ... n - 1. */
  int(n: number): number;
  /** Normal values times `scale`. */
  tensor(dims: readonly number[], scale?: number, type?: ElementType): Tensor;
}

/** Reproducible random numbers (mulberry32). */
export function random(seed: number): Random {
  let state = seed | 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return {
    uniform: (a = 0, b = 1) => a + (b - a) * next(),
    normal,
    int: (n) => Math.floor(n * next()),
    tensor: (dims, scale = 1, type = "float32") =>
      tensorOf(
        type,
        Array.from({ length: sizeOf(dims) }, () => scale * normal()),
        dims,
      ),
  };
}

/** Largest absolute difference over the largest absolute value of `b` (over 1 if that is 0); NaN if dims differ. */
export function closeTo(a: Tensor, b: Tensor): number {
  if (a.dims.join() !== b.dims.join()) return Number.NaN;
  const left = a.numbers;
  const right = b.numbers;
  let difference = 0;
  let largest = 0;
  for (let i = 0; i < left.length; i++) {
    const x = left[i] as number;
    const y = right[i] as number;
    if (Object.is(x, y)) continue; // equal infinities too
    difference = Math.max(difference, Math.abs(x - y));
  }
  for (let i = 0; i < right.length; i++) {
    const size = Math.abs(right[i] as number);
    if (size < Number.POSITIVE_INFINITY) largest = Math.max(largest, size);
  }
  return difference / (largest || 1);
}

/** Attributes that ONNX declares as floats, whatever number they hold. */
const floats = new Set(
  "alpha beta epsilon momentum ratio gamma lambd bias extrapolation_value cubic_coeff_a delta start_value".split(" "),
);
const floatLists = new Set(["scales", "value_floats", "activation_alpha", "activation_beta"]);

function attribute(name: string, value: PlainAttribute): Attribute {
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "boolean") return { kind: "int", value: Number(value) };
  if (typeof value === "number") {
    const isFloat = floats.has(name) || name === "value_float" || !Number.isInteger(value);
    return { kind: isFloat ? "float" : "int", value };
  }
  if (value instanceof Tensor) return { kind: "tensor", value };
  if ("float" in value) return { kind: "float", value: value.float };
  if ("floats" in value) return { kind: "floats", value: value.floats };
  if (value.every((item) => typeof item === "string")) {
    return value.length > 0 || name.endsWith("strings")
      ? { kind: "strings", value }
      : { kind: floatLists.has(name) ? "floats" : "ints", value: [] };
  }
  const isFloat = floatLists.has(name) || value.some((item) => !Number.isInteger(item));
  return {
    kind: isFloat ? "floats" : "ints",
    value: value as readonly number[],
  };
}

function valueInfo(name: string, declared: Declared, type: ElementType): ValueInfo {
  if (isShape(declared)) return { name, type, shape: declared };
  return { name, type: declared.type ?? type, shape: declared.shape };
}

function isShape(declared: Declared): declared is Shape {
  return Array.isArray(declared);
}

function isNames(outputs: ModelSpec["outputs"]): outputs is readonly string[] {
  return Array.isArray(outputs);
}
