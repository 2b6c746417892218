/**
 * The network as a picture needs it: layers and joints in the order of the graph, everything without weights folded into
 * the block it follows. A node starts a block of its own if it has weights, if it is unknown to us, or if it joins what
 * comes from several blocks; any other node belongs to the block that all its data come from.
 */
import type { Graph, Node } from "./graph/graph.ts";
import { readsOf } from "./graph/graph.ts";
import { isFloat } from "./graph/tensor.ts";
import { ruleFor } from "./ops/index.ts";
import type { NetworkBlock, NetworkSummary } from "./results.ts";
import { macsByNode } from "./surgery/size.ts";
import { nodeId, placeKey } from "./units/places.ts";
import type { Prunable } from "./units/prepare.ts";
import type { Units } from "./units/units.ts";

interface Draft {
  readonly root: Node | undefined;
  readonly name: string;
  readonly operators: string[];
  readonly values: string[];
  readonly nodes: Node[];
  readonly from: Set<number>;
}

/** The blocks of a prepared network and what flows between them. */
export function networkSummary(prunable: Prunable): NetworkSummary {
  const { shapes, units } = prunable;
  const { graph } = prunable.model;
  const macs = macsByNode(prunable, new Uint8Array(units.count));
  const counted = new Set<string>(); // initializers
  const blocks: Draft[] = [];
  const blockOf = new Map<string, number>(); // by value
  const fixed = new Set(graph.initializers.keys());
  const open = (root: Node | undefined, name: string, values: readonly string[], from: Set<number>): void => {
    for (const value of values) blockOf.set(value, blocks.length);
    blocks.push({
      root,
      name,
      operators: root ? [root.opType] : [],
      values: [...values],
      nodes: root ? [root] : [],
      from,
    });
  };
  for (const { name } of graph.feeds) open(undefined, name, [name], new Set());
  for (const node of graph.nodes) {
    const outputs = node.outputs.filter((value) => value !== "");
    // lengths of axes, and what is computed from them and from weights, is no data
    const reads = readsOf(node).filter((name) => !fixed.has(name));
    if (reads.length === 0 || node.opType === "Shape" || outputs.every((name) => shapes.get(name)?.constant)) {
      for (const name of outputs) fixed.add(name);
      continue;
    }
    const from = new Set(reads.flatMap((name) => blockOf.get(name) ?? []));
    const [only] = from;
    const block = only !== undefined && from.size === 1 ? blocks[only] : undefined;
    if (!block?.root || isLayer(node, fixed)) open(node, node.name || (outputs[0] as string), outputs, from);
    else {
      block.operators.push(node.opType);
      block.nodes.push(node);
      block.values.push(...outputs);
      for (const name of outputs) blockOf.set(name, only as number);
    }
  }
  return {
    blocks: [
      ...blocks.map((block) => summaryOf(block, graph, units)),
      ...graph.outputs.map(
        ({ name }): NetworkBlock => ({
          name,
          kind: "output",
          operators: [],
          dims: [...(shapes.get(name)?.dims ?? [])],
          parameters: 0,
          macs: 0,
          from: [...(blockOf.has(name) ? [blockOf.get(name) as number] : [])],
          groups: [],
          frozen: [],
        }),
      ),
    ],
    groups: units.groups.map(({ id, kind, size, layer }) => ({ id, kind, size, layer })),
  };

  function summaryOf(
    { root, name, operators, values, nodes, from }: Draft,
    { initializers }: Graph,
    all: Units,
  ): NetworkBlock {
    const frozen = ownersOf(all.frozenPlaces, values).flatMap((owner) => all.frozen[owner]?.reason ?? []);
    const groups = ownersOf(all.places, values).map(
      (unit) => all.groups.findLastIndex((group) => group.first <= unit), // of a unit to its group
    );
    const hasWeights = root?.inputs.some((input) => initializers.has(input) || fixed.has(input)) ?? false;
    return {
      name,
      kind: root ? (hasWeights ? "layer" : "joint") : "input",
      operators,
      dims: [...(shapes.get(values[0] as string)?.dims ?? [])],
      parameters: nodes.reduce((sum, node) => sum + parametersOf(node, initializers), 0),
      macs: nodes.reduce((sum, node) => sum + (macs.get(nodeId(node)) ?? 0), 0),
      from: [...from],
      groups: [...new Set(groups)].map((at) => all.groups[at]?.id as string),
      frozen: root ? [...new Set(frozen)] : [],
    };
  }

  function parametersOf(node: Node, initializers: Graph["initializers"]): number {
    let sum = 0;
    for (const name of node.inputs) {
      const tensor = initializers.get(name);
      if (!tensor || !isFloat(tensor.type) || counted.has(name)) continue;
      counted.add(name);
      sum += tensor.size;
    }
    return sum;
  }

  /** Owners of the places of some values, each once. */
  function ownersOf(places: Units["places"], values: readonly string[]): number[] {
    const owners = new Set<number>();
    for (const value of values) {
      for (let axis = 0; axis < (shapes.get(value)?.dims.length ?? 0); axis++) {
        for (const owner of places.get(placeKey(value, axis))?.owners ?? []) if (owner >= 0) owners.add(owner);
      }
    }
    return [...owners].sort((a, b) => a - b);
  }
}

/** Whether a node has weights to multiply with, or does something that we do not know. */
function isLayer(node: Node, fixed: ReadonlySet<string>): boolean {
  const rule = ruleFor(node);
  return !rule || (rule.macs !== undefined && node.inputs.some((name) => fixed.has(name)));
}
