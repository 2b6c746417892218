/**
 * Follows the quality through a run of removals: outputs come from kept activations, so that after a removal only what
 * lies downstream of it runs again.
 */

import { allSinks } from "../derive/gate.ts";
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { sizeOf, type Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Quality } from "../results.ts";
import type { Session } from "../runner.ts";
import { Activations } from "./activations.ts";
import { DenseSuffix } from "./dense/suffix.ts";
import { EvaluationTally } from "./evaluation.ts";
import type { Evaluator } from "./evaluator.ts";
import { type OutputTerm, targetInputs, termError } from "./objectives/model-objective.ts";
import type { State } from "./state.ts";

/** Elements of one sample's values at all places where units are read. */
const SMALL = 4096;

/** Quality, and which samples are right; see `Evaluation.correctness`. */
export interface Measured {
  readonly quality: Quality;
  readonly correctness: Float64Array | undefined;
}

export class QualityMeter {
  readonly activations: Activations;
  /** The dense end of the network, where it has one: then outputs come from its loops. */
  readonly suffix: DenseSuffix | undefined;
  readonly #evaluator: Evaluator;
  /** Names of the errors by output term. */
  readonly #errors: readonly string[];
  readonly #session: Session;

  private constructor(
    evaluator: Evaluator,
    activations: Activations,
    errors: readonly string[],
    session: Session,
    loops: boolean,
  ) {
    this.#evaluator = evaluator;
    this.activations = activations;
    this.suffix = loops ? DenseSuffix.of(evaluator) : undefined;
    this.#errors = errors;
    this.#session = session;
  }

  /** `loops`: whether the dense end may run in the WebAssembly loops, which hold the evaluator's own weights. */
  static async of(evaluator: Evaluator, state: State, loops = true): Promise<QualityMeter> {
    const { terms, prunable, runner, type } = evaluator;
    const b = new GraphBuilder({ opset: opsetOf(prunable.model), real: type, base: emptyGraph("objective") });
    for (const value of compared(terms)) b.input(value, prunable.shapes.get(value)?.type ?? type);
    targetInputs(b, terms);
    const errors = terms.map((term) => termError(b, term, term.value));
    const session = await runner.load(writeModel({ ...prunable.model, graph: b.graph([...new Set(errors)]) }));
    return new QualityMeter(evaluator, new Activations(evaluator, state), errors, session, loops);
  }

  /** Error, accuracy and correctness at the activations' present state. */
  async measure(): Promise<Measured> {
    if (this.suffix) {
      this.suffix.advance(this.activations.state.removed);
      return this.suffix.quality(this.activations);
    }
    const { terms, prunable, samples, chunks } = this.#evaluator;
    const { graph } = this.activations.state.model; // without branches that went whole
    const sinks = allSinks(prunable.units).flatMap(({ value }) => (graph.value(value) ? [value] : []));
    const width = sinks.reduce((sum, name) => sum + sizeOf(prunable.shapes.get(name)?.dims ?? []), 0);
    // small values where units are read are worth keeping: the next measurement starts from them
    const values = compared(terms);
    const names = [...new Set([...(width <= SMALL ? sinks : []), ...values])];
    const reader = await this.activations.reader(names);
    const tally = new EvaluationTally(terms, samples.size);
    try {
      for (const [index, chunk] of chunks.entries()) {
        const read = await reader.read(index);
        const outputs = Object.fromEntries(values.map((value) => [value, read[value] as Tensor]));
        const result = await this.#session.run({ ...outputs, ...chunk.targets });
        for (const [at, term] of terms.entries()) {
          tally.add(at, chunk, outputs[term.value] as Tensor, result[this.#errors[at] as string] as Tensor);
        }
      }
    } finally {
      await reader.release();
    }
    const { quality, correctness } = tally.evaluation();
    return { quality, correctness };
  }

  release(): Promise<void> {
    return this.#session.release();
  }
}

/** The values that the terms compare, each once. */
function compared(terms: readonly OutputTerm[]): string[] {
  return [...new Set(terms.map(({ value }) => value))];
}
