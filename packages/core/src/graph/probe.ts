/**
 * Looking into a model: it runs on made-up samples, and what comes out is the shape of each inner value that is real, so
 * that large activations need not be kept, and all others as they are.
 */

import type { Runner } from "../runner.ts";
import type { Graph, Model, Node } from "./graph.ts";
import { runInPieces, type Values } from "./pieces.ts";
import { realValues } from "./real-values.ts";
import type { ElementType, Tensor } from "./tensor.ts";

/** What a run tells about a value. */
export interface Seen {
  readonly type: ElementType;
  readonly dims: readonly number[];
  /** Left out for reals. */
  readonly value: Tensor | undefined;
}

/** What a run gave: everything that nodes compute, by name, and the model's outputs with their elements. */
export interface Look {
  readonly values: ReadonlyMap<string, Seen>;
  readonly outputs: Values;
}

/**
 * Runs the model on each of the feeds. A feed that the runtime refuses gives its refusal in place of a look.
 * Rejects where the runtime cannot load the model.
 */
export async function look(model: Model, runner: Runner, feeds: readonly Values[]): Promise<(Look | Error)[]> {
  const { graph } = model;
  const reals = realValues(graph);
  const shapeOf = new Map<string, string>(); // by real value, the name of its shape
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const own = node.outputs.filter((name) => reals.has(name) && !shapeOf.has(name));
    for (const name of own) shapeOf.set(name, unused(graph, `${name}/shape`));
    return [node, ...own.map((name) => shapeNode(name, shapeOf.get(name) as string))];
  });
  const made = [...new Set(graph.nodes.flatMap(({ outputs }) => outputs.filter((name) => name !== "")))];
  const names = new Set([...made.map((name) => shapeOf.get(name) ?? name), ...graph.outputs.map(({ name }) => name)]);
  const outputs = [...names].map((name) => ({ name }));
  const exposed = { ...model, graph: graph.with({ nodes, outputs, valueInfo: new Map() }) };
  const outcomes = await runInPieces(exposed, runner, feeds);
  return outcomes.map((run) => {
    if (run instanceof Error) return run;
    const seen = made.map((name): [string, Seen] => {
      const shape = shapeOf.get(name);
      if (shape === undefined) {
        const value = run[name] as Tensor;
        return [name, { type: value.type, dims: value.dims, value }];
      }
      const dims = Array.from((run[shape] as Tensor).numbers);
      return [name, { type: reals.get(name) as ElementType, dims, value: undefined }];
    });
    return { values: new Map(seen), outputs: run };
  });
}

function shapeNode(value: string, name: string): Node {
  return { name, opType: "Shape", domain: "", inputs: [value], outputs: [name], attributes: {} };
}

/** A name that no value of the graph has. */
function unused(graph: Graph, name: string): string {
  return graph.value(name) ? unused(graph, `${name}_`) : name;
}
