/**
 * Kept activations: values of the network at one stage of pruning, computed once for all questions about that stage.
 *
 * After a removal, values downstream of it are forgotten and computed again when asked for, from the nearest ones that
 * are kept; values upstream lose the removed unit's slice. Where a unit comes back, those are forgotten too.
 */
import { extract } from "../graph/extract.ts";
import { materialised, type Tensor, take } from "../graph/tensor.ts";
import { downstream } from "../graph/traverse.ts";
import { writeModel } from "../onnx/index.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { placeKey } from "../units/places.ts";
import type { Group, Units } from "../units/units.ts";
import type { Evaluator } from "./evaluator.ts";
import type { State } from "./state.ts";

/** A value as it was computed; units removed since are taken out when it is asked for. */
interface Kept {
  readonly tensor: Tensor;
  readonly cut: RemovedUnits;
  readonly token: unknown;
}

export class Activations {
  readonly #evaluator: Evaluator;
  #state: State;
  /** By chunk, by value name. */
  readonly #kept: Map<string, Kept>[];

  constructor(evaluator: Evaluator, state: State) {
    this.#evaluator = evaluator;
    this.#state = state;
    const fed = (tensor: Tensor): Kept => ({ tensor, cut: state.cut, token: tensor });
    this.#kept = evaluator.chunks.map(
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
    if (found.cut === this.#state.cut) return found.tensor;
    const { units } = this.#evaluator.prunable;
    const cut = withoutCut(units, name, found.tensor, found.cut, this.#state.cut);
    // elements that are made when they are read would be made anew at each read, from a whole tensor that stays in memory
    const tensor = cut === found.tensor ? cut : materialised(cut);
    kept.set(name, { ...found, tensor, cut: this.#state.cut });
    return tensor;
  }

  /** Changes whenever the value is computed again, but not when removed units are taken out of it. */
  tokenOf(name: string): unknown {
    return this.#kept[0]?.get(name)?.token;
  }

  /** Goes on to another state: of other removals, and with other weights in the nodes `fitted` (first outputs). */
  advance(state: State, fitted: readonly string[] = []): void {
    const { units } = this.#evaluator.prunable;
    const before = this.#state;
    const of = (all: RemovedUnits, { first, size }: Group): Uint8Array => all.subarray(first, first + size);
    const changed = units.groups.filter((group) => !isSame(of(state.removed, group), of(before.removed, group)));
    const returned = units.groups.filter((group) => {
      const cut = of(before.cut, group);
      return of(state.cut, group).some((one, i) => one < (cut[i] as number));
    });
    const readers = changed.flatMap((group) => group.sinks.map((sink) => sink.node));
    const stale = downstream(this.#evaluator.prunable.model.graph, [...readers, ...fitted]); // cutting keeps names
    for (const { places } of returned) for (const { value } of places) stale.add(value);
    for (const kept of this.#kept) for (const name of stale) kept.delete(name);
    this.#state = state;
  }

  /** Computes the named values of all chunks where they are not kept yet, and keeps them. */
  async keep(names: readonly string[]): Promise<void> {
    if (this.#kept.every((kept) => names.every((name) => kept.has(name)))) return;
    const reader = await this.reader(names);
    try {
      for (const chunk of this.#kept.keys()) await reader.read(chunk, true);
    } finally {
      await reader.release();
    }
  }

  /**
   * Reads values chunk by chunk: kept ones as they are, others computed from the nearest that are kept. What is computed
   * is kept for the next reader as long as all that is kept stays within the evaluator's memory limit; `read` with `keep`
   * keeps it in any case. Only the chunks first..last-1 may be read; default: all.
   */
  async reader(names: readonly string[], first = 0, last: number = this.#kept.length): Promise<ActivationReader> {
    const asked = this.#kept.slice(first, last);
    const everywhere = (name: string): boolean => asked.every((kept) => kept.has(name));
    const { graph } = this.#state.model;
    const isStored = (name: string): boolean => graph.initializers.has(name);
    const missing = names.filter((name) => !everywhere(name) && !isStored(name));
    const known = [...(asked[0]?.keys() ?? [])].filter(everywhere);
    const piece = missing.length > 0 ? extract(graph, known, missing, this.#state.shapes) : undefined;
    const session = piece && (await this.#evaluator.runner.load(writeModel({ ...this.#state.model, graph: piece })));
    const token = {};
    return {
      read: async (chunk, keep = false) => {
        const kept = this.#kept[chunk] as Map<string, Kept>;
        const found = (name: string): [string, Tensor] => [name, graph.initializers.get(name) ?? this.get(chunk, name)];
        if (!piece || !session || missing.every((name) => kept.has(name))) return Object.fromEntries(names.map(found));
        const values = await session.run(Object.fromEntries(piece.feeds.map(({ name }) => found(name))), missing);
        const bytes = missing.reduce((sum, name) => sum + (values[name] as Tensor).byteLength, 0);
        if (keep || this.#bytes() + bytes <= this.#evaluator.memory) {
          for (const name of missing) kept.set(name, { tensor: values[name] as Tensor, cut: this.#state.cut, token });
        }
        return Object.fromEntries(
          names.map((name) => (missing.includes(name) ? [name, values[name] as Tensor] : found(name))),
        );
      },
      release: async () => session?.release(),
    };
  }

  #bytes(): number {
    let bytes = 0;
    for (const kept of this.#kept) for (const { tensor } of kept.values()) bytes += tensor.byteLength;
    return bytes;
  }
}

/** See {@link Activations.reader}. */
export interface ActivationReader {
  read(chunk: number, keep?: boolean): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

/** A kept value without the slices of units that are cut now and were not before. */
function withoutCut(units: Units, name: string, tensor: Tensor, before: RemovedUnits, now: RemovedUnits): Tensor {
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

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((value, i) => value === other[i]);
}
