/** Layers in control-flow bodies: they are left as they are, and this says which and how large they are. */
import { type ShapeOf, scopeOf, shapesInside } from "../graph/body-shapes.ts";
import { opsetOf } from "../graph/builder.ts";
import { type Graph, type Node, readsOf } from "../graph/graph.ts";
import { foldConstants, runPasses } from "../graph/passes.ts";
import type { Shapes, ValueShape } from "../graph/shapes.ts";
import { bodiesOf } from "../onnx/index.ts";
import { parametersInside, parametersPerElement } from "../surgery/parameters.ts";
import { macsInside, type Size } from "../surgery/size-of-model.ts";
import { findUnits } from "./find.ts";
import type { Prunable } from "./prepare.ts";
import type { Frozen } from "./units.ts";

/** What stands in the bodies of one node. */
export interface Inside extends Size {
  /** The node's operator. */
  readonly opType: string;
  readonly frozen: readonly Frozen[];
}

/** The control-flow nodes of a model that have layers in their bodies, in the graph's order. */
export function layersInside({ model, shapes }: Pick<Prunable, "model" | "shapes">): Inside[] {
  const { graph } = model;
  const shapeOf: ShapeOf = (name) => graph.initializers.get(name) ?? shapes.get(name);
  return graph.nodes.flatMap((node): Inside[] => {
    const frozen = frozenIn(node, graph, { shapes, scope: "", shapeOf, opset: opsetOf(model) });
    if (frozen.length === 0) return [];
    const captured = new Set(
      readsOf(node).filter((name) => graph.initializers.has(name) && !node.inputs.includes(name)),
    );
    const parameters = [...captured].reduce(
      (sum, name) => sum + parametersAt(graph, name),
      parametersInside(graph, node),
    );
    const macs = macsInside(node, { shapes, scope: "", shapeOf });
    return [{ opType: node.opType, frozen, parameters, macs }];
  });
}

function parametersAt(graph: Graph, name: string): number {
  const tensor = graph.initializers.get(name);
  return tensor ? tensor.size * parametersPerElement(graph, name, tensor) : 0;
}

/** What surrounds a body. */
interface Around {
  readonly shapes: Shapes;
  readonly scope: string;
  readonly shapeOf: ShapeOf;
  readonly opset: number;
}

function frozenIn(node: Node, graph: Graph, around: Around): Frozen[] {
  const { opType, name, outputs } = node;
  const reason = `stands in a body of ${opType} "${name || outputs[0]}", which is left as it is`;
  const causes = [`stands in a body of ${opType}`];
  return bodiesOf(node).flatMap((body, index) => {
    const scope = scopeOf(around.scope, node, index);
    const shapeOf = shapesInside(around.shapes, scope, body, around.shapeOf);
    const initializers = new Map([...graph.initializers, ...body.initializers]);
    const inner = runPasses(body.with({ initializers }), [foldConstants]);
    const { groups, frozen } = findUnits(inner, shapesOf(inner, shapeOf), around.opset);
    const own = groups.map(({ places: [place], size, layer }) => {
      return { value: place?.value ?? layer, axis: place?.axis ?? 0, size, reason, causes, layer };
    });
    return [
      ...own,
      ...frozen.map((one) => ({ ...one, reason, causes })),
      ...inner.nodes.flatMap((one) => frozenIn(one, inner, { ...around, scope, shapeOf })),
    ];
  });
}

/** Shapes of a body's values under the names that they have in it. */
function shapesOf(graph: Graph, shapeOf: ShapeOf): Shapes {
  const names = new Set([...graph.inputs.map((input) => input.name), ...graph.initializers.keys()]);
  for (const node of graph.nodes) for (const name of [...readsOf(node), ...node.outputs]) names.add(name);
  return new Map(
    [...names].flatMap((name): [string, ValueShape][] => {
      const shape = shapeOf(name);
      return shape ? [[name, { type: shape.type, dims: shape.dims }]] : [];
    }),
  );
}
