/**
 * Kept activations: values of the network at one stage of pruning, computed once for all questions about that stage.
 *
 * After a removal, values downstream of it are forgotten and computed again when asked for, from the nearest ones that
 * are kept; values upstream lose the removed unit's slice.
 */
import { extract } from "../graph/extract.ts";
import { type Tensor, take } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import { writeModel } from "../onnx/index.ts";
import type { RemovedUnits } from "../surgery/cut.ts";
import { placeKey } from "../units/places.ts";
import type { Units } from "../units/units.ts";
import type { State } from "./state.ts";
import type { Subject } from "./subject.ts";

/** A value as it was computed; units removed since are taken out when it is asked for. */
interface Kept {
  readonly tensor: Tensor;
  readonly removed: RemovedUnits;
  readonly token: unknown;
}

export class Activations {
  readonly #subject: Subject;
  #state: State;
  /** By chunk, by value name. */
  readonly #kept: Map<string, Kept>[];

  constructor(subject: Subject, state: State) {
    this.#subject = subject;
    this.#state = state;
    const fed = (tensor: Tensor): Kept => ({ tensor, removed: state.removed, token: tensor });
    this.#kept = subject.chunks.map(
      ({ feeds }) => new Map(Object.entries(feeds).map(([name, tensor]) => [name, fed(tensor)])),
    );
  }

  get state(): State {
    return this.#state;
  }

  /** A kept value of a chunk. Only what {@link keep} was asked for is sure to be there. */
  get(chunk: number, name: string): Tensor {
    const kept = this.#kept[chunk] as Map<string, Kept>;
    const found = kept.get(name) as Kept;
    if (found.removed === this.#state.removed) return found.tensor;
    const tensor = withoutRemoved(this.#subject.prunable.units, name, found.tensor, found.removed, this.#state.removed);
    kept.set(name, { ...found, tensor, removed: this.#state.removed });
    return tensor;
  }

  /** Changes whenever the value is computed again, but not when removed units are taken out of it. */
  tokenOf(name: string): unknown {
    return this.#kept[0]?.get(name)?.token;
  }

  /** Goes on to the state after further removals. */
  advance(state: State): void {
    const { units } = this.#subject.prunable;
    const before = this.#state.removed;
    const gone = units.groups.filter((group) => {
      const changed = state.removed.subarray(group.first, group.first + group.size);
      return changed.some((one, index) => one !== before[group.first + index]);
    });
    const readers = gone.flatMap((group) => group.sinks.map((sink) => sink.node));
    const stale = downstream(this.#subject.prunable.model.graph, readers); // cutting keeps names
    for (const kept of this.#kept) for (const name of stale) kept.delete(name);
    this.#state = state;
  }

  /** Computes the named values where they are not kept yet, from the nearest ones that are. */
  async keep(names: readonly string[]): Promise<void> {
    const first = this.#kept[0];
    const missing = names.filter((name) => !first?.has(name));
    if (missing.length === 0) return;
    const { graph } = this.#state.model;
    const piece = extract(graph, [...(first?.keys() ?? [])], missing, this.#state.shapes);
    const session = await this.#subject.runner.load(writeModel({ ...this.#state.model, graph: piece }));
    try {
      const token = {};
      for (const [chunk, kept] of this.#kept.entries()) {
        const feeds = Object.fromEntries(piece.feeds.map(({ name }) => [name, this.get(chunk, name)]));
        const values = await session.run(feeds, missing);
        for (const name of missing)
          kept.set(name, { tensor: values[name] as Tensor, removed: this.#state.removed, token });
      }
    } finally {
      await session.release();
    }
  }
}

/** A kept value without the slices of units that are removed now and were not before. */
function withoutRemoved(units: Units, name: string, tensor: Tensor, before: RemovedUnits, now: RemovedUnits): Tensor {
  return tensor.dims.reduce((result, _, axis) => {
    const place = units.places.get(placeKey(name, axis));
    if (!place) return result;
    const present = place.owners.filter((unit) => unit < 0 || !before[unit]);
    if (!present.some((unit) => unit >= 0 && now[unit])) return result;
    const indexes: number[] = [];
    present.forEach((unit, index) => {
      if (unit < 0 || !now[unit]) indexes.push(index);
    });
    return take(result, axis, indexes);
  }, tensor);
}
