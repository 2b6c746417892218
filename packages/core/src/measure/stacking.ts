/**
 * Proofs that candidates may be stacked: models use the number of samples in more ways than can be listed, so the first stacked
 * run of each group's tail is held to a run of one candidate alone.
 */
import type { Tensor } from "../graph/tensor.ts";
import { writeModel } from "../onnx/index.ts";
import type { Group } from "../units/units.ts";
import type { Activations } from "./activations.ts";
import type { Evaluator } from "./evaluator.ts";
import { buildTail, canStackCandidates } from "./tail.ts";

/** Rounding differs between batch sizes. */
const ROUNDING = 1e-3;

const proofs = new WeakMap<Evaluator, StackingProofs>();

export class StackingProofs {
  readonly #evaluator: Evaluator;
  readonly #known = new Map<Group, boolean>();

  private constructor(evaluator: Evaluator) {
    this.#evaluator = evaluator;
  }

  /** Those of an evaluator: what is proved once holds for all questions. */
  static of(evaluator: Evaluator): StackingProofs {
    const known = proofs.get(evaluator) ?? new StackingProofs(evaluator);
    proofs.set(evaluator, known);
    return known;
  }

  /** Whether the group's candidates may be stacked; `unit` is one of them. */
  async holds(activations: Activations, group: Group, unit: number): Promise<boolean> {
    const known = this.#known.get(group);
    if (known !== undefined) return known;
    const holds =
      canStackCandidates(this.#evaluator, activations.state, group) &&
      (await this.#isProved(activations, group, unit).catch(() => false));
    this.#known.set(group, holds);
    return holds;
  }

  async #isProved(activations: Activations, group: Group, unit: number): Promise<boolean> {
    const [alone, stacked] = [
      await this.#errors(activations, group, [unit]),
      await this.#errors(activations, group, [unit, unit]),
    ];
    const size = alone.reduce((most, error) => Math.max(most, Math.abs(error)), 1e-30);
    return (
      stacked.length === 2 * alone.length &&
      stacked.every((error, at) => Math.abs(error - (alone[at % alone.length] as number)) <= ROUNDING * size)
    );
  }

  /** Errors of the first chunk's samples without each candidate, all of them in one run. */
  async #errors(activations: Activations, group: Group, candidates: readonly number[]): Promise<number[]> {
    const tail = buildTail(this.#evaluator, activations.state, group, candidates.length);
    const reader = await activations.reader([...new Set(tail.cached.values())], 0, 1);
    const session = await this.#evaluator.runner.load(writeModel(tail.model)).catch(async (refusal: unknown) => {
      await reader.release();
      throw refusal;
    });
    try {
      const values = await reader.read(0);
      const { targets } = this.#evaluator.chunks[0] as Evaluator["chunks"][number];
      const given = Object.fromEntries([...tail.cached].map(([input, name]) => [input, values[name] as Tensor]));
      const result = await session.run({ ...tail.feeds(candidates), ...given, ...targets });
      return Array.from((result[tail.output] as Tensor).numbers);
    } finally {
      await session.release();
      await reader.release();
    }
  }
}
