import type { GraphBuilder } from "../../graph/builder.ts";
import { sizeOf, type Tensor } from "../../graph/tensor.ts";
import { targetsOf } from "./answers.ts";
import { type BoundObjective, innerAxes, type Objective, type OutputInfo } from "./objective.ts";

/** Operators whose input holds the logits. */
const PROBABILITIES = new Set(["Softmax", "LogSoftmax", "Sigmoid"]);

/**
 * Cross-entropy of logits o with target probabilities t: E = -sum_i t_i log p_i with p = softmax(o); dE/do = p sum(t) - t,
 * d2E/do2 = p (1 - p) sum(t). Targets need not sum to 1. Of outputs with a class at each position it is the mean over
 * positions. An output of one number is the logit of the second of two classes.
 */
export const crossEntropy: Objective = {
  name: "cross-entropy",
  needsAnswers: true,
  suits: ({ answers }) => answers?.type === "int32",
  bind(output) {
    const targets = targetsOf(output);
    const beforeLast = PROBABILITIES.has(output.lastOperator ?? "");
    const classes = output.classAxis === undefined ? 1 : (output.dims[output.classAxis] as number);
    const how = classes === 1 ? binary(output) : severalClasses(output, output.classAxis as number);
    return { beforeLast, targets, scale: entropy(output, targets), distance: { kind: "divergence" }, ...how };
  },
};

type Formulas = Pick<BoundObjective, "error" | "derivatives" | "loop">;

function severalClasses(output: OutputInfo, classAxis: number): Formulas {
  const axis = classAxis + 1;
  const positions = sizeOf(output.dims) / (output.dims[classAxis] as number);
  const last = output.dims.length;
  // before opset 13 Softmax takes all axes from its own on together, so classes go to the end
  const toEnd = [...Array(last + 1).keys()].filter((one) => one !== axis).concat(axis);
  const back = toEnd.map((_, at) => toEnd.indexOf(at));
  const over = (b: GraphBuilder, opType: "Softmax" | "LogSoftmax", logits: string): string => {
    if (axis === last) return b.op(opType, [logits], { axis });
    const moved = b.op(opType, [b.op("Transpose", [logits], { perm: toEnd })], { axis: last });
    return b.op("Transpose", [moved], { perm: back });
  };
  const scaled = (b: GraphBuilder, value: string): string =>
    positions === 1 ? value : b.mul(value, b.scalar(1 / positions));
  return {
    error(b, logits, target) {
      const terms = b.mul(target, over(b, "LogSoftmax", logits));
      return scaled(b, b.op("Neg", [b.sum(terms, innerAxes(output))]));
    },
    derivatives(b, logits, target) {
      const p = over(b, "Softmax", logits);
      const mass = b.sum(target, [axis], true);
      return {
        gradient: scaled(b, b.sub(b.mul(p, mass), target)),
        curvature: scaled(b, b.mul(b.mul(p, b.sub(b.scalar(1), p)), mass)),
      };
    },
    ...(output.dims.length === 1 && { loop: { kind: "cross-entropy" } as const }),
  };
}

/** E = log(1 + e^o) - t o; dE/do = p - t, d2E/do2 = p (1 - p), p = 1 / (1 + e^-o). */
function binary(output: OutputInfo): Formulas {
  const share = (b: GraphBuilder, value: string): string => b.mul(value, b.scalar(1 / sizeOf(output.dims)));
  return {
    error(b, logit, target) {
      const fading = b.op("Exp", [b.op("Neg", [b.op("Abs", [logit])])]); // log(1 + e^o) without overflow
      const softplus = b.add(b.op("Relu", [logit]), b.op("Log", [b.add(b.scalar(1), fading)]));
      const terms = b.sub(softplus, b.mul(target, logit));
      return share(b, b.sum(terms, innerAxes(output)));
    },
    derivatives(b, logit, target) {
      const p = b.op("Sigmoid", [logit]);
      return { gradient: share(b, b.sub(p, target)), curvature: share(b, b.mul(p, b.sub(b.scalar(1), p))) };
    },
  };
}

/** Cross-entropy of the mean target with the targets: what is left without any input. */
function entropy({ dims, classAxis }: OutputInfo, targets: Tensor): number {
  const classes = classAxis === undefined ? 1 : (dims[classAxis] as number);
  const inner = classAxis === undefined ? 1 : sizeOf(dims.slice(classAxis + 1));
  const mass = new Float64Array(classes === 1 ? 2 : classes);
  const values = targets.numbers;
  for (let at = 0; at < values.length; at++) {
    const own = Math.floor(at / inner) % classes;
    mass[own] = (mass[own] as number) + (values[at] as number);
  }
  const rows = values.length / classes;
  if (classes === 1) mass[1] = rows - (mass[0] as number);
  const total = mass.reduce((sum, one) => sum + one, 0);
  return mass.reduce((sum, one) => (one > 0 ? sum - (one / rows) * Math.log(one / total) : sum), 0);
}
