/**
 * Running a large model once, in little memory. A runtime copies the weights that it loads; weights that are fed like
 * inputs it reads where they lie. The model runs piece by piece, because those that a file leaves misaligned must be
 * copied for that; what later pieces read is handed on as activations.
 */
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import type { Graph, Model, Node } from "./graph.ts";
import { readsOf } from "./graph.ts";
import { Tensor } from "./tensor.ts";
import { valueKinds } from "./value-kinds.ts";

/** Weights of one piece in bytes, unless a single node reads more. */
const PIECE_BYTES = 2 ** 25;

/** Nodes of one piece: onnxruntime takes more than four times as long to load four times as many. */
const PIECE_NODES = 2000;

/** Initializers up to this size stay in the graph: runtimes work out shapes from them. */
const SMALL_BYTES = 1024;

/** Values by name. */
export type Values = Readonly<Record<string, Tensor>>;

/** What one feed gave: the model's outputs, or the runtime's refusal. */
export type Outcome = Values | Error;

/**
 * The outputs of the model for each of the feeds, without those that are no tensors of numbers. A feed that the runtime
 * refuses does not keep the others from running. Rejects where the runtime cannot load the model.
 */
export async function runInPieces(
  model: Model,
  runner: Runner,
  feeds: readonly Values[],
  pieceBytes: number = PIECE_BYTES,
): Promise<Outcome[]> {
  const { others } = valueKinds(model.graph); // only tensors can be handed from one piece to the next, and to us
  const pieces = others.size > 0 ? [[...model.graph.nodes]] : splitNodes(model.graph, pieceBytes);
  const ends = model.graph.outputs.map(({ name }) => name).filter((name) => !others.has(name));
  const lastReader = new Map<string, number>(); // by value, the last piece that needs it
  pieces.forEach((nodes, at) => {
    for (const node of nodes) for (const name of readsOf(node)) lastReader.set(name, at);
  });
  for (const name of ends) lastReader.set(name, pieces.length);
  const runs: (Map<string, Tensor> | Error)[] = feeds.map((feed) => new Map(Object.entries(feed)));
  for (const [at, nodes] of pieces.entries()) {
    const first = runs.find((run) => !(run instanceof Error));
    if (!first) break;
    const made = nodes.flatMap((node) => node.outputs);
    const wanted = made.filter((name) => (lastReader.get(name) ?? -1) > at);
    if (wanted.length === 0) continue;
    const piece = cutOut(model.graph, nodes, wanted, first as Map<string, Tensor>);
    const { graph, weights } = weightsAsInputs(piece);
    const session = await runner.load(writeModel({ ...model, graph }), { optimize: false });
    const numeric = wanted.filter((name) => session.outputs?.has(name) ?? true);
    try {
      for (const [number, run] of runs.entries()) {
        if (run instanceof Error || numeric.length === 0) continue;
        const given = piece.inputs.map(({ name }) => [name, run.get(name) as Tensor] as const);
        try {
          const results = await session.run({ ...Object.fromEntries(given), ...weights }, numeric);
          for (const [name, tensor] of Object.entries(results)) run.set(name, tensor);
          for (const name of [...run.keys()]) if ((lastReader.get(name) ?? -1) <= at) run.delete(name);
        } catch (cause) {
          runs[number] = cause instanceof Error ? cause : new Error(String(cause));
        }
      }
    } finally {
      await session.release();
    }
  }
  const { initializers } = model.graph;
  return runs.map((run) => {
    if (run instanceof Error) return run;
    const results = ends.flatMap((name): [string, Tensor][] => {
      const tensor = run.get(name) ?? initializers.get(name);
      return tensor ? [[name, tensor]] : [];
    });
    return Object.fromEntries(results);
  });
}

/** The graph with its weights, or those of them that `isWanted`, as inputs, and the weights to feed. */
export function weightsAsInputs(
  graph: Graph,
  isWanted: (name: string, tensor: Tensor) => boolean = () => true,
): { readonly graph: Graph; readonly weights: Values } {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  const isFed = (name: string, { type, byteLength }: Tensor): boolean =>
    byteLength > SMALL_BYTES &&
    isWanted(name, graph.initializers.get(name) as Tensor) &&
    type !== "bfloat16" &&
    !outputs.has(name); // JavaScript has no numbers of that type
  const fed = new Map([...graph.initializers].filter(([name, tensor]) => isFed(name, tensor)));
  const inputs = [...fed].map(([name, { type, dims }]) => ({ name, type, shape: dims }));
  return {
    graph: graph.with({
      inputs: [...graph.inputs.filter(({ name }) => !fed.has(name)), ...inputs],
      initializers: new Map([...graph.initializers].filter(([name]) => !fed.has(name))),
    }),
    // made anew, so that elements that are decoded for the runs are kept as long as this, and no longer
    get weights() {
      return Object.fromEntries([...fed].map(([name, { type, dims, data }]) => [name, new Tensor(type, dims, data)]));
    },
  };
}

/** The nodes in their order, in runs of so many that read at most `pieceBytes` of weights. */
function splitNodes(graph: Graph, pieceBytes: number): Node[][] {
  const pieces: Node[][] = [];
  let piece: Node[] = [];
  let weights = new Map<string, number>();
  let bytes = 0;
  for (const node of graph.nodes) {
    const own = readsOf(node).flatMap((name) => {
      const tensor = graph.initializers.get(name);
      return tensor ? [[name, tensor.byteLength] as const] : [];
    });
    const more = own.reduce((sum, [name, size]) => sum + (weights.has(name) ? 0 : size), 0);
    if (piece.length === PIECE_NODES || (bytes > 0 && bytes + more > pieceBytes)) {
      pieces.push(piece);
      [piece, weights, bytes] = [[], new Map(), 0];
    }
    piece.push(node);
    for (const [name, size] of own) {
      if (!weights.has(name)) bytes += size;
      weights.set(name, size);
    }
  }
  return [...pieces, piece];
}

/** The graph of some nodes: what is known when they run comes in, with the type it has. */
function cutOut(graph: Graph, nodes: readonly Node[], wanted: readonly string[], known: Map<string, Tensor>): Graph {
  const read = new Set([...nodes.flatMap(readsOf), ...wanted]);
  const inputs = [...known]
    .filter(([name]) => read.has(name))
    .map(([name, { type }]) => graph.inputs.find((input) => input.name === name) ?? { name, type });
  return graph.with({
    inputs,
    outputs: wanted.map((name) => ({ name })),
    nodes: leavesLast(nodes),
    initializers: new Map([...graph.initializers].filter(([name]) => read.has(name))),
    valueInfo: new Map(),
  });
}

/**
 * onnxruntime takes the nodes that no other waits for from the last to the first, each right after what it waits for
 * itself. In this order a value that is only looked at is let go at once, not at the end.
 */
function leavesLast(nodes: readonly Node[]): Node[] {
  const read = new Set(nodes.flatMap(readsOf));
  const isLeaf = (node: Node): boolean => !node.outputs.some((name) => read.has(name));
  return [...nodes.filter((node) => !isLeaf(node)), ...nodes.filter(isLeaf).reverse()];
}
