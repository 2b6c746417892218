/** Dense networks as ONNX models, with random weights. */
import { type Model } from "shrinknet";
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
export declare function denseModel({ widths, hidden, output, spread, seed }: DenseSpec): Model;
//# sourceMappingURL=network.d.ts.map