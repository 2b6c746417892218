/** Local functions of a model, put in place of the nodes that call them: then all that is known of operators holds inside them. */
import { clone, create, isMessage, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
} from "onnx-buf";
import type { Model, Node } from "../graph/graph.ts";
import { ExternalData } from "./external-data.ts";
import { readDomain, readNode } from "./nodes.ts";

/** Calls inside calls, at most; a function that calls itself is no model. */
const DEEPEST = 16;

/**
 * The model with the bodies of its functions in its graph. Calls of functions that hold control flow, or that are written for
 * another opset than the model, stay.
 */
export function inlineFunctions(model: Model): Model {
  const { origin, graph } = model;
  if (!isMessage(origin, ModelProtoSchema) || origin.functions.length === 0) return model;
  const functions = new Map(origin.functions.filter((one) => fits(one, model)).map((one) => [keyOf(one), one]));
  const isCall = ({ domain, opType }: Node): boolean => functions.has(`${domain}:${opType}`);
  const nodes = graph.nodes.flatMap((node) => expanded(node, 0));
  const rest = clone(ModelProtoSchema, origin);
  const isDone = !nodes.some(({ domain, opType }) =>
    origin.functions.some((one) => keyOf(one) === `${domain}:${opType}`),
  );
  if (isDone) rest.functions = [];
  return { ...model, graph: graph.with({ nodes }), origin: rest };

  function expanded(node: Node, depth: number): Node[] {
    if (!isCall(node) || depth === DEEPEST) return [node];
    const found = functions.get(`${node.domain}:${node.opType}`) as FunctionProto;
    const names = new Map<string, string>();
    for (const [at, name] of found.input.entries()) names.set(name, node.inputs[at] ?? "");
    for (const [at, name] of found.output.entries()) {
      if (names.has(name)) return [node]; // gives what it is given
      names.set(name, node.outputs[at] || `${callName(node)}/${name}`);
    }
    const renamed = (name: string): string => (name === "" ? "" : (names.get(name) ?? `${callName(node)}/${name}`));
    return found.node.flatMap((one, at) => {
      const own = readNode(toBinary(NodeProtoSchema, withAttributes(one, node, found)), new ExternalData(undefined));
      const inner = {
        ...own,
        name: `${callName(node)}/${own.name || `${own.opType}${at}`}`,
        inputs: own.inputs.map(renamed),
        outputs: own.outputs.map(renamed),
      };
      return expanded(inner, depth + 1);
    });
  }
}

const callName = (node: Node): string => node.name || (node.outputs.find((name) => name !== "") ?? node.opType);

const keyOf = ({ domain, name }: FunctionProto): string => `${readDomain(domain)}:${name}`;

/** Whether a function's operators mean in the model's graph what they mean in the function. */
function fits({ node, opsetImport }: FunctionProto, { opsets }: Model): boolean {
  const isSame = opsetImport.every(({ domain, version }) => opsets.get(readDomain(domain)) === Number(version));
  return (
    isSame && !node.some(({ attribute }) => attribute.some(({ g, graphs }) => g !== undefined || graphs.length > 0))
  );
}

/** A node of a function with the attributes of the call that it refers to, or what the function says where the call gives none. */
function withAttributes(node: NodeProto, { origin }: Node, { attributeProto }: FunctionProto): NodeProto {
  const given = isMessage(origin, NodeProtoSchema) ? origin.attribute : [];
  const copy = clone(NodeProtoSchema, node);
  copy.attribute = copy.attribute.flatMap((attribute): AttributeProto[] => {
    const { refAttrName: wanted } = attribute;
    if (wanted === "") return [attribute];
    const found = given.find(({ name }) => name === wanted) ?? attributeProto.find(({ name }) => name === wanted);
    if (!found) return [];
    return [create(AttributeProtoSchema, { ...clone(AttributeProtoSchema, found), name: attribute.name })];
  });
  return copy;
}
