/** Stored weights as a layer reads them: as they are, or unpacked from integers. */
import { intAttribute, normalAxis } from "../graph/attributes.ts";
import type { Graph, Node } from "../graph/graph.ts";
import { sizeOf, type Tensor } from "../graph/tensor.ts";
import { nodeId } from "../units/places.ts";

export interface LayerWeights {
  /** The layer, and the input that the weights are read by. */
  readonly node: Node;
  readonly slot: number;
  readonly dims: readonly number[];
  readonly numbers: ArrayLike<number>;
}

/** The weights that `node` reads by input `slot`, or that another node reads when `node` unpacks them. */
export function layerWeights(graph: Graph, node: Node, slot: number, tensor: Tensor): LayerWeights {
  const { dims } = tensor;
  if (node.opType !== "DequantizeLinear" || node.domain !== "" || slot !== 0) {
    return { node, slot, dims, numbers: tensor.numbers };
  }
  const [reader] = graph.value(nodeId(node))?.uses.filter((use) => use.slot >= 0) ?? [];
  return { node: reader?.node ?? node, slot: reader?.slot ?? slot, dims, numbers: unpacked(graph, node, tensor) };
}

/** (X - zero point) * scale, with one of each in all or for each index of the node's axis. */
function unpacked(graph: Graph, node: Node, tensor: Tensor): ArrayLike<number> {
  const [scale, zero] = [node.inputs[1], node.inputs[2]].map((name) => graph.initializers.get(name ?? "")?.numbers);
  if (!scale) return tensor.numbers;
  const { dims } = tensor;
  const axis = normalAxis(intAttribute(node, "axis", 1), dims.length);
  const inner = sizeOf(dims.slice(axis + 1));
  const of = (parameter: ArrayLike<number>, at: number): number =>
    parameter[parameter.length === 1 ? 0 : Math.floor(at / inner) % (dims[axis] as number)] as number;
  return Float64Array.from(tensor.numbers, (x, at) => (x - (zero ? of(zero, at) : 0)) * of(scale, at));
}
