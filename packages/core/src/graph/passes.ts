/**
 * Rewriting passes: each takes a graph and returns a new one, with what it ensures. They bring every model into the
 * form that the operator rules read: weights as initializers, nothing dead.
 */
import { intAttribute, intsAttribute, normalAxis, tensorAttribute } from "./attributes.ts";
import { constantNodes, isConstant } from "./constant-values.ts";
import type { Graph, Node } from "./graph.ts";
import { readsOf } from "./graph.ts";
import { float32, int64, isFloat, reshape, sizeOf, type Tensor, transpose } from "./tensor.ts";

export interface PassResult {
  readonly graph: Graph;
  readonly modified: boolean;
}

/** A rewriting pass. `run` never changes its argument; `modified` is false only if nothing was rewritten. */
export interface Pass {
  readonly name: string;
  run(graph: Graph): PassResult;
}

/** Bytes that a node takes in the file, about. */
const NODE_BYTES = 256;

/** Whether a value is folded in any case: it is no weight, and takes no more room than the node that makes it. */
export function isSmall({ type, dims, byteLength }: Tensor): boolean {
  const isMatrix = isFloat(type) && dims.filter((dim) => dim > 1).length > 1;
  return !isMatrix && byteLength <= NODE_BYTES;
}

/**
 * Turns nodes whose inputs are all initializers into initializers, unless that would store a weight twice.
 * Handles Constant, Reshape, Transpose, Flatten, Squeeze and Unsqueeze; leaves everything else.
 */
export const foldConstants: Pass = {
  name: "fold constants",
  run(given) {
    const graph = withoutTwins(given);
    const initializers = new Map(graph.initializers);
    const nodes = graph.nodes.filter((node) => {
      const output = node.outputs[0];
      if (node.domain !== "" || output === undefined || graph.value(output)?.isOutput) return true;
      const tensor = foldNode(node, initializers);
      const isStoredTwice = node.inputs[0] !== undefined && !isOnlyRead(graph, node.inputs[0]);
      if (!tensor || (isStoredTwice && !isSmall(tensor))) return true;
      initializers.set(output, tensor);
      return false;
    });
    const modified = nodes.length < graph.nodes.length;
    return {
      graph: modified ? graph.with({ nodes, initializers }) : graph,
      modified: modified || graph !== given,
    };
  },
};

/** Whether one node reads the value and nothing else does. */
function isOnlyRead(graph: Graph, name: string): boolean {
  const { uses = [], isOutput = false } = graph.value(name) ?? {};
  return uses.length === 1 && !isOutput;
}

/**
 * The graph without copies of constants: readers of an Identity of an initializer read the initializer, and of nodes that
 * make the same of the same initializers one stays.
 */
function withoutTwins(graph: Graph): Graph {
  const constant = constantNodes(graph);
  const first = new Map<string, string>(); // value by what makes it
  const instead = new Map<string, string>();
  const gone = new Set<Node>();
  const nodes = graph.nodes.map((node) => {
    const isRenamed = node.inputs.some((name) => instead.has(name));
    const now = isRenamed ? { ...node, inputs: node.inputs.map((name) => instead.get(name) ?? name) } : node;
    const [output = ""] = node.outputs;
    if (!constant.has(node) || node.inputs.length === 0 || node.outputs.length > 1 || isSeenOutside(graph, output)) {
      return now;
    }
    const key = keyOf(now);
    const twin = node.opType === "Identity" ? now.inputs[0] : first.get(key);
    if (twin === undefined) {
      first.set(key, output);
      return now;
    }
    instead.set(output, twin);
    gone.add(now);
    return now;
  });
  return gone.size > 0 ? graph.with({ nodes: nodes.filter((node) => !gone.has(node)) }) : graph;
}

/** Whether a value is an output, or a control-flow body reads it by its name. */
function isSeenOutside(graph: Graph, name: string): boolean {
  const { uses = [], isOutput = false } = graph.value(name) ?? {};
  return isOutput || uses.some(({ slot }) => slot < 0);
}

/** What a constant node computes, as text. */
function keyOf({ opType, inputs, attributes }: Node): string {
  const values = Object.entries(attributes).map(([name, { kind, value }]) =>
    kind === "tensor" ? [name, value.type, value.dims, Array.from(value.numbers)] : [name, kind, value],
  );
  return JSON.stringify([opType, inputs, values]);
}

