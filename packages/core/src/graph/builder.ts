/**
 * Builds graphs: starts from an existing graph (or nothing) and appends nodes. Everything numerical in this project —
 * gates, derivative graphs, training steps — is written with it.
 *
 * The same operator takes its axes as an attribute or as an input depending on the opset; the methods below hide that,
 * so that what we append is valid under the model's own opset.
 */
import { FreshNames } from "./fresh-names.ts";
import { type Attribute, Graph, type Model, type Node, type ValueInfo } from "./graph.ts";
import { allocate, type ElementType, int64, sizeOf, Tensor, tensorOf } from "./tensor.ts";

/** Plain attribute values; integers become INT(S), other numbers FLOAT(S). Use `{ float: 1 }` for a whole-number FLOAT. */
export type PlainAttribute = number | string | readonly number[] | Tensor | { readonly float: number };

export class GraphBuilder {
  readonly opset: number;
  /** Element type of the real-valued constants that it makes. */
  readonly real: ElementType;
  readonly #base: Graph;
  readonly #nodes: Node[];
  readonly #initializers: Map<string, Tensor>;
  readonly #inputs: ValueInfo[];
  readonly #constants = new Map<string, string>();
  readonly #names: FreshNames;

  constructor({ opset, real = "float32", base = emptyGraph() }: { opset: number; real?: ElementType; base?: Graph }) {
    this.opset = opset;
    this.real = real;
    this.#base = base;
    this.#nodes = [...base.nodes];
    this.#initializers = new Map(base.initializers);
    this.#inputs = [...base.inputs];
    this.#names = new FreshNames(base);
  }

  /** Builds a graph anew: all of it but its nodes is there, and the names of what they compute are taken. */
  static around(graph: Graph, opset: number, real?: ElementType): GraphBuilder {
    const b = new GraphBuilder({ opset, ...(real && { real }), base: graph.with({ nodes: [] }) });
    for (const node of graph.nodes) b.#names.takeNode(node);
    return b;
  }

  /** A name nobody has yet, starting with `hint`. */
  fresh(hint: string): string {
    return this.#names.fresh(hint);
  }

  /** Notes a name that is used elsewhere, such as in a control-flow body that is going to be added. */
  take(name: string): void {
    this.#names.take(name);
  }

  /** Declares a graph input. `shape` may hold symbolic dims. */
  input(name: string, type: ElementType, shape?: readonly (number | string | null)[]): string {
    this.#names.take(name);
    this.#inputs.push({ name, type, shape });
    return name;
  }

  /** Appends a node with one output and returns that output's name. */
  op(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, PlainAttribute> = {},
    output?: string,
  ): string {
    return this.ops(opType, inputs, attributes, [output ?? this.fresh(`${opType}/out`)])[0] as string;
  }

  /** Appends a node with several outputs. */
  ops(
    opType: string,
    inputs: readonly string[],
    attributes: Record<string, PlainAttribute>,
    outputs: readonly string[],
  ): readonly string[] {
    this.append({
      name: this.fresh(`${outputs[0]}/node`),
      opType,
      domain: "",
      inputs,
      outputs,
      attributes: Object.fromEntries(Object.entries(attributes).map(([key, value]) => [key, attribute(value)])),
    });
    return outputs;
  }

  /** Appends a node as it is. */
  append(node: Node): void {
    this.#names.takeNode(node);
    this.#nodes.push(node);
  }

  /** Stores a tensor as an initializer. */
  tensor(tensor: Tensor, hint = "const"): string {
    const name = this.fresh(hint);
    this.#initializers.set(name, tensor);
    return name;
  }

  /** A real scalar (rank 0) constant. */
  scalar(value: number): string {
    return this.#shared(`s${value}`, () => tensorOf(this.real, [value], []));
  }

  /** An int64 vector constant. */
  ints(values: readonly number[]): string {
    return this.#shared(`i${values.join()}`, () => int64(values));
  }

