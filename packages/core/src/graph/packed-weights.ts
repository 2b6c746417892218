/**
 * Weights that a file stores smaller than the network reads them: in half precision behind a Cast, or as integers behind a
 * DequantizeLinear. They are read unpacked, so that they can be measured, repaired and cut like all others, and packed when they are
 * written: half precision is rounded; integers keep their scales unless a repaired weight does not fit.
 */

import { intAttribute, normalAxis } from "./attributes.ts";
import { constantNodes } from "./constant-values.ts";
import { FreshNames } from "./fresh-names.ts";
import type { Graph, Node } from "./graph.ts";
import { integerRanges } from "./integer-ranges.ts";
import { type ElementType, sizeOf, Tensor, take, tensorOf } from "./tensor.ts";

/** The node that unpacks a weight, and the initializers that it reads: what is stored, and of integers scale and zero point. */
export interface Packed {
  readonly node: Node;
  readonly inputs: readonly Tensor[];
  /** Along which each index has its own scale; undefined: one in all, or none. */
  readonly axis: number | undefined;
}

/** By the name of the unpacked weight. */
export type PackedWeights = ReadonlyMap<string, Packed>;

/** Indexes of a weight that are left along an axis; undefined: all. */
export type KeptOf = (weight: string, axis: number) => readonly number[] | undefined;

/** The graph with unpacked weights in place of the nodes that unpack them. What several nodes read stays as it is. */
export function unpackWeights(graph: Graph): { readonly graph: Graph; readonly packed: PackedWeights } {
  const constant = constantNodes(graph);
  const packed = new Map<string, Packed>();
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.filter((node) => {
    const [output = ""] = node.outputs;
    const { uses = [], isOutput = false } = graph.value(output) ?? {};
    const [reader] = uses;
    const isRead = uses.length === 1 && !isOutput && reader && reader.slot >= 0 && !constant.has(reader.node);
    const found = isRead ? packedBy(node, graph) : undefined;
    if (!found) return true;
    packed.set(output, found);
    initializers.set(output, unpackedBy(found));
    return false;
  });
  if (packed.size === 0) return { graph, packed };
  const left = graph.with({ nodes, initializers });
  const isRead = (name: string): boolean => {
    const { uses = [], isOutput = false } = left.value(name) ?? {};
    return uses.length > 0 || isOutput;
  };
  const gone = new Set([...packed.values()].flatMap(({ node }) => node.inputs).filter((name) => !isRead(name)));
  for (const name of gone) initializers.delete(name);
  return { graph: left.with({ initializers, inputs: graph.inputs.filter(({ name }) => !gone.has(name)) }), packed };
}

function packedBy(node: Node, graph: Graph): Packed | undefined {
  const inputs = node.inputs.map((name) => graph.initializers.get(name));
  if (node.domain !== "" || !inputs.every((tensor) => tensor !== undefined)) return undefined;
  const [stored, scale] = inputs;
  if (!stored || stored.dims.length === 0) return undefined;
  if (node.opType === "Cast") {
    const isPacked = (stored.type === "float16" || stored.type === "bfloat16") && intAttribute(node, "to", 0) === 1;
    return isPacked ? { node, inputs, axis: undefined } : undefined;
  }
  const isInteger = node.opType === "DequantizeLinear" && integerRanges[stored.type] !== undefined;
  if (!isInteger || scale?.type !== "float32" || intAttribute(node, "block_size", 0) > 0) return undefined;
  const axis = normalAxis(intAttribute(node, "axis", 1), stored.dims.length);
  if (scale.size === 1) return { node, inputs, axis: undefined };
  return scale.dims.length === 1 && scale.size === stored.dims[axis] ? { node, inputs, axis } : undefined;
}

/** The weight as the network reads it. */
function unpackedBy({ inputs: [stored, scale, zero], axis }: Packed): Tensor {
  const { dims } = stored as Tensor;
  return new Tensor("float32", dims, () => {
    const values = Float32Array.from((stored as Tensor).numbers);
    if (!scale) return values;
    const of = byPlace(dims, axis);
    const [scales, zeros] = [scale.numbers, zero?.numbers];
    for (let i = 0; i < values.length; i++) {
      const at = of(i);
      values[i] = ((values[i] as number) - (zeros?.[at] ?? 0)) * (scales[at] as number);
    }
    return values;
  });
}

/** Which scale the element at a place has. */
function byPlace(dims: readonly number[], axis: number | undefined): (place: number) => number {
  if (axis === undefined) return () => 0;
  const inner = sizeOf(dims.slice(axis + 1));
  const length = dims[axis] as number;
  return (place) => Math.floor(place / inner) % length;
}

