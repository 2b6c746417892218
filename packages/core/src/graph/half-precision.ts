/**
 * Half precision: a model whose numbers have 16 bits is read as one of float32, measured and repaired as that, and written
 * with the types that it had. Weights are rounded once, when they are written.
 */
import { ShrinkError } from "../errors.ts";
import { onnxType } from "./builder.ts";
import { FreshNames } from "./fresh-names.ts";
import type { Attribute, Graph, Model, Node, ValueInfo } from "./graph.ts";
import type { Values } from "./pieces.ts";
import { type ElementType, isFloat, Tensor, tensorOf } from "./tensor.ts";
import { valueKinds } from "./value-kinds.ts";

export type HalfType = "float16" | "bfloat16";

/** What a file has in half precision. */
export interface Halves {
  /** Element types of its real values, where they are known. */
  readonly types: ReadonlyMap<string, ElementType>;
  /** Weights that the file stores in half precision and a Cast makes larger, by the Cast's output. */
  readonly unpacked: ReadonlyMap<string, { readonly stored: string; readonly type: HalfType }>;
}

/** The digits of the fraction that a type keeps. */
export const HALF_DIGITS: Readonly<Record<HalfType, number>> = { float16: 10, bfloat16: 7 };

const isHalf = (type: ElementType | undefined): type is HalfType => type === "float16" || type === "bfloat16";

/**
 * The model with float32 in place of half precision, and what to write where; undefined where it has none. Throws a `model` error for
 * half precision inside of bodies of control flow.
 */
export function widened(model: Model): { readonly model: Model; readonly halves: Halves } | undefined {
  const { graph } = model;
  const types = typesOf(graph);
  if (![...types.values()].some(isHalf)) return undefined;
  const body = graph.nodes.find(({ attributes }) => Object.values(attributes).some(({ kind }) => kind === "graph"));
  if (body) {
    throw new ShrinkError(
      "model",
      `${body.opType} "${body.name || body.outputs[0]}": has a body of its own in a model of half precision, expected float32 there; convert the model to float32 first`,
    );
  }
  const unpacked = new Map<string, { stored: string; type: HalfType }>();
  const initializers = new Map<string, Tensor>();
  for (const [name, tensor] of graph.initializers)
    initializers.set(name, isHalf(tensor.type) ? converted(tensor, "float32") : tensor);
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const [stored = ""] = node.inputs;
    const [output = ""] = node.outputs;
    const tensor = graph.initializers.get(stored);
    const isUnpacking = node.opType === "Cast" && tensor && isHalf(tensor.type) && types.get(output) === "float32";
    const { uses = [], isOutput } = graph.value(stored) ?? {};
    if (isUnpacking && uses.length === 1 && !isOutput && !graph.value(output)?.isOutput) {
      unpacked.set(output, { stored, type: tensor.type as HalfType });
      initializers.set(output, converted(tensor, "float32"));
      initializers.delete(stored);
      return [];
    }
    return [withTypes(node, (type) => (isHalf(type) ? "float32" : type), types)];
  });
  const info = (value: ValueInfo): ValueInfo => (isHalf(value.type) ? { ...value, type: "float32" } : value);
  const wide = graph.with({
    nodes,
    initializers,
    inputs: graph.inputs.filter(({ name }) => !graph.initializers.has(name) || initializers.has(name)).map(info),
    outputs: graph.outputs.map(info),
    valueInfo: new Map([...graph.valueInfo].map(([name, value]) => [name, info(value)])),
  });
  return { model: { ...model, graph: wide }, halves: { types, unpacked } };
}

/** A model that was made of a widened one, with the types of the file. What is new is as what reads it gives. */
export function narrowed(model: Model, { types, unpacked }: Halves): Model {
  const { graph } = model;
  const typeOf = (name: string, now: ElementType | undefined): ElementType | undefined => {
    const known = types.get(name) ?? typeOfReaders(graph, name, types);
    return now === "float32" && isHalf(known) ? known : now;
  };
  const taken = new FreshNames(graph);
  const initializers = new Map<string, Tensor>();
  const casts: Node[] = [];
  for (const [name, tensor] of graph.initializers) {
    const pack = unpacked.get(name);
    const type = pack?.type ?? typeOf(name, tensor.type);
    const stored = isHalf(type) ? converted(tensor, type) : tensor;
    if (!pack) {
      initializers.set(name, stored);
      continue;
    }
    const source = taken.fresh(pack.stored);
    initializers.set(source, stored);
    const attributes: Node["attributes"] = { to: { kind: "int", value: onnxType[tensor.type as "float32"] } };
    casts.push({ name: `${name}/cast`, opType: "Cast", domain: "", inputs: [source], outputs: [name], attributes });
  }
  const info = (value: ValueInfo): ValueInfo => ({ ...value, type: typeOf(value.name, value.type) });
  const file = graph.with({
    nodes: [
      ...casts,
      ...graph.nodes.map((node) =>
        withTypes(node, (now, was) => (now === "float32" && isHalf(was) ? was : now), types),
      ),
    ],
    initializers,
    inputs: graph.inputs.filter(({ name }) => !unpacked.has(name)).map(info),
    outputs: graph.outputs.map(info),
    valueInfo: new Map([...graph.valueInfo].map(([name, value]) => [name, info(value)])),
  });
  return { ...model, graph: file };
}

/** Feeds of a widened model, as its file takes them. */
export function narrowedFeeds(feeds: Values, { types }: Halves): Values {
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
