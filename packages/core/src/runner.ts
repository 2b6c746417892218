/**
 * The one door to execution. `core` builds graphs; a runner (onnxruntime in Node or in the browser, see the `runtime`
 * package) executes them.
 */
import type { Tensor } from "./graph/tensor.ts";

/** A loaded model, ready to run. */
export interface Session {
  /** Outputs that are tensors of numbers: no others can be fetched. Left out: all are. */
  readonly outputs?: ReadonlySet<string>;
  /** Runs once. `fetches` are output names; when left out, all outputs that can be fetched. */
  run(feeds: Readonly<Record<string, Tensor>>, fetches?: readonly string[]): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}

export interface RunnerOptions {
  /** Graph optimisation by the runtime; default true. Switched off where a session runs once. */
  readonly optimize?: boolean;
  /**
   * Whether weights are copied into the layout that the runtime's kernels read fastest; default as `optimize`. Without
   * it a session takes the size of its weights less.
   */
  readonly pack?: boolean;
}

/** Loads models. */
export interface Runner {
  /** For messages and reports, e.g. `onnxruntime-node 1.30.0, 2 threads`. */
  readonly name: string;
  /**
   * Channels that its convolutions compute at once; default 1. Layers whose widths are no multiples of it are slower, so
   * where only measuring is at stake removed channels stay in the model, idle, until so many are gone.
   */
  readonly channelBlock?: number;
  /**
   * Milliseconds that the nodes of a model take in one run, by their names, a mean over so many runs; the runtime's own nodes have
   * names of their own. Left out: the runner cannot tell.
   */
  profile?(
    model: Uint8Array,
    feeds: Readonly<Record<string, Tensor>>,
    runs: number,
  ): Promise<ReadonlyMap<string, number>>;
  /** Compiles the bytes of an ONNX file. Rejects with the runtime's message where it cannot. */
  load(model: Uint8Array, options?: RunnerOptions): Promise<Session>;
}
