/** One application of an operator: its inputs, and its attributes with defaults. */
import type { Node } from "../../../src/graph/graph.ts";
import type { Tensor } from "../../../src/graph/tensor.ts";
import type { NumArray } from "./array.ts";

export class Call {
  readonly node: Node;
  /** Undefined where left out. */
  readonly inputs: readonly (NumArray | undefined)[];
  /** Version of the standard operator set. */
  readonly opset: number;

  constructor(node: Node, inputs: readonly (NumArray | undefined)[], opset: number) {
    this.node = node;
    this.inputs = inputs;
    this.opset = opset;
  }

  /** Input `slot`, which must be there. */
  input(slot: number): NumArray {
    const value = this.inputs[slot];
    if (!value) throw new RangeError(`input ${slot} is missing`);
    return value;
  }

  /** Every input given. */
  get all(): NumArray[] {
    return this.inputs.filter((value) => value !== undefined);
  }

  /** Input `slot` as plain integers. */
  numbers(slot: number): number[] | undefined {
    const value = this.inputs[slot];
    return value && Array.from(value.data);
  }

  int(name: string, otherwise: number): number {
    const attribute = this.node.attributes[name];
    return attribute?.kind === "int" ? attribute.value : otherwise;
  }

  float(name: string, otherwise: number): number {
    const attribute = this.node.attributes[name];
    return attribute?.kind === "float" ? attribute.value : otherwise;
  }

  string(name: string, otherwise: string): string {
    const attribute = this.node.attributes[name];
    return attribute?.kind === "string" ? attribute.value : otherwise;
  }

  ints(name: string): number[] | undefined {
    const attribute = this.node.attributes[name];
    return attribute?.kind === "ints" ? [...attribute.value] : undefined;
  }

  floats(name: string): number[] | undefined {
    const attribute = this.node.attributes[name];
    return attribute?.kind === "floats" ? [...attribute.value] : undefined;
  }

  tensor(name: string): Tensor | undefined {
    const attribute = this.node.attributes[name];
    return attribute?.kind === "tensor" ? attribute.value : undefined;
  }

  /** What was attribute `name` before opset `since` and is input `slot` from then on. */
  moved(name: string, slot: number, since: number): number[] | undefined {
    return this.opset >= since ? this.numbers(slot) : this.ints(name);
  }

  /** Refuses what this evaluator does not do. */
  refuse(what: string): never {
    throw new Error(`reference evaluator: ${this.node.opType}: ${what} is not implemented`);
  }
}

export type Operator = (call: Call) => NumArray | readonly NumArray[];
export type Operators = Readonly<Record<string, Operator>>;
