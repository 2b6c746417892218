/** Checks the sizes that a file or a caller states before memory is allocated. */
import { ShrinkError } from "../errors.ts";
import { describe, type Graph } from "./graph.ts";
import { allocate, bytesPerElement, type ElementType, sizeOf, type TypedArray } from "./tensor.ts";

/** A larger tensor is treated as a mistake in the dims: the activations need memory too. */
const MOST_GIGABYTES = 4;

/** Operators that repeat a value, and the input slot that holds the dims of the result. */
const FILLING: Readonly<Record<string, number>> = { ConstantOfShape: 0, Expand: 1 };

/**
 * Zeros of the given dims. Throws a `model` error that starts with `subject` where the dims are negative or too large for
 * memory, and ends with `remedy`: what to do.
 */
export function checkedZeros(subject: string, type: ElementType, dims: readonly number[], remedy: string): TypedArray {
  checkSize(subject, dims, bytesPerElement(type), remedy);
  return allocate(type, sizeOf(dims));
}

/** Throws a `model` error for a node whose result does not fit into memory, if its dims are constants. */
export function checkFilledSizes(graph: Graph): void {
  for (const node of graph.nodes) {
    const slot = node.domain === "" ? FILLING[node.opType] : undefined;
    const shape = slot === undefined ? undefined : graph.initializers.get(node.inputs[slot] ?? "");
    const dims = Array.from(shape?.numbers ?? []);
    if (dims.some((dim) => dim < 0)) continue; // the runtime says what these mean
    const value = node.attributes.value;
    const type = value?.kind === "tensor" ? value.value.type : "float32";
    checkSize(describe(node), dims, bytesPerElement(type), "export the model with shorter axes");
  }
}

function checkSize(subject: string, dims: readonly number[], width: number, remedy: string): void {
  const shape = `[${dims.join(", ")}]`;
  if (!dims.every((dim) => Number.isInteger(dim) && dim >= 0)) {
    throw new ShrinkError(
      "model",
      `${subject}: dims ${shape} are impossible, expected whole numbers from 0 on; ${remedy}`,
    );
  }
  const gigabytes = (sizeOf(dims) * width) / 1e9;
  if (gigabytes <= MOST_GIGABYTES) return;
  throw new ShrinkError(
    "model",
    `${subject}: dims ${shape} take ${Math.round(gigabytes)} GB, expected at most ${MOST_GIGABYTES} GB; ${remedy}`,
  );
}
