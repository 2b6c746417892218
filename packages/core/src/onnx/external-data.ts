/**
 * External data: tensors whose bytes lie in another file. Reading brings all of them in, those inside control-flow
 * bodies, functions and training graphs included, so that what is written later is one complete file.
 */
import { clearField } from "@bufbuild/protobuf";
import {
  type GraphProto,
  type NodeProto,
  type SparseTensorProto,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
} from "onnx-buf";
import { ShrinkError } from "../errors.ts";
import { bytesPerElement, sizeOf } from "../graph/tensor.ts";
import { elementTypeOf } from "./element-types.ts";

/** Gives the bytes of the file at `location`, a path relative to the folder of the model. */
export type ExternalDataSource = (location: string) => Uint8Array;

export class ExternalData {
  readonly #source: ExternalDataSource | undefined;
  /** Many tensors share one file; it is asked for once. */
  readonly #files = new Map<string, Uint8Array>();

  constructor(source: ExternalDataSource | undefined) {
    this.#source = source;
  }

  /**
   * Turns a tensor with external data into one with raw data (a view of the other file). Returns whether there was
   * anything to do. Throws a ShrinkError that names the tensor and the location.
   */
  inline(tensor: TensorProto, subject: string): boolean {
    if (tensor.dataLocation !== TensorProto_DataLocation.EXTERNAL) return false;
    const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
    const location = checkLocation(entries.get("location") ?? "", subject);
    const file = this.#file(location, subject);
    const offset = wholeNumber(entries.get("offset") ?? "0", "offset", subject);
    const given = entries.get("length");
    const length =
      given === undefined ? (expectedBytes(tensor) ?? file.byteLength - offset) : wholeNumber(given, "length", subject);
    if (length < 0 || offset + length > file.byteLength) {
      throw new ShrinkError(
        "model",
        `${subject}: its external data "${location}" has ${file.byteLength} bytes, but bytes ${offset} to ` +
          `${offset + length} are needed; the data file is cut short or belongs to another model`,
      );
    }
    tensor.rawData = file.subarray(offset, offset + length) as Uint8Array<ArrayBuffer>;
    tensor.externalData = [];
    clearField(tensor, TensorProtoSchema.field.dataLocation);
    return true;
  }

  /** Inlines every tensor in the attributes of a node, bodies included. Returns whether anything changed. */
  inlineNode(node: NodeProto): boolean {
    let changed = false;
    for (const attribute of node.attribute) {
      const subject = `attribute "${attribute.name}" of ${node.opType} "${node.name || node.output[0] || "?"}"`;
      const tensors = attribute.t ? [attribute.t, ...attribute.tensors] : attribute.tensors;
      for (const tensor of tensors) changed = this.inline(tensor, subject) || changed;
      const sparse = attribute.sparseTensor
        ? [attribute.sparseTensor, ...attribute.sparseTensors]
        : attribute.sparseTensors;
      for (const tensor of sparse) changed = this.inlineSparse(tensor, subject) || changed;
      const bodies = attribute.g ? [attribute.g, ...attribute.graphs] : attribute.graphs;
      for (const body of bodies) changed = this.inlineGraph(body) || changed;
    }
    return changed;
  }

  /** Inlines every tensor of a graph that stays a message: a control-flow body or a training graph. */
  inlineGraph(graph: GraphProto): boolean {
    let changed = false;
    for (const node of graph.node) changed = this.inlineNode(node) || changed;
    for (const tensor of graph.initializer) changed = this.inline(tensor, `initializer "${tensor.name}"`) || changed;
    for (const tensor of graph.sparseInitializer) {
      changed = this.inlineSparse(tensor, `sparse initializer "${tensor.values?.name ?? ""}"`) || changed;
    }
    return changed;
  }

  inlineSparse(sparse: SparseTensorProto, subject: string): boolean {
    const values = sparse.values ? this.inline(sparse.values, subject) : false;
    const indices = sparse.indices ? this.inline(sparse.indices, subject) : false;
    return values || indices;
  }

  #file(location: string, subject: string): Uint8Array {
    const known = this.#files.get(location);
    if (known) return known;
    if (!this.#source) {
      throw new ShrinkError(
        "model",
        `${subject}: its data lies in another file, "${location}", and nothing was given to read it with; ` +
          "pass externalData to readModel, or save the model as one file",
      );
    }
    let bytes: Uint8Array;
    try {
      bytes = this.#source(location);
    } catch (cause) {
      if (cause instanceof ShrinkError) throw cause;
      throw new ShrinkError(
        "model",
        `${subject}: its external data "${location}" cannot be read (${cause instanceof Error ? cause.message : cause}); ` +
          "it is expected beside the model",
        { cause },
      );
    }
    // A plain Uint8Array: a Node Buffer's `slice` shares memory, which Tensor does not expect.
    const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#files.set(location, file);
    return file;
  }
}

/** A model must not make us read files outside its own folder. */
function checkLocation(location: string, subject: string): string {
  const parts = location.split(/[/\\]/);
  const problem =
    location === ""
      ? "is missing"
      : parts[0] === "" || /^[a-z]+:/i.test(location)
        ? "is absolute"
        : parts.includes("..")
          ? "leaves the folder of the model"
          : location.includes("\0")
            ? "holds a zero byte"
            : undefined;
  if (!problem) return location;
  throw new ShrinkError(
    "model",
    `${subject}: the location of its external data, ${JSON.stringify(location)}, ${problem}; ` +
      "expected a path inside the folder of the model; save the model again with its data beside it",
  );
}

function wholeNumber(text: string, key: string, subject: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new ShrinkError(
    "model",
    `${subject}: the ${key} of its external data is ${JSON.stringify(text)}, expected a number of bytes; export the model again`,
  );
}

/** Bytes that the dims ask for; undefined where the element type has no whole number of bytes that we know. */
function expectedBytes(tensor: TensorProto): number | undefined {
  const type = elementTypeOf(tensor.dataType);
  return type && sizeOf(tensor.dims.map(Number)) * bytesPerElement(type);
}
