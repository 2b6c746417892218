/**
 * Folding by running: whatever in a graph depends on constants only — weights behind expressions, position tables,
 * padding amounts spelled as a chain of nodes — is computed once by the runtime and becomes an initializer.
 */
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import type { Graph, Model, Node } from "./graph.ts";
import { readsOf } from "./graph.ts";
import { removeDead, runPasses } from "./passes.ts";
import { sizeOf } from "./tensor.ts";

/** Different from run to run, or quantised weights that must stay as small as they are. */
const NEVER = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Multinomial",
  "Bernoulli",
  "DequantizeLinear",
]);

/** A value this much larger than all it is made of is left to the graph. */
const LARGEST = 2 ** 20;

/** Folds every constant sub-graph. The model is returned as it is where there is none. */
export async function foldByRunning(model: Model, runner: Runner): Promise<Model> {
  const { graph } = model;
  const constant = constantNodes(graph);
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
    const values = await session.run({}, wanted);
    const initializers = new Map(graph.initializers);
    for (const name of wanted) {
      const tensor = values[name];
      if (tensor && sizeOf(tensor.dims) <= LARGEST + elements(graph)) initializers.set(name, tensor);
    }
    const left = graph.nodes.filter((node) => !node.outputs.some((name) => initializers.has(name)));
    return { ...model, graph: runPasses(graph.with({ nodes: left, initializers }), [removeDead]) };
  } finally {
    await session.release();
  }
}

function constantNodes(graph: Graph): Set<Node> {
  const known = new Set(graph.initializers.keys());
  for (const input of graph.feeds) known.delete(input.name);
  const constant = new Set<Node>();
  for (const node of graph.nodes) {
    const bodies = Object.values(node.attributes).some(({ kind }) => kind === "graph");
    if (bodies || NEVER.has(node.opType) || node.domain !== "" || !readsOf(node).every((name) => known.has(name)))
      continue;
    if (node.inputs.length === 0 && node.opType !== "Constant") continue;
    constant.add(node);
    for (const name of node.outputs) known.add(name);
  }
  return constant;
}

function elements(graph: Graph): number {
  let total = 0;
  for (const tensor of graph.initializers.values()) total += tensor.size;
  return total;
}
