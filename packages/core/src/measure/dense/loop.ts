/**
 * The dense tail as a loop over candidates in WebAssembly: for a block of samples and a candidate, the consumer's sums
 * lose the candidate's part, run through the rest of the network, and give their error, all within the processor's
 * cache. The general tail graph is its twin; a test holds them equal.
 */
import { sizeOf, type Tensor } from "../../graph/tensor.ts";
import type { Activations } from "../activations.ts";
import { ownersLeft } from "../state.ts";
import type { Subject } from "../subject.ts";
import type { Kernel } from "./kernel.ts";
import type { DenseTail, Step } from "./pattern.ts";

/** Samples that run through the tail at once. */
const BLOCK = 128;

/** A bump allocator over the kernel's memory; everything is laid out anew for each call of {@link errorsOf}. */
class Arena {
  readonly #memory: Kernel["memory"];
  #top = 8192; // the kernel's own constants lie below: the tables of log at 1024 to 5120

  constructor(memory: Kernel["memory"], floats: number) {
    this.#memory = memory;
    const pages = Math.ceil((this.#top + floats * 4) / 65536) + 1;
    const have = memory.buffer.byteLength / 65536;
    if (pages > have) memory.grow(pages - have);
  }

  /** Room for `count` floats, 16-byte aligned, as a pointer. */
  take(count: number): number {
    const at = this.#top;
    this.#top += Math.ceil(count / 4) * 16;
    return at;
  }

  at(pointer: number, count: number): Float32Array {
    return new Float32Array(this.#memory.buffer, pointer, count);
  }

  put(values: Float32Array): number {
    const pointer = this.take(values.length);
    this.at(pointer, values.length).set(values);
    return pointer;
  }
}

/**
 * Error of the network without each candidate, in the order given. The tail's values must be kept already. `parts` are
 * the shares of the candidates' outputs that are taken away, by default all of it; so one unit at many gains is the same
 * unit many times, with parts of 1 - gain.
 */
export function errorsOf(
  kernel: Kernel,
  subject: Subject,
  activations: Activations,
  tail: DenseTail,
  candidates: readonly number[],
  parts?: readonly number[],
): Float64Array {
  const samples = subject.data.size;
  const padded = Math.ceil(samples / BLOCK) * BLOCK;
  const { width, steps } = tail;
  const outputs = sizeOf(subject.targets.dims.slice(1));
  const owners = ownersLeft(tail.sink, activations.state.removed);
  const distinct = [...new Set(candidates)];
  const widest = steps.reduce((most, step) => (step.kind === "dense" ? Math.max(most, step.columns) : most), width);
  const stored = steps.reduce(
    (sum, step) => (step.kind === "dense" ? sum + (step.rows + 1) * step.columns + 8 : sum),
    0,
  );
  const rows = width + outputs + distinct.length;
  const arena = new Arena(
    kernel.memory,
    rows * padded + (width + 4) * candidates.length + 2 * widest * BLOCK + stored + 64,
  );

  const z = arena.take(width * padded);
  const t = arena.take(outputs * padded);
  const o = arena.take(distinct.length * padded);
  const every = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  subject.chunks.forEach((chunk, index) => {
    const kept = activations.of(index);
    unitMajor(kept.get(tail.z) as Tensor, every(width), arena.at(z, width * padded), padded, chunk.from);
    unitMajor(chunk.targets, every(outputs), arena.at(t, outputs * padded), padded, chunk.from);
  });
  const outputOf = new Map(distinct.map((unit, row) => [unit, o + row * padded * 4]));
  for (const [unit, row] of outputOf) {
    arena.at(row, padded).set(activations.rowOf(tail.sink.value, owners, unit, padded));
  }
  const taken = candidates.map((unit, k) => {
    const column = owners.indexOf(unit);
    const weights = tail.weights.subarray(column * width, (column + 1) * width);
    const part = parts?.[k] ?? 1;
    return {
      output: outputOf.get(unit) as number,
      weights: arena.put(part === 1 ? weights : weights.map((weight) => weight * part)),
    };
  });
  const prepared = steps.map((step) =>
    step.kind === "dense"
      ? { step, weights: arena.put(step.weights), bias: arena.put(step.bias) }
      : { step, weights: 0, bias: 0 },
  );
  const scratch = [arena.take(widest * BLOCK), arena.take(widest * BLOCK)] as const;
  const errorOf = subject.objective.name === "cross-entropy" ? kernel.crossEntropy : kernel.squaredError;

  const sums = new Float64Array(candidates.length);
  for (let from = 0; from < samples; from += BLOCK) {
    const used = Math.min(BLOCK, samples - from);
    for (const [k, { output, weights }] of taken.entries()) {
      let [x, other] = scratch;
      let count = width;
      kernel.without(x, z + from * 4, padded * 4, output + from * 4, weights, width, BLOCK);
      for (const { step, weights: w, bias } of prepared) {
        if (step.kind === "activation") activate(kernel, step, x, count);
        else {
          kernel.dense(other, x, w, bias, step.rows, step.columns, BLOCK);
          [x, other] = [other, x];
          count = step.columns;
        }
      }
      sums[k] = (sums[k] as number) + errorOf(x, t + from * 4, padded * 4, outputs, BLOCK, used);
    }
  }
  return sums;
}

function activate(kernel: Kernel, step: Extract<Step, { kind: "activation" }>, x: number, rows: number): void {
  if (step.name === "softmax") kernel.softmax(x, rows, BLOCK);
  else kernel[step.name](x, rows * BLOCK);
}

/** Copies columns of tensor[n, width] to rows of out[columns, padded], from sample `from` on. */
function unitMajor(tensor: Tensor, columns: readonly number[], out: Float32Array, padded: number, from: number): void {
  const data = tensor.data as Float32Array;
  const count = tensor.dims[0] as number;
  const width = data.length / count;
  columns.forEach((column, row) => {
    const to = row * padded + from;
    for (let n = 0; n < count; n++) out[to + n] = data[n * width + column] as number;
  });
}
