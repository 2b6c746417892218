/**
 * Rows of values in the original network: what its layers should go on giving. They are kept as far as the memory limit
 * goes; the rest is computed again when it is asked for.
 */
import { GraphBuilder, opsetOf } from "../graph/builder.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { State } from "../measure/state.ts";
import { writeModel } from "../onnx/index.ts";
import type { Session } from "../runner.ts";
import { type Layer, outputRows } from "./rows.ts";

/** Share of the memory limit that kept rows may take, beside kept activations. */
const MEMORY_SHARE = 0.25;

export class OriginalRows {
  readonly #evaluator: Evaluator;
  readonly #intact: State;
  /** The layer whose outputs a value is shaped like. */
  readonly #layers: ReadonlyMap<string, Layer>;
  /** By value and chunk. */
  readonly #kept = new Map<string, Map<number, Tensor>>();
  #bytes = 0;

  private constructor(evaluator: Evaluator, intact: State, layers: ReadonlyMap<string, Layer>) {
    this.#evaluator = evaluator;
    this.#intact = intact;
    this.#layers = layers;
  }

  /** Of the given values, each shaped like the outputs of a layer. One pass over the data. */
  static async of(evaluator: Evaluator, intact: State, layers: ReadonlyMap<string, Layer>): Promise<OriginalRows> {
    const rows = new OriginalRows(evaluator, intact, layers);
    const values = [...layers.keys()];
    if (values.length === 0) return rows;
    const { session, outputs } = await rows.#load(values);
    try {
      for (const [chunk, { feeds }] of evaluator.chunks.entries()) {
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
    const isWhole = kept?.size === this.#evaluator.chunks.length;
    const again = isWhole ? undefined : await this.#load([value]);
    return {
      read: async (chunk) => {
        const known = kept?.get(chunk);
        if (known || !again) return known as Tensor;
        const { feeds } = this.#evaluator.chunks[chunk] as Evaluator["chunks"][number];
        return (await again.session.run(feeds))[again.outputs[0] as string] as Tensor;
      },
      release: async () => again?.session.release(),
    };
  }

  async #load(values: readonly string[]): Promise<{ session: Session; outputs: string[] }> {
    const { runner, type, samples } = this.#evaluator;
    const { model } = this.#intact;
    const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: model.graph });
    const outputs = values.map((value) => {
      const layer = this.#layers.get(value) as Layer;
      return outputRows(b, value, layer, layer.outputs, samples.size);
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
    return this.#bytes >= MEMORY_SHARE * this.#evaluator.memory;
  }
}
