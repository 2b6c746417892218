/** Checks what onnxruntime returns: it may also be text, a sequence, nothing, or a failure. */

import { type ElementType, ShrinkError, Tensor, type TypedArray } from "@shrinknet/core";
import type * as ort from "onnxruntime-common";

/** Element types that both sides have. */
const NUMERIC: ReadonlySet<string> = new Set<ElementType>([
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
]);

/** Names of the outputs that are tensors of numbers. Fetching some of the others, such as uint4, ends the process. */
export function numericOutputs(metadata: readonly ort.InferenceSession.ValueMetadata[]): ReadonlySet<string> {
  return new Set(metadata.flatMap((one) => (one.isTensor && NUMERIC.has(one.type) ? [one.name] : [])));
}

/** The error for a value that is fetched, but is not among the {@link numericOutputs}. */
export function notNumeric(name: string, metadata: readonly ort.InferenceSession.ValueMetadata[]): ShrinkError {
  const found = metadata.find((one) => one.name === name);
  if (!found) {
    const known = metadata.map((one) => one.name).join(", ");
    return new ShrinkError("model", `value "${name}": is no output of the loaded model, expected one of ${known}`);
  }
  const what = found.isTensor ? `holds elements of type ${found.type}` : "is a sequence, a map or an optional";
  return new ShrinkError(
    "model",
    `value "${name}": ${what}, expected a tensor of numbers; take it out of the model's outputs`,
  );
}

/** A result as a tensor. Throws a `model` error where it is none. */
export function tensorFrom(name: string, result: unknown): Tensor {
  const { type, dims, data } = (result ?? {}) as Partial<ort.Tensor>;
  const isNumeric = typeof type === "string" && NUMERIC.has(type) && ArrayBuffer.isView(data);
  if (isNumeric && Array.isArray(dims)) return new Tensor(type as ElementType, dims, data as TypedArray);
  const what = typeof type === "string" ? `elements of type ${type}` : "no tensor";
  throw new ShrinkError(
    "model",
    `value "${name}": onnxruntime gave ${what} for it, expected a tensor of numbers; take it out of the model's outputs`,
  );
}

/** The message for a run that failed. A node that asks for more memory than there is gets a sentence of its own. */
export function failureOf(message: string): string {
  const [, opType, name, bytes] =
    /running (\w+) node\. Name:'([^']*)'.*Failed to allocate memory for requested buffer of size (\d+)/s.exec(
      message,
    ) ?? [];
  if (opType === undefined) return `onnxruntime cannot run the model: ${message}`;
  const size = Math.max(1, Math.round(Number(bytes) / 1e9));
  return `${opType} "${name}": its result takes ${size} GB, which is more memory than there is; give inputs with shorter axes (--shape), or export the model with shorter ones`;
}
