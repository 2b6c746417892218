/** A layer with its rows in the kernel's memory, one row of all samples for each of its inputs and sums. */
import type { RemovedUnits } from "../../surgery/kept.ts";
import type { Arena } from "./arena.ts";
import type { Layer } from "./pattern.ts";

/** Addresses are byte offsets. */
export interface Stage {
  readonly layer: Layer;
  /** The units that its inputs are; -1 where an input is none. */
  readonly owners: Int32Array;
  /** Address of each input's row, and of each sum's. */
  readonly inputs: readonly number[];
  readonly sums: readonly number[];
  /** Tables of the addresses of what is left, and the weights and biases between these. */
  readonly inputTable: number;
  readonly sumTable: number;
  readonly weights: number;
  readonly bias: number;
  /** Indexes of the inputs and sums that are left. */
  left: { readonly inputs: readonly number[]; readonly sums: readonly number[] };
}

/** Takes room for a layer with `padded` samples to a row. `owners` defaults to inputs that are no units. */
export function stageOf(arena: Arena, layer: Layer, owners: Int32Array | undefined, padded: number): Stage {
  const inputs = Array.from({ length: layer.rows }, () => arena.take(padded));
  const sums = Array.from({ length: layer.columns }, () => arena.take(padded));
  return {
    layer,
    owners: owners ?? new Int32Array(layer.rows).fill(-1),
    inputs,
    sums,
    inputTable: arena.take(layer.rows),
    sumTable: arena.take(layer.columns),
    weights: arena.take(layer.rows * layer.columns),
    bias: arena.take(layer.columns),
    left: { inputs: inputs.map((_, i) => i), sums: sums.map((_, i) => i) },
  };
}

/** Leaves in the stage what is left of it: its tables, weights and biases. `next` is the stage that reads its sums. */
export function compact(arena: Arena, stage: Stage, next: Stage | undefined, removed: RemovedUnits): void {
  const { layer, owners } = stage;
  const isLeft = (units: Int32Array | undefined, index: number): boolean => {
    const unit = units?.[index] ?? -1;
    return unit < 0 || !removed[unit];
  };
  const inputs = stage.inputs.flatMap((_, i) => (isLeft(owners, i) ? [i] : []));
  const sums = stage.sums.flatMap((_, i) => (isLeft(next?.owners, i) ? [i] : []));
  stage.left = { inputs, sums };
  arena.words(stage.inputTable, inputs.length).set(inputs.map((i) => stage.inputs[i] as number));
  arena.words(stage.sumTable, sums.length).set(sums.map((i) => stage.sums[i] as number));
  const weights = arena.floats(stage.weights, inputs.length * sums.length);
  let to = 0;
  for (const row of inputs)
    for (const column of sums) weights[to++] = layer.weights[row * layer.columns + column] as number;
  arena.floats(stage.bias, sums.length).set(sums.map((column) => layer.bias[column] as number));
}
