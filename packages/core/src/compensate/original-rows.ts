/**
 * Rows of values in the original network: what its layers should go on giving. They are kept as far as the memory limit
 * goes; the rest is computed again when it is asked for.
 */
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";
import type { Session } from "../runner.ts";
import { type Layer, rowsOf } from "./rows.ts";

/** Share of the memory limit that kept rows may take, beside kept activations. */
const MEMORY_SHARE = 0.25;

export class OriginalRows {
  readonly #subject: Subject;
  readonly #intact: State;
  /** The layer whose outputs a value is shaped like. */
  readonly #layers: ReadonlyMap<string, Layer>;
  /** By value and chunk. */
  readonly #kept = new Map<string, Map<number, Tensor>>();
  #bytes = 0;

  private constructor(subject: Subject, intact: State, layers: ReadonlyMap<string, Layer>) {
    this.#subject = subject;
    this.#intact = intact;
    this.#layers = layers;
  }

  /** Of the given values, each shaped like the outputs of a layer. One pass over the data. */
  static async of(subject: Subject, intact: State, layers: ReadonlyMap<string, Layer>): Promise<OriginalRows> {
    const rows = new OriginalRows(subject, intact, layers);
    const values = [...layers.keys()];
    const { session, outputs } = await rows.#load(values);
    try {
      for (const [chunk, { feeds }] of subject.chunks.entries()) {
        const result = await session.run(feeds);
        for (const [i, value] of values.entries()) rows.#keep(value, chunk, result[outputs[i] as string] as Tensor);
        if (rows.#isFull) break;
      }
    } finally {
      await session.release();
    }
    return rows;
  }

  /** Reads a value's rows [rows, outputs] chunk by chunk. */
  async reader(value: string): Promise<{ read(chunk: number): Promise<Tensor>; release(): Promise<void> }> {
    const kept = this.#kept.get(value);
    const isWhole = kept?.size === this.#subject.chunks.length;
    const again = isWhole ? undefined : await this.#load([value]);
    return {
      read: async (chunk) => {
        const known = kept?.get(chunk);
        if (known || !again) return known as Tensor;
        const { feeds } = this.#subject.chunks[chunk] as Subject["chunks"][number];
        return (await again.session.run(feeds))[again.outputs[0] as string] as Tensor;
      },
      release: async () => again?.session.release(),
    };
  }

  async #load(values: readonly string[]): Promise<{ session: Session; outputs: string[] }> {
    const { runner, targets, data } = this.#subject;
    const { model } = this.#intact;
    const b = new GraphBuilder({ opset: opsetOf(model), real: targets.type, base: model.graph });
    const outputs = values.map((value) => {
      const layer = this.#layers.get(value) as Layer;
      return rowsOf(b, layer.regression.outputs(b, value), layer, layer.outputs, data.size);
    });
    return { session: await runner.load(writeModel({ ...model, graph: b.graph(outputs) })), outputs };
  }

  #keep(value: string, chunk: number, rows: Tensor): void {
    if (this.#isFull) return;
    const own = this.#kept.get(value) ?? new Map<number, Tensor>();
    this.#kept.set(value, own.set(chunk, rows));
    this.#bytes += rows.byteLength;
  }

  get #isFull(): boolean {
    return this.#bytes >= MEMORY_SHARE * this.#subject.memory;
  }
}