/** Removes nodes whose outputs nobody reads, and initializers that are read by no node. */
export const removeDead: Pass = {
  name: "remove dead nodes",
  run(graph) {
    const live = new Set(graph.outputs.map((output) => output.name));
    const nodes: Node[] = [];
    for (let i = graph.nodes.length - 1; i >= 0; i--) {
      const node = graph.nodes[i] as Node;
      if (!node.outputs.some((name) => live.has(name))) continue;
      for (const name of readsOf(node)) live.add(name);
      nodes.push(node);
    }
    const initializers = new Map([...graph.initializers].filter(([name]) => live.has(name)));
    const modified = nodes.length < graph.nodes.length || initializers.size < graph.initializers.size;
    if (!modified) return { graph, modified };
    const gone = new Set([...graph.initializers.keys()].filter((name) => !live.has(name)));
    const inputs = graph.inputs.filter((input) => !gone.has(input.name));
    return {
      graph: graph.with({ nodes: nodes.reverse(), initializers, inputs }),
      modified,
    };
  },
};

/** Runs the passes in turn until none of them rewrites anything. */
export function runPasses(graph: Graph, passes: readonly Pass[]): Graph {
  for (;;) {
    let changed = false;
    for (const pass of passes) {
      const result = pass.run(graph);
      graph = result.graph;
      changed ||= result.modified;
    }
    if (!changed) return graph;
  }
}

/** A constant's elements where they are known without a runtime: of an initializer, or moved by nodes that are folded here. */
export function constantTensor(graph: Graph, name: string): Tensor | undefined {
  if (!isConstant(graph, name)) return undefined;
  const stored = graph.initializers.get(name);
  const maker = stored ? undefined : graph.value(name)?.producer;
  if (maker?.domain !== "") return stored;
  const inputs = new Map<string, Tensor>();
  for (const input of maker.inputs) {
    const tensor = constantTensor(graph, input);
    if (!tensor) return undefined;
    inputs.set(input, tensor);
  }
  return foldNode(maker, inputs);
}

function foldNode(node: Node, initializers: ReadonlyMap<string, Tensor>): Tensor | undefined {
  if (node.opType === "Constant") return constantOfNode(node);
  const [x, arg] = node.inputs.map((name) => initializers.get(name));
  if (!x || (node.inputs.length > 1 && !arg)) return undefined;
  switch (node.opType) {
    case "Transpose":
      return transpose(x, intsAttribute(node, "perm") ?? x.dims.map((_, axis) => x.dims.length - 1 - axis));
    case "Reshape":
      return reshape(
        x,
        resolveReshape(x.dims, Array.from(arg?.numbers ?? []), intAttribute(node, "allowzero", 0) === 1),
      );
    case "Flatten": {
      const axis = normalAxis(intAttribute(node, "axis", 1), x.dims.length);
      return reshape(x, [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))]);
    }
    case "Squeeze":
    case "Unsqueeze": {
      const axes = arg ? Array.from(arg.numbers) : intsAttribute(node, "axes");
      return reshape(x, node.opType === "Squeeze" ? squeezed(x.dims, axes) : unsqueezed(x.dims, axes ?? []));
    }
    default:
      return undefined;
  }
}

/** The value of a Constant node; undefined for other nodes, and for values that Tensor cannot hold. */
export function constantOfNode(node: Node): Tensor | undefined {
  if (node.opType !== "Constant" || node.domain !== "") return undefined;
  const tensor = tensorAttribute(node, "value");
  if (tensor) return tensor;
  for (const [name, attribute] of Object.entries(node.attributes)) {
    if (name === "value_float" && attribute.kind === "float") return float32([attribute.value], []);
    if (name === "value_floats" && attribute.kind === "floats") return float32(attribute.value);
    if (name === "value_int" && attribute.kind === "int") return int64([attribute.value], []);
    if (name === "value_ints" && attribute.kind === "ints") return int64(attribute.value);
  }
  return undefined;
}

/** Reshape's target with 0 (copy the input's dim) and -1 (what is left) filled in. */
export function resolveReshape(dims: readonly number[], target: readonly number[], allowZero = false): number[] {
  const result = target.map((dim, axis) => (dim === 0 && !allowZero ? (dims[axis] as number) : dim));
  const rest = result.indexOf(-1);
  if (rest >= 0) result[rest] = sizeOf(dims) / sizeOf(result.filter((_, axis) => axis !== rest));
  return result;
}

function squeezed(dims: readonly number[], axes: readonly number[] | undefined): number[] {
  const gone = new Set(axes?.map((axis) => normalAxis(axis, dims.length)));
  return dims.filter((dim, axis) => (axes ? !gone.has(axis) : dim !== 1));
}

function unsqueezed(dims: readonly number[], axes: readonly number[]): number[] {
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => normalAxis(axis, rank)));
  let next = 0;
  return Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (dims[next++] as number)));
}
