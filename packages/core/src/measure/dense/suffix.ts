/**
 * The dense end of a network in WebAssembly: all hidden layers from some group on, when what follows them is a chain of
 * dense layers. Holds every unit's output for all samples as a row, measures candidates without leaving the processor's
 * cache, and after a removal computes again only the layers behind it. The general tail graph is its twin; a test holds
 * them equal.
 */
import type { Tensor } from "../../graph/tensor.ts";
import type { RemovedUnits } from "../../surgery/kept.ts";
import type { Group } from "../../units/units.ts";
import type { Activations } from "../activations.ts";
import type { Evaluator } from "../evaluator.ts";
import type { ObjectiveLoop } from "../objectives/objective.ts";
import type { Measured } from "../quality.ts";
import type { State } from "../state.ts";
import { Arena } from "./arena.ts";
import { type Kernel, loadKernel } from "./kernel.ts";
import { type Activation, denseTail, type Layer } from "./pattern.ts";
import { QuadraticEnd } from "./quadratic.ts";
import { compact, type Stage, stageOf } from "./stage.ts";

/** Samples that run through the tail at once. */
const BLOCK = 128;
/** Rows of samples take no more than this. */
const LARGEST_BYTES = 2 ** 30;

/** A unit in the stage that reads it: its index there, its row, and the weights that take it away. */
interface Placed {
  readonly stage: number;
  readonly input: number;
  readonly output: number;
  readonly weights: number;
}

/** How candidates are measured. */
export interface WithoutOptions {
  /** Only the lowest error is sure to be complete, others may be lower bounds that lie above it; default false. */
  readonly onlyBest?: boolean;
  /** Units of the candidates' group that are gone with each of them; default none. */
  readonly beside?: readonly number[];
}

export class DenseSuffix {
  /** The groups whose candidates it measures. */
  readonly groups: ReadonlySet<Group>;
  /** The value of the network that it starts from. */
  readonly start: string;
  readonly #evaluator: Evaluator;
  readonly #kernel: Kernel;
  readonly #arena: Arena;
  readonly #stages: readonly Stage[];
  readonly #padded: number;
  readonly #targets: number;
  readonly #outputs: number;
  readonly #loop: ObjectiveLoop;
  /** Class by sample; undefined without labels. */
  readonly #labels: Int32Array | undefined;
  /** Name of the graph input that takes the targets. */
  readonly #target: string;
  /** Weights of squared distances, by output. */
  readonly #distanceWeights: number;
  /** Where the error is quadratic in the last layer's sums. */
  readonly #end: QuadraticEnd | undefined;
  readonly #scratch: readonly [number, number];
  readonly #scratchTables: readonly [number, number];
  /** Sample at each place of a row. */
  #order: Int32Array;
  /** Squared distance to the target by sample. */
  readonly #errors: Float64Array;
  #removed: RemovedUnits;
  /** First stage whose sums are out of date; the rows of stage 0 come from the network. */
  #stale = 0;
  #loaded: unknown;
  #sum = 0;
  /** By sample; undefined without labels. */
  #correctness: Float64Array | undefined;

  /** The suffix that begins at the earliest possible group; undefined where no group's tail is a dense chain. */
  static of(evaluator: Evaluator): DenseSuffix | undefined {
    const { model, shapes, units } = evaluator.prunable;
    const none = new Uint8Array(units.count);
    const intact: State = { removed: none, cut: none, model, shapes };
    for (const group of evaluator.prunable.units.groups) {
      const layers = denseTail(evaluator, intact, group);
      if (!layers) continue;
      const floats = layers.reduce((sum, { rows, columns }) => sum + rows + columns, 0) * evaluator.samples.size;
      const kernel = floats * 4 <= LARGEST_BYTES ? loadKernel() : undefined;
      return kernel && new DenseSuffix(evaluator, kernel, layers);
    }
    return undefined;
  }

