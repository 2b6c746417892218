/** Which arrays of a dataset hold labels or targets, and for which output. */
import { ShrinkError } from "../errors.ts";
import { isFloat, reshape, Tensor, tensorOf } from "../graph/tensor.ts";
import type { Dataset } from "./dataset.ts";

/** An array of labels (int32) or targets (reals), first axis = sample, and what messages call it. */
interface NamedAnswers {
  readonly array: string;
  readonly tensor: Tensor;
}

/** Names of arrays that hold labels or targets unless they are fed; followed by _NAME those of the output NAME. */
const NAMES = ["y", "labels"];

/** Labels and targets by output; "" for the first output that they fit. `fed`: arrays that are inputs. */
export function answersIn(dataset: Dataset, fed: ReadonlySet<string>): Record<string, NamedAnswers> {
  const { source, inputs, labels, targets, labelArrays = {} } = dataset;
  const found: Record<string, NamedAnswers> = {};
  const add = (output: string, array: string): void => {
    const tensor = inputs[array];
    if (!tensor) {
      const names = Object.keys(inputs).map((name) => `"${name}"`);
      throw new ShrinkError("data", `${source}: no array "${array}" for labels, found ${names.join(", ")}.`);
    }
    found[output] = { array, tensor: answersOf(tensor, `${source}: array "${array}"`) };
  };
  for (const array of Object.keys(inputs)) {
    if (fed.has(array) || Object.values(labelArrays).includes(array)) continue;
    const name = NAMES.find((prefix) => array === prefix || array.startsWith(`${prefix}_`));
    if (name !== undefined && found[array.slice(name.length + 1)] === undefined)
      add(array.slice(name.length + 1), array);
  }
  for (const [output, array] of Object.entries(labelArrays)) add(output, array);
  if (targets) found[""] = { array: "y", tensor: answersOf(targets, `${source}: array "y"`) };
  if (labels) {
    const tensor = new Tensor("int32", [labels.length], labels);
    found[""] = { array: "y", tensor: answersOf(tensor, `${source}: array "y"`) };
  }
  return found;
}

/**
 * Integers are labels, in int32; floats are targets, in float32 or float64, `[N]` as `[N, 1]`. Throws a `data` error for a
 * single number and for labels beyond 32 bits. `where` opens the message.
 */
function answersOf(tensor: Tensor, where: string): Tensor {
  const [count] = tensor.dims;
  if (count === undefined) {
    fail(`${where} is a single number, expected classes [N] or targets [N, ...]. Save one answer for each sample.`);
  }
  if (isFloat(tensor.type)) {
    const isWide = tensor.type === "float32" || tensor.type === "float64";
    const targets = isWide ? tensor : tensorOf("float32", tensor.numbers, tensor.dims);
    return tensor.dims.length === 1 ? reshape(targets, [count, 1]) : targets;
  }
  if (tensor.type === "int32") return tensor;
  const values = Float64Array.from(tensor.numbers as ArrayLike<number>);
  const at = values.findIndex((value) => value !== (value | 0));
  if (at >= 0) {
    const sample = Math.floor((at * count) / values.length);
    fail(
      `${where} holds the label ${values[at]} for sample ${sample}, expected a class number. Number classes from 0.`,
    );
  }
  return new Tensor("int32", tensor.dims, Int32Array.from(values));
}

function fail(message: string): never {
  throw new ShrinkError("data", message);
}
