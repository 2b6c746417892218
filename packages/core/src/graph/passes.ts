/**
 * Rewriting passes: each takes a graph and returns a new one, with what it ensures. They bring every model into the
 * form that the operator rules read: weights as initializers, nothing dead.
 */
import { intAttribute, intsAttribute, normalAxis, tensorAttribute } from "./attributes.ts";
import type { Graph, Node } from "./graph.ts";
import { readsOf } from "./graph.ts";
import { float32, int64, reshape, sizeOf, type Tensor, transpose } from "./tensor.ts";

export interface PassResult {
  readonly graph: Graph;
  readonly modified: boolean;
}

/** A rewriting pass. `run` never changes its argument; `modified` is false only if nothing was rewritten. */
export interface Pass {
  readonly name: string;
  run(graph: Graph): PassResult;
}

/**
 * Turns nodes whose inputs are all initializers into initializers.
 * Handles Constant, Identity, Reshape, Transpose, Flatten, Squeeze and Unsqueeze; leaves everything else.
 */
export const foldConstants: Pass = {
  name: "fold constants",
  run(graph) {
    const initializers = new Map(graph.initializers);
    const outputs = new Set(graph.outputs.map((output) => output.name));
    const nodes = graph.nodes.filter((node) => {
      const output = node.outputs[0];
      if (node.domain !== "" || output === undefined || outputs.has(output)) return true;
      const tensor = foldNode(node, initializers);
      if (tensor) initializers.set(output, tensor);
      return tensor === undefined;
    });
    const modified = nodes.length < graph.nodes.length;
    return {
      graph: modified ? graph.with({ nodes, initializers }) : graph,
      modified,
    };
  },
};

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

function foldNode(node: Node, initializers: ReadonlyMap<string, Tensor>): Tensor | undefined {
  if (node.opType === "Constant") return constantValue(node);
  const [x, arg] = node.inputs.map((name) => initializers.get(name));
  if (!x || (node.inputs.length > 1 && !arg)) return undefined;
  switch (node.opType) {
    case "Identity":
      return x;
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

function constantValue(node: Node): Tensor | undefined {
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
