/**
 * Bytes of an ONNX file to a Model. Weights stay views of the file. Whatever a Model does not say is kept in the
 * `origin` of its parts, so that writing loses nothing.
 */
import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { type ModelProto, ModelProtoSchema } from "onnx-buf";
import { ShrinkError } from "../errors.ts";
import type { Graph, Model } from "../graph/graph.ts";
import { ExternalData, type ExternalDataSource } from "./external-data.ts";
import { fileKind, startsLikeModel } from "./file-kind.ts";
import { readMetadata, readOpsets } from "./model-maps.ts";
import { readGraph } from "./read-graph.ts";
import { mergeRest } from "./wire.ts";

const graphField = 7;

/** The oldest IR version; files before it name initializers and types differently. */
const oldestIrVersion = 3;
/** Before opset 7, broadcasting and the normalisations meant something else. */
const oldestOpset = 7;
/** The newest standard operator set whose changes we have looked through; a later one may change what operators mean. */
const newestOpset = 25;

export interface ReadOptions {
  /** Gives the bytes of a file with external data; called once for each location, which is relative to the model. */
  readonly externalData?: ExternalDataSource;
}

/**
 * Reads an ONNX model: IR version 3 or later, opset 7 to 25. The model keeps views of `bytes`, so do not change them.
 * Throws a ShrinkError ("model") where the file is not ONNX, damaged, incomplete or contradicts itself.
 */
export function readModel(bytes: Uint8Array, options: ReadOptions = {}): Model {
  // A plain Uint8Array: a Node Buffer's `slice` shares memory, which Tensor does not expect.
  const file = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return parse(file, new ExternalData(options.externalData));
  } catch (cause) {
    if (cause instanceof ShrinkError) throw cause;
    throw unreadable(file, cause);
  }
}

function parse(file: Uint8Array, external: ExternalData): Model {
  const message = create(ModelProtoSchema);
  const graphs: Uint8Array[] = [];
  mergeRest(ModelProtoSchema, message, file, ({ no, wireType, body }) => {
    if (no !== graphField || wireType !== WireType.LengthDelimited) return false;
    graphs.push(body);
    return true;
  });
  if (graphs.length === 0 || message.graph) throw notOnnx(file, "it has no graph");
  if (message.opsetImport.length === 0) throw notOnnx(file, "it does not say which operator set it uses");
  const irVersion = Number(message.irVersion);
  const opsets = readOpsets(message);
  checkVersions(irVersion, opsets);
  inlineRest(message, external);
  const graph = readGraph(graphs, external);
  checkStandardOpset(graph, opsets);
  return { graph, irVersion, opsets, metadata: readMetadata(message), origin: message };
}

/** Functions and training graphs are carried as messages, but must not point to files that may not move along. */
function inlineRest(message: ModelProto, external: ExternalData): void {
  for (const { node } of message.functions) for (const one of node) external.inlineNode(one);
  for (const { initialization, algorithm } of message.trainingInfo) {
    if (initialization) external.inlineGraph(initialization);
    if (algorithm) external.inlineGraph(algorithm);
  }
}

function checkVersions(irVersion: number, opsets: ReadonlyMap<string, number>): void {
  if (irVersion < oldestIrVersion) {
    throw new ShrinkError(
      "model",
      `model: has IR version ${irVersion}, expected ${oldestIrVersion} or later; export it again with a current exporter`,
    );
  }
  const opset = opsets.get("");
  if (opset === undefined) return;
  if (opset < oldestOpset) {
    throw new ShrinkError(
      "model",
      `model: uses opset ${opset}, expected ${oldestOpset} to ${newestOpset}, because older operators broadcast and ` +
        "normalise differently; convert it with onnx.version_converter or export it again",
    );
  }
  if (opset > newestOpset) {
    throw new ShrinkError(
      "model",
      `model: uses opset ${opset}, expected ${oldestOpset} to ${newestOpset}, because a newer one may change what ` +
        "operators mean; export it for an older opset",
    );
  }
}

function checkStandardOpset(graph: Graph, opsets: ReadonlyMap<string, number>): void {
  if (opsets.has("")) return;
  const node = graph.nodes.find(({ domain }) => domain === "");
  if (!node) return;
  throw new ShrinkError(
    "model",
    `model: uses the standard operator ${node.opType} but does not say of which opset; ` +
      `expected an import of ${oldestOpset} to ${newestOpset}; export it again`,
  );
}

function unreadable(file: Uint8Array, cause: unknown): ShrinkError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (fileKind(file) || !startsLikeModel(file)) return notOnnx(file, reason, cause);
  return new ShrinkError(
    "model",
    `model: is cut short or damaged (${reason}); expected a complete ONNX file; copy or export it again`,
    { cause },
  );
}

function notOnnx(file: Uint8Array, reason: string, cause?: unknown): ShrinkError {
  const kind = fileKind(file);
  return new ShrinkError(
    "model",
    kind
      ? `model: is ${kind} (expected an ONNX file)`
      : `model: is not a complete ONNX file (${reason}); expected a .onnx file; check the path, or copy or export it again`,
    { cause },
  );
}
