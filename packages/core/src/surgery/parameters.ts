/** Parameters as a file stores them: reals, quantised weights and quantised biases, wherever they stand. */
import { intAttribute } from "../graph/attributes.ts";
import type { Graph, Model, Node } from "../graph/graph.ts";
import { constantOfNode } from "../graph/passes.ts";
import type { Tensor } from "../graph/tensor.ts";
import { bodiesOf, carriedTensors, functionsOf } from "../onnx/index.ts";

/** Element types that weights have; int64 counts and picks, bool decides. */
const WEIGHT_TYPE = /^(b?float\w*|double|u?int[48])$/;

/** Input slots of biases that are stored as int32, by operator. */
const BIAS_SLOTS: Readonly<Record<string, number>> = { DequantizeLinear: 0, QLinearConv: 8, QGemm: 6 };

/** Parameters that one element of a stored tensor is: 0 for what is no parameter, 2 where two share a byte. */
export function parametersPerElement(graph: Graph, name: string, { type }: Pick<Tensor, "type">): number {
  const uses = graph.value(name)?.uses ?? [];
  if (type === "int32") return uses.some(({ node, slot }) => BIAS_SLOTS[node.opType] === slot) ? 1 : 0;
  if (!WEIGHT_TYPE.test(type)) return 0;
  const packed = uses.find(({ node, slot }) => node.opType === "MatMulNBits" && slot === 1);
  return packed && type === "uint8" ? 8 / intAttribute(packed.node, "bits", 4) : 1;
}

/** All parameters that the file of a model holds: in initializers, constants, control-flow bodies and local functions. */
export function parametersOf(model: Model): number {
  return [model.graph, ...functionsOf(model)].reduce((sum, graph) => sum + parametersIn(graph), 0);
}

function parametersIn(graph: Graph): number {
  let sum = 0;
  for (const [name, tensor] of graph.initializers) sum += tensor.size * parametersPerElement(graph, name, tensor);
  for (const { type, size } of carriedTensors(graph)) sum += WEIGHT_TYPE.test(type) ? size : 0;
  for (const node of graph.nodes) sum += parametersInside(graph, node);
  return sum;
}

/** Parameters that a node itself holds: a constant's, or those in its bodies. */
export function parametersInside(graph: Graph, node: Node): number {
  const constant = constantOfNode(node);
  const own = constant ? constant.size * parametersPerElement(graph, node.outputs[0] as string, constant) : 0;
  return bodiesOf(node).reduce((sum, body) => sum + parametersIn(body), own);
}
