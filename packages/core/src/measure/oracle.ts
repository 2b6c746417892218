/**
 * The oracle: the error of the network without each single unit, measured. Exact, and cheap, because activations up to
 * where units are read are computed once and kept, and only the tail runs again (see {@link buildTail}).
 */
import { sizeOf, type Tensor } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import { writeModel } from "../onnx/index.ts";
import type { Session } from "../runner.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { type Group, groupOf } from "../units/units.ts";
import type { Activations } from "./activations.ts";
import { tailMacs } from "./cost.ts";
import { DenseSuffix, type WithoutOptions } from "./dense/suffix.ts";
import type { Chunk, Evaluator } from "./evaluator.ts";
import { StackingProofs } from "./stacking.ts";
import { buildTail, type Tail } from "./tail.ts";

/** Tails whose models take no more than this in all are held at the same time, so that activations are read once. */
const TAIL_BYTES_AT_ONCE = 2 ** 28;
/** A run of the tail works on about this many elements of its widest value, to stay in the processor's cache. */
const ELEMENTS_PER_RUN = 2 ** 18;

/** What is done with a candidate's errors[n] of some samples. */
type Visit = (unit: number, errors: Float32Array | Float64Array) => void;

/** Candidates of one group and the tail that measures `count` of them at a time. */
interface Job {
  readonly own: readonly number[];
  readonly count: number;
  readonly tail: Tail;
  /** Of the tail's model, about; its weights, that is. */
  readonly size: number;
}

/** Which chunks candidates run on, and what is done with their errors. */
interface Pass {
  /** Default 0. */
  readonly first?: number;
  /** The one behind the last. */
  readonly last: number;
  readonly visit: Visit;
  /** Default: all stay in. */
  readonly isAlive?: (unit: number) => boolean;
}

export interface OracleOptions {
  /** The dense end of the network, where another part of the measurement has one already. */
  readonly suffix?: DenseSuffix | undefined;
  /** `false` leaves out the WebAssembly loops, so that every tail runs as a graph; default true. */
  readonly loops?: boolean;
}

export class Oracle {
  readonly activations: Activations;
  readonly #evaluator: Evaluator;
  readonly #suffix: DenseSuffix | undefined;
  /** Errors as last measured, by unit: who was cheap to remove before is measured first. */
  readonly #last = new Map<number, number>();
  /** Candidate evaluations so far. */
  evaluations = 0;
  /** Their multiply-accumulates, each sample counted. What is given up early counts in full. */
  macs = 0;
  readonly #stacking: StackingProofs;
  /** Of one candidate and sample, by group, at the stage of `removed`. */
  #tailMacs: { removed: RemovedUnits; of: ReadonlyMap<Group, number> } | undefined;

  constructor(evaluator: Evaluator, activations: Activations, { suffix, loops = true }: OracleOptions = {}) {
    this.#evaluator = evaluator;
    this.activations = activations;
    this.#suffix = loops ? (suffix ?? DenseSuffix.of(evaluator)) : undefined;
    this.#stacking = StackingProofs.of(evaluator);
  }

  /**
   * Error of the network without each of the given units, by unit: means over samples. With `beside` they are of one group, as
   * are the units that go with each.
   */
  async errorsWithout(candidates: readonly number[], options: WithoutOptions = {}): Promise<Map<number, number>> {
    const { onlyBest = false } = options;
    const { units } = this.#evaluator.prunable;
    const isInSuffix = (unit: number): boolean => this.#suffix?.groups.has(groupOf(units, unit)) ?? false;
    const inTails = candidates.filter((unit) => !isInSuffix(unit));
    const inSuffix = candidates.filter(isInSuffix);
    const cheapFirst = (some: number[]): number[] =>
      onlyBest ? some.toSorted((a, b) => this.#lastOf(a) - this.#lastOf(b)) : some;
    const result = await this.#throughTails(cheapFirst(inTails), options);
    const { size } = this.#evaluator.samples;
    for (const [unit, sum] of result) result.set(unit, sum / size);
    if (this.#suffix && inSuffix.length > 0) {
      const order = cheapFirst(inSuffix);
      this.#suffix.advance(this.activations.state.removed);
      const errors = await this.#suffix.errorsWithout(this.activations, order, options);
      order.forEach((unit, i) => {
        result.set(unit, (errors[i] as number) / size);
      });
    }
    if (!options.beside?.length) for (const [unit, error] of result) this.#last.set(unit, error);
    this.#count(candidates, this.#evaluator.samples.size);
    return result;
  }

  /** Errors of candidates by their tails. With `onlyBest` the first is measured alone, as a bound for the others' sums. */
  async #throughTails(
    candidates: readonly number[],
    { onlyBest = false, beside = [] }: WithoutOptions,
  ): Promise<Map<number, number>> {
    const sums = new Map(candidates.map((unit) => [unit, 0]));
    const sumOf = (unit: number): number => sums.get(unit) as number;
    const { length } = this.#evaluator.chunks;
    const add: Visit = (unit, errors) => {
      let sum = sumOf(unit);
      for (let n = 0; n < errors.length; n++) sum += errors[n] as number;
      sums.set(unit, sum);
    };
    const [first] = candidates;
    if (!onlyBest || first === undefined) {
      await this.#run(candidates, beside, { last: length, visit: add });
      return sums;
    }
    await this.#run([first], beside, { last: length, visit: add });
    const bound = sumOf(first);
    const isAlive = (unit: number): boolean => !(sumOf(unit) > bound);
    await this.#run(candidates.slice(1), beside, { last: length, visit: add, isAlive });
    return sums;
  }

