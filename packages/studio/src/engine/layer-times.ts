/** What each layer takes on this runtime: every node that computes is run alone, on what it reads in the whole network. */
import {
  type Evaluator,
  emptyGraph,
  type Graph,
  type Node,
  type Prunable,
  type Runner,
  sampleFeeds,
  type Tensor,
  writeModel,
} from "@shrinknet/core";

/** Runs of a node before and while it is timed. */
const WARM_UP = 2;
const RUNS = 7;
/** Networks with more nodes than this are timed at those of weights alone. */
const MOST_NODES = 300;

/** Milliseconds (median) by name of each node, or by its first output where it has none. */
export async function timesByLayer(
  prunable: Prunable,
  evaluator: Evaluator | undefined,
  { runner, clock }: { readonly runner: Runner; clock(): number },
): Promise<Record<string, number>> {
  const { model, shapes } = prunable;
  const { graph } = model;
  const given = sampleFeeds(prunable, evaluator, 1)[0] ?? {};
  const isTimed = ({ inputs }: Node): boolean =>
    graph.nodes.length <= MOST_NODES || inputs.some((name) => graph.initializers.has(name));
  const timed = graph.nodes.filter((node) => isTimed(node) && node.inputs.some((name) => reads(graph, name)));
  const read = [...new Set(timed.flatMap(({ inputs }) => inputs.filter((name) => reads(graph, name))))];
  const values = await valuesOf(prunable, read, given, runner);
  const times: Record<string, number> = {};
  for (const node of timed) {
    const own = node.inputs.filter((name) => reads(graph, name));
    if (own.some((name) => !values[name])) continue;
    const inputs = [...new Set(own)].map((name) => {
      const { type, dims } = values[name] as Tensor;
      return { name, type, shape: [...dims] };
    });
    const weights = new Map([...graph.initializers].filter(([name]) => node.inputs.includes(name)));
    const outputs = node.outputs.slice(0, 1).map((name) => ({ name, type: shapes.get(name)?.type ?? "float32" }));
    const alone = emptyGraph().with({ inputs, outputs, nodes: [node], initializers: weights });
    const feeds = Object.fromEntries(inputs.map(({ name }) => [name, values[name] as Tensor]));
    const took = await timeOf(writeModel({ ...model, graph: alone }), feeds, runner, clock).catch(() => undefined);
    if (took !== undefined) times[node.name || (node.outputs[0] as string)] = took;
  }
  return times;
}

/** Whether a name is a value that flows, no weight and no gap. */
function reads(graph: Graph, name: string): boolean {
  return name !== "" && !graph.initializers.has(name);
}

async function valuesOf(
  { model, shapes }: Prunable,
  names: readonly string[],
  feeds: Readonly<Record<string, Tensor>>,
  runner: Runner,
): Promise<Record<string, Tensor>> {
  const { graph } = model;
  const inner = names.filter((name) => !(name in feeds));
  if (inner.length === 0) return { ...feeds };
  const outputs = inner.map((name) => ({ name, type: shapes.get(name)?.type ?? "float32" }));
  const session = await runner.load(writeModel({ ...model, graph: graph.with({ outputs }) }), { optimize: false });
  try {
    return { ...feeds, ...(await session.run(feeds)) };
  } finally {
    await session.release();
  }
}

async function timeOf(
  model: Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
  runner: Runner,
  clock: () => number,
): Promise<number> {
  const session = await runner.load(model);
  try {
    const times: number[] = [];
    for (let run = 0; run < WARM_UP + RUNS; run++) {
      const start = clock();
      await session.run(feeds);
      if (run >= WARM_UP) times.push(clock() - start);
    }
    return times.sort((a, b) => a - b)[times.length >> 1] as number;
  } finally {
    await session.release();
  }
}