  private constructor(evaluator: Evaluator, kernel: Kernel, layers: readonly Layer[]) {
    const { units } = evaluator.prunable;
    const samples = evaluator.samples.size;
    const [{ bound, info, target }] = evaluator.terms as [Evaluator["terms"][number]];
    const padded = Math.ceil(samples / BLOCK) * BLOCK;
    const outputs = info.dims[0] as number;
    const widest = Math.max(...layers.map(({ columns }) => columns));
    const rows = layers.reduce((sum, layer) => sum + layer.rows + layer.columns, outputs);
    const constants = layers.reduce((sum, layer) => sum + (layer.rows + 2) * (layer.columns + 2) + 32, 0);
    const arena = new Arena(kernel.memory, rows * padded + constants + 2 * widest * (BLOCK + 8) + 5 * widest + 256);
    const groups = new Set<Group>();
    this.#stages = layers.map((layer) => {
      const group = units.groups.find(({ sinks }) => sinks.some(({ value }) => value === layer.input));
      // units that are read elsewhere too, by a layer that shares their weights, are measured by their tail
      if (group?.sinks.length === 1) groups.add(group);
      return stageOf(arena, layer, group?.sinks.find(({ value }) => value === layer.input)?.owners, padded);
    });
    this.groups = groups;
    this.start = layers[0]?.input as string;
    this.#evaluator = evaluator;
    this.#kernel = kernel;
    this.#arena = arena;
    this.#padded = padded;
    this.#outputs = outputs;
    this.#loop = bound.loop as ObjectiveLoop;
    this.#labels = info.answers?.type === "int32" ? (info.answers.data as Int32Array) : undefined;
    this.#target = target;
    this.#targets = arena.take(outputs * padded);
    this.#distanceWeights = arena.take(outputs);
    if (this.#loop.kind === "squares") arena.floats(this.#distanceWeights, outputs).set(this.#loop.weights);
    this.#scratch = [arena.take(widest * BLOCK), arena.take(widest * BLOCK)];
    this.#scratchTables = [arena.take(widest), arena.take(widest)];
    for (const side of [0, 1] as const) {
      const table = arena.words(this.#scratchTables[side], widest);
      for (let row = 0; row < widest; row++) table[row] = this.#scratch[side] + row * BLOCK * 4;
    }
    this.#errors = new Float64Array(samples);
    this.#order = Int32Array.from({ length: samples }, (_, n) => n);
    this.#removed = new Uint8Array(units.count);
    const isLinear = layers.at(-1)?.activations.length === 0;
    this.#end = isLinear && this.#loop.kind === "squares" ? this.#quadraticEnd(this.#loop.weights) : undefined;
  }

  /** Goes on to the state of other removals. */
  advance(removed: RemovedUnits): void {
    this.#stages.forEach(({ owners }, stage) => {
      const changed = owners.filter((unit) => unit >= 0 && removed[unit] !== this.#removed[unit]);
      const returned = changed.some((unit) => !removed[unit]); // the stage before has no sums for it
      if (changed.length > 0) this.#stale = Math.min(this.#stale, returned ? Math.max(0, stage - 1) : stage);
    });
    this.#removed = removed.slice();
  }

  /** Error, accuracy and correctness at the present state. */
  async quality(activations: Activations): Promise<Measured> {
    await this.#refresh(activations);
    const { size } = this.#evaluator.samples;
    const error = this.#sum / size;
    if (!this.#correctness) return { quality: { error }, correctness: undefined };
    const accuracy = this.#correctness.reduce((sum, one) => sum + one, 0) / size;
    return { quality: { error, accuracy }, correctness: this.#correctness };
  }

  /**
   * Error of the network without each unit, in the order given, summed over samples. With `onlyBest` a candidate is given up as soon as its
   * sum over some of the samples exceeds the whole sum of another: what comes back for it is a lower bound, above the
   * lowest error. Terms are never negative, so this changes no choice. `beside` names units of the candidates' group that are
   * gone too.
   */
  async errorsWithout(
    activations: Activations,
    candidates: readonly number[],
    { onlyBest = false, beside = [] }: WithoutOptions = {},
  ): Promise<Float64Array> {
    await this.#refresh(activations);
    const mark = this.#arena.top;
    const placed = candidates.map((unit) => this.#place(unit, 1));
    const sums = new Float64Array(placed.length);
    const last = this.#stages.length - 1;
    if (placed.some(({ stage }) => stage === last)) this.#end?.advance((this.#stages[last] as Stage).left.inputs);
    const inLoops: number[] = [];
    for (const [k, { stage, input }] of placed.entries()) {
      const end = stage === last && beside.length === 0 ? this.#end : undefined;
      if (end) sums[k] = this.#sum + end.costOf(input);
      else inLoops.push(k);
    }
    const measured = this.#measure(
      inLoops.map((k) => placed[k] as Placed),
      { onlyBest, beside: beside.map((unit) => this.#place(unit, 1)) },
    );
    inLoops.forEach((k, i) => {
      sums[k] = measured[i] as number;
    });
    this.#arena.top = mark;
    return sums;
  }

  /** Error of the network with one unit's output multiplied by each gain, summed over samples. */
  async errorsAtGains(activations: Activations, unit: number, gains: readonly number[]): Promise<Float64Array> {
    await this.#refresh(activations);
    const mark = this.#arena.top;
    const sums = this.#measure(
      gains.map((gain) => this.#place(unit, 1 - gain)),
      { onlyBest: false, beside: [] },
    );
    this.#arena.top = mark;
    return sums;
  }

  /** Where a unit is read, with its weights times the part of its output that is taken away. */
  #place(unit: number, part: number): Placed {
    const stage = this.#stages.findIndex(({ owners }) => owners.includes(unit));
    const { owners, inputs, left, weights } = this.#stages[stage] as Stage;
    const input = owners.indexOf(unit);
    const columns = left.sums.length;
    const own = weights + left.inputs.indexOf(input) * columns * 4;
    const output = inputs[input] as number;
    if (part === 1) return { stage, input, output, weights: own };
    const scaled = this.#arena.take(columns);
    this.#arena.floats(scaled, columns).set(this.#arena.floats(own, columns).map((weight) => weight * part));
    return { stage, input, output, weights: scaled };
  }

  #measure(
    placed: readonly Placed[],
    { onlyBest, beside }: { onlyBest: boolean; beside: readonly Placed[] },
  ): Float64Array {
    const sums = new Float64Array(placed.length);
    const blocks = this.#padded / BLOCK;
    const errorAt = (k: number, block: number): number => {
      const { stage } = placed[k] as Placed;
      const { left, sumTable } = this.#stages[stage] as Stage;
      const at = block * BLOCK * 4;
      let [table, from] = [sumTable, at];
      for (const { output, weights } of [placed[k] as Placed, ...beside]) {
        this.#kernel.without(this.#scratch[0], table, from, output + at, weights, left.sums.length, BLOCK);
        [table, from] = [this.#scratchTables[0], 0];
      }
      return this.#errorFrom(stage, block);
    };
    let alive = placed.map((_, k) => k);
    let bound = Number.POSITIVE_INFINITY;
    if (onlyBest && alive.length > 1) {
      for (let block = 0; block < blocks; block++) sums[0] = (sums[0] as number) + errorAt(0, block);
      bound = sums[0] as number;
      alive.shift();
    }
    for (let block = 0; block < blocks; block++) {
      for (const k of alive) sums[k] = (sums[k] as number) + errorAt(k, block);
      if (bound < Number.POSITIVE_INFINITY) alive = alive.filter((k) => (sums[k] as number) <= bound);
    }
    return sums;
  }

  /** Error of a block whose sums of `stage` lie in the first scratch. */
  #errorFrom(stage: number, block: number): number {
    let side: 0 | 1 = 0;
    for (let at = stage; ; at++) {
      const { layer, left } = this.#stages[at] as Stage;
      for (const name of layer.activations) this.#activate(name, this.#scratch[side], left.sums.length);
      const next = this.#stages[at + 1];
      if (!next) break;
      const other = (1 - side) as 0 | 1;
      const [rows, columns] = [next.left.inputs.length, next.left.sums.length];
      const [to, from] = [this.#scratchTables[other], this.#scratchTables[side]];
      this.#kernel.dense(to, 0, from, 0, next.weights, next.bias, rows, columns, BLOCK);
      side = other;
    }
    return this.#errorOf(this.#scratch[side], block);
  }

  #errorOf(y: number, block: number): number {
    const used = Math.min(BLOCK, this.#evaluator.samples.size - block * BLOCK);
    const [targets, stride] = [this.#targets + block * BLOCK * 4, this.#padded * 4];
    return this.#loop.kind === "cross-entropy"
      ? this.#kernel.crossEntropy(y, targets, stride, this.#outputs, BLOCK, used)
      : this.#kernel.squaredError(y, targets, stride, this.#distanceWeights, this.#outputs, BLOCK, used);
  }

  #activate(name: Activation, x: number, rows: number): void {
    if (name === "softmax") this.#kernel.softmax(x, rows, BLOCK);
    else this.#kernel[name](x, rows * BLOCK);
  }

  /** Brings all rows to the present state, from the first stage that is out of date. */
  async #refresh(activations: Activations): Promise<void> {
    await activations.keep([this.start]);
    const token = activations.tokenOf(this.start);
    if (token !== this.#loaded) {
      this.#load(activations);
      this.#stale = 0;
    }
    if (this.#stale >= this.#stages.length) return;
    this.#update();
    if (this.#loaded === undefined) {
      // samples with large errors first: their terms bring a candidate's sum above the bound soonest
      this.#order = this.#order.toSorted((a, b) => (this.#errors[b] as number) - (this.#errors[a] as number));
      this.#load(activations);
      this.#stale = 0;
      this.#update();
    }
    this.#loaded = token;
  }

  #update(): void {
    // the stage before loses columns, but its sums of those that stay are the same
    for (let at = Math.max(0, this.#stale - 1); at < this.#stages.length; at++) {
      compact(this.#arena, this.#stages[at] as Stage, this.#stages[at + 1], this.#removed);
    }
    for (let at = this.#stale; at < this.#stages.length; at++) this.#fill(at);
    if (this.#stale < this.#stages.length - 1) this.#end?.forget();
    this.#stale = this.#stages.length;
    this.#judge();
  }

  /** A stage's sums, and the rows of the next stage. */
  #fill(at: number): void {
    const { layer, left, inputTable, sumTable, weights, bias, sums } = this.#stages[at] as Stage;
    const next = this.#stages[at + 1];
    const [rows, columns] = [left.inputs.length, left.sums.length];
    for (let at = 0; at < this.#padded * 4; at += BLOCK * 4) {
      this.#kernel.dense(sumTable, at, inputTable, at, weights, bias, rows, columns, BLOCK);
    }
    if (!next) return;
    for (const column of left.sums) {
      const row = next.inputs[column] as number;
      this.#arena.floats(row, this.#padded).set(this.#arena.floats(sums[column] as number, this.#padded));
      for (const name of layer.activations) if (name !== "softmax") this.#kernel[name](row, this.#padded);
    }
  }

  /** Error and correctness from the last stage's sums. */
  #judge(): void {
    const last = this.#stages.at(-1) as Stage;
    const labels = this.#labels;
    const samples = this.#evaluator.samples.size;
    const correctness = labels && new Float64Array(samples);
    let error = 0;
    const targets = this.#arena.floats(this.#targets, this.#outputs * this.#padded);
    for (let block = 0; block < this.#padded / BLOCK; block++) {
      const rows = this.#arena.floats(this.#scratch[0], this.#outputs * BLOCK);
      last.sums.forEach((sum, row) => {
        rows.set(this.#arena.floats(sum + block * BLOCK * 4, BLOCK), row * BLOCK);
      });
      for (const name of last.layer.activations) this.#activate(name, this.#scratch[0], this.#outputs);
      error += this.#errorOf(this.#scratch[0], block);
      const used = Math.min(BLOCK, samples - block * BLOCK);
      for (let i = 0; i < used; i++) {
        const sample = this.#order[block * BLOCK + i] as number;
        if (correctness && labels) correctness[sample] = this.#classAt(rows, i, last) === labels[sample] ? 1 : 0;
        if (this.#loaded !== undefined) continue; // the order of the samples is settled
        let distance = 0;
        for (let row = 0; row < this.#outputs; row++) {
          const target = targets[row * this.#padded + block * BLOCK + i] as number;
          distance += ((rows[row * BLOCK + i] as number) - target) ** 2;
        }
        this.#errors[sample] = distance;
      }
    }
    this.#sum = error;
    this.#correctness = correctness;
  }

  /** The class of a sample's outputs: the first of the largest; of one output whether it is above its middle. */
  #classAt(rows: Float32Array, i: number, { layer }: Stage): number {
    if (this.#outputs === 1) return (rows[i] as number) > (layer.activations.at(-1) === "sigmoid" ? 0.5 : 0) ? 1 : 0;
    let best = 0;
    for (let row = 1; row < this.#outputs; row++) {
      if ((rows[row * BLOCK + i] as number) > (rows[best * BLOCK + i] as number)) best = row;
    }
    return best;
  }

  #quadraticEnd(importance: Float64Array): QuadraticEnd {
    const { layer, inputs, sums } = this.#stages.at(-1) as Stage;
    const row = (address: number): Float32Array => this.#arena.floats(address, this.#evaluator.samples.size);
    return new QuadraticEnd({
      weights: layer.weights,
      outputs: layer.columns,
      importance,
      rowOf: (input) => row(inputs[input] as number),
      residual: (output) => {
        const targets = row(this.#targets + output * this.#padded * 4);
        return Float64Array.from(row(sums[output] as number), (sum, n) => sum - (targets[n] as number));
      },
    });
  }

  /** Copies the first stage's rows and the targets in, samples with large errors first. */
  #load(activations: Activations): void {
    this.#end?.forget();
    const first = this.#stages[0] as Stage;
    const { chunks } = this.#evaluator;
    const place = new Int32Array(this.#order.length);
    this.#order.forEach((sample, at) => {
      place[sample] = at;
    });
    const copy = (
      rows: readonly number[],
      columns: readonly number[],
      width: number,
      data: Float32Array,
      from: number,
    ): void => {
      rows.forEach((row, i) => {
        const out = this.#arena.floats(row, this.#padded);
        for (let at = columns[i] as number, n = from; at < data.length; at += width, n++)
          out[place[n] as number] = data[at] as number;
      });
    };
    const { cut } = activations.state;
    const present = Array.from(first.owners.keys()).filter((i) => !cut[first.owners[i] as number]); // idle units too
    const targetRows = Array.from({ length: this.#outputs }, (_, row) => this.#targets + row * this.#padded * 4);
    chunks.forEach(({ targets, from }, index) => {
      const kept = activations.get(index, this.start);
      copy(
        present.map((input) => first.inputs[input] as number),
        present.map((_, column) => column),
        present.length,
        kept.data as Float32Array,
        from,
      );
      copy(
        targetRows,
        targetRows.map((_, column) => column),
        this.#outputs,
        (targets[this.#target] as Tensor).data as Float32Array,
        from,
      );
    });
  }
}
