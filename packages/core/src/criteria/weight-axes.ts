/** Which axes of its weights a node contracts, and which ones make its output channels. */

import type { Graph, Node } from "../graph/graph.ts";
import { constantOf, type Shapes } from "../graph/shapes.ts";
import { ruleFor } from "../ops/index.ts";
import type { Port, Ties } from "../ops/rule.ts";

export interface WeightAxes {
  /** Whether the node sums over this axis of input `slot`. */
  isContracted(slot: number, axis: number): boolean;
  /** The axis of input `slot` whose index j produces index j of `axis` of output 0; undefined if there is none. */
  producing(slot: number, axis: number): number | undefined;
}

/** An axis of an input or output. */
interface Axis {
  readonly port: Port;
  readonly axis: number;
}

/** Asks the node's rule and notes what it ties and contracts. */
export function weightAxes(node: Node, graph: Graph, shapes: Shapes, opset: number): WeightAxes {
  const tied: { readonly a: Axis; readonly b: Axis; readonly isPlain: boolean }[] = [];
  const contracted = new Set<string>();
  const port = (side: "input" | "output", slot: number): Port | undefined => {
    const dims = shapes.get((side === "input" ? node.inputs : node.outputs)[slot] ?? "")?.dims;
    return dims && { side, slot, dims };
  };
  const notes: Ties = {
    node,
    opset,
    X: (slot) => port("input", slot),
    Y: (slot = 0) => port("output", slot),
    constant: (slot) => constantOf(graph, shapes, node.inputs[slot]),
    isWeight: () => true,
    tie(a, axisA, b, axisB, map) {
      tied.push({ a: { port: a, axis: axisA }, b: { port: b, axis: axisB }, isPlain: map === undefined });
    },
    absorb: (slot, axis) => contracted.add(keyOf(slot, axis)),
    carrier: () => undefined,
    pass() {},
    produce() {},
    freeze() {},
  };
  ruleFor(node)?.ties?.(notes);
  const within = tied.filter(({ a, b }) => a.port.side === "input" && b.port.side === "input");
  for (let size = -1; size < contracted.size; ) {
    size = contracted.size;
    for (const { a, b } of within) {
      const keys = [a, b].map(({ port: { slot }, axis }) => keyOf(slot, axis));
      if (keys.some((key) => contracted.has(key))) for (const key of keys) contracted.add(key);
    }
  }
  return {
    isContracted: (slot, axis) => contracted.has(keyOf(slot, axis)),
    producing(slot, axis) {
      const isOutput = (one: Axis): boolean => one.port.side === "output" && one.port.slot === 0 && one.axis === axis;
      const isInput = (one: Axis): boolean => one.port.side === "input" && one.port.slot === slot;
      for (const { a, b, isPlain } of tied) {
        if (!isPlain) continue;
        if (isOutput(b) && isInput(a)) return a.axis;
        if (isOutput(a) && isInput(b)) return b.axis;
      }
      return undefined;
    },
  };
}

function keyOf(slot: number, axis: number): string {
  return `${slot}@${axis}`;
}
