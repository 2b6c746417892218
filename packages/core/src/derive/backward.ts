/**
 * Derivative graphs: walks a graph from its end to its beginning and appends, by the operators' rules, the nodes that
 * compute dE/dv for wanted values v, and in a second walk the paper's diagonal second order d2E/dv^2.
 *
 * Where a value is read by several nodes, what arrives is added up. In the second walk that addition, like the squared
 * coefficients of linear operators, keeps the diagonal of the Hessian only (Wolfe et al. 2017, section on second-order
 * back-propagation; Le Cun et al. 1990).
 */
import type { ShrinkError } from "../errors.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import { type Graph, type Node, readsOf } from "../graph/graph.ts";
import { constantOf, dimsOf, type Shapes } from "../graph/shapes.ts";
import { type ElementType, isFloat } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import { noDerivative } from "../ops/no-derivative.ts";
import type { Backward, BySlot, SecondOrder } from "../ops/rule.ts";

export interface BackwardRequest {
  /** Holds `graph`'s nodes already; derivative nodes are appended to it. */
  readonly builder: GraphBuilder;
  readonly graph: Graph;
  readonly shapes: Shapes;
  readonly opset: number;
  /** What arrives at the end: derivative (and with curvatures second derivative) of E by value name. */
  readonly seeds: ReadonlyMap<string, { readonly gradient: string; readonly curvature?: string | undefined }>;
  /** Values whose derivatives are wanted. */
  readonly wanted: readonly string[];
}

/** Derivatives by value name; a wanted value that E does not depend on is missing. */
export interface Derivatives {
  readonly gradient: ReadonlyMap<string, string>;
  /** Empty unless the seeds hold curvatures. */
  readonly curvature: ReadonlyMap<string, string>;
}

/** Appends the derivative graph. Throws an `operator` error that names the first node without a rule. */
export function differentiate(request: BackwardRequest): Derivatives {
  const gradient = walk(request, "gradient", new Map());
  const second = [...request.seeds.values()].some((seed) => seed.curvature !== undefined);
  const curvature = second ? walk(request, "curvature", gradient) : new Map<string, string>();
  const only = (all: ReadonlyMap<string, string>): Map<string, string> =>
    new Map([...all].filter(([name]) => request.wanted.includes(name)));
  return { gradient: only(gradient), curvature: only(curvature) };
}

type Order = "gradient" | "curvature";

