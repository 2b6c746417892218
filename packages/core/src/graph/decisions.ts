/** Values that jump where reals are nearly equal: what a model decides by comparing, sorting, rounding or counting. */
import type { Graph, Node } from "./graph.ts";
import type { Shapes } from "./shapes.ts";
import { isFloat } from "./tensor.ts";
import { downstream } from "./traverse.ts";

const DECIDING = new Set([
  ...["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "ArgMax", "ArgMin", "Hardmax", "TopK", "Unique"],
  ...["NonZero", "NonMaxSuppression", "Round", "Floor", "Ceil", "Sign", "Mod", "IsInf", "IsNaN"],
  ...["QuantizeLinear", "DynamicQuantizeLinear"],
]);

/** All values that depend on a decision over reals. */
export function decidedValues(graph: Graph, shapes: Shapes): ReadonlySet<string> {
  const isReal = (name: string): boolean => isFloat(shapes.get(name)?.type ?? "int64");
  const decides = (node: Node): boolean => {
    if (!node.inputs.some((name) => isReal(name) && !graph.initializers.has(name))) return false;
    // what is compared with itself makes ones (`unit-means.ts`): rounding decides nothing
    if (node.opType === "Equal" && node.inputs[0] === node.inputs[1]) return false;
    return DECIDING.has(node.opType) || (node.opType === "Cast" && !node.outputs.every(isReal));
  };
  return downstream(
    graph,
    graph.nodes.filter(decides).flatMap(({ outputs }) => outputs),
  );
}
