/**
 * Which layers of weights are fitted together: those that read one initializer in one role. Where it is also read in another
 * role, as by an encoder and, transposed, by its decoder, there is no closed form, and the weights stay as they are.
 */
import { describe, type Graph, type Node } from "../graph/graph.ts";
import { constantTensor } from "../graph/passes.ts";
import type { Shapes } from "../graph/shapes.ts";
import { regressionOf } from "../ops/regression.ts";
import type { Regression } from "../ops/rule.ts";
import { nodeId } from "../units/places.ts";
import type { Prunable } from "../units/prepare.ts";

/** A layer of weights that is a regression. */
export interface FoundLayer {
  readonly node: Node;
  readonly regression: Regression;
  /** Layers of the same family are fitted together. */
  readonly family: string;
  /** Whether the layer gets a copy of the weights for itself. */
  readonly isCopied: boolean;
  /** Why the weights stay as they are. */
  readonly fixed: string | undefined;
}

/** Input slot of the weights of a {@link Regression}. */
const WEIGHTS = 1;

/** The layers of a model that are regressions on constant weights, in topological order. */
export function weightFamilies({ model, shapes, batching, options }: Prunable): FoundLayer[] {
  const { graph } = model;
  const regressions = new Map<Node, Regression>();
  for (const node of graph.nodes) {
    const weights = node.inputs[WEIGHTS] ?? "";
    if (!isReal(shapes, weights) || !constantTensor(graph, weights)) continue;
    const regression = regressionOf(node, model, shapes, batching);
    if (regression) regressions.set(node, regression);
  }
  return [...regressions].map(([node, regression]): FoundLayer => {
    const weights = node.inputs[WEIGHTS] as string;
    const fixed = reasonToFix(graph, regressions, node, weights);
    const isShared = (graph.value(weights)?.uses.length ?? 0) > 1;
    const isCopied = (options?.untie ?? false) && isShared && graph.initializers.has(weights);
    if (isCopied) return { node, regression, family: nodeId(node), isCopied, fixed: undefined };
    return { node, regression, family: fixed === undefined ? weights : nodeId(node), isCopied, fixed };
  });
}

function isReal(shapes: Shapes, name: string): boolean {
  const type = shapes.get(name)?.type;
  return type === "float32" || type === "float64";
}

/** Why the weights cannot be fitted where all that reads them must go on sharing them; undefined: they can. */
function reasonToFix(
  graph: Graph,
  regressions: ReadonlyMap<Node, Regression>,
  node: Node,
  weights: string,
): string | undefined {
  const { producer, uses = [], isOutput = false } = graph.value(weights) ?? {};
  if (producer) return `${describe(node)}: its weights come from ${describe(producer)}`;
  const role = roleOf(node, regressions.get(node));
  const other = uses.find((use) => use.slot !== WEIGHTS || roleOf(use.node, regressions.get(use.node)) !== role);
  if (other) return `${describe(node)}: ${describe(other.node)} reads its weights too, in another role`;
  return isOutput ? `${describe(node)}: its weights are an output of the model` : undefined;
}

/** How a layer lays out its weights; undefined for a node that is no regression. */
function roleOf({ opType }: Node, regression: Regression | undefined): string | undefined {
  return regression && `${opType} ${regression.outputsFirst} ${regression.span}`;
}
