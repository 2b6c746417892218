/** Branches of which nothing is left (`units/branches.ts`): their constant, where it is not 0, is added without them. */
import { floatAttribute } from "../graph/attributes.ts";
import { FreshNames } from "../graph/fresh-names.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { removeDead } from "../graph/passes.ts";
import { type Tensor, tensorOf } from "../graph/tensor.ts";
import type { Branch } from "../units/branches.ts";
import type { Group } from "../units/units.ts";
import type { RemovedUnits } from "./kept.ts";

/** Whether all units of a group are gone that can go whole. */
export function isEmptied({ branches, first, size }: Group, removed: RemovedUnits): boolean {
  if (!branches) return false;
  for (let unit = first; unit < first + size; unit++) if (!removed[unit]) return false;
  return true;
}

/** A cut graph without its emptied branches. */
export function withoutBranches(graph: Graph, groups: readonly Group[], removed: RemovedUnits): Graph {
  const emptied = groups.filter((group) => isEmptied(group, removed)).flatMap(({ branches = [] }) => branches);
  if (emptied.length === 0) return graph;
  return removeDead.run(emptied.reduce(withoutBranch, graph)).graph;
}

function withoutBranch(graph: Graph, { reader, between, sum, slot }: Branch): Graph {
  const at = (id: string): Node => graph.value(id)?.producer as Node;
  const [layer, end] = [at(reader), at(sum)];
  if (!layer || !end) return graph; // went with another branch
  const isImage = layer.opType === "Conv";
  const value = between.reduce((constant, id) => step(graph, at(id), constant), constantOf(graph, layer));
  const other = end.inputs[1 - slot] as string;
  const initializers = new Map(graph.initializers);
  const name = new FreshNames(graph).fresh(`${sum}/constant`);
  const isZero = Array.from(value.numbers).every((number) => number === 0);
  if (!isZero) initializers.set(name, isImage ? tensorOf(value.type, value.numbers, [1, value.size, 1, 1]) : value);
  const instead: Node = isZero
    ? { ...end, opType: "Identity", inputs: [other], attributes: {} }
    : { ...end, inputs: slot === 0 ? [name, other] : [other, name] };
  return graph.with({ nodes: graph.nodes.map((node) => (node === end ? instead : node)), initializers });
}

/** [channels]: what a layer gives that reads nothing. */
function constantOf({ initializers }: Graph, { opType, inputs, attributes }: Node): Tensor {
  const weights = initializers.get(inputs[1] ?? "") as Tensor;
  const bias = initializers.get(inputs[2] ?? "");
  const isRows =
    opType === "Conv" || (opType === "Gemm" && attributes.transB?.kind === "int" && attributes.transB.value !== 0);
  const channels = weights.dims[isRows ? 0 : weights.dims.length - 1] as number;
  const factor = opType === "Gemm" ? floatAttribute({ attributes } as Node, "beta", 1) : 1;
  const at = (channel: number): number => (bias ? factor * (bias.numbers[bias.size === 1 ? 0 : channel] as number) : 0);
  return tensorOf(
    weights.type,
    Array.from({ length: channels }, (_, channel) => at(channel)),
    [channels],
  );
}

/** What a node between makes of the constant. */
function step({ initializers }: Graph, node: Node, value: Tensor): Tensor {
  const stored = node.inputs.map((name) => initializers.get(name));
  const map = (one: (number: number, channel: number) => number): Tensor =>
    tensorOf(value.type, Array.from(value.numbers, one), value.dims);
  if (node.opType === "BatchNormalization") {
    const [, scale, shift, mean, variance] = stored.map((tensor) => tensor?.numbers);
    const epsilon = floatAttribute(node, "epsilon", 1e-5);
    const of = (numbers: ArrayLike<number | bigint> | undefined, channel: number): number =>
      Number(numbers?.[channel] ?? 0);
    return map(
      (number, c) => (of(scale, c) * (number - of(mean, c))) / Math.sqrt(of(variance, c) + epsilon) + of(shift, c),
    );
  }
  const other = stored.find((tensor) => tensor !== undefined);
  if (!other) return value;
  const at = (channel: number): number => other.numbers[other.size === 1 ? 0 : channel] as number;
  return map((number, channel) => (node.opType === "Add" ? number + at(channel) : number * at(channel)));
}
