/** The encoded GraphProto to a Graph, with the checks that let everyone else rely on it. */
import { create, toBinary } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { type GraphProto, GraphProtoSchema, SparseTensorProtoSchema } from "onnx-buf";
import { ShrinkError } from "../errors.ts";
import { Graph, type Node, readsOf, type ValueInfo } from "../graph/graph.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { ExternalData } from "./external-data.ts";
import { readNode } from "./nodes.ts";
import { orderNodes } from "./order.ts";
import { type CarriedInitializer, GraphOrigin } from "./origin.ts";
import { readInitializer } from "./tensor-data.ts";
import { readValueInfo } from "./value-info.ts";
import { mergeRest } from "./wire.ts";

const nodeField = 1;
const initializerField = 5;
const sparseField = 15;

/**
 * `encoded` is one GraphProto, or the parts of one that protobuf merges. `outer`: names that a body reads from the graph
 * around it.
 */
export function readGraph(
  encoded: readonly Uint8Array[],
  external: ExternalData,
  outer: readonly string[] = [],
): Graph {
  const message = create(GraphProtoSchema);
  const nodes: Node[] = [];
  const initializers = new Map<string, Tensor>();
  const carried: Omit<CarriedInitializer, "isRead">[] = [];
  const claimName = uniqueNames("initializer");
  for (const bytes of encoded) {
    mergeRest(GraphProtoSchema, message, bytes, ({ no, wireType, body }) => {
      if (wireType !== WireType.LengthDelimited) return false;
      if (no === nodeField) {
        nodes.push(readNode(body, external));
        return true;
      }
      if (no !== initializerField) return false;
      const read = readInitializer(body, external);
      claimName(read.name);
      if ("tensor" in read) initializers.set(read.name, read.tensor);
      else carried.push({ name: read.name, bytes: read.encoded, field: initializerField });
      return true;
    });
  }
  for (const { name, bytes } of sparseInitializers(message, external)) {
    claimName(name);
    carried.push({ name, bytes, field: sparseField });
  }

  const inputs = message.input.map(readValueInfo);
  const outputs = message.output.map(readValueInfo);
  const initialized = new Set([...initializers.keys(), ...carried.map(({ name }) => name)]);
  const sources = new Set([...checkInputs(inputs), ...initialized, ...outer]);
  const ordered = orderNodes(nodes, sources);
  checkOutputs(outputs, sources, nodes);
  const read = new Set([...nodes.flatMap(readsOf), ...outputs.map(({ name }) => name)]);
  const origin = new GraphOrigin(
    message,
    carried.map((one) => ({ ...one, isRead: read.has(one.name) })),
    new Set(inputs.map(({ name }) => name).filter((name) => initialized.has(name))),
  );
  const valueInfo = new Map(message.valueInfo.map((info) => [info.name, readValueInfo(info)]));
  return new Graph({ name: message.name, inputs, outputs, initializers, nodes: ordered, valueInfo, origin });
}

function sparseInitializers(message: GraphProto, external: ExternalData): { name: string; bytes: Uint8Array }[] {
  return message.sparseInitializer.map((sparse) => {
    const name = sparse.values?.name ?? "";
    external.inlineSparse(sparse, `sparse initializer "${name}"`);
    return { name, bytes: toBinary(SparseTensorProtoSchema, sparse) };
  });
}

/** Refuses a missing name and one that was there before. */
function uniqueNames(kind: string): (name: string) => void {
  const names = new Set<string>();
  return (name) => {
    if (name === "") {
      throw new ShrinkError(
        "model",
        `${kind} ${names.size}: has no name, so nothing can read it; export the model again`,
      );
    }
    if (names.has(name)) {
      throw new ShrinkError("model", `${kind} "${name}": is in the model twice, expected once; rename one of them`);
    }
    names.add(name);
  };
}

function checkInputs(inputs: readonly ValueInfo[]): string[] {
  const claimName = uniqueNames("graph input");
  for (const { name } of inputs) claimName(name);
  return inputs.map(({ name }) => name);
}

function checkOutputs(outputs: readonly ValueInfo[], sources: ReadonlySet<string>, nodes: readonly Node[]): void {
  if (outputs.length === 0) {
    throw new ShrinkError(
      "model",
      "model: has no graph outputs, so nothing of it can be measured; expected at least one; export it again",
    );
  }
  const defined = new Set([...sources, ...nodes.flatMap(({ outputs }) => outputs)]);
  // The same value may be an output twice; runtimes accept that.
  for (const { name } of outputs) {
    if (name !== "" && defined.has(name)) continue;
    throw new ShrinkError(
      "model",
      `graph output "${name}": no node, input or initializer of the model defines it; the model is incomplete; export it again`,
    );
  }
}
