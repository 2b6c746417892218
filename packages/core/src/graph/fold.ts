/**
 * Folding by running: whatever in a graph depends on constants only — weights behind expressions, position tables,
 * padding amounts spelled as a chain of nodes — is computed once by the runtime and becomes an initializer.
 */
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import { checkFilledSizes } from "./checked-size.ts";
import { constantNodes } from "./constant-values.ts";
import { type Graph, type Model, type Node, readsOf } from "./graph.ts";
import { isSmall, removeDead, runPasses } from "./passes.ts";
import type { Tensor } from "./tensor.ts";

/** By so many bytes tables that are made of nothing may make the file larger in all. */
const MOST_GROWTH = 2 ** 12;

/**
 * Folds every constant sub-graph that takes no more room when it is folded. The model is returned as it is where there is
 * none. Throws a `model` error for a node whose result does not fit into memory.
 */
export async function foldByRunning(model: Model, runner: Runner): Promise<Model> {
  const { graph } = model;
  checkFilledSizes(graph);
  const constant = new Set([...constantNodes(graph)].filter(({ opType }) => opType !== "DequantizeLinear"));
  for (const node of graph.nodes) {
    // quantised weights stay as small as they are, and so does what is made of them
    if (constant.has(node) && !readsOf(node).every((name) => isFoldable(name))) constant.delete(node);
  }
  if (constant.size === 0) return model;
  const known = new Set([...constant].flatMap((node) => node.outputs.filter((name) => name !== "")));
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const read = new Set(graph.nodes.filter((node) => !constant.has(node)).flatMap(readsOf));
  const wanted = [...known].filter((name) => read.has(name) && !outputs.has(name));
  if (wanted.length === 0) return model;
  const nodes = graph.nodes.filter((node) => constant.has(node));
  const piece = graph.with({ inputs: [], nodes, outputs: wanted.map((name) => ({ name })), valueInfo: new Map() });
  const session = await runner.load(writeModel({ ...model, graph: runPasses(piece, [removeDead]) }), {
    optimize: false,
  });
  try {
    const numeric = wanted.filter((name) => session.outputs?.has(name) ?? true);
    const results = numeric.length > 0 ? await session.run({}, numeric) : {};
    const values = withoutGrowth(graph, constant, new Map(Object.entries(results)));
    const folded = runPasses(withValues(graph, constant, values), [removeDead]);
    checkFilledSizes(folded);
    return { ...model, graph: folded };
  } finally {
    await session.release();
  }

  function isFoldable(name: string): boolean {
    const maker = graph.value(name)?.producer;
    return maker === undefined || constant.has(maker);
  }
}

/** Removes constant nodes and stores their outputs; a node stays if an output that is still read is not in `values`. */
function withValues(graph: Graph, constant: ReadonlySet<Node>, values: ReadonlyMap<string, Tensor>): Graph {
  const needed = new Set(graph.outputs.map(({ name }) => name));
  const left: Node[] = [];
  const folded = new Set<string>();
  for (const node of graph.nodes.toReversed()) {
    const read = node.outputs.filter((name) => needed.has(name));
    if (constant.has(node) && read.every((name) => values.has(name))) {
      for (const name of read) folded.add(name);
      continue;
    }
    for (const name of readsOf(node)) needed.add(name);
    left.push(node);
  }
  const initializers = new Map([...graph.initializers, ...[...values].filter(([name]) => folded.has(name))]);
  return graph.with({ nodes: left.reverse(), initializers });
}

/**
 * Of the values of constant nodes, those that take no more room as initializers than what they replace: initializers that
 * nothing else reads. Values that are made of the same initializers replace them together. Only tables that are made of
 * nothing may take a little more.
 */
function withoutGrowth(
  graph: Graph,
  constant: ReadonlySet<Node>,
  values: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> {
  const folded = new Map<string, Tensor>();
  let room = MOST_GROWTH;
  for (const names of byInitializers(graph, values)) {
    const made = names.map((name) => [name, values.get(name) as Tensor] as const);
    const sources = [...sourcesOf(graph, names)];
    const replaced = sources.filter((name) => isReplaced(graph, constant, name));
    const bytes = bytesOf(made.map(([, tensor]) => tensor));
    const more = bytes - bytesOf(replaced.map((name) => graph.initializers.get(name)));
    const isTaken = more <= (sources.length > 0 ? 0 : room);
    if (isTaken) room -= Math.max(0, more);
    for (const [name, tensor] of made) if (isTaken || isSmall(tensor)) folded.set(name, tensor);
  }
  return folded;
}

/** Whether an initializer is gone when constant nodes are folded: nothing else reads it, and no output is made of it. */
function isReplaced(graph: Graph, constant: ReadonlySet<Node>, name: string): boolean {
  const { uses = [], isOutput = false } = graph.value(name) ?? {};
  if (isOutput) return false;
  return uses.every(
    ({ node, slot }) =>
      slot >= 0 && constant.has(node) && node.outputs.every((output) => !graph.value(output)?.isOutput),
  );
}

/** Names of values in parts that have no initializer in common. */
function byInitializers(graph: Graph, values: ReadonlyMap<string, Tensor>): string[][] {
  let parts: { names: string[]; sources: Set<string> }[] = [];
  for (const name of values.keys()) {
    const sources = sourcesOf(graph, [name]);
    const touched = parts.filter((part) => [...sources].some((source) => part.sources.has(source)));
    const names = [...touched.flatMap((part) => part.names), name];
    const joined = { names, sources: new Set([...sources, ...touched.flatMap((part) => [...part.sources])]) };
    parts = [...parts.filter((part) => !touched.includes(part)), joined];
  }
  return parts.map(({ names }) => names);
}

/** Initializers that constant values are made of; small ones, which many share, do not count. */
function sourcesOf(graph: Graph, names: readonly string[]): Set<string> {
  const sources = new Set<string>();
  const seen = new Set<string>();
  const open = [...names];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    const tensor = graph.initializers.get(name);
    if (tensor && !isSmall(tensor)) sources.add(name);
    open.push(...(graph.value(name)?.producer?.inputs ?? []));
  }
  return sources;
}

function bytesOf(tensors: readonly (Tensor | undefined)[]): number {
  return tensors.reduce((sum, tensor) => sum + (tensor?.byteLength ?? 0), 0);
}
