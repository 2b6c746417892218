/** What kind of thing each value holds, before anything runs: reals, something that is no tensor of numbers, or unknown. */
import { intAttribute } from "./attributes.ts";
import { onnxType } from "./builder.ts";
import type { Graph, Node } from "./graph.ts";
import { type ElementType, isFloat } from "./tensor.ts";

/** Operators whose output has the type of input 0, whatever that is. */
const LIKE_FIRST = new Set(
  (
    "Abs Add AveragePool BatchNormalization Ceil Clip Concat Conv ConvTranspose Cos DepthToSpace Div Dropout Einsum Elu Erf " +
    "Exp Expand Flatten Floor Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool " +
    "GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Log " +
    "LogSoftmax MatMul Max MaxPool Min Mish Mul Neg PRelu Pad Pow Reciprocal ReduceL2 ReduceMax ReduceMean " +
    "ReduceMin ReduceSum Relu Reshape Resize Round ScatterElements ScatterND Selu Sigmoid Sign Sin Slice Softmax " +
    "Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tanh ThresholdedRelu Tile Transpose Unsqueeze Upsample"
  ).split(" "),
);

/** Operators whose outputs are sequences, optionals or maps. */
const NO_TENSORS = new Set(
  (
    "SequenceConstruct SequenceEmpty SequenceInsert SequenceErase SequenceMap SplitToSequence Optional ZipMap " +
    "StringNormalizer StringConcat StringSplit"
  ).split(" "),
);

/** ONNX's number for strings, as Cast names it. */
const STRING = 8;

/** By ONNX's number, as Cast names them. */
const types = new Map(Object.entries(onnxType).map(([type, number]) => [number, type as ElementType]));

export interface ValueKinds {
  /** Types of values that are reals, of any precision, whatever the model is fed. */
  readonly reals: ReadonlyMap<string, ElementType>;
  /** Values that are no tensors of numbers: sequences, optionals, maps, strings. */
  readonly others: ReadonlySet<string>;
}

/** Values that are in neither may hold anything. */
export function valueKinds(graph: Graph): ValueKinds {
  const reals = new Map<string, ElementType>();
  const others = new Set<string>();
  const note = (name: string, type: ElementType | undefined): void => {
    if (name !== "" && type && isFloat(type)) reals.set(name, type);
  };
  for (const { name, isOther } of [...graph.inputs, ...graph.outputs, ...graph.valueInfo.values()]) {
    if (isOther) others.add(name);
  }
  for (const [name, { type }] of graph.initializers) note(name, type);
  for (const { name, type } of graph.feeds) note(name, type);
  for (const node of graph.nodes) {
    const [first = ""] = node.outputs;
    note(first, typeOf(node, reals));
    if (node.opType === "Split") for (const name of node.outputs) note(name, reals.get(first));
    if (givesOthers(node, others)) for (const name of node.outputs) if (name !== "") others.add(name);
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind !== "graph") continue;
      for (const [at, isOther] of (attribute.otherOutputs ?? []).entries()) {
        if (isOther) for (const name of bodyOutputs(node, at)) others.add(name);
      }
    }
  }
  return { reals, others };
}

/** Names of the node's outputs that come from output `at` of its body. Of a Loop output 0 is the condition. */
function bodyOutputs({ opType, outputs }: Node, at: number): string[] {
  const name = outputs[opType === "Loop" ? at - 1 : at];
  return name ? [name] : [];
}

function typeOf(node: Node, reals: ReadonlyMap<string, ElementType>): ElementType | undefined {
  if (node.domain !== "") return undefined;
  if (node.opType === "Cast") return types.get(intAttribute(node, "to", 0));
  if (node.opType === "Where") return reals.get(node.inputs[1] as string);
  return LIKE_FIRST.has(node.opType) ? reals.get(node.inputs[0] as string) : undefined;
}

function givesOthers(node: Node, others: ReadonlySet<string>): boolean {
  if (NO_TENSORS.has(node.opType)) return true;
  if (node.opType === "Cast") return intAttribute(node, "to", 0) === STRING;
  if (node.opType === "Constant") return "value_string" in node.attributes || "value_strings" in node.attributes;
  return LIKE_FIRST.has(node.opType) && others.has(node.inputs[0] ?? "");
}
