/**
 * What a file stores smaller than it is measured: a model whose numbers have 16 bits is read as one of float32, and packed weights
 * ({@link unpackWeights}) are unpacked. All that is measured, repaired and cut is float32; files are written with the types that they
 * had, and weights are rounded once, then.
 */
import { ShrinkError } from "../errors.ts";
import { onnxType, opsetOf } from "./builder.ts";
import { expandFused, type FusedNodes, fuseAgain } from "./fused.ts";
import { fusions } from "./fused-operators.ts";
import type { Attribute, Graph, Model, Node, ValueInfo } from "./graph.ts";
import { type KeptOf, type PackedWeights, packWeights, unpackWeights } from "./packed-weights.ts";
import type { Values } from "./pieces.ts";
import { quantisedOperators } from "./quantised-operators.ts";
import { type ElementType, isFloat, Tensor, tensorOf } from "./tensor.ts";
import { withMeans } from "./unit-means.ts";
import { valueKinds } from "./value-kinds.ts";

export type HalfType = "float16" | "bfloat16";

/** What a file has otherwise than the model that is measured. */
export interface Stored {
  /** Element types of its real values, where they are known; only of a file with half precision. */
  readonly types: ReadonlyMap<string, ElementType>;
  readonly packed: PackedWeights;
  readonly fused: FusedNodes;
  /** The same of operators on integers. */
  readonly quantised: FusedNodes;
  /** The same of means over units. */
  readonly means: FusedNodes;
}

/** Of a file that is measured as it is. */
export const STORED_AS_IT_IS: Stored = {
  types: new Map(),
  packed: new Map(),
  fused: new Map(),
  quantised: new Map(),
  means: new Map(),
};

/** The digits of the fraction that a type keeps. */
export const HALF_DIGITS: Readonly<Record<HalfType, number>> = { float16: 10, bfloat16: 7 };

const isHalf = (type: ElementType | undefined): type is HalfType => type === "float16" || type === "bfloat16";

/**
 * The model as it is measured, and what to write where; undefined where that is the model as it is. Throws a `model` error for half
 * precision beside bodies of control flow.
 */
export function readingOf(model: Model): { readonly model: Model; readonly stored: Stored } | undefined {
  const opset = opsetOf(model);
  const { graph: loose, fused: quantised } = expandFused(model.graph, quantisedOperators, opset);
  const { graph, packed } = unpackWeights(loose);
  const types = typesOf(graph);
  const hasHalves = [...types.values()].some(isHalf);
  const hasDoubles = [...types.values()].includes("float64"); // constants of the parts are of single precision
  const single = hasHalves ? widened(graph, types) : graph;
  const { graph: plain, fused } = expandFused(single, hasDoubles ? {} : fusions, opset);
  if (!hasHalves && packed.size + fused.size + quantised.size === 0) return undefined;
  const stored = { ...STORED_AS_IT_IS, packed, fused, quantised, ...(hasHalves && { types }) };
  return { model: { ...model, graph: plain }, stored };
}

/** The graph with float32 in place of half precision. */
function widened(graph: Graph, types: ReadonlyMap<string, ElementType>): Graph {
  const body = graph.nodes.find(({ attributes }) => Object.values(attributes).some(({ kind }) => kind === "graph"));
  if (body) {
    throw new ShrinkError(
      "model",
      `${body.opType} "${body.name || body.outputs[0]}": has a body of its own in a model of half precision, expected float32 there; convert the model to float32 first`,
    );
  }
  const info = (value: ValueInfo): ValueInfo => (isHalf(value.type) ? { ...value, type: "float32" } : value);
  return graph.with({
    nodes: graph.nodes.map((node) => withTypes(node, (type) => (isHalf(type) ? "float32" : type), types)),
    initializers: new Map(
      [...graph.initializers].map(([name, tensor]) => [
        name,
        isHalf(tensor.type) ? converted(tensor, "float32") : tensor,
      ]),
    ),
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    valueInfo: new Map([...graph.valueInfo].map(([name, value]) => [name, info(value)])),
  });
}

/** A model that was made of a reading, as the file stores it. What is new has the type of what reads it. */
export function asStored(model: Model, { types, packed, fused, quantised, means }: Stored, keptOf: KeptOf): Model {
  const graph = fuseAgain(withMeans(model.graph, means), fused, fusions);
  const typed = types.size > 0 ? narrowed(graph, types, packed) : graph;
  return { ...model, graph: fuseAgain(packWeights(typed, packed, keptOf), quantised, quantisedOperators) };
}

