/** What a model holds beside the nodes and initializers of its graph: control-flow bodies, local functions, carried tensors. */
import { fromBinary, isMessage, toBinary } from "@bufbuild/protobuf";
import {
  AttributeProtoSchema,
  TensorProto_DataType as DataType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  SparseTensorProtoSchema,
  TensorProtoSchema,
} from "onnx-buf";
import { Graph, type Model, type Node } from "../graph/graph.ts";
import { capturedNames } from "./bodies.ts";
import { ExternalData } from "./external-data.ts";
import { readNode } from "./nodes.ts";
import { GraphOrigin } from "./origin.ts";
import { readGraph } from "./read-graph.ts";

const bodies = new WeakMap<object, readonly Graph[]>(); // by the attribute's message

/** The bodies of a control-flow node, in the order of its attributes. They read values of the graph around them. */
export function bodiesOf(node: Node): readonly Graph[] {
  return Object.values(node.attributes).flatMap(({ kind, origin }) => {
    if (kind !== "graph" || !isMessage(origin, AttributeProtoSchema)) return [];
    const known =
      bodies.get(origin) ??
      [...(origin.g ? [origin.g] : []), ...origin.graphs].map((body) =>
        readGraph([toBinary(GraphProtoSchema, body)], new ExternalData(undefined), capturedNames([body])),
      );
    bodies.set(origin, known);
    return known;
  });
}

/** The model's local functions, as graphs. */
export function functionsOf({ origin }: Model): Graph[] {
  if (!isMessage(origin, ModelProtoSchema)) return [];
  return origin.functions.map(
    ({ name, input, output, node }) =>
      new Graph({
        name,
        inputs: input.map((one) => ({ name: one })),
        outputs: output.map((one) => ({ name: one })),
        initializers: new Map(),
        nodes: node.map((one) => readNode(toBinary(NodeProtoSchema, one), new ExternalData(undefined))),
        valueInfo: new Map(),
      }),
  );
}

/** A tensor that is carried along as it is encoded. */
export interface CarriedTensor {
  readonly name: string;
  /** ONNX's name of the element type in small letters: `int4`, `float8e4m3fn`. */
  readonly type: string;
  /** Elements that are stored. */
  readonly size: number;
}

/** Initializers that Tensor cannot hold. */
export function carriedTensors({ origin }: Graph): CarriedTensor[] {
  if (!(origin instanceof GraphOrigin)) return [];
  return origin.carried.map(({ name, bytes, field }) => {
    const tensor =
      field === 5 ? fromBinary(TensorProtoSchema, bytes) : fromBinary(SparseTensorProtoSchema, bytes).values;
    const size = (tensor?.dims ?? []).reduce((product, dim) => product * Number(dim), 1);
    return { name, type: DataType[tensor?.dataType ?? 0]?.toLowerCase() ?? "undefined", size };
  });
}
