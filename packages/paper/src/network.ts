/** Dense networks as ONNX models, with random weights. */
import { emptyGraph, float32, GraphBuilder, type Model, randomSource } from "@shrinknet/core";

export interface DenseSpec {
  /** Widths from input to output. */
  readonly widths: readonly number[];
  /** Operator after each hidden layer; default Sigmoid. */
  readonly hidden?: string;
  /** Operator after the last layer; undefined: linear. */
  readonly output?: "Sigmoid" | "Softmax" | undefined;
  /** Weights are this many times as large as Glorot's; default 1. */
  readonly spread?: number | undefined;
  readonly seed: number;
}

/** x[N, in] -> Gemm, activation, ..., Gemm, output -> y[N, out]. Weights uniform by Glorot and Bengio 2010, biases 0. */
export function denseModel({ widths, hidden = "Sigmoid", output, spread = 1, seed }: DenseSpec): Model {
  const random = randomSource(seed);
  const b = new GraphBuilder({ opset: 17, base: emptyGraph("dense") });
  let value = b.input("x", "float32", ["N", widths[0] as number]);
  const last = widths.length - 2;
  for (let layer = 0; layer <= last; layer++) {
    const [from, to] = [widths[layer] as number, widths[layer + 1] as number];
    const limit = spread * Math.sqrt(6 / (from + to));
    const name = layer === last ? "output" : `hidden${layer + 1}`;
    const weights = float32(
      Float32Array.from({ length: from * to }, () => (random() * 2 - 1) * limit),
      [from, to],
    );
    const inputs = [
      value,
      b.tensor(weights, `${name}.weight`),
      b.tensor(float32(new Float32Array(to)), `${name}.bias`),
    ];
    const activation = layer === last ? output : hidden;
    const sum = activation || layer < last ? `${name}.sum` : "y";
    b.append({ name, opType: "Gemm", domain: "", inputs, outputs: [sum], attributes: {} });
    value = activation ? b.op(activation, [sum], {}, layer === last ? "y" : `${name}.out`) : sum;
  }
  const graph = b.graph([{ name: "y", type: "float32", shape: ["N", widths.at(-1) as number] }]);
  return { graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() };
}
