/** Which values hold reals for sure: by the operators that make them, before anything runs. */
import { intAttribute } from "./attributes.ts";
import { onnxType } from "./builder.ts";
import type { Graph, Node } from "./graph.ts";
import { type ElementType, isFloat } from "./tensor.ts";

/** Operators whose output has the type of input 0, where that is known to be real. */
const LIKE_FIRST = new Set(
  (
    "Abs Add AveragePool BatchNormalization Ceil Clip Concat Conv ConvTranspose Cos Div Dropout Einsum Elu Erf " +
    "Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool " +
    "GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Log " +
    "LogSoftmax MatMul Max MaxPool Min Mish Mul Neg PRelu Pad Pow Reciprocal ReduceL2 ReduceMax ReduceMean " +
    "ReduceMin ReduceSum Relu Reshape Resize Round ScatterElements ScatterND Selu Sigmoid Sign Sin Slice Softmax " +
    "Softplus Softsign Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile Transpose Unsqueeze Upsample"
  ).split(" "),
);
/** By ONNX's number, as Cast names them. */
const types = new Map(Object.entries(onnxType).map(([type, number]) => [number, type as ElementType]));

/**
 * Types of values that are reals, of any precision, whatever the model is fed; values that are not listed may be anything.
 * Of these the probe (`shapes.ts`) reads nothing but the shape.
 */
export function realValues(graph: Graph): ReadonlyMap<string, ElementType> {
  const reals = new Map<string, ElementType>();
  const note = (name: string, type: ElementType | undefined): void => {
    if (name !== "" && type && isFloat(type)) reals.set(name, type);
  };
  for (const [name, { type }] of graph.initializers) note(name, type);
  for (const { name, type } of graph.feeds) note(name, type);
  for (const node of graph.nodes) {
    const [first = ""] = node.outputs;
    note(first, typeOf(node, reals));
    if (node.opType === "Split") for (const name of node.outputs) note(name, reals.get(first));
  }
  return reals;
}

function typeOf(node: Node, reals: ReadonlyMap<string, ElementType>): ElementType | undefined {
  if (node.domain !== "") return undefined;
  if (node.opType === "Cast") return types.get(intAttribute(node, "to", 0));
  if (node.opType === "Where") return reals.get(node.inputs[1] as string);
  return LIKE_FIRST.has(node.opType) ? reals.get(node.inputs[0] as string) : undefined;
}
