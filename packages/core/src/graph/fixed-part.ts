/**
 * Many runs of a model in which only some inputs change: what does not depend on those is computed once for each of the
 * other feeds, and handed on.
 */
import { writeModel } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import { extract } from "./extract.ts";
import type { Model } from "./graph.ts";
import { readsOf } from "./graph.ts";
import type { Values } from "./pieces.ts";
import type { ValueShape } from "./shapes.ts";
import { downstream } from "./traverse.ts";

export interface FixedPart {
  /** Takes the feeds that stay; the result takes those that change, and gives the model's outputs. */
  fix(feeds: Values): Promise<(changing: Values) => Promise<Values>>;
  release(): Promise<void>;
}

/** Splits a model's graph at what depends on the inputs `changing`. Its outputs are tensors. */
export async function splitOff(model: Model, changing: readonly string[], runner: Runner): Promise<FixedPart> {
  const { graph } = model;
  const outputs = graph.outputs.map(({ name }) => name);
  const moves = downstream(graph, changing);
  const fed = graph.feeds.map(({ name }) => name).filter((name) => !changing.includes(name));
  const given = downstream(graph, fed); // what constants alone decide stays with its readers: runtimes fold it
  const read = graph.nodes.filter((node) => node.outputs.some((name) => moves.has(name))).flatMap(readsOf);
  const handed = new Set([...read, ...outputs].filter((name) => given.has(name) && !moves.has(name)));
  const computed = [...handed].filter((name) => !fed.includes(name));
  const head = extract(graph, [], computed, new Map());
  const first = computed.length > 0 ? await runner.load(writeModel({ ...model, graph: head })) : undefined;
  let second: Awaited<ReturnType<Runner["load"]>> | undefined;
  return {
    async fix(feeds) {
      const known: Values = { ...feeds, ...(await first?.run(feeds)) };
      const handOn = Object.fromEntries(Object.entries(known).filter(([name]) => handed.has(name)));
      // types of what is handed on are known only now
      const types = new Map(
        Object.entries(handOn).map(([name, { type }]): [string, ValueShape] => [name, { type, dims: [] }]),
      );
      const tail = extract(graph, Object.keys(handOn), outputs, types);
      second ??= await runner.load(writeModel({ ...model, graph: tail }));
      const session = second;
      return (feed) => session.run({ ...handOn, ...feed });
    },
    async release() {
      await first?.release();
      await second?.release();
    },
  };
}
