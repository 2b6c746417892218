/** Small recurrent networks by code. */
import type { Model, Node } from "../../src/graph/graph.ts";
import { int64, type Tensor } from "../../src/graph/tensor.ts";
import { model, node, random } from "./build.ts";

export interface RecurrentSpec {
  readonly kind: "LSTM" | "GRU" | "RNN";
  readonly direction?: "forward" | "reverse" | "bidirectional";
  /** What is read: every step, their mean, or the last hidden state. */
  readonly read?: "steps" | "mean" | "last";
  readonly resets?: "before" | "after";
  /** A second layer that reads the first one's steps. */
  readonly stacked?: boolean;
  /** Initial states: left out, 0 computed from the number of samples, or stored numbers spread over the samples. */
  readonly states?: "none" | "computed" | "stored";
  readonly bias?: boolean;
}

const GATES = { LSTM: 4, GRU: 3, RNN: 1 };
export const [STEPS, FEATURES, UNITS] = [5, 3, 6];

/** x[N, time, features] -> recurrent layers -> dense layer -> y. */
export function recurrentNetwork(spec: RecurrentSpec): Model {
  const { kind, direction = "forward", read = "mean", resets, stacked = false, states = "none", bias = true } = spec;
  const r = random(31);
  const directions = direction === "bidirectional" ? 2 : 1;
  const initializers: Record<string, Tensor> = {};
  const nodes: Node[] = [node("Transpose", ["x"], ["x0"], { perm: [1, 0, 2] })];
  const ints = (name: string, values: number[]): string => {
    initializers[name] = int64(values);
    return name;
  };
  const layer = (at: number, from: string, features: number, last: boolean): string => {
    const own = (name: string, dims: number[], scale: number): string => {
      initializers[`${name}${at}`] = r.tensor(dims, scale);
      return `${name}${at}`;
    };
    const rows = GATES[kind] * UNITS;
    const weights = [
      own("W", [directions, rows, features], 0.6),
      own("R", [directions, rows, UNITS], 0.5),
      bias ? own("B", [directions, 2 * rows], 0.3) : "",
    ];
    const count = kind === "LSTM" ? 2 : 1;
    const initial: string[] = [];
    if (states !== "none") {
      nodes.push(
        node("Shape", ["x"], [`shape${at}`]),
        node("Gather", [`shape${at}`, ints(`first${at}`, [0])], [`n${at}`]),
        node("Concat", [ints(`d${at}`, [directions]), `n${at}`, ints(`h${at}`, [UNITS])], [`dims${at}`], { axis: 0 }),
      );
      if (states === "computed") nodes.push(node("ConstantOfShape", [`dims${at}`], [`zero${at}`]));
      for (let i = 0; i < count; i++) {
        if (states === "stored") {
          const stored = own(`S${i}_`, [directions, 1, UNITS], 0.5);
          nodes.push(node("Expand", [stored, `dims${at}`], [`state${i}_${at}`]));
        }
        initial.push(states === "stored" ? `state${i}_${at}` : `zero${at}`);
      }
    }
    const attributes = {
      hidden_size: UNITS,
      ...(direction !== "forward" && { direction }),
      ...(resets === "after" && { linear_before_reset: 1 }),
    };
    const outputs = last && read === "last" ? ["", `Yh${at}`] : [`Y${at}`];
    const inputs = [from, ...weights, ...(initial.length > 0 ? ["", ...initial] : [])];
    while (inputs.at(-1) === "") inputs.pop();
    nodes.push(node(kind, inputs, outputs, attributes, { name: `layer${at}` }));
    if (last && read === "last") return `Yh${at}`;
    nodes.push(
      node("Transpose", [`Y${at}`], [`T${at}`], { perm: [0, 2, 1, 3] }),
      node("Reshape", [`T${at}`, ints(`flat${at}`, [0, 0, -1])], [`F${at}`]),
    );
    return `F${at}`;
  };
  let value = layer(1, "x0", FEATURES, !stacked);
  if (stacked) value = layer(2, value, UNITS * directions, true);
  const width = UNITS * directions;
  if (read === "last") {
    nodes.push(
      node("Transpose", [value], ["t"], { perm: [1, 0, 2] }),
      node("Reshape", ["t", ints("rows", [0, width])], ["v"]),
    );
  } else if (read === "mean") nodes.push(node("ReduceMean", [value], ["v"], { axes: [0], keepdims: 0 }));
  else nodes.push(node("Transpose", [value], ["v"], { perm: [1, 0, 2] }));
  initializers.V = r.tensor([width, 4], 0.6);
  initializers.c = r.tensor([4], 0.2);
  nodes.push(node("MatMul", ["v", "V"], ["p"]), node("Add", ["p", "c"], ["y"]));
  return model({ inputs: { x: ["N", STEPS, FEATURES] }, outputs: ["y"], initializers, nodes });
}
