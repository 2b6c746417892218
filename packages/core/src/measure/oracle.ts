/**
 * The oracle: the error of the network without each single unit, measured. Exact, and cheap, because activations up to
 * where units are read are computed once and kept, and only the tail runs again (see {@link buildTail}).
 *
 * After a removal only what lies downstream of it is computed again; values upstream lose the removed unit's slice.
 */
import { extract } from "../graph/extract.ts";
import { sizeOf, type Tensor, take } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import { writeModel } from "../onnx/index.ts";
import { placeKey } from "../units/places.ts";
import type { Group } from "../units/units.ts";
import { TARGET } from "./objective.ts";
import type { State } from "./state.ts";
import type { Subject } from "./subject.ts";
import { buildTail, canBatch, type Tail } from "./tail.ts";

/** A run of the tail works on about this many elements of its widest value, to stay in the processor's cache. */
const ELEMENTS_PER_RUN = 2 ** 18;

export class Oracle {
  readonly #subject: Subject;
  #state: State;
  /** Kept activations: by chunk, by value name. */
  readonly #kept: Map<string, Tensor>[];
  /** Candidate evaluations so far. */
  evaluations = 0;

  constructor(subject: Subject, state: State) {
    this.#subject = subject;
    this.#state = state;
    this.#kept = subject.chunks.map(({ feeds }) => new Map(Object.entries(feeds)));
  }

  /** Tells the oracle the state after further removals. Keeps what they do not change. */
  advance(state: State): void {
    const { units } = this.#subject.prunable;
    const before = this.#state.removed;
    const gone = units.groups.filter((group) => {
      for (let unit = group.first; unit < group.first + group.size; unit++)
        if (state.removed[unit] && !before[unit]) return true;
      return false;
    });
    const stale = downstream(
      state.model.graph,
      gone.flatMap((group) => group.sinks.map((sink) => sink.node)),
    );
    for (const kept of this.#kept) {
      for (const [name, tensor] of kept) {
        if (stale.has(name)) kept.delete(name);
        else kept.set(name, withoutRemoved(name, tensor));
      }
    }
    this.#state = state;

    function withoutRemoved(name: string, tensor: Tensor): Tensor {
      return tensor.dims.reduce((result, _, axis) => {
        const place = units.places.get(placeKey(name, axis));
        if (!place) return result;
        const present = place.owners.filter((unit) => unit < 0 || !before[unit]);
        if (!present.some((unit) => unit >= 0 && state.removed[unit])) return result;
        const indexes: number[] = [];
        present.forEach((unit, index) => {
          if (unit < 0 || !state.removed[unit]) indexes.push(index);
        });
        return take(result, axis, indexes);
      }, tensor);
    }
  }

  /** Error of the network without each of the given units, by unit. */
  async errorsWithout(candidates: readonly number[]): Promise<Map<number, number>> {
    const result = new Map<number, number>();
    for (const group of this.#subject.prunable.units.groups) {
      const own = candidates.filter((unit) => unit >= group.first && unit < group.first + group.size);
      if (own.length > 0) await this.#measureGroup(group, own, result);
    }
    this.evaluations += candidates.length;
    return result;
  }

  async #measureGroup(group: Group, candidates: readonly number[], result: Map<number, number>): Promise<void> {
    const subject = this.#subject;
    const count = this.#candidatesPerRun(group, candidates.length);
    const tail = buildTail(subject, this.#state, group, count);
    await this.#keep(tail.cached);
    const session = await subject.runner.load(writeModel(tail.model));
    try {
      for (let from = 0; from < candidates.length; from += count) {
        const batch = candidates.slice(from, from + count);
        const filled = [...batch, ...Array<number>(count - batch.length).fill(batch[0] as number)];
        const sums = await this.#runTail(tail, session, filled);
        batch.forEach((unit, i) => {
          result.set(unit, sums[i] as number);
        });
      }
    } finally {
      await session.release();
    }
  }

  async #runTail(
    tail: Tail,
    session: { run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>> },
    candidates: readonly number[],
  ): Promise<Float64Array> {
    const sums = new Float64Array(candidates.length);
    const told = tail.feeds(candidates);
    for (const [index, chunk] of this.#subject.chunks.entries()) {
      const kept = this.#kept[index] as Map<string, Tensor>;
      const feeds: Record<string, Tensor> = { ...told, [TARGET]: chunk.targets };
      for (const name of tail.cached) feeds[name] = kept.get(name) as Tensor;
      const part = ((await session.run(feeds))[tail.output] as Tensor).numbers;
      for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (part[i] as number);
    }
    return sums;
  }

  /** Computes the named values where they are not kept yet, from the nearest ones that are. */
  async #keep(names: readonly string[]): Promise<void> {
    const first = this.#kept[0];
    const missing = names.filter((name) => !first?.has(name));
    if (missing.length === 0) return;
    const { graph } = this.#state.model;
    const piece = extract(graph, [...(first?.keys() ?? [])], missing, this.#state.shapes);
    const session = await this.#subject.runner.load(writeModel({ ...this.#state.model, graph: piece }));
    try {
      for (const kept of this.#kept) {
        const feeds = Object.fromEntries(piece.feeds.map(({ name }) => [name, kept.get(name) as Tensor]));
        const values = await session.run(feeds, missing);
        for (const name of missing) kept.set(name, values[name] as Tensor);
      }
    } finally {
      await session.release();
    }
  }

  #candidatesPerRun(group: Group, candidates: number): number {
    if (!canBatch(this.#state, group)) return 1;
    const { graph } = this.#state.model;
    let widest = 1;
    for (const name of downstream(
      graph,
      group.sinks.map((sink) => sink.node),
    )) {
      widest = Math.max(widest, sizeOf(this.#state.shapes.get(name)?.dims ?? []));
    }
    const samples = this.#subject.chunks[0]?.targets.dims[0] ?? 1;
    return Math.max(1, Math.min(candidates, Math.floor(ELEMENTS_PER_RUN / (widest * samples))));
  }
}
