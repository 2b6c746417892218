/** Which samples a model gets right, and what that says of two models on the same samples. */
import type { Model } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { AccuracyDrop, ClassAccuracy } from "../results.ts";
import { quantile } from "../util/normal.ts";
import { largest } from "./quality.ts";
import type { Subject } from "./subject.ts";

/** Confidence of intervals where nothing else is said. */
export const CONFIDENCE = 0.95;

/** 1 for each sample whose largest output is its class, else 0. Undefined for data without classes. Runs the whole model. */
export async function rightAnswers(subject: Subject, model: Model): Promise<Uint8Array | undefined> {
  const { labels, size } = subject.data;
  if (!labels) return undefined;
  const output = subject.objective.value;
  const session = await subject.runner.load(writeModel({ ...model, graph: withOutput(model, output) }));
  const right = new Uint8Array(size);
  try {
    for (const chunk of subject.chunks) {
      const { numbers, size: elements } = (await session.run(chunk.feeds, [output]))[output] as Tensor;
      const width = elements / (chunk.to - chunk.from);
      for (let n = chunk.from; n < chunk.to; n++) {
        right[n] = largest(numbers, (n - chunk.from) * width, width) === labels[n] ? 1 : 0;
      }
    }
  } finally {
    await session.release();
  }
  return right;
}

/** The graph with one output: the value that the objective reads, which may lie before a final Softmax. */
function withOutput({ graph }: Model, name: string): Model["graph"] {
  return graph.outputs[0]?.name === name ? graph : graph.with({ outputs: [{ name }] });
}

/**
 * The fall of accuracy from one model to another on the same samples, with an interval for paired shares: adjusted Wald,
 * which adds one to each kind of sample whose answer changed (Bonett and Price 2012, J. Educ. Behav. Stat. 37). It is never of
 * width 0, and holds its confidence for small numbers too.
 */
export function pairedDrop(before: Uint8Array, after: Uint8Array, confidence: number = CONFIDENCE): AccuracyDrop {
  const samples = before.length;
  let [lost, won] = [0, 0];
  for (let n = 0; n < samples; n++) {
    if (before[n] && !after[n]) lost++;
    else if (!before[n] && after[n]) won++;
  }
  const [losing, winning] = [(lost + 1) / (samples + 2), (won + 1) / (samples + 2)];
  const middle = losing - winning;
  const reach = quantile((1 - confidence) / 2) * Math.sqrt((losing + winning - middle ** 2) / (samples + 2));
  return {
    samples,
    drop: (lost - won) / samples,
    low: Math.max(-1, middle - reach),
    high: Math.min(1, middle + reach),
    confidence,
    lost,
    won,
  };
}

/** The share of right answers by class, of the classes that have samples, ascending. */
export function accuracyByClass(labels: Int32Array, before: Uint8Array, after: Uint8Array): ClassAccuracy[] {
  const counts = new Map<number, { samples: number; before: number; after: number }>();
  labels.forEach((label, n) => {
    const count = counts.get(label) ?? { samples: 0, before: 0, after: 0 };
    count.samples++;
    count.before += before[n] as number;
    count.after += after[n] as number;
    counts.set(label, count);
  });
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([label, { samples, before: was, after: is }]) => ({
      class: label,
      samples,
      before: was / samples,
      after: is / samples,
    }));
}
