/** Data as a file or a caller gives it: named arrays, and perhaps labels or float targets. */
import { slice, type Tensor } from "../graph/tensor.ts";

/** Arrays to measure on. `bindSamples` fits them to a model. */
export interface Dataset {
  /** For messages: the file's name. */
  readonly source: string;
  /**
   * By name; arrays of the names of model inputs are fed, "x" feeds the only input of a model. The first axis counts samples;
   * an array of exactly the shape that an input has is the same for all samples. What no input asks for may hold labels: "y",
   * "labels", or "y_NAME" and "labels_NAME" for the output NAME.
   */
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Class of each sample. */
  readonly labels?: Int32Array | undefined;
  /** Float targets, shaped like the model's output, first axis = sample. */
  readonly targets?: Tensor | undefined;
  /** Which arrays hold labels or targets, by output; "" for the first output that they fit. */
  readonly labelArrays?: Readonly<Record<string, string>> | undefined;
  /** What a reader guessed, for people: a sentence each. */
  readonly notes?: readonly string[] | undefined;
}

/** Samples `from` (included) to `to` (excluded), as far as there are, of a dataset whose arrays all hold one entry for each sample. */
export function range(dataset: Dataset, from: number, to: number): Dataset {
  const { labels, targets } = dataset;
  const rows = (tensor: Tensor): Tensor => {
    const end = Math.min(to, tensor.dims[0] ?? 0);
    return slice(tensor, 0, Math.min(from, end), end);
  };
  return {
    ...dataset,
    inputs: Object.fromEntries(Object.entries(dataset.inputs).map(([name, tensor]) => [name, rows(tensor)])),
    ...(labels && { labels: labels.subarray(from, to) }),
    ...(targets && { targets: rows(targets) }),
  };
}
