/**
 * The operator table: one rule per ONNX operator, named as in ONNX. Adding an operator means adding its name to the
 * list below and its rule to a family file; a name without a rule does not compile.
 */
import type { Node } from "../graph/graph.ts";
import * as elementwise from "./elementwise.ts";
import * as linear from "./linear.ts";
import * as movement from "./movement.ts";
import * as normalization from "./normalization.ts";
import * as reduction from "./reduction.ts";
import type { OpRule } from "./rule.ts";

export type OperatorName =
  | "Add"
  | "BatchNormalization"
  | "Clip"
  | "Concat"
  | "Div"
  | "Dropout"
  | "Elu"
  | "Erf"
  | "Exp"
  | "Flatten"
  | "Gelu"
  | "Gemm"
  | "HardSigmoid"
  | "Identity"
  | "LeakyRelu"
  | "Log"
  | "LogSoftmax"
  | "MatMul"
  | "Mul"
  | "Neg"
  | "Pow"
  | "ReduceMean"
  | "ReduceSum"
  | "Relu"
  | "Reshape"
  | "Selu"
  | "Sigmoid"
  | "Softmax"
  | "Softplus"
  | "Sqrt"
  | "Sub"
  | "Tanh"
  | "Transpose";

export const rules: Readonly<Record<OperatorName, OpRule>> = {
  ...elementwise,
  ...linear,
  ...movement,
  ...normalization,
  ...reduction,
};

/** The rule for a node's operator; undefined for one we know nothing of, and for operators of other domains. */
export function ruleFor(node: Node): OpRule | undefined {
  if (node.domain !== "" && node.domain !== "ai.onnx") return undefined;
  return Object.hasOwn(rules, node.opType) ? rules[node.opType as OperatorName] : undefined;
}

export type { OpRule } from "./rule.ts";
