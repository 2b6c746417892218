/**
 * A Model to the bytes of an ONNX file. Each part starts from the message it was read from and says only what differs;
 * parts that nobody replaced are written as they were read. Weights are pieces of their own and never copied; those that
 * were sliced are made one by one while the file is put together.
 */
import { toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import type { Model } from "../graph/graph.ts";
import { startFrom } from "./messages.ts";
import { writeMaps } from "./model-maps.ts";
import { bytesOf, delimited, join, maxMessageBytes, type Piece, tooLarge, totalBytes, weave } from "./wire.ts";
import { graphPieces } from "./write-graph.ts";

const graphField = 7;

/** The bytes of the ONNX file. Throws a ShrinkError ("model") above 2 GB, and for attributes that cannot be encoded. */
export function writeModel(model: Model): Uint8Array {
  return join(modelPieces(model));
}

/** How many bytes {@link writeModel} would give, counted without putting them together. */
export function modelSize(model: Model): number {
  return totalBytes(modelChunks(model));
}

/** The same bytes as a list of pieces, in order. Weights are views of the data of their tensors. Throws as {@link writeModel}. */
export function modelChunks(model: Model): Uint8Array[] {
  return modelPieces(model).map(bytesOf);
}

function modelPieces(model: Model): Piece[] {
  const message = startFrom(ModelProtoSchema, model.origin);
  if (Number(message.irVersion) !== model.irVersion) message.irVersion = BigInt(model.irVersion);
  writeMaps(message, model);
  const graph = delimited(graphField, graphPieces(model.graph, model.irVersion));
  const pieces = weave(toBinary(ModelProtoSchema, message), [[graphField, graph]]);
  const total = totalBytes(pieces);
  if (total > maxMessageBytes) throw tooLarge(total);
  return pieces;
}
