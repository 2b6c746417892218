/** Error and accuracy: of a model over the data, or of outputs that are already there. */

import { allSinks } from "../derive/gate.ts";
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Model } from "../graph/graph.ts";
import { dimsOf } from "../graph/shapes.ts";
import { sizeOf, type Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Quality } from "../results.ts";
import type { Session } from "../runner.ts";
import { Activations } from "./activations.ts";
import { DenseSuffix } from "./dense/suffix.ts";
import { TARGET } from "./objective.ts";
import type { State } from "./state.ts";
import type { Subject } from "./subject.ts";

/** Error and accuracy of a model that takes and gives what the subject's does (the subject's own, or a cut one). */
export async function qualityOf(subject: Subject, model: Model = subject.prunable.model): Promise<Quality> {
  const { objective } = subject;
  const b = new GraphBuilder({ opset: opsetOf(model), real: subject.targets.type, base: model.graph });
  b.input(TARGET, subject.targets.type);
  const errors = objective.error(b, objective.value, TARGET);
  const outputs = [objective.value, errors];
  const session = await subject.runner.load(writeModel({ ...model, graph: b.graph(outputs) }));
  const tally = new Tally(subject.data.labels);
  try {
    for (const chunk of subject.chunks) {
      const result = await session.run({ ...chunk.feeds, [TARGET]: chunk.targets }, outputs);
      tally.add(chunk.from, result[objective.value] as Tensor, result[errors] as Tensor);
    }
  } finally {
    await session.release();
  }
  return tally.quality();
}

/** Elements of one sample's values at all places where units are read. */
const SMALL = 4096;

/**
 * Follows the quality through a run of removals: outputs come from kept activations, so that after a removal only what
 * lies downstream of it runs again.
 */
export class QualityMeter {
  readonly activations: Activations;
  /** The dense end of the network, where it has one: then outputs come from its loops. */
  readonly suffix: DenseSuffix | undefined;
  readonly #subject: Subject;
  readonly #errors: string;
  readonly #session: Session;

  private constructor(subject: Subject, activations: Activations, errors: string, session: Session, loops: boolean) {
    this.#subject = subject;
    this.activations = activations;
    this.suffix = loops ? DenseSuffix.of(subject) : undefined;
    this.#errors = errors;
    this.#session = session;
  }

  /** `loops`: whether the dense end may run in the WebAssembly loops, which hold the subject's own weights. */
  static async of(subject: Subject, state: State, loops = true): Promise<QualityMeter> {
    const { objective, prunable, runner } = subject;
    const { model, shapes } = prunable;
    const type = subject.targets.type;
    const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: emptyGraph("objective") });
    const dims = ["N", ...dimsOf(shapes, objective.value).slice(1)];
    const output = b.input(objective.value, type, dims);
    b.input(TARGET, type, dims);
    const errors = objective.error(b, output, TARGET);
    const session = await runner.load(writeModel({ ...model, graph: b.graph([errors]) }));
    return new QualityMeter(subject, new Activations(subject, state), errors, session, loops);
  }

  /** Error and accuracy at the activations' present state. */
  async measure(): Promise<Quality> {
    if (this.suffix) {
      this.suffix.advance(this.activations.state.removed);
      return this.suffix.quality(this.activations);
    }
    const { objective, prunable, data, chunks } = this.#subject;
    const sinks = allSinks(prunable.units).map((sink) => sink.value);
    const width = sinks.reduce((sum, name) => sum + sizeOf(prunable.shapes.get(name)?.dims ?? []), 0);
    // small values where units are read are worth keeping: the next measurement starts from them
    const names = [...new Set([...(width <= SMALL ? sinks : []), objective.value])];
    const reader = await this.activations.reader(names);
    const tally = new Tally(data.labels);
    try {
      for (const [index, chunk] of chunks.entries()) {
        const output = (await reader.read(index))[objective.value] as Tensor;
        const result = await this.#session.run({ [objective.value]: output, [TARGET]: chunk.targets });
        tally.add(chunk.from, output, result[this.#errors] as Tensor);
      }
    } finally {
      await reader.release();
    }
    return tally.quality();
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** Adds up errors in float64 and counts right answers. */
class Tally {
  readonly #labels: Int32Array | undefined;
  #error = 0;
  #right = 0;
  #samples = 0;

  constructor(labels: Int32Array | undefined) {
    this.#labels = labels;
  }

  /** `outputs[n, ...]` and `errors[n]` of the samples from `from` on. */
  add(from: number, outputs: Tensor, errors: Tensor): void {
    const values = errors.numbers;
    for (let i = 0; i < values.length; i++) this.#error += values[i] as number;
    const count = outputs.dims[0] as number;
    this.#samples += count;
    if (!this.#labels) return;
    const width = outputs.size / count;
    const numbers = outputs.numbers;
    for (let i = 0; i < count; i++) {
      if (largest(numbers, i * width, width) === this.#labels[from + i]) this.#right++;
    }
  }

  quality(): Quality {
    const accuracy = this.#right / this.#samples;
    return this.#labels ? { error: this.#error, accuracy } : { error: this.#error };
  }
}

/** Index (from `start`) of the largest of `width` numbers; the first of equals. */
export function largest(numbers: ArrayLike<number>, start: number, width: number): number {
  let best = 0;
  for (let i = 1; i < width; i++) {
    if ((numbers[start + i] as number) > (numbers[start + best] as number)) best = i;
  }
  return best;
}