/** One walk from the end to the beginning: what arrives at each value. */
function walk(
  { builder, graph, shapes, opset, seeds, wanted }: BackwardRequest,
  order: Order,
  gradients: ReadonlyMap<string, string>,
): Map<string, string> {
  const arrived = new Map<string, string>();
  for (const [value, seed] of seeds) if (seed[order] !== undefined) arrived.set(value, seed[order]);
  const relevant = reachable(graph, shapes, wanted);
  for (let i = graph.nodes.length - 1; i >= 0; i--) {
    const node = graph.nodes[i] as Node;
    if (!node.outputs.some((name) => arrived.has(name))) continue;
    node.inputs.forEach((name, slot) => {
      if (name === "" || !relevant.has(name)) return;
      const part = flow(node, slot);
      const before = arrived.get(name);
      arrived.set(name, before === undefined ? part : builder.add(before, part));
    });
    if (bodyReads(node).some((name) => relevant.has(name))) throw missing(node, order, -1);
  }
  return arrived;

  /** What flows from `node` to its input `slot`. */
  function flow(node: Node, slot: number): string {
    const rule = ruleFor(node);
    const d = context(node, slot);
    const linear = pick(rule?.linear, slot);
    if (linear) return linear(d);
    if (rule?.pointwise && slot === 0) {
      const incoming = d.incoming() as string;
      if (order === "gradient") return d.unbroadcast(builder.mul(incoming, rule.pointwise.first(d)), slot);
      const squared = builder.mul(incoming, builder.square(rule.pointwise.first(d)));
      const bend = rule.pointwise.second?.(d);
      const both = bend === undefined ? squared : builder.add(squared, builder.mul(d.gradient() as string, bend));
      return d.unbroadcast(both, slot);
    }
    const own = order === "gradient" ? (pick(rule?.gain, slot) ?? pick(rule?.vjp, slot)) : pick(rule?.curvature, slot);
    if (!own) throw missing(node, order, slot);
    return own(d);
  }

  function context(node: Node, slot: number): SecondOrder {
    const shapeOf = (names: readonly string[], index: number): readonly number[] =>
      dimsOf(shapes, names[index] as string);
    const isBatch = (name: string | undefined, axis: number): boolean => shapes.get(name ?? "")?.batchAxis === axis;
    const d: Backward = {
      b: builder,
      node,
      opset,
      slot,
      incoming: (index = 0) => arrived.get(node.outputs[index] ?? ""),
      X: (at) => node.inputs[at] as string,
      Y: (index = 0) => node.outputs[index] as string,
      dims: (at) => shapeOf(node.inputs, at),
      outDims: (index = 0) => shapeOf(node.outputs, index),
      constant: (at) => constantOf(graph, shapes, node.inputs[at]),
      isBatch: (at, axis) => isBatch(node.inputs[at], axis),
      coefficient: (name) => (order === "gradient" ? name : builder.square(name)),
      factor: (value) => (order === "gradient" ? value : value * value),
      unbroadcast(name, at) {
        const [small, large] = [shapeOf(node.inputs, at), shapeOf(node.outputs, 0)];
        const lead = large.length - small.length;
        const grown = small.flatMap((dim, axis) => {
          const out = axis + lead;
          const follows = isBatch(node.outputs[0], out) && !isBatch(node.inputs[at], axis);
          return dim === 1 && (large[out] !== 1 || follows) ? [out] : [];
        });
        const summed = builder.sum(
          name,
          Array.from({ length: lead }, (_, axis) => axis),
        );
        return builder.sum(
          summed,
          grown.map((axis) => axis - lead),
          true,
        );
      },
    };
    return { ...d, gradient: (index = 0) => gradients.get(node.outputs[index] ?? "") };
  }
}

/** The real values that depend on `from`, rounded ones included. Shapes, indexes and conditions are steps: no derivative goes through them. */
function reachable(graph: Graph, shapes: Shapes, from: readonly string[]): Set<string> {
  const reached = new Set(from);
  const typeOf = (name: string): ElementType => shapes.get(name)?.type ?? "float32";
  for (const node of graph.nodes) {
    const read = readsOf(node).filter((name) => reached.has(name));
    if (read.length === 0) continue;
    const isRounded = ROUNDING.has(node.opType) || read.some((name) => ROUNDED.has(typeOf(name)));
    // of what is rounded by its own range, the range is taken as it is
    const made = node.opType === "DynamicQuantizeLinear" ? node.outputs.slice(0, 1) : node.outputs;
    for (const name of made) {
      if (isFloat(typeOf(name)) || (isRounded && ROUNDED.has(typeOf(name)))) reached.add(name);
    }
  }
  return reached;
}

/** Operators that round reals, and types of what they and sums of it are. */
const ROUNDING = new Set(["QuantizeLinear", "DynamicQuantizeLinear"]);
const ROUNDED: ReadonlySet<ElementType> = new Set(["int8", "uint8", "int16", "uint16", "int32"]);

/** Whether the gradient can travel from a node's output to its input `slot`. */
export function hasGradient(node: Node, slot: number): boolean {
  const rule = ruleFor(node);
  const pointwise = slot === 0 ? rule?.pointwise : undefined;
  return (pick(rule?.linear, slot) ?? pick(rule?.vjp, slot) ?? pointwise) !== undefined;
}

function pick<Rule>(rules: BySlot<Rule> | undefined, slot: number): Rule | undefined {
  return Array.isArray(rules) ? (rules[slot] as Rule | undefined) : (rules as Rule | undefined);
}

/** Values that a node reads from inside its control-flow bodies. */
function bodyReads(node: Node): string[] {
  return readsOf(node).slice(node.inputs.filter((name) => name !== "").length);
}

function missing(node: Node, order: Order, slot: number): ShrinkError {
  const name = order === "gradient" ? "gradient" : "second-order";
  return noDerivative(node, `no ${name} rule for ${slot < 0 ? "its body" : `its input ${slot}`}`);
}
