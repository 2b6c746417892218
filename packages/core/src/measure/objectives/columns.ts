/**
 * Columns: the axis of an output along which positions are made by weights of their own (classes, channels, the values of a
 * box), as opposed to pixels, tokens and anchors, at which the same weights are used; and which of these columns are of one kind.
 */
import { intAttribute, intsAttribute, normalAxis } from "../../graph/attributes.ts";
import type { Graph, Node } from "../../graph/graph.ts";
import type { Shapes } from "../../graph/shapes.ts";
import { isFloat } from "../../graph/tensor.ts";
import { commonFactors } from "../../ops/movement.ts";

export interface Columns {
  readonly axis: number;
  /** Columns side by side that the same layer and function make, in order. */
  readonly parts: readonly ColumnPart[];
}

export interface ColumnPart {
  readonly length: number;
  /** Whether all its columns mean the same: probabilities and other numbers between fixed limits. */
  readonly isOneKind: boolean;
}

/** By value: which of its axes weights of their own make. */
type Labels = Map<string, readonly boolean[]>;

const labelsByGraph = new WeakMap<Graph, Labels>();

/** The columns of a value; undefined where no axis of it is made by weights of their own. */
export function columnsOf(graph: Graph, shapes: Shapes, value: string): Columns | undefined {
  const labels = labelsByGraph.get(graph) ?? labelAxes(graph, shapes);
  labelsByGraph.set(graph, labels);
  const { dims = [] } = shapes.get(value) ?? {};
  const axis = labels.get(value)?.findLastIndex((isColumn, at) => isColumn && (dims[at] as number) > 1) ?? -1;
  return axis < 0 ? undefined : { axis, parts: partsOf(graph, shapes, value, axis) };
}

/** Functions whose results lie between fixed limits, the same for all columns. */
const BOUNDED = new Set(["Softmax", "LogSoftmax", "Sigmoid", "HardSigmoid", "Tanh", "Softsign", "Clip"]);
/** Functions that leave columns what they are. */
const PASSING = new Set(["Identity", "Dropout", "Cast", "Mul", "Add", "Sub", "Div", "Relu"]);

function partsOf(graph: Graph, shapes: Shapes, value: string, axis: number): ColumnPart[] {
  const { dims = [] } = shapes.get(value) ?? {};
  const length = dims[axis] as number;
  const node = graph.value(value)?.producer;
  if (node?.domain === "" && node.opType === "Concat") {
    const own = normalAxis(intAttribute(node, "axis", 1), dims.length);
    if (own === axis) return node.inputs.flatMap((name) => partsOf(graph, shapes, name, axis));
  }
  if (node?.domain === "" && BOUNDED.has(node.opType)) return [{ length, isOneKind: true }];
  const moved = node?.domain === "" ? movedFrom(node, shapes, dims, axis) : undefined;
  if (moved) return partsOf(graph, shapes, moved.value, moved.axis);
  const source = node?.domain === "" && PASSING.has(node.opType) ? sourceOf(graph, shapes, node, dims) : undefined;
  return source === undefined ? [{ length, isOneKind: false }] : partsOf(graph, shapes, source, axis);
}

/** Where a node that only moves elements has an axis of its output from; undefined where it is no axis as a whole. */
function movedFrom(
  node: Node,
  shapes: Shapes,
  dims: readonly number[],
  axis: number,
): { readonly value: string; readonly axis: number } | undefined {
  const value = node.inputs[0] ?? "";
  const from = shapes.get(value)?.dims ?? [];
  if (node.opType === "Transpose") return { value, axis: permOf(node, from)[axis] as number };
  if (!RESHAPING.has(node.opType)) return undefined;
  const own = (commonFactors(from, dims) ?? []).flat().filter(({ b }) => b.axis === axis);
  const source = own[0]?.a.axis;
  return own.length === 1 && source !== undefined && from[source] === dims[axis] ? { value, axis: source } : undefined;
}

