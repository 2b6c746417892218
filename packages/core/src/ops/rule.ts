/**
 * What an operator means to us. One rule says, as far as it applies: which axes are tied (for finding units), what
 * changes in the node when some indexes go (for surgery), how a derivative travels backward, and how many
 * multiply-accumulates it does. A missing part freezes or refuses, naming the operator; nothing is ever guessed.
 */
import type { GraphBuilder } from "../graph/builder.ts";
import type { Node } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";

/** An input (by slot) or output (by number) of the node at hand, as one side of a tie. */
export interface Port {
  readonly side: "input" | "output";
  readonly slot: number;
  /** At batch size 1. */
  readonly dims: readonly number[];
}

/** What `ties` may ask and say about one node. Every axis it does not mention is frozen. */
export interface Ties {
  readonly node: Node;
  readonly opset: number;
  /** Input `slot`; undefined if left out or of unknown shape. */
  X(slot: number): Port | undefined;
  /** Output `index`; undefined if left out. */
  Y(index?: number): Port | undefined;
  /** The value of input `slot` if it is known before the model runs. */
  constant(slot: number): Tensor | undefined;
  /** Whether input `slot` is known before the model runs: an initializer, or what is computed from initializers alone. */
  isWeight(slot: number): boolean;
  /**
   * Index `map(j)` of axis `axisA` of `a` and index `j` of axis `axisB` of `b` are cut together (default: the same
   * index). A negative `map(j)` ties nothing.
   */
  tie(a: Port, axisA: number, b: Port, axisB: number, map?: (j: number) => number): void;
  /** The axis may be cut, but this node ties it to nothing. */
  pass(port: Port, axis: number): void;
  /**
   * Which of several pairs of axes carries the units through a change of shape: the first pair of which neither axis is
   * frozen elsewhere. Undefined while that is being found out.
   */
  carrier(pairs: readonly (readonly [a: Port, axisA: number, b: Port, axisB: number])[]): number | undefined;
  /** The operator sums over this axis of input `slot` and is linear in it: an index that is 0 contributes nothing. */
  absorb(slot: number, axis: number): void;
  /** The operator makes the indexes of this axis of its output from weights: they are candidates for removal. */
  produce(axis: number, output?: number): void;
  /** The axis cannot be cut. `reason` says what the operator does to it: "averages over this axis". */
  freeze(port: Port, axis: number, reason: string): void;
}

/** What `cut` may ask about one node. */
export interface Cut {
  readonly node: Node;
  readonly opset: number;
  /** Dims before the cut, at batch size 1. */
  dims(side: "input" | "output", slot?: number): readonly number[];
  /** Which indexes of an axis stay, ascending; undefined: all. */
  kept(side: "input" | "output", slot: number, axis: number): readonly number[] | undefined;
  /** How many indexes stay of an axis that holds units, frozen ones too; undefined where it holds none. */
  left(side: "input" | "output", slot: number, axis: number): number | undefined;
  /**
   * Whether input `slot` is computed from the shape of a value that is cut; of a list of lengths, with `at`, whether that
   * element is, as far as it can be told.
   */
  followsCut(slot: number, at?: number): boolean;
  /** Whether the length of an output's axis grows with the number of samples (as heads * samples does). */
  grows(output: number, axis: number): boolean;
  /** The value of input `slot` if it is known before the model runs. */
  constant(slot: number): Tensor | undefined;
}

/** What surgery must change beyond slicing tied initializers: attributes, and constant inputs such as a target shape. */
export interface CutResult {
  readonly node?: Node;
  /** New values of constant inputs, by slot. */
  readonly constants?: ReadonlyMap<number, Tensor>;
  /** Lengths that must replace elements of a computed shape (an int64 input), by slot and element. */
  readonly lengths?: ReadonlyMap<number, ReadonlyMap<number, number>>;
}

/** What a backward rule may ask about one node. Names are values of the graph under construction. */
export interface Backward {
  readonly b: GraphBuilder;
  readonly node: Node;
  readonly opset: number;
  /** The input that the rule is asked about. */
  readonly slot: number;
  /** What arrives from the consumers of output `index`: the gradient, or in the second-order pass the curvature. */
  incoming(index?: number): string | undefined;
  X(slot: number): string;
  Y(index?: number): string;
  /** Dims at batch size 1. */
  dims(slot: number): readonly number[];
  outDims(index?: number): readonly number[];
  constant(slot: number): Tensor | undefined;
  /** Whether an axis of input `slot` counts samples. */
  isBatch(slot: number, axis: number): boolean;
  /**
   * A coefficient of a linear rule: the value itself in the gradient pass, its square in the second-order pass. This is
   * the whole difference between the two passes for a linear operator: dE/dx_j = sum_i c_ij dE/dy_i, and on the diagonal
   * d2E/dx_j2 = sum_i c_ij^2 d2E/dy_i2.
   */
  coefficient(name: string): string;
  factor(value: number): number;
  /** Sums `name` (shaped like the output) down to the shape of input `slot`, undoing broadcasting. */
  unbroadcast(name: string, slot: number): string;
}

/** Builds what flows to one input from what arrives at the outputs. */
export type BackwardRule = (d: Backward) => string;

