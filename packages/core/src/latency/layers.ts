/** Which share of a network's time each layer takes, where the runner can tell. */
import type { Graph, Model, Node } from "../graph/graph.ts";
import { writeModel } from "../onnx/index.ts";
import type { LayerTimes } from "../results.ts";
import type { Runner } from "../runner.ts";
import { sampleFeeds } from "../surgery/samples.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";

/** Runs that are averaged. */
const RUNS = 30;

/** By layer, slowest first; what the runtime adds of its own (changes of layout) is one more. Undefined: the runner cannot tell. */
export async function layerTimes(prunable: Prunable, runner: Runner): Promise<LayerTimes | undefined> {
  const { model } = prunable;
  const [feeds] = sampleFeeds(prunable, undefined, 1);
  const times = feeds && (await runner.profile?.(writeModel(named(model)), feeds, RUNS));
  if (!times) return undefined;
  const total = [...times.values()].reduce((sum, one) => sum + one, 0);
  const layers = model.graph.nodes.flatMap((node) => {
    const milliseconds = times.get(nodeId(node));
    if (milliseconds === undefined) return [];
    const { name, opType, outputs } = firstOf(node, model.graph, times);
    return [{ layer: name || (outputs[0] ?? ""), operator: opType, milliseconds, share: milliseconds / total }];
  });
  const own = total - layers.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return {
    milliseconds: total,
    layers: layers.sort((a, b) => b.milliseconds - a.milliseconds),
    other: { milliseconds: own, share: own / total },
  };
}

/** The first of the nodes that run as one: a runtime gives an activation's name to the layer that it runs with. */
function firstOf(node: Node, graph: Graph, times: ReadonlyMap<string, number>): Node {
  const before = graph.value(node.inputs[0] ?? "")?.producer;
  return before && !times.has(nodeId(before)) ? firstOf(before, graph, times) : node;
}

/** The model with nodes named by their first outputs, so that no two have one name. */
function named(model: Model): Model {
  const nodes = model.graph.nodes.map((node) => ({ ...node, name: nodeId(node) }));
  return { ...model, graph: model.graph.with({ nodes }) };
}
