/**
 * Objectives: the error E that removal is measured on, a sum over samples of non-negative terms. Each is a few nodes
 * appended to a graph, with its derivatives at the model's output.
 */
import type { Dataset } from "../data.ts";
import { checkLabels } from "../data.ts";
import { ShrinkError } from "../errors.ts";
import type { GraphBuilder } from "../graph/builder.ts";
import type { Graph } from "../graph/graph.ts";
import { dimsOf, type Shapes } from "../graph/shapes.ts";
import { sizeOf, Tensor } from "../graph/tensor.ts";

export type ObjectiveName = "sse" | "cross-entropy" | "match";

/** Name of the graph input that takes the targets, shaped like the output. */
export const TARGET = "shrinknet/target";

export interface Objective {
  readonly name: ObjectiveName;
  /** The value that is compared with the target: the model's output, or the logits before a final Softmax. */
  readonly value: string;
  /** Appends the error of each sample: [N]. */
  error(b: GraphBuilder, value: string, target: string): string;
  /** Appends dE/dvalue and the diagonal of d2E/dvalue^2, both shaped like the value. */
  derivatives(b: GraphBuilder, value: string, target: string): { gradient: string; curvature: string };
}

/**
 * Sum of squared errors: E = 1/2 sum_i (o_i - t_i)^2; dE/do = o - t, d2E/do2 = 1 (Wolfe et al. 2017). `match` is the
 * same with the original model's outputs as targets.
 */
function squaredError(name: "sse" | "match", value: string, rank: number): Objective {
  return {
    name,
    value,
    error(b, output, target) {
      const squares = b.square(b.sub(output, target));
      return b.mul(b.scalar(0.5), b.sum(squares, innerAxes(rank)));
    },
    derivatives(b, output, target) {
      return { gradient: b.sub(output, target), curvature: b.op("Exp", [b.sub(output, output)]) };
    },
  };
}

/** Cross-entropy on logits: E = -sum_i t_i log p_i, p = softmax(o); dE/do = p - t, d2E/do2 = p (1 - p). */
function crossEntropy(value: string, rank: number): Objective {
  const axis = { axis: rank - 1 };
  return {
    name: "cross-entropy",
    value,
    error(b, logits, target) {
      const terms = b.mul(target, b.op("LogSoftmax", [logits], axis));
      return b.op("Neg", [b.sum(terms, innerAxes(rank))]);
    },
    derivatives(b, logits, target) {
      const p = b.op("Softmax", [logits], axis);
      return { gradient: b.sub(p, target), curvature: b.mul(p, b.sub(b.scalar(1), p)) };
    },
  };
}

/** All axes but the samples'. */
function innerAxes(rank: number): number[] {
  return Array.from({ length: rank - 1 }, (_, i) => i + 1);
}

/**
 * The objective of that name on the model's first output, or the default for this model and data: `match` without
 * labels or targets; `sse` for float targets and for outputs that end in a logistic; else `cross-entropy`.
 */
export function objectiveFor(graph: Graph, shapes: Shapes, data: Dataset, name: ObjectiveName | undefined): Objective {
  const output = graph.outputs[0]?.name as string;
  const rank = dimsOf(shapes, output).length;
  const producer = graph.value(output)?.producer;
  const chosen = name ?? defaultFor(data, producer?.opType);
  if (chosen !== "match" && !data.labels && !data.targets) {
    throw new ShrinkError(
      "data",
      `${data.source}: no array "y", expected classes or targets for the objective ${chosen}; add it or use --objective match`,
    );
  }
  if (chosen !== "cross-entropy") return squaredError(chosen, output, rank);
  const endsInSoftmax = producer?.opType === "Softmax" || producer?.opType === "LogSoftmax";
  return crossEntropy(endsInSoftmax ? (producer?.inputs[0] as string) : output, rank);
}

function defaultFor(data: Dataset, lastOperator: string | undefined): ObjectiveName {
  if (!data.labels && !data.targets) return "match";
  return data.targets || lastOperator === "Sigmoid" ? "sse" : "cross-entropy";
}

/**
 * Targets shaped like the output dims `[1, ...]`: the data's own, or 1 at each sample's class and 0 elsewhere.
 * Throws a `data` error where they do not fit the output.
 */
export function targetsOf(data: Dataset, outputDims: readonly number[], type: "float32" | "float64"): Tensor {
  const inner = outputDims.slice(1);
  const width = sizeOf(inner);
  const dims = [data.size, ...inner];
  if (data.targets) {
    if (data.targets.size !== data.size * width) {
      const wanted = `[${["N", ...inner].join(", ")}]`;
      throw new ShrinkError(
        "data",
        `${data.source}: array "y" has shape [${data.targets.dims.join(", ")}], expected ${wanted} like the model's output`,
      );
    }
    const values = data.targets.numbers;
    return new Tensor(type, dims, type === "float64" ? Float64Array.from(values) : Float32Array.from(values));
  }
  checkLabels(data, width);
  const oneHot = type === "float64" ? new Float64Array(data.size * width) : new Float32Array(data.size * width);
  data.labels?.forEach((label, sample) => {
    oneHot[sample * width + label] = 1;
  });
  return new Tensor(type, dims, oneHot);
}
