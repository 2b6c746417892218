/**
 * Channel shuffles: Reshape, Transpose, Reshape that in the end only put the indexes of one axis into another order. As
 * three nodes their middle shape ties channels of different groups together; as one Gather with the order as a constant
 * every channel stays free.
 */

import { intsAttribute } from "./attributes.ts";
import { FreshNames } from "./fresh-names.ts";
import type { Graph, Node } from "./graph.ts";
import type { Shapes } from "./shapes.ts";
import { int64, sizeOf, stridesOf } from "./tensor.ts";

/** The graph with every channel shuffle spelled as a Gather. */
export function removeChannelShuffles(graph: Graph, shapes: Shapes): Graph {
  const initializers = new Map(graph.initializers);
  const names = new FreshNames(graph);
  const replaced = new Map<Node, Node>();
  const gone = new Set<Node>();
  for (const first of graph.nodes) {
    const transpose = first.opType === "Reshape" ? onlyReader(graph, first) : undefined;
    const last = transpose?.opType === "Transpose" ? onlyReader(graph, transpose) : undefined;
    if (!transpose || last?.opType !== "Reshape") continue;
    const order = axisOrder(first, transpose, last, shapes);
    if (!order) continue;
    const output = last.outputs[0] as string;
    const picks = names.fresh(`${output}/order`);
    initializers.set(picks, int64(order.indexes));
    replaced.set(last, {
      name: last.name || output,
      opType: "Gather",
      domain: "",
      inputs: [first.inputs[0] as string, picks],
      outputs: [output],
      attributes: { axis: { kind: "int", value: order.axis } },
    });
    gone.add(first).add(transpose);
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.filter((node) => !gone.has(node)).map((node) => replaced.get(node) ?? node);
  return graph.with({ nodes, initializers });
}

function onlyReader(graph: Graph, node: Node): Node | undefined {
  const value = graph.value(node.outputs[0] as string);
  const [use] = value?.uses ?? [];
  return value?.uses.length === 1 && !value.isOutput && use?.slot === 0 ? use.node : undefined;
}

/** The order in which the last shape's axis reads the first's; undefined unless exactly one axis is reordered. */
function axisOrder(
  first: Node,
  transpose: Node,
  last: Node,
  shapes: Shapes,
): { axis: number; indexes: number[] } | undefined {
  const [x, middle, y] = [first.inputs[0], first.outputs[0], last.outputs[0]].map(
    (name) => shapes.get(name as string)?.dims,
  );
  if (!x || !middle || !y || x.join() !== y.join()) return undefined;
  const perm = intsAttribute(transpose, "perm") ?? middle.map((_, axis) => middle.length - 1 - axis);
  // where the middle shape splits exactly one axis of x: x = [lead, length, rest], middle = [lead, a, b, ..., rest]
  let axis = 0;
  while (axis < x.length && x[axis] === middle[axis] && perm[axis] === axis) axis++;
  const trailing = x.length - axis - 1;
  const parts = middle.slice(axis, middle.length - trailing);
  const length = x[axis];
  if (length === undefined || parts.length < 2 || sizeOf(parts) !== length) return undefined;
  const rest = middle.slice(middle.length - trailing);
  const tailFixed = rest.every(
    (dim, i) => dim === x[axis + 1 + i] && perm[middle.length - trailing + i] === middle.length - trailing + i,
  );
  const inner = perm.slice(axis, axis + parts.length).map((from) => from - axis);
  if (!tailFixed || inner.some((from) => from < 0 || from >= parts.length)) return undefined;
  const strides = stridesOf(parts);
  let indexes = [0];
  for (const from of inner) {
    const [dim, stride] = [parts[from] as number, strides[from] as number];
    indexes = indexes.flatMap((index) => Array.from({ length: dim }, (_, i) => index + i * stride));
  }
  return { axis, indexes };
}