/** The computed input of the same dims as the output. */
function sourceOf(graph: Graph, shapes: Shapes, node: Node, dims: readonly number[]): string | undefined {
  return node.inputs.find((name) => !graph.initializers.has(name) && shapes.get(name)?.dims.join() === dims.join());
}

/** Operators that change where axes begin and end, but not the order of elements. */
const RESHAPING = new Set(["Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

function permOf(node: Node, from: readonly number[]): readonly number[] {
  return intsAttribute(node, "perm") ?? from.map((_, axis) => from.length - 1 - axis);
}

function labelAxes(graph: Graph, shapes: Shapes): Labels {
  const labels: Labels = new Map();
  const dimsOf = (name: string | undefined): readonly number[] => shapes.get(name ?? "")?.dims ?? [];
  const of = (name: string | undefined): readonly boolean[] => labels.get(name ?? "") ?? dimsOf(name).map(() => false);
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      if (name === "" || !isFloat(shapes.get(name)?.type ?? "int64")) continue;
      labels.set(
        name,
        labelsOf(node, dimsOf(name), { of, dimsOf, isWeight: (input) => graph.initializers.has(input) }),
      );
    }
  }
  return labels;
}

interface Context {
  of(name: string | undefined): readonly boolean[];
  dimsOf(name: string | undefined): readonly number[];
  isWeight(name: string): boolean;
}

/** The labels of an output of a node from those of its inputs. */
function labelsOf(node: Node, dims: readonly number[], { of, dimsOf, isWeight }: Context): readonly boolean[] {
  const [x = "", w = ""] = node.inputs;
  const [before, from] = [of(x), dimsOf(x)];
  switch (node.opType) {
    case "Conv":
    case "ConvTranspose":
      return dims.map((length, axis) => axis === 1 && length > 1); // at all positions the same weights
    case "Gemm":
      return [false, true];
    case "MatMul": {
      const isLast = (axis: number): boolean => axis === dims.length - 1;
      if (isWeight(w)) return dims.map((_, axis) => isLast(axis));
      return dims.map((_, axis) =>
        isLast(axis) ? (of(w).at(-1) ?? false) : (before[axis - dims.length + from.length] ?? false),
      );
    }
    case "LSTM":
    case "GRU":
    case "RNN":
      return dims.map((_, axis) => axis === dims.length - 1);
    case "Transpose":
      return permOf(node, from).map((axis) => before[axis] ?? false);
    case "Gather": {
      const axis = normalAxis(intAttribute(node, "axis", 0), from.length);
      return before.toSpliced(axis, 1, ...dimsOf(w).map(() => before[axis] ?? false));
    }
    default:
      if (RESHAPING.has(node.opType)) return reshaped(from, dims, before);
      return node.opType.startsWith("Reduce")
        ? reduced(node, from, dims, before)
        : broadcast(node, dims, { of, dimsOf, isWeight });
  }
}

/** An axis of the new shape is made of parts of old axes: it holds columns if all of them do. */
function reshaped(from: readonly number[], dims: readonly number[], before: readonly boolean[]): readonly boolean[] {
  const runs = commonFactors(from, dims);
  return dims.map((_, axis) => {
    const own = (runs ?? []).flat().filter(({ b }) => b.axis === axis);
    return own.length > 0 && own.every(({ a }) => before[a.axis]);
  });
}

function reduced(
  node: Node,
  from: readonly number[],
  dims: readonly number[],
  before: readonly boolean[],
): readonly boolean[] {
  if (dims.length === from.length) return dims.map((length, axis) => length > 1 && (before[axis] ?? false));
  const axes = intsAttribute(node, "axes")?.map((axis) => normalAxis(axis, from.length));
  return axes ? before.filter((_, axis) => !axes.includes(axis)) : reshaped(from, dims, before);
}

/** Element by element: an axis holds columns where any computed input's does. */
function broadcast(node: Node, dims: readonly number[], { of, dimsOf, isWeight }: Context): readonly boolean[] {
  const computed = node.inputs.filter((name) => name !== "" && !isWeight(name));
  return dims.map((_, axis) => computed.some((name) => of(name)[axis - dims.length + dimsOf(name).length] ?? false));
}
