/**
 * Weights that several layers share. Their uses are cut together, so that the tensor stays one and gets smaller; where one
 * use cannot be cut, none can.
 *
 * Exporters store equal constants once, so a tensor that several nodes read need not be shared on purpose. Only weights
 * count: what a layer multiplies with, or a real tensor with several axes. Where all slices along an axis are equal, as in
 * zeros, ones and filters that repeat, it does not matter which of them go, and nothing is joined.
 */
import { weightsBehind } from "../graph/constant-values.ts";
import { describe, type Graph, type Node } from "../graph/graph.ts";
import { isFloat, sizeOf, type Tensor } from "../graph/tensor.ts";
import { ruleFor } from "../ops/index.ts";
import type { Place, Places } from "./places.ts";
import type { Reason } from "./solve.ts";

/** One axis of shared weights: the place of each use. */
export interface SharedAxis {
  readonly name: string;
  readonly uses: readonly { readonly node: Node; readonly place: Place }[];
}

/** The axes of all weights that several inputs read. */
export function sharedAxes(graph: Graph, places: Places): SharedAxis[] {
  const multiplied = new Set(graph.nodes.flatMap((node) => multipliedWith(graph, node)));
  return [...graph.initializers].flatMap(([name, tensor]) => {
    const uses = places.usesOf(name);
    if (uses.length < 2 || !isStored(tensor)) return [];
    const isMatrix = tensor.dims.filter((dim) => dim > 1).length > 1;
    if (!isMatrix && !multiplied.has(name)) return [];
    return tensor.dims.flatMap((length, axis) => {
      if (length < 2 || isUniform(tensor, axis)) return [];
      return [{ name, uses: uses.map(({ node, places: own }) => ({ node, place: own[axis] as Place })) }];
    });
  });
}

/** Initializers that a node reads where its operator has a layer's weights. */
function multipliedWith(graph: Graph, node: Node): readonly string[] {
  return (ruleFor(node)?.weights ?? []).flatMap((slot) => weightsBehind(graph, node.inputs[slot] ?? ""));
}

/** Real or quantised numbers: nothing that counts or picks. */
function isStored({ type }: Tensor): boolean {
  return isFloat(type) || type === "int8" || type === "uint8";
}

/** Whether all slices along an axis are equal. */
function isUniform(tensor: Tensor, axis: number): boolean {
  const { data } = tensor;
  const inner = sizeOf(tensor.dims.slice(axis + 1));
  const block = inner * (tensor.dims[axis] as number);
  for (let at = 0; at < data.length; at++) {
    if (data[at] !== data[Math.floor(at / block) * block + (at % inner)]) return false;
  }
  return true;
}

/** Why a use of shared weights cannot be cut: the use at `node` cannot, for the reason `origin`. */
export function sharedReason(name: string, node: Node, { isUnknown }: Reason): Reason {
  return {
    text: `shares "${name}" with ${describe(node)}, where it cannot be cut`,
    cause: "shares weights with a layer that cannot be cut",
    ...(isUnknown && { isUnknown }),
  };
}