  /** An int64 scalar (rank 0) constant. */
  index(value: number): string {
    return this.#shared(`n${value}`, () => int64([value], []));
  }

  /** Sum over `axes` (all where left out). */
  sum(x: string, axes?: readonly number[], keepdims = false): string {
    return this.#reduce("ReduceSum", 13, x, axes, keepdims);
  }

  /** Largest over `axes`. */
  max(x: string, axes: readonly number[], keepdims = false): string {
    return this.#reduce("ReduceMax", 18, x, axes, keepdims);
  }

  /** Mean over `axes`. */
  mean(x: string, axes: readonly number[], keepdims = false): string {
    return this.#reduce("ReduceMean", 18, x, axes, keepdims);
  }

  unsqueeze(x: string, axes: readonly number[]): string {
    return this.opset >= 13 ? this.op("Unsqueeze", [x, this.ints(axes)]) : this.op("Unsqueeze", [x], { axes });
  }

  squeeze(x: string, axes: readonly number[]): string {
    return this.opset >= 13 ? this.op("Squeeze", [x, this.ints(axes)]) : this.op("Squeeze", [x], { axes });
  }

  /** Indexes start..end-1 of one axis. */
  slice(x: string, axis: number, start: number, end: number): string {
    if (this.opset < 10) return this.op("Slice", [x], { axes: [axis], starts: [start], ends: [end] });
    return this.op("Slice", [x, this.ints([start]), this.ints([end]), this.ints([axis])]);
  }

  /** Constant padding, begins then ends of all axes; `fill` names the value, `value` is the same for old opsets. */
  pad(x: string, pads: readonly number[], fill: string, value: number): string {
    if (pads.every((pad) => pad === 0)) return x;
    if (this.opset < 11) return this.op("Pad", [x], { pads, mode: "constant", value: { float: value } });
    return this.op("Pad", [x, this.ints(pads), fill], { mode: "constant" });
  }

  reshape(x: string, dims: readonly number[]): string {
    return this.op("Reshape", [x, this.ints(dims)]);
  }

  /** transA(A) transB(B) times alpha. */
  gemm(a: string, b: string, attributes: Record<string, PlainAttribute>): string {
    return this.op("Gemm", this.opset >= 11 ? [a, b] : [a, b, this.scalar(0)], attributes);
  }

  /** `yes` where `condition` (a bool value) holds, else `no`: finite reals of `type`. */
  where(condition: string, yes: string, no: string, type: ElementType = this.real): string {
    if (this.opset >= 9) return this.op("Where", [condition, yes, no]);
    const otherwise = this.cast(this.not(condition), type);
    return this.add(this.mul(this.cast(condition, type), yes), this.mul(otherwise, no));
  }

  /** Whether `a` > `b`, as a bool value. Reals only: integers are compared from opset 9 on. */
  greater(a: string, b: string): string {
    return this.op("Greater", [a, b]);
  }

  /** Whether two reals are equal (no NaN), as a bool value. */
  equal(a: string, b: string): string {
    if (this.opset >= 11) return this.op("Equal", [a, b]);
    return this.and(this.not(this.greater(a, b)), this.not(this.greater(b, a)));
  }

  /** Whether two integers are equal, as a bool value. */
  equalIntegers(a: string, b: string): string {
    return this.op("Equal", [a, b]);
  }

  not(condition: string): string {
    return this.op("Not", [condition]);
  }

  and(one: string, other: string): string {
    return this.op("And", [one, other]);
  }

  /** -1, 0 or 1. */
  sign(x: string): string {
    if (this.opset >= 9) return this.op("Sign", [x]);
    const zero = this.scalar(0);
    return this.sub(this.indicator(this.greater(x, zero)), this.indicator(this.greater(zero, x)));
  }

  /** The larger of two finite reals of `type`; they may broadcast. */
  larger(a: string, b: string, type: ElementType = this.real): string {
    return this.opset >= 8 ? this.op("Max", [a, b]) : this.where(this.greater(a, b), a, b, type);
  }

