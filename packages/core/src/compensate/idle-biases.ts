/** Biases that were added for a repair and that it leaves at 0: the written file holds none. */
import { opsetOf } from "../graph/builder.ts";
import type { Model } from "../graph/graph.ts";
import type { RemovedUnits } from "../surgery/kept.ts";
import { findUnits } from "../units/find.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { type Fittable, keptOutputs } from "./consumers.ts";

/** Added biases that are 0 for all outputs that stay. */
export function idleBiases({ consumers, added }: Fittable, prunable: Prunable, removed: RemovedUnits): Set<string> {
  const idle = consumers.filter((consumer) => {
    const values = prunable.model.graph.initializers.get(consumer.bias)?.numbers ?? [];
    const kept = keptOutputs(prunable, consumer, { removed });
    return added.has(consumer.bias) && (kept ?? [...Array(values.length).keys()]).every((o) => values[o] === 0);
  });
  return new Set(idle.map(({ bias }) => bias));
}

/** The model without some added biases. Its units are the same; the places are found anew, as nodes get their names back. */
export function withoutBiases(prunable: Prunable, idle: ReadonlySet<string>): Prunable {
  const { model, shapes, options } = prunable;
  const bare = bareModel(model, idle);
  return { ...prunable, model: bare, units: findUnits(bare.graph, shapes, opsetOf(model), options) };
}

function bareModel(model: Model, idle: ReadonlySet<string>): Model {
  const { graph } = model;
  const adds = graph.nodes.filter((node) => node.opType === "Add" && idle.has(node.inputs[1] as string));
  const sums = new Map(adds.map(({ inputs, outputs }) => [inputs[0] as string, outputs[0] as string]));
  const nodes = graph.nodes.flatMap((node) => {
    if (adds.includes(node)) return [];
    const sum = sums.get(nodeId(node));
    const isIdle = idle.has(node.inputs[2] ?? "");
    if (sum === undefined && !isIdle) return [node];
    const inputs = isIdle ? node.inputs.slice(0, 2) : node.inputs;
    return [{ ...node, inputs, outputs: sum === undefined ? node.outputs : [sum] }];
  });
  const initializers = new Map([...graph.initializers].filter(([name]) => !idle.has(name)));
  return { ...model, graph: graph.with({ nodes, initializers }) };
}
