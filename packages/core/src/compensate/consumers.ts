/**
 * Consumers: the layers of weights that can be fitted again in closed form, and a model in which nothing else reads their
 * weights and biases. Layers that share weights go on sharing them and are fitted together.
 */
import { opsetOf } from "../graph/builder.ts";
import { weightsBehind } from "../graph/constant-values.ts";
import { describe, type Node } from "../graph/graph.ts";
import { sizeOf } from "../graph/tensor.ts";
import type { State } from "../measure/state.ts";
import type { Unfitted } from "../results.ts";
import { keptIndexes, type RemovedUnits } from "../surgery/kept.ts";
import { findUnits } from "../units/find.ts";
import { nodeId, placeKey } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";
import { ConsumerDraft } from "./consumer-draft.ts";
import { weightFamilies } from "./weight-families.ts";

/** A layer whose outputs are features * weights + bias. */
export interface Consumer {
  /** The node that holds the weights. */
  readonly node: Node;
  /** The value it reads. */
  readonly input: string;
  /** Its outputs, bias included. */
  readonly output: string;
  /** An initializer that only consumers of one family read; with `fixed`, any constant. */
  readonly weights: string;
  /** An initializer that only consumers of one family read. */
  readonly bias: string;
  /** Why the weights stay as they are and only the bias is fitted; undefined: both are fitted. */
  readonly fixed: string | undefined;
}

/** Consumers that share their weights, in topological order; mostly one. They are fitted together. */
export type ConsumerFamily = readonly Consumer[];

/** A prunable model whose consumers can be fitted. Computes the same as the one that it was made from. */
export interface Fittable {
  /** The model that it was made from. It has the same units. */
  readonly original: Prunable;
  readonly prunable: Prunable;
  /** In topological order. */
  readonly consumers: readonly Consumer[];
  /** The same by family, in the order of each family's first consumer. */
  readonly families: readonly ConsumerFamily[];
  /** Biases, all 0, that were added; see `idle-biases.ts`. */
  readonly added: ReadonlySet<string>;
}

/** Finds the consumers of a model and gives them weights and biases that nothing else reads. */
export function fittable(original: Prunable): Fittable {
  const { model, options } = original;
  const layers = weightFamilies(original);
  const draft = new ConsumerDraft(original, layers);
  const consumers = layers.map((layer) => draft.consumer(layer));
  const families = new Map<string, Consumer[]>();
  for (const [at, { family }] of layers.entries()) {
    families.set(family, [...(families.get(family) ?? []), consumers[at] as Consumer]);
  }
  const { graph, shapes } = draft.result();
  const units = findUnits(graph, shapes, opsetOf(model), options);
  const prunable = { ...original, model: { ...model, graph }, shapes, units };
  return { original, prunable, consumers, families: [...families.values()], added: draft.added };
}

/** Layers with more features than this get a bias alone: their least squares would take too long. */
export const MOST_FEATURES = 4096;

/** Layers of weights that read units of which some are gone, and that are not fitted again, with the reason in words. */
export function unfitted({ prunable, consumers }: Fittable, removed: RemovedUnits): Unfitted[] {
  const { units, model, shapes } = prunable;
  const { graph } = model;
  const nodes = new Map(graph.nodes.map((node) => [nodeId(node), node]));
  const known = new Map(consumers.map((consumer) => [nodeId(consumer.node), consumer]));
  const reasons = new Map<string, Unfitted>();
  for (const { first, size, sinks } of units.groups) {
    if (!removed.subarray(first, first + size).includes(1)) continue;
    for (const { node: id } of sinks) {
      const node = nodes.get(id) as Node;
      const reason = hasWeights(node) ? reasonOf(node, known.get(id)) : undefined;
      if (reason !== undefined) reasons.set(id, { layer: node.name || id, reason });
    }
  }
  return [...reasons.values()];

  function hasWeights({ inputs }: Node): boolean {
    const weights = inputs.flatMap((name) => weightsBehind(graph, name));
    return weights.some((name) => (graph.initializers.get(name)?.dims.length ?? 0) > 1);
  }

  function reasonOf(node: Node, consumer: Consumer | undefined): string | undefined {
    if (!consumer) return `${describe(node)}: weights of this operator and form are not fitted`;
    if (consumer.fixed !== undefined) return `${consumer.fixed}: only its bias is fitted`;
    const weights = sizeOf(shapes.get(consumer.weights)?.dims ?? []);
    const features = weights / (graph.initializers.get(consumer.bias)?.size ?? 1);
    if (features <= MOST_FEATURES) return undefined;
    return `${features} features are too many for least squares: only its bias is fitted`;
  }
}

/** Outputs of a consumer that are left, by their number in the intact layer; undefined: all. */
export function keptOutputs(
  { units, model }: Prunable,
  { bias }: Consumer,
  { removed }: Pick<State, "removed">,
): readonly number[] | undefined {
  const holder = model.graph.value(bias)?.uses[0];
  const axis = (model.graph.initializers.get(bias)?.dims.length ?? 1) - 1;
  if (!holder) return undefined;
  return keptIndexes(units.places, placeKey(bias, axis, { node: nodeId(holder.node), slot: holder.slot }), removed);
}