/** One rule for every input, or a list by input slot. */
export type BySlot<Rule> = Rule | readonly (Rule | undefined)[];

/** The two derivatives of an element-wise function, as values shaped like the output. */
export interface Pointwise {
  /** f'(x) */
  first(d: Backward): string;
  /** f''(x); undefined: 0 everywhere (piecewise linear functions). */
  second?(d: Backward): string;
}

/** Gradient and curvature arriving at the outputs of an operator that is neither linear nor element-wise. */
export interface SecondOrder extends Backward {
  gradient(index?: number): string | undefined;
}

export interface OpRule {
  ties?(t: Ties): void;
  /** Input slots that hold a layer's weights where these are constant. Layers that share such weights are cut together. */
  readonly weights?: readonly number[];
  cut?(c: Cut): CutResult;
  /** By input slot: the operator is linear in that input while the others are held fixed. */
  readonly linear?: BySlot<BackwardRule>;
  /** The operator works element by element on input 0. */
  readonly pointwise?: Pointwise;
  /** Gradient by input slot, where neither of the above fits. */
  readonly vjp?: BySlot<BackwardRule>;
  /**
   * Of weights that units are read through, by input slot: dE/dgain[N, units] of gains along the axis that is absorbed, by sample.
   */
  readonly gain?: BySlot<BackwardRule>;
  /** Diagonal second order by input slot, for the same operators. */
  readonly curvature?: BySlot<(d: SecondOrder) => string>;
  /** Multiply-accumulates for one sample, from dims at batch size 1. Left out: none. */
  macs?(c: {
    readonly node: Node;
    dims(slot: number): readonly number[];
    outDims(index?: number): readonly number[];
  }): number;
  /**
   * The part of output 0 that comes from some units of the absorbed input, for many candidates at once; undefined
   * where the node's form does not allow it. See {@link Contribution}.
   */
  contribution?(c: Contribution): string | undefined;
  /** The layer as a regression of its outputs on its input; undefined where the node's form does not allow it. */
  regression?(c: RegressionContext): Regression | undefined;
}

/** What `regression` may ask about one node. */
export interface RegressionContext {
  readonly node: Node;
  readonly opset: number;
  /** At batch size 1; weights as they are stored. */
  dims(slot: number): readonly number[];
  outDims(): readonly number[];
}

/**
 * A layer of weights seen as a regression: for every sample and position, outputs = features * weights + bias. Index i
 * of the absorbed axis of input 0 makes the features i * span to (i + 1) * span - 1.
 */
export interface Regression {
  /** Whether the weights (input 1) are stored as [outputs, features...], or else as [features, outputs]. */
  readonly outputsFirst: boolean;
  readonly span: number;
  /** Input slot of the bias, one number per output; undefined where the operator takes none. */
  readonly biasSlot?: number;
  /** Builds the features [N, positions, features] from the layer's input; of all positions, or of these. */
  features(b: GraphBuilder, input: string, positions?: readonly number[]): string;
  /** Builds the outputs [N, positions, outputs] from the layer's output; of all positions, or of these. */
  outputs(b: GraphBuilder, output: string, positions?: readonly number[]): string;
  /** Builds the sums of a value shaped like the output over its positions [N, outputs]; default: of what `outputs` builds. */
  sums?(b: GraphBuilder, value: string): string;
}

/**
 * What surgery would take away from an absorbing node's output when candidate unit `k` goes, for K candidates at once:
 * builds [K, N, ...output dims after the first].
 */
export interface Contribution {
  readonly b: GraphBuilder;
  readonly node: Node;
  readonly opset: number;
  constant(slot: number): Tensor | undefined;
  /** The absorbed axis. */
  readonly axis: number;
  readonly slot: number;
  /** K. */
  readonly candidates: number;
  /** Indexes per candidate unit along the absorbed axis. */
  readonly span: number;
  /** The absorbed input's slices of the candidates along `axis`: K * span indexes. */
  readonly slices: string;
  /** Int64 values [K * span]: the candidates' indexes along the absorbed axis. */
  readonly indexes: string;
  X(slot: number): string;
  dims(slot: number): readonly number[];
  outDims(): readonly number[];
}

/** Why an axis is frozen that is averaged over; where nothing else freezes it, the mean is read as sums (`units/averaged.ts`). */
export const AVERAGES = "averages over this axis";
export const NORMALISES = "normalises over this axis";

/** Ties every axis of two ports of equal rank, where the lengths agree. */
export function tieAll(t: Ties, a: Port | undefined, b: Port | undefined, skip: readonly number[] = []): void {
  if (!a || !b) return;
  for (let axis = 0; axis < b.dims.length; axis++) {
    if (!skip.includes(axis) && a.dims[axis] === b.dims[axis]) t.tie(a, axis, b, axis);
  }
}

/** Ties an input to the output as numpy broadcasting lines them up; a length-1 axis against a longer one ties nothing. */
export function tieBroadcast(t: Ties, x: Port | undefined, y: Port | undefined): void {
  if (!x || !y) return;
  const shift = y.dims.length - x.dims.length;
  for (let axis = 0; axis < x.dims.length; axis++) {
    if (x.dims[axis] === y.dims[axis + shift]) t.tie(x, axis, y, axis + shift);
  }
}