/** The graph with its weights packed again. `keptOf`: what is left of them. */
export function packWeights(graph: Graph, packed: PackedWeights, keptOf: KeptOf): Graph {
  if (packed.size === 0) return graph;
  const taken = new FreshNames(graph);
  const initializers = new Map(graph.initializers);
  const unpacking: Node[] = [];
  const names = new Map<string, { readonly name: string; readonly tensor: Tensor }[]>(); // of scales and zero points, which weights share
  const store = (hint: string, tensor: Tensor): string => {
    const known = names.get(hint) ?? [];
    const same = known.find((one) => one.tensor === tensor || isSame(one.tensor, tensor));
    if (same) return same.name;
    const there = graph.initializers.get(hint);
    const name = there && isSame(there, tensor) ? hint : taken.fresh(hint);
    names.set(hint, [...known, { name, tensor }]);
    initializers.set(name, tensor);
    return name;
  };
  const rescaled = new Map<string, ArrayLike<number>>(); // by reader: how much larger the scales of its weights are now
  const isBias = ({ inputs: [stored] }: Packed): boolean => stored?.type === "int32"; // whose scales follow those of the weights
  const inOrder = [...packed].sort(([, a], [, b]) => Number(isBias(a)) - Number(isBias(b)));
  for (const [weight, { node, inputs, axis }] of inOrder) {
    const tensor = graph.initializers.get(weight);
    if (!tensor) continue;
    initializers.delete(weight);
    const [stored, scale, zero] = inputs as [Tensor, Tensor?, Tensor?];
    const reader = graph.value(weight)?.uses[0]?.node;
    if (!scale) {
      const half = new Tensor(stored.type, tensor.dims, () => tensorOf(stored.type, tensor.numbers).data);
      unpacking.push({ ...node, inputs: [store(node.inputs[0] as string, half)] });
      continue;
    }
    const kept = axis === undefined ? undefined : keptOf(weight, axis);
    const cut = (parameter: Tensor): Tensor => (kept && parameter.size > 1 ? take(parameter, 0, kept) : parameter);
    const [scales, zeros] = [cut(scale), zero && cut(zero)];
    const ratio = stored.type === "int32" ? rescaled.get(reader?.name ?? "") : undefined;
    const fitting = fittingScales(tensor, scales, zeros, stored.type, axis, ratio);
    if (stored.type !== "int32" && reader) rescaled.set(reader.name, fitting.ratio);
    const quantised = quantise(tensor, fitting.scales, zeros, stored.type, axis);
    const parameters = [fitting.scales, ...(zeros ? [zeros] : [])];
    const own = parameters.map((parameter, at) => store(node.inputs[at + 1] as string, parameter));
    unpacking.push({ ...node, inputs: [store(node.inputs[0] as string, quantised), ...own] });
  }
  return graph.with({ initializers, nodes: [...unpacking, ...graph.nodes] });
}

/** Scales that hold all weights: the given ones where they do. Those of biases follow `ratio`, as runtimes take them from the weights. */
function fittingScales(
  tensor: Tensor,
  scales: Tensor,
  zeros: Tensor | undefined,
  type: ElementType,
  axis: number | undefined,
  ratio: ArrayLike<number> | undefined,
): { readonly scales: Tensor; readonly ratio: ArrayLike<number> } {
  const given = scales.numbers;
  const [low, high] = integerRanges[type] as readonly [number, number];
  const of = byPlace(tensor.dims, axis);
  const values = tensor.numbers;
  const factor = new Float64Array(given.length).fill(1);
  if (ratio) for (let i = 0; i < factor.length; i++) factor[i] = ratio[ratio.length === 1 ? 0 : i] ?? 1;
  else if (type !== "int32") {
    for (let i = 0; i < values.length; i++) {
      const at = of(i);
      const zero = zeros?.numbers[zeros.size === 1 ? 0 : at] ?? 0;
      const steps = (values[i] as number) / (given[at] as number);
      const room = steps < 0 ? low - zero : high - zero;
      // half a step beyond the last integer is as near as any
      if (Math.abs(steps) > Math.abs(room) + 0.5) factor[at] = Math.max(factor[at] as number, steps / room);
    }
  }
  if (factor.every((one) => one === 1)) return { scales, ratio: factor };
  const larger = Array.from(factor, (one, i) => one * (given[i] as number));
  return { scales: tensorOf("float32", larger, scales.dims), ratio: factor };
}

function quantise(
  tensor: Tensor,
  scales: Tensor,
  zeros: Tensor | undefined,
  type: ElementType,
  axis: number | undefined,
): Tensor {
  const [low, high] = integerRanges[type] as readonly [number, number];
  const of = byPlace(tensor.dims, axis);
  const [given, offsets] = [scales.numbers, zeros?.numbers];
  const rounded = Array.from(tensor.numbers, (value, i) => {
    const at = of(i);
    const zero = offsets?.[offsets.length === 1 ? 0 : at] ?? 0;
    return Math.min(high, Math.max(low, Math.round(value / (given[at] as number)) + zero));
  });
  return tensorOf(type, rounded, tensor.dims);
}

function isSame(a: Tensor, b: Tensor): boolean {
  if (a.type !== b.type || a.dims.join() !== b.dims.join()) return false;
  const [x, y] = [a.bytes, b.bytes];
  return x.length === y.length && x.every((byte, at) => byte === y[at]);
}
