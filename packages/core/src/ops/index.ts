/**
 * The operator table: one rule per ONNX operator, named as in ONNX. Adding an operator means adding its name to the
 * list below and its rule to a family file; a name without a rule does not compile.
 */
import type { Node } from "../graph/graph.ts";
import * as convolution from "./convolution.ts";
import * as elementwise from "./elementwise.ts";
import * as indexing from "./indexing.ts";
import * as linear from "./linear.ts";
import * as movement from "./movement.ts";
import * as normalization from "./normalization.ts";
import * as pixelShuffle from "./pixel-shuffle.ts";
import * as pooling from "./pooling.ts";
import * as quantization from "./quantization.ts";
import * as recurrent from "./recurrent.ts";
import * as reduction from "./reduction.ts";
import * as resizing from "./resizing.ts";
import type { OpRule } from "./rule.ts";
import * as scattering from "./scattering.ts";
import * as shaping from "./shaping.ts";

export type OperatorName =
  | "Abs"
  | "Add"
  | "And"
  | "AveragePool"
  | "BatchNormalization"
  | "Cast"
  | "Ceil"
  | "Clip"
  | "Concat"
  | "ConstantOfShape"
  | "Conv"
  | "ConvInteger"
  | "ConvTranspose"
  | "Cos"
  | "CumSum"
  | "DepthToSpace"
  | "DequantizeLinear"
  | "Div"
  | "Dropout"
  | "DynamicQuantizeLinear"
  | "Einsum"
  | "Elu"
  | "Equal"
  | "Erf"
  | "Exp"
  | "Expand"
  | "Flatten"
  | "Floor"
  | "GRU"
  | "Gather"
  | "Gelu"
  | "Gemm"
  | "GlobalAveragePool"
  | "GlobalMaxPool"
  | "Greater"
  | "GreaterOrEqual"
  | "GridSample"
  | "GroupNormalization"
  | "HardSigmoid"
  | "HardSwish"
  | "Identity"
  | "InstanceNormalization"
  | "LSTM"
  | "LayerNormalization"
  | "LeakyRelu"
  | "Less"
  | "LessOrEqual"
  | "Log"
  | "LogSoftmax"
  | "MatMul"
  | "MatMulInteger"
  | "Max"
  | "MaxPool"
  | "Min"
  | "Mul"
  | "Neg"
  | "Not"
  | "Or"
  | "PRelu"
  | "Pad"
  | "Pow"
  | "QuantizeLinear"
  | "Reciprocal"
  | "RNN"
  | "ReduceL2"
  | "ReduceMax"
  | "ReduceMean"
  | "ReduceMin"
  | "ReduceSum"
  | "Relu"
  | "Reshape"
  | "Resize"
  | "Round"
  | "Selu"
  | "ScatterElements"
  | "ScatterND"
  | "Shape"
  | "Sigmoid"
  | "Sign"
  | "Sin"
  | "Slice"
  | "Softmax"
  | "Softplus"
  | "Softsign"
  | "SpaceToDepth"
  | "Split"
  | "Sqrt"
  | "Squeeze"
  | "Sub"
  | "Sum"
  | "Tanh"
  | "ThresholdedRelu"
  | "TopK"
  | "Transpose"
  | "Unsqueeze"
  | "Upsample"
  | "Where";

export const rules: Readonly<Record<OperatorName, OpRule>> = {
  ...convolution,
  ...elementwise,
  ...indexing,
  ...linear,
  ...movement,
  ...normalization,
  ...pixelShuffle,
  ...pooling,
  ...quantization,
  ...recurrent,
  ...reduction,
  ...resizing,
  ...scattering,
  ...shaping,
};

/** The rule for a node's operator; undefined for one we know nothing of, and for operators of other domains. */
export function ruleFor(node: Node): OpRule | undefined {
  if (node.domain !== "" && node.domain !== "ai.onnx") return undefined;
  return Object.hasOwn(rules, node.opType) ? rules[node.opType as OperatorName] : undefined;
}

export type { OpRule } from "./rule.ts";
