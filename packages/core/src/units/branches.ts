/**
 * Branches that can go whole: where nothing is left of the units that a layer inside a residual branch reads, the branch is a constant,
 * and what it is added to takes its place. That is the cheapest speed-up there is: a layer that is not there takes no time.
 */

import { intAttribute } from "../graph/attributes.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { removeDead } from "../graph/passes.ts";
import { constantOf, dimsOf, type Shapes } from "../graph/shapes.ts";
import { nodeId } from "./places.ts";
import type { Group, Sink } from "./units.ts";

/** From a layer that reads nothing any more to the sum that ends its branch. */
export interface Branch {
  /** Id of the reading layer. */
  readonly reader: string;
  /** Ids of the nodes between, in order: they add or multiply constants. */
  readonly between: readonly string[];
  /** Id of the sum, and the slot that the branch comes in by. */
  readonly sum: string;
  readonly slot: number;
}

/** The branches that would be constant without a group; undefined where one of its readers leads elsewhere. */
export function branchesOf(graph: Graph, shapes: Shapes, group: Group): readonly Branch[] | undefined {
  const branches = group.sinks.map((sink) => branchOf(graph, shapes, group, sink));
  return branches.length > 0 && branches.every((branch) => branch !== undefined) ? branches : undefined;
}

/** Numbers of the groups that are read inside these branches alone, and go with them. */
export function goneWith(graph: Graph, branches: readonly Branch[], groups: readonly Group[]): readonly number[] {
  const left = new Set(withoutSums(graph, branches).map(nodeId));
  return groups.flatMap(({ sinks }, at) => (sinks.every(({ node }) => !left.has(node)) ? [at] : []));
}

/** The nodes that are still needed where these branches are added nowhere. */
export function withoutSums(graph: Graph, branches: readonly Branch[]): readonly Node[] {
  const slots = new Map(branches.map(({ sum, slot }) => [sum, slot]));
  const apart = graph.with({
    nodes: graph.nodes.map((node) => {
      const slot = slots.get(nodeId(node));
      return slot === undefined ? node : { ...node, inputs: node.inputs.filter((_, at) => at !== slot) };
    }),
  });
  return removeDead.run(apart).graph.nodes;
}

/** Nodes between a layer and the sum, at most. */
const LONGEST = 6;

function branchOf(graph: Graph, shapes: Shapes, { first, size }: Group, sink: Sink): Branch | undefined {
  const isOwn = sink.owners.every((owner) => owner >= first && owner < first + size);
  const reader = graph.value(sink.node)?.producer;
  if (!isOwn || !reader || !isPlainReader(graph, reader, sink.slot)) return undefined;
  const between: string[] = [];
  let value = sink.node;
  for (let step = 0; step <= LONGEST; step++) {
    const { uses = [], isOutput = false } = graph.value(value) ?? {};
    const [use] = uses;
    if (!use || uses.length > 1 || isOutput || use.slot < 0) return undefined;
    const { node, slot } = use;
    const other = node.inputs[1 - slot] ?? "";
    const next = nodeId(node);
    if (isConstantStep(graph, shapes, node, slot, reader.opType === "Conv")) {
      between.push(next);
      value = next;
      continue;
    }
    const isSum = node.opType === "Add" && node.domain === "" && !isStored(graph, shapes, other);
    const isWhole = isSum && String(dimsOf(shapes, other)) === String(dimsOf(shapes, next));
    return isWhole ? { reader: sink.node, between, sum: next, slot } : undefined;
  }
  return undefined;
}

const isStored = (graph: Graph, shapes: Shapes, name: string): boolean =>
  graph.initializers.has(name) || constantOf(graph, shapes, name) !== undefined;

/** Layers whose output, without what they read, is their bias or 0. */
function isPlainReader(graph: Graph, node: Node, slot: number): boolean {
  if (node.domain !== "" || slot !== 0 || !graph.initializers.has(node.inputs[1] ?? "")) return false;
  if (node.opType === "MatMul") return graph.initializers.get(node.inputs[1] ?? "")?.dims.length === 2;
  return node.opType === "Gemm" || (node.opType === "Conv" && intAttribute(node, "group", 1) === 1);
}

/** Whether a node adds to what comes in by `slot`, or multiplies it with, what is stored. */
function isConstantStep(graph: Graph, shapes: Shapes, node: Node, slot: number, isImage: boolean): boolean {
  if (node.domain !== "") return false;
  if (node.opType === "Identity" || node.opType === "Dropout")
    return node.outputs.slice(1).every((name) => name === "");
  if (node.opType === "BatchNormalization")
    return slot === 0 && node.inputs.slice(1).every((name) => graph.initializers.has(name));
  if (node.opType !== "Add" && node.opType !== "Mul") return false;
  const other = graph.initializers.get(node.inputs[1 - slot] ?? "");
  if (!other) return false;
  const channelAxis = isImage ? -3 : -1;
  const channels = dimsOf(shapes, nodeId(node)).at(isImage ? 1 : -1);
  return other.size === 1 || (other.size === channels && other.dims.at(channelAxis) === channels);
}
