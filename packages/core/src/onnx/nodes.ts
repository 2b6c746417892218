/** Nodes between file and memory. A node object that nobody replaced is written as the very bytes it was read from. */
import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { NodeProtoSchema } from "onnx-buf";
import { ShrinkError } from "../errors.ts";
import { type Attribute, describe, type Node } from "../graph/graph.ts";
import { attributePieces, readAttribute } from "./attributes.ts";
import type { ExternalData } from "./external-data.ts";
import { assign, assignNames, startFrom } from "./messages.ts";
import { delimited, type Piece, weave } from "./wire.ts";

const attributeField = 5;

/** The encoded NodeProto of every node that was read. */
const records = new WeakMap<Node, Uint8Array>();

/** Reads an encoded NodeProto. Throws a ShrinkError for a missing operator, a repeated attribute and bad tensor data. */
export function readNode(bytes: Uint8Array, external: ExternalData): Node {
  const message = fromBinary(NodeProtoSchema, bytes);
  const isInlined = external.inlineNode(message);
  const bare: Node = {
    name: message.name,
    opType: message.opType,
    domain: readDomain(message.domain),
    inputs: message.input,
    outputs: message.output,
    attributes: {},
    origin: message,
  };
  if (bare.opType === "") {
    throw new ShrinkError(
      "model",
      `node "${bare.name || bare.outputs[0] || "?"}": names no operator, expected one; the file is damaged; export it again`,
    );
  }
  const attributes = new Map<string, Attribute>();
  for (const attribute of message.attribute) {
    const subject = `attribute "${attribute.name}" of ${describe(bare)}`;
    if (attributes.has(attribute.name)) {
      throw new ShrinkError("model", `${subject}: is given twice, expected once; export the model again`);
    }
    attributes.set(attribute.name, readAttribute(attribute, subject));
  }
  const node: Node = { ...bare, attributes: Object.fromEntries(attributes) };
  if (!isInlined) records.set(node, bytes);
  return node;
}

/** The encoded NodeProto, in pieces. */
export function nodePieces(node: Node): Piece[] {
  const record = records.get(node);
  if (record) return [record];
  const message = startFrom(NodeProtoSchema, node.origin);
  assign(message, "name", node.name);
  assign(message, "opType", node.opType);
  if (readDomain(message.domain) !== node.domain) message.domain = node.domain;
  assignNames(message, "input", node.inputs);
  assignNames(message, "output", node.outputs);
  message.attribute = [];
  const attributes = Object.entries(node.attributes).flatMap(([name, attribute]) =>
    delimited(attributeField, attributePieces(name, attribute, `attribute "${name}" of ${describe(node)}`)),
  );
  return weave(toBinary(NodeProtoSchema, message), [[attributeField, attributes]]);
}

/** "ai.onnx" is the other spelling of the standard domain "". */
export function readDomain(domain: string): string {
  return domain === "ai.onnx" ? "" : domain;
}
