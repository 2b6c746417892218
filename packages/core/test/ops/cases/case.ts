/** One operator with its inputs, and random inputs that suit operators with kinks, poles and ties. */
import { sizeOf, type Tensor, tensorOf } from "../../../src/graph/tensor.ts";
import { type node, random } from "../../support/build.ts";

type Attributes = Parameters<typeof node>[3];

export interface Options {
  readonly opset?: number;
  /** Input slots whose first axis counts samples; default none: all shapes are fixed. */
  readonly batch?: readonly number[];
  /** Input slots to differentiate by; default all float inputs. */
  readonly by?: readonly number[];
  /** Number of outputs; default 1. E is a sum over those in `seeded`, by default all. */
  readonly outputs?: number;
  readonly seeded?: readonly number[];
}

/** Operator, inputs (null: left out), attributes, and what else differs. */
export type Case = readonly [
  opType: string,
  inputs: readonly (Tensor | null)[],
  attributes?: Attributes,
  options?: Options,
];

const r = random(11);
export const t = (...dims: number[]): Tensor => r.tensor(dims, 1, "float64");
export const mapped = (x: Tensor, f: (value: number) => number): Tensor =>
  tensorOf("float64", Array.from(x.numbers, f), x.dims);
export const positive = (...dims: number[]): Tensor => mapped(t(...dims), (v) => Math.abs(v) + 0.3);
export const nonzero = (...dims: number[]): Tensor => mapped(t(...dims), (v) => v + 0.5 * (Math.sign(v) || 1));
/** Random values that stay clear of the kinks of a piecewise function. */
export const clearOf = (kinks: readonly number[], ...dims: number[]): Tensor =>
  mapped(t(...dims), (v) => (kinks.some((kink) => Math.abs(v - kink) < 0.05) ? v + 0.1 : v));
export const scalar = (value: number): Tensor => tensorOf("float64", [value], []);
export const vector = (...values: number[]): Tensor => tensorOf("float64", values);

/** Random values that lie apart from each other, for operators that choose the largest. */
export const distinct = (...dims: number[]): Tensor => {
  const values = Array.from({ length: sizeOf(dims) }, (_, i) => 0.2 * i - 1);
  for (let i = values.length - 1; i > 0; i--) {
    const j = r.int(i + 1);
    [values[i], values[j]] = [values[j] as number, values[i] as number];
  }
  return tensorOf("float64", values, dims);
};

/** Operators with tests of their own: derivatives pass straight through rounding, and through time. */
export const testedApart: ReadonlySet<string> = new Set([
  ...["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"],
  ...["LSTM", "GRU", "RNN"],
]);
