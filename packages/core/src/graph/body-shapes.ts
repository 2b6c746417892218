/**
 * Shapes of the values inside control-flow bodies, learnt by running each body once by itself. Nothing in a body is cut, so
 * they hold for every stage of pruning. A body that cannot run alone has none.
 */
import { bodiesOf } from "../onnx/index.ts";
import type { Runner } from "../runner.ts";
import { intAttribute, intsAttribute, normalAxis } from "./attributes.ts";
import type { Graph, Model, Node, ValueInfo } from "./graph.ts";
import type { Values } from "./pieces.ts";
import { probeRun } from "./probe-run.ts";
import type { Shapes, ValueShape } from "./shapes.ts";
import { allocate, sizeOf, Tensor } from "./tensor.ts";

/** Finds the shape of a value by its name. */
export type ShapeOf = (name: string) => ValueShape | undefined;

/** What comes before the names of a body's values in {@link Shapes}; `outer` comes before those of the graph around it. */
export function scopeOf(outer: string, node: Node, body: number): string {
  return `${outer}${node.outputs.find((name) => name !== "")}/body ${body}/`;
}

/** Names in a body, and around it where the body does not define them. */
export function shapesInside(shapes: Shapes, scope: string, body: Graph, outer: ShapeOf): ShapeOf {
  return (name) => body.initializers.get(name) ?? shapes.get(`${scope}${name}`) ?? outer(name);
}

/** Shapes of all values in bodies, by scope and name; `shapes`: of the model's own values. */
export async function bodyShapes(model: Model, shapes: Shapes, runner: Runner): Promise<Map<string, ValueShape>> {
  const found = new Map<string, ValueShape>();
  const visit = async (graph: Graph, scope: string, shapeOf: ShapeOf): Promise<void> => {
    for (const node of graph.nodes) {
      for (const [index, body] of bodiesOf(node).entries()) {
        const inner = scopeOf(scope, node, index);
        const given = givenTo(node, body, shapeOf);
        const outer = outerValues(body, shapeOf);
        const alone = standingAlone(body, outer, graph);
        const feeds: Values = {
          ...feedsOf(given),
          ...feedsOf(outer.filter(({ name }) => !graph.initializers.has(name))),
        };
        const [seen] = await probeRun({ ...model, graph: alone }, runner, [feeds]).catch(() => []);
        if (!seen || seen instanceof Error) continue;
        for (const { name, type, dims } of given) found.set(`${inner}${name}`, { type, dims });
        for (const [name, { type, dims }] of seen.values) found.set(`${inner}${name}`, { type, dims });
        await visit(body, inner, shapesInside(found, inner, body, shapeOf));
      }
    }
  };
  const { initializers } = model.graph;
  await visit(model.graph, "", (name) => initializers.get(name) ?? shapes.get(name));
  return found;
}

/** A value that a body is given, with its shape. */
interface Given extends ValueShape {
  readonly name: string;
}

/** The body's own inputs: of a Loop the turn, the condition and what it hands on, of a Scan also one slice of each sequence. */
function givenTo(node: Node, body: Graph, shapeOf: ShapeOf): Given[] {
  const isScan = node.opType === "Scan";
  const scanned = isScan ? intAttribute(node, "num_scan_inputs", 0) : 0;
  return body.inputs.flatMap(({ name }, at): Given[] => {
    if (!isScan && at === 0) return [{ name, type: "int64", dims: [] }];
    if (!isScan && at === 1) return [{ name, type: "bool", dims: [] }];
    const shape = shapeOf(node.inputs[at] ?? "");
    const sequence = at - (node.inputs.length - scanned);
    if (!shape || !isScan || sequence < 0) return shape ? [{ ...shape, name }] : [];
    const axis = normalAxis(intsAttribute(node, "scan_input_axes")?.[sequence] ?? 0, shape.dims.length);
    return [{ name, type: shape.type, dims: shape.dims.filter((_, a) => a !== axis) }];
  });
}

/** What a body reads of the graph around it. */
function outerValues(body: Graph, shapeOf: ShapeOf): Given[] {
  const own = new Set([...body.inputs.map(({ name }) => name), ...body.initializers.keys()]);
  for (const node of body.nodes) for (const name of node.outputs) own.add(name);
  const read = new Set([...body.nodes.flatMap(namesIn), ...body.outputs.map(({ name }) => name)]);
  return [...read].flatMap((name) => {
    const shape = own.has(name) ? undefined : shapeOf(name);
    return shape ? [{ ...shape, name }] : [];
  });
}

function namesIn({ inputs, attributes }: Node): string[] {
  const captured = Object.values(attributes).flatMap((one) => (one.kind === "graph" ? one.value : []));
  return [...inputs.filter((name) => name !== ""), ...captured];
}

/** The body as a graph that runs by itself: what it reads around it is an input, or an initializer. */
function standingAlone(body: Graph, outer: readonly Given[], around: Graph): Graph {
  const initializers = new Map(body.initializers);
  const inputs: ValueInfo[] = [...body.inputs];
  for (const { name, type } of outer) {
    const tensor = around.initializers.get(name);
    if (tensor) initializers.set(name, tensor);
    else inputs.push({ name, type });
  }
  return body.with({ inputs, initializers });
}

function feedsOf(given: readonly Given[]): Values {
  const zeros = ({ type, dims, constant }: Given): Tensor =>
    constant ?? new Tensor(type, dims, allocate(type, sizeOf(dims)));
  return Object.fromEntries(given.map((one) => [one.name, zeros(one)]));
}
