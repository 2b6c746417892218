/** What the graph and model objects remember of their file, beyond what they say themselves. */
import type { GraphProto } from "onnx-buf";

/** An initializer that Tensor cannot hold: a sparse one, or strings, complex numbers, 8-bit floats, 4-bit integers. */
export interface CarriedInitializer {
  readonly name: string;
  /** The encoded TensorProto or SparseTensorProto. */
  readonly bytes: Uint8Array;
  readonly field: 5 | 15;
  /** Whether anything read it when the file was read. */
  readonly isRead: boolean;
}

/**
 * The `origin` of a graph. Initializers that Tensor cannot hold live here and not in `Graph.initializers`, so
 * `Graph.value(name)` shows them as values that nothing produces; operators that read one are not understood by any
 * rule, so nothing is done to them. They are written again as long as something reads them.
 */
export class GraphOrigin {
  /** Name, doc string, annotations, metadata and unknown fields; the lists of the graph are taken from the Graph. */
  readonly message: GraphProto;
  readonly carried: readonly CarriedInitializer[];
  /** Inputs that also had an initializer, as IR version 3 requires and later ones allow. */
  readonly initializedInputs: ReadonlySet<string>;

  constructor(message: GraphProto, carried: readonly CarriedInitializer[], initializedInputs: ReadonlySet<string>) {
    this.message = message;
    this.carried = carried;
    this.initializedInputs = initializedInputs;
  }
}
