/** A Graph to the pieces of an encoded GraphProto. */
import { toBinary } from "@bufbuild/protobuf";
import { GraphProtoSchema } from "onnx-buf";
import { type Graph, readsOf, type ValueInfo } from "../graph/graph.ts";
import { assign, startFrom } from "./messages.ts";
import { nodePieces } from "./nodes.ts";
import { type CarriedInitializer, GraphOrigin } from "./origin.ts";
import { initializerPieces, isFromFile } from "./tensor-data.ts";
import { writeValueInfo } from "./value-info.ts";
import { delimited, type Insertion, type Piece, weave } from "./wire.ts";

const nodeField = 1;
const initializerField = 5;
const sparseField = 15;
/** Before this IR version every initializer is a graph input too. */
const separateInitializers = 4;

export function graphPieces(graph: Graph, irVersion: number): Piece[] {
  const origin = graph.origin instanceof GraphOrigin ? graph.origin : undefined;
  const reads = new Set([...graph.nodes.flatMap(readsOf), ...graph.outputs.map(({ name }) => name)]);
  const carried = (origin?.carried ?? []).filter(
    ({ name, isRead }) => !graph.initializers.has(name) && (!isRead || reads.has(name)),
  );

  const message = startFrom(GraphProtoSchema, origin?.message);
  assign(message, "name", graph.name);
  message.input = inputsToWrite(graph, origin, reads, irVersion).map(writeValueInfo);
  message.output = graph.outputs.map(writeValueInfo);
  message.valueInfo = [...graph.valueInfo].map(([name, info]) => writeValueInfo({ ...info, name }));
  message.sparseInitializer = [];

  const insertions: Insertion[] = [
    [nodeField, graph.nodes.flatMap((node) => delimited(nodeField, nodePieces(node)))],
    [initializerField, [...initializersToWrite(graph), ...framed(carried, initializerField)]],
    [sparseField, framed(carried, sparseField)],
  ];
  return weave(toBinary(GraphProtoSchema, message), insertions);
}

function initializersToWrite({ initializers }: Graph): Piece[] {
  return [...initializers].flatMap(([name, tensor]) => delimited(initializerField, initializerPieces(name, tensor)));
}

function framed(carried: readonly CarriedInitializer[], field: number): Piece[] {
  return carried.flatMap((one) => (one.field === field ? delimited(field, [one.bytes]) : []));
}

/**
 * The graph inputs, with those that only stand for initializers brought up to date: the shape is the tensor's, one
 * whose initializer is gone and that nothing reads is left out (a caller would have to feed it), and in old files a
 * new initializer is listed.
 */
function inputsToWrite(
  graph: Graph,
  origin: GraphOrigin | undefined,
  reads: ReadonlySet<string>,
  irVersion: number,
): ValueInfo[] {
  const inputs: ValueInfo[] = [];
  const names = new Set<string>();
  for (const input of graph.inputs) {
    names.add(input.name);
    const tensor = graph.initializers.get(input.name);
    if (tensor) inputs.push(isFromFile(tensor) ? input : { ...input, type: tensor.type, shape: tensor.dims });
    else if (reads.has(input.name) || !origin?.initializedInputs.has(input.name)) inputs.push(input);
  }
  if (irVersion >= separateInitializers) return inputs;
  for (const [name, tensor] of graph.initializers) {
    if (!names.has(name) && !isFromFile(tensor)) inputs.push({ name, type: tensor.type, shape: tensor.dims });
  }
  return inputs;
}