  /**
   * Errors of single samples without each of the given units, for the samples from..to-1, where both are ends of parts
   * (`partsOf`). Counted by share of the data.
   */
  async sampleErrors(candidates: readonly number[], from: number, to: number): Promise<Map<number, number[]>> {
    const { chunks } = this.#evaluator;
    const result = new Map(candidates.map((unit): [number, number[]] => [unit, []]));
    const first = chunks.findIndex((chunk) => chunk.from === from);
    const last = chunks.findIndex((chunk) => chunk.to === to) + 1;
    await this.#run(candidates, [], { first, last, visit: (unit, errors) => result.get(unit)?.push(...errors) });
    this.#count(candidates, to - from);
    return result;
  }

  #count(candidates: readonly number[], samples: number): void {
    const { prunable, samples: all } = this.#evaluator;
    const { removed } = this.activations.state;
    if (this.#tailMacs?.removed !== removed) {
      this.#tailMacs = { removed, of: tailMacs(prunable, removed) };
    }
    for (const unit of candidates) this.macs += (this.#tailMacs.of.get(groupOf(prunable.units, unit)) ?? 0) * samples;
    this.evaluations += (candidates.length * samples) / all.size;
  }

  /**
   * Error of the network with one unit's output multiplied by each gain; undefined where the unit's tail is none that
   * the loops know. Not counted as evaluations of candidates.
   */
  async errorsAtGains(unit: number, gains: readonly number[]): Promise<Float64Array | undefined> {
    if (!this.#suffix?.groups.has(groupOf(this.#evaluator.prunable.units, unit))) return undefined;
    this.#suffix.advance(this.activations.state.removed);
    const sums = await this.#suffix.errorsAtGains(this.activations, unit, gains);
    return sums.map((sum) => sum / this.#evaluator.samples.size);
  }

  #lastOf(unit: number): number {
    return this.#last.get(unit) ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Runs the candidates' tails over the chunks of a pass, hands on their errors of each chunk's samples, in order. A candidate
   * that is not alive any more is left out of further chunks.
   */
  async #run(candidates: readonly number[], beside: readonly number[], pass: Pass): Promise<void> {
    const jobs: Job[] = [];
    for (const group of this.#evaluator.prunable.units.groups) {
      const own = candidates.filter((unit) => unit >= group.first && unit < group.first + group.size);
      if (own.length === 0) continue;
      const count = await this.#candidatesPerRun(group, own);
      const tail = buildTail(this.#evaluator, this.activations.state, group, count, beside);
      jobs.push({ own, count, tail, size: weightBytes(tail) });
    }
    for (let from = 0, to = 0; from < jobs.length; from = to) {
      let room = TAIL_BYTES_AT_ONCE;
      for (; to === from || (to < jobs.length && (jobs[to] as Job).size <= room); to++) room -= (jobs[to] as Job).size;
      await this.#runTogether(jobs.slice(from, to), pass);
    }
  }

  async #runTogether(jobs: readonly Job[], { first = 0, last, visit, isAlive = () => true }: Pass): Promise<void> {
    const { runner, chunks } = this.#evaluator;
    const cached = new Set(jobs.flatMap(({ tail }) => [...tail.cached.values()]));
    const reader = await this.activations.reader([...cached], first, last);
    const sessions: Session[] = [];
    try {
      for (const { tail } of jobs) sessions.push(await runner.load(writeModel(tail.model)));
      for (let index = first; index < last; index++) {
        const values = await reader.read(index);
        const { targets } = chunks[index] as Chunk;
        for (const [at, { own, count, tail }] of jobs.entries()) {
          const given = Object.fromEntries([...tail.cached].map(([input, name]) => [input, values[name] as Tensor]));
          const alive = own.filter(isAlive);
          for (let start = 0; start < alive.length; start += count) {
            const batch = alive.slice(start, start + count);
            const filled = [...batch, ...Array<number>(count - batch.length).fill(batch[0] as number)];
            const result = await (sessions[at] as Session).run({ ...tail.feeds(filled), ...given, ...targets });
            const errors = (result[tail.output] as Tensor).data as Float32Array;
            const samples = errors.length / count;
            batch.forEach((unit, k) => {
              visit(unit, errors.subarray(k * samples, (k + 1) * samples));
            });
          }
        }
      }
    } finally {
      await reader.release();
      for (const session of sessions) await session.release();
    }
  }

  /** How many candidates go through the tail at once, planned for the largest chunk. */
  async #candidatesPerRun(group: Group, candidates: readonly number[]): Promise<number> {
    const { activations } = this;
    const { graph } = activations.state.model;
    let widest = 1;
    for (const name of downstream(
      graph,
      group.sinks.map((sink) => sink.node),
    )) {
      widest = Math.max(widest, sizeOf(activations.state.shapes.get(name)?.dims ?? []));
    }
    const samples = Math.max(...this.#evaluator.chunks.map(({ from, to }) => to - from));
    const count = Math.max(1, Math.min(candidates.length, Math.floor(ELEMENTS_PER_RUN / (widest * samples))));
    return count > 1 && (await this.#stacking.holds(activations, group, candidates[0] as number)) ? count : 1;
  }
}

function weightBytes({ model }: Tail): number {
  let bytes = 0;
  for (const { byteLength } of model.graph.initializers.values()) bytes += byteLength;
  return bytes;
}
