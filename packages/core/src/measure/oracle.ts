/**
 * The oracle: the error of the network without each single unit, measured. Exact, and cheap, because activations up to
 * where units are read are computed once and kept, and only the tail runs again (see {@link buildTail}).
 */
import { sizeOf, type Tensor } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import { writeModel } from "../onnx/index.ts";
import { type Group, groupOf } from "../units/units.ts";
import type { Activations } from "./activations.ts";
import { DenseSuffix } from "./dense/suffix.ts";
import { TARGET } from "./objective.ts";
import type { Chunk, Subject } from "./subject.ts";
import { buildTail, canBatch } from "./tail.ts";

/** A run of the tail works on about this many elements of its widest value, to stay in the processor's cache. */
const ELEMENTS_PER_RUN = 2 ** 18;

export interface OracleOptions {
  /** The dense end of the network, where another part of the measurement has one already. */
  readonly suffix?: DenseSuffix | undefined;
  /** `false` leaves out the WebAssembly loops, so that every tail runs as a graph; default true. */
  readonly loops?: boolean;
}

export class Oracle {
  readonly activations: Activations;
  readonly #subject: Subject;
  readonly #suffix: DenseSuffix | undefined;
  /** Errors as last measured, by unit: who was cheap to remove before is measured first. */
  readonly #last = new Map<number, number>();
  /** Candidate evaluations so far. */
  evaluations = 0;

  constructor(subject: Subject, activations: Activations, { suffix, loops = true }: OracleOptions = {}) {
    this.#subject = subject;
    this.activations = activations;
    this.#suffix = loops ? (suffix ?? DenseSuffix.of(subject)) : undefined;
  }

  /**
   * Error of the network without each of the given units, by unit. With `onlyBest` only the lowest is sure to be
   * complete; others may be lower bounds that lie above it.
   */
  async errorsWithout(candidates: readonly number[], onlyBest = false): Promise<Map<number, number>> {
    const result = new Map<number, number>();
    const inSuffix: number[] = [];
    for (const group of this.#subject.prunable.units.groups) {
      const own = candidates.filter((unit) => unit >= group.first && unit < group.first + group.size);
      if (this.#suffix?.groups.has(group)) inSuffix.push(...own);
      else if (own.length > 0) await this.#measureGroup(group, own, result);
    }
    if (this.#suffix && inSuffix.length > 0) {
      const order = onlyBest ? inSuffix.toSorted((a, b) => this.#lastOf(a) - this.#lastOf(b)) : inSuffix;
      this.#suffix.advance(this.activations.state.removed);
      const errors = await this.#suffix.errorsWithout(this.activations, order, onlyBest);
      order.forEach((unit, i) => {
        result.set(unit, errors[i] as number);
        this.#last.set(unit, errors[i] as number);
      });
    }
    this.evaluations += candidates.length;
    return result;
  }

  /** Pieces that the data is run in. */
  get chunks(): number {
    return this.#subject.chunks.length;
  }

  /** Errors of single samples without each of the given units, for the chunks from..to-1. Counted by share of the data. */
  async sampleErrors(candidates: readonly number[], from: number, to: number): Promise<Map<number, number[]>> {
    const result = new Map(candidates.map((unit): [number, number[]] => [unit, []]));
    for (const group of this.#subject.prunable.units.groups) {
      const own = candidates.filter((unit) => unit >= group.first && unit < group.first + group.size);
      if (own.length > 0) await this.#run(group, own, from, to, (unit, errors) => result.get(unit)?.push(...errors));
    }
    this.evaluations += (candidates.length * (to - from)) / this.chunks;
    return result;
  }

  /**
   * Error of the network with one unit's output multiplied by each gain; undefined where the unit's tail is none that
   * the loops know. Not counted as evaluations of candidates.
   */
  async errorsAtGains(unit: number, gains: readonly number[]): Promise<Float64Array | undefined> {
    if (!this.#suffix?.groups.has(groupOf(this.#subject.prunable.units, unit))) return undefined;
    this.#suffix.advance(this.activations.state.removed);
    return this.#suffix.errorsAtGains(this.activations, unit, gains);
  }

  #lastOf(unit: number): number {
    return this.#last.get(unit) ?? Number.POSITIVE_INFINITY;
  }

  /** Adds up a group's errors over all samples. */
  async #measureGroup(group: Group, candidates: readonly number[], result: Map<number, number>): Promise<void> {
    for (const unit of candidates) result.set(unit, 0);
    await this.#run(group, candidates, 0, this.chunks, (unit, errors) => {
      let sum = result.get(unit) as number;
      for (let n = 0; n < errors.length; n++) sum += errors[n] as number;
      result.set(unit, sum);
    });
  }

  /** Runs the group's tail over some chunks and hands on each candidate's errors of each chunk's samples. */
  async #run(
    group: Group,
    candidates: readonly number[],
    from: number,
    to: number,
    visit: (unit: number, errors: Float32Array | Float64Array) => void,
  ): Promise<void> {
    const { runner, chunks } = this.#subject;
    const count = this.#candidatesPerRun(group, candidates.length);
    const tail = buildTail(this.#subject, this.activations.state, group, count);
    const reader = await this.activations.reader(tail.cached);
    const session = await runner.load(writeModel(tail.model));
    try {
      for (let index = from; index < to; index++) {
        const values = await reader.read(index);
        for (let first = 0; first < candidates.length; first += count) {
          const batch = candidates.slice(first, first + count);
          const filled = [...batch, ...Array<number>(count - batch.length).fill(batch[0] as number)];
          const feeds = { ...tail.feeds(filled), ...values, [TARGET]: (chunks[index] as Chunk).targets };
          const errors = ((await session.run(feeds))[tail.output] as Tensor).data as Float32Array;
          const samples = errors.length / count;
          batch.forEach((unit, k) => {
            visit(unit, errors.subarray(k * samples, (k + 1) * samples));
          });
        }
      }
    } finally {
      await reader.release();
      await session.release();
    }
  }

  #candidatesPerRun(group: Group, candidates: number): number {
    if (!canBatch(this.activations.state, group)) return 1;
    const { graph } = this.activations.state.model;
    let widest = 1;
    for (const name of downstream(
      graph,
      group.sinks.map((sink) => sink.node),
    )) {
      widest = Math.max(widest, sizeOf(this.activations.state.shapes.get(name)?.dims ?? []));
    }
    const samples = this.#subject.chunks[0]?.targets.dims[0] ?? 1;
    return Math.max(1, Math.min(candidates, Math.floor(ELEMENTS_PER_RUN / (widest * samples))));
  }
}