function narrowed(graph: Graph, types: ReadonlyMap<string, ElementType>, packed: PackedWeights): Graph {
  const typeOf = (name: string, now: ElementType | undefined): ElementType | undefined => {
    const known = packed.has(name) ? undefined : (types.get(name) ?? typeOfReaders(graph, name, types));
    return now === "float32" && isHalf(known) ? known : now;
  };
  const initializers = new Map(
    [...graph.initializers].map(([name, tensor]) => {
      const type = typeOf(name, tensor.type) as ElementType;
      return [name, type === tensor.type ? tensor : converted(tensor, type)] as const;
    }),
  );
  const info = (value: ValueInfo): ValueInfo => ({ ...value, type: typeOf(value.name, value.type) });
  const back = (now: ElementType, was: ElementType): ElementType => (now === "float32" && isHalf(was) ? was : now);
  return graph.with({
    nodes: graph.nodes.map((node) => withTypes(node, back, types)),
    initializers,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    valueInfo: new Map([...graph.valueInfo].map(([name, value]) => [name, info(value)])),
  });
}

/** Feeds of a reading, as its file takes them. */
export function storedFeeds(feeds: Values, { types }: Stored): Values {
  const entries = Object.entries(feeds).map(([name, tensor]) => {
    const type = types.get(name);
    return [name, isHalf(type) && tensor.type === "float32" ? converted(tensor, type) : tensor] as const;
  });
  return Object.fromEntries(entries);
}

/** Types of all real values, as far as the file and its operators say; others have that of the first real that they are made of. */
function typesOf(graph: Graph): Map<string, ElementType> {
  const { reals } = valueKinds(graph);
  const types = new Map<string, ElementType>();
  const declared = [...graph.inputs, ...graph.outputs, ...graph.valueInfo.values()];
  for (const { name, type } of declared) if (type) types.set(name, type);
  for (const [name, { type }] of graph.initializers) types.set(name, type);
  for (const node of graph.nodes) {
    if (WHOLE.has(node.opType)) continue;
    const made = tensorOfAttributes(node)?.type ?? (node.opType === "ConstantOfShape" ? "float32" : undefined);
    const like = node.inputs.map((name) => types.get(name)).find((type) => type && isFloat(type));
    for (const name of node.outputs) {
      const type = reals.get(name) ?? made ?? (node.opType === "Cast" ? undefined : like);
      if (name !== "" && type && !types.has(name)) types.set(name, type);
    }
  }
  return types;
}

/** Operators that give no reals, whatever they read. */
const WHOLE = new Set(
  (
    "Shape Size ArgMax ArgMin NonZero Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor IsNaN IsInf " +
    "QuantizeLinear DynamicQuantizeLinear NonMaxSuppression"
  ).split(" "),
);

function tensorOfAttributes({ attributes }: Node): Tensor | undefined {
  const found = Object.values(attributes).find(({ kind }) => kind === "tensor");
  return found?.kind === "tensor" ? found.value : undefined;
}

/** The type of what the readers of a new value give. */
function typeOfReaders(graph: Graph, name: string, types: ReadonlyMap<string, ElementType>): ElementType | undefined {
  const { uses = [] } = graph.value(name) ?? {};
  return uses.map(({ node }) => types.get(node.outputs[0] ?? "")).find((type) => type !== undefined);
}

/** The node with the types that its attributes name changed: by what they are now, and what the file has. */
function withTypes(
  node: Node,
  change: (now: ElementType, was: ElementType) => ElementType,
  types: ReadonlyMap<string, ElementType>,
): Node {
  const was = types.get(node.outputs[0] ?? "") ?? "float32";
  const changed = Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => {
    if (attribute.kind === "tensor") {
      const type = change(attribute.value.type, was);
      if (!isFloat(attribute.value.type) || type === attribute.value.type) return [name, attribute];
      return [name, { ...attribute, value: converted(attribute.value, type) }];
    }
    if (attribute.kind !== "int" || !((name === "to" && node.opType === "Cast") || name === "dtype")) {
      return [name, attribute];
    }
    const now = typeOfNumber.get(attribute.value);
    return now && isFloat(now) ? [name, { ...attribute, value: onnxType[change(now, was)] }] : [name, attribute];
  });
  return changed.length > 0 ? { ...node, attributes: Object.fromEntries(changed) } : node;
}

const typeOfNumber = new Map(Object.entries(onnxType).map(([type, number]) => [number, type as ElementType]));

function converted(tensor: Tensor, type: ElementType): Tensor {
  return new Tensor(type, tensor.dims, () => tensorOf(type, tensor.numbers, tensor.dims).data, {
    origin: tensor.origin,
  });
}