  /** The smaller of two finite reals of `type`; they may broadcast. */
  smaller(a: string, b: string, type: ElementType = this.real): string {
    return this.opset >= 8 ? this.op("Min", [a, b]) : this.where(this.greater(a, b), b, a, type);
  }

  /** `x` broadcast to `dims`. */
  expand(x: string, dims: readonly number[]): string {
    if (this.opset >= 8) return this.op("Expand", [x, this.ints(dims)]);
    return this.add(x, this.tensor(new Tensor(this.real, dims, allocate(this.real, sizeOf(dims))), "zeros"));
  }

  /** `x` broadcast to the dims that `like` has when run. */
  expandLike(x: string, like: string): string {
    if (this.opset >= 8) return this.op("Expand", [x, this.op("Shape", [like])]);
    return this.add(x, this.zerosLike(like));
  }

  /** Zeros of the dims that `like`, a real value, has when run. */
  zerosLike(like: string): string {
    return this.indicator(this.greater(like, like)); // a difference would be NaN for infinities
  }

  /** `x` reshaped to the dims that `like` has when run. */
  reshapeLike(x: string, like: string): string {
    return this.op("Reshape", [x, this.op("Shape", [like])]);
  }

  cast(x: string, type: ElementType): string {
    return this.op("Cast", [x], { to: onnxType[type] });
  }

  add(a: string, b: string): string {
    return this.op("Add", [a, b]);
  }

  sub(a: string, b: string): string {
    return this.op("Sub", [a, b]);
  }

  mul(a: string, b: string): string {
    return this.op("Mul", [a, b]);
  }

  div(a: string, b: string): string {
    return this.op("Div", [a, b]);
  }

  /** x squared. */
  square(x: string): string {
    return this.mul(x, x);
  }

  /** 1 where `condition` (a bool value) holds, else 0, as reals. */
  indicator(condition: string): string {
    return this.cast(condition, this.real);
  }

  /** The graph built so far with the given outputs. */
  graph(outputs: readonly (string | ValueInfo)[]): Graph {
    return this.#base.with({
      nodes: this.#nodes,
      initializers: this.#initializers,
      inputs: this.#inputs,
      outputs: outputs.map((output) => (typeof output === "string" ? { name: output } : output)),
    });
  }

  #shared(key: string, make: () => Tensor): string {
    let name = this.#constants.get(key);
    if (name === undefined) {
      name = this.tensor(make());
      this.#constants.set(key, name);
    }
    return name;
  }

  #reduce(
    opType: string,
    axesAsInputFrom: number,
    x: string,
    axes: readonly number[] | undefined,
    keepdims: boolean,
  ): string {
    const keep = { keepdims: keepdims ? 1 : 0 };
    if (axes === undefined) return this.op(opType, [x], keep);
    if (axes.length === 0) return x;
    if (this.opset >= axesAsInputFrom) return this.op(opType, [x, this.ints(axes)], keep);
    return this.op(opType, [x], { ...keep, axes });
  }
}

/** ONNX's numbers for element types (TensorProto.DataType). */
export const onnxType: Readonly<Record<ElementType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

/** A graph of nothing. */
export function emptyGraph(name = "graph"): Graph {
  return new Graph({
    name,
    inputs: [],
    outputs: [],
    initializers: new Map(),
    nodes: [],
    valueInfo: new Map(),
  });
}

/** The standard operators' version that `model` imports. */
export function opsetOf(model: Model): number {
  return model.opsets.get("") ?? model.opsets.get("ai.onnx") ?? 1;
}

function attribute(value: PlainAttribute): Attribute {
  if (typeof value === "number") return { kind: Number.isInteger(value) ? "int" : "float", value };
  if (typeof value === "string") return { kind: "string", value };
  if (value instanceof Tensor) return { kind: "tensor", value };
  if ("float" in value) return { kind: "float", value: value.float };
  return { kind: value.every(Number.isInteger) ? "ints" : "floats", value };
}
