/** The size of a model as its file has it: counted on its own tensors and shapes, with nothing known of units. */
import { type ShapeOf, scopeOf, shapesInside } from "../graph/body-shapes.ts";
import { constantNodes } from "../graph/constant-values.ts";
import type { Graph, Model, Node } from "../graph/graph.ts";
import { foldConstants, removeDead, runPasses } from "../graph/passes.ts";
import type { Shapes } from "../graph/shapes.ts";
import { bodiesOf, inlineFunctions } from "../onnx/index.ts";
import { macsOf } from "../ops/macs.ts";
import { parametersOf } from "./parameters.ts";

export interface Size {
  /** Elements of real and quantised weights that are stored; what is stored twice counts twice. */
  readonly parameters: number;
  /** Multiply-accumulates for one sample. */
  readonly macs: number;
}

/** Parameters and MACs of a model. `shapes`: of its values, at one sample, those inside control-flow bodies included. */
export function sizeOfModel(given: Model, shapes: Shapes): Size {
  const model = inlineFunctions(given);
  const graph = runPasses(model.graph, [foldConstants, removeDead]); // its values have the names of the shapes
  const shapeOf: ShapeOf = (name) => graph.initializers.get(name) ?? shapes.get(name);
  return { parameters: parametersOf(model), macs: macsIn(graph, { shapes, scope: "", shapeOf }) };
}

/** Where a graph stands, and how the shapes of what it reads are found. */
interface Scope {
  readonly shapes: Shapes;
  readonly scope: string;
  readonly shapeOf: ShapeOf;
}

function macsIn(graph: Graph, scope: Scope): number {
  const constant = constantNodes(graph); // computed once, not for every sample
  const nodes = graph.nodes.filter((node) => !constant.has(node));
  return nodes.reduce((sum, node) => sum + macsOfNode(node, scope) + macsInside(node, scope), 0);
}

/** 0 where the count asks for a shape that is not known. */
function macsOfNode(node: Node, { shapeOf }: Scope): number {
  let isKnown = true;
  const dimsOf = (name = ""): readonly number[] => {
    const shape = name === "" ? undefined : shapeOf(name);
    isKnown &&= name === "" || shape !== undefined;
    return shape?.dims ?? [];
  };
  const macs = macsOf({
    node,
    dims: (slot) => dimsOf(node.inputs[slot]),
    outDims: (index = 0) => dimsOf(node.outputs[index]),
  });
  return isKnown ? macs : 0;
}

/** MACs of a node's bodies: of the larger branch of an If, and of every turn of a Loop or Scan whose number is known. */
export function macsInside(node: Node, { shapes, scope, shapeOf }: Scope): number {
  const bodies = bodiesOf(node).map((body, index) => {
    const inner = scopeOf(scope, node, index);
    return macsIn(body, { shapes, scope: inner, shapeOf: shapesInside(shapes, inner, body, shapeOf) });
  });
  return bodies.length > 0 ? Math.max(...bodies) * turnsOf(node, shapeOf) : 0;
}

/** How often a body runs; 1 where that is not known before the model runs. */
function turnsOf(node: Node, shapeOf: ShapeOf): number {
  if (node.opType === "Loop") {
    const most = shapeOf(node.inputs[0] ?? "");
    const known = most && "numbers" in most ? most.numbers : most?.constant?.numbers;
    return Math.max(1, Number((known as ArrayLike<number> | undefined)?.[0] ?? 1));
  }
  return node.opType === "Scan" ? (shapeOf(node.inputs.at(-1) ?? "")?.dims[0] ?? 1) : 1;
}
