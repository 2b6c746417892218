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

export class Activations {
  readonly #subject: Subject;
  #state: State;
  /** By chunk, by value name. */
  readonly #kept: Map<string, Tensor>[];

  /** {@link rowOf}'s rows by value name and unit. */
  readonly #rows = new Map<string, Map<number, Float32Array>>();

  constructor(subject: Subject, state: State) {
    this.#subject = subject;
    this.#state = state;
    this.#kept = subject.chunks.map(({ feeds }) => new Map(Object.entries(feeds)));
  }

  get state(): State {
    return this.#state;
  }

  /** The kept values of a chunk, by name. Only what {@link keep} was asked for is sure to be there. */
  of(chunk: number): ReadonlyMap<string, Tensor> {
    return this.#kept[chunk] as Map<string, Tensor>;
  }

  /**
   * A kept value[N, width] by column: the values of one unit for all samples, zero-padded to `padded`. Made once for as
   * long as the value stays, since the removal of other units does not change it. `units` names the columns.
   */
  rowOf(name: string, units: Int32Array, unit: number, padded: number): Float32Array {
    const rows = this.#rows.get(name) ?? new Map<number, Float32Array>();
    this.#rows.set(name, rows);
    if (rows.size === 0) {
      for (const own of units) rows.set(own, new Float32Array(padded));
      this.#subject.chunks.forEach(({ from }, chunk) => {
        const tensor = this.of(chunk).get(name) as Tensor;
        const data = tensor.data as Float32Array;
        const width = units.length;
        units.forEach((own, column) => {
          const row = rows.get(own) as Float32Array;
          for (let at = column, n = from; at < data.length; at += width, n++) row[n] = data[at] as number;
        });
      });
    }
    return rows.get(unit) as Float32Array;
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
    const stale = downstream(state.model.graph, readers);
    for (const name of stale) this.#rows.delete(name);
    for (const kept of this.#kept) {
      for (const [name, tensor] of kept) {
        if (stale.has(name)) kept.delete(name);
        else kept.set(name, withoutRemoved(units, name, tensor, before, state.removed));
      }
    }
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
      for (const kept of this.#kept) {
        const feeds = Object.fromEntries(piece.feeds.map(({ name }) => [name, kept.get(name) as Tensor]));
        const values = await session.run(feeds, missing);
        for (const name of missing) kept.set(name, values[name] as Tensor);
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
