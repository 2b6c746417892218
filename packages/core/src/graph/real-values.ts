/** Which values hold reals for sure: by the operators that make them, before anything runs. */
import { intAttribute } from "./attributes.ts";
import type { Graph, Node } from "./graph.ts";
import type { ElementType } from "./tensor.ts";

/** Operators whose output has the type of input 0, where that is known to be real. */
const LIKE_FIRST = new Set(
  (
    "Abs Add AveragePool BatchNormalization Clip Concat Conv ConvTranspose Div Dropout Elu Erf Exp Expand Flatten Gather Gelu " +
    "Gemm GlobalAveragePool GlobalMaxPool GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization " +
    "LayerNormalization LeakyRelu Log MatMul Max Min Mish Mul Neg PRelu Pad Pow ReduceL2 ReduceMax ReduceMean ReduceSum Relu " +
    "Reshape Resize Selu Sigmoid Slice Softmax Softplus Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Unsqueeze"
  ).split(" "),
);
/** ONNX's numbers of the types that Cast may name. */
const CAST: Readonly<Record<number, ElementType>> = { 1: "float32", 10: "float16", 11: "float64", 16: "bfloat16" };
const REAL: ReadonlySet<ElementType> = new Set<ElementType>(["float32", "float64", "float16", "bfloat16"]);

/** Types of values that are reals, of any precision, whatever the model is fed; values that are not listed may be anything. */
export function realValues(graph: Graph): ReadonlyMap<string, ElementType> {
  const types = new Map<string, ElementType>();
  const note = (name: string, type: ElementType | undefined): void => {
    if (name !== "" && type && REAL.has(type)) types.set(name, type);
  };
  for (const [name, { type }] of graph.initializers) note(name, type);
  for (const { name, type } of graph.feeds) note(name, type);
  for (const node of graph.nodes) {
    const [first = ""] = node.outputs;
    note(first, typeOf(node, types));
    if (node.opType === "Split") for (const name of node.outputs) note(name, types.get(first));
  }
  return types;
}

function typeOf(node: Node, types: ReadonlyMap<string, ElementType>): ElementType | undefined {
  if (node.domain !== "") return undefined;
  if (node.opType === "Cast") return CAST[intAttribute(node, "to", 0)];
  if (node.opType === "Where") return types.get(node.inputs[1] as string);
  return LIKE_FIRST.has(node.opType) ? types.get(node.inputs[0] as string) : undefined;
}
