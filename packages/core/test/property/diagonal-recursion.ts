/**
 * The diagonal second-order recursion written down naively, without any operator rule: what flows from a node to an
 * input element x_j is sum_i g_i dy_i/dx_j, and in the second pass sum_i h_i (dy_i/dx_j)^2 + g_i d2y_i/dx_j^2, with the
 * node's own derivatives by central differences in float64. Parts from several readers are added up.
 */
import type { Model, Node } from "../../src/graph/graph.ts";
import { isFloat, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { evaluate } from "../support/reference.ts";

/** Derivatives of E by the elements of one value. */
export interface Arrived {
  readonly gradient: Float64Array;
  readonly curvature: Float64Array;
}

type Values = Readonly<Record<string, Tensor>>;

/** Truncation and rounding of both differences stay near 1e-8. */
const STEP = 1e-4;

/** What arrives at every value that depends on `inputs`, from what arrives at the end. All other feeds are constants. */
export function diagonalRecursion(
  model: Model,
  feeds: Values,
  inputs: readonly string[],
  seeds: ReadonlyMap<string, Arrived>,
): ReadonlyMap<string, Arrived> {
  const { graph } = model;
  const values = { ...feeds, ...evaluate(model, feeds, namesOf(graph.nodes)) };
  for (const [name, tensor] of graph.initializers) values[name] = tensor;
  const varying = new Set(inputs);
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => varying.has(name))) for (const name of node.outputs) varying.add(name);
  }
  const arrived = new Map(seeds);
  for (const node of graph.nodes.toReversed()) {
    const outputs = node.outputs.filter((name) => arrived.has(name));
    if (outputs.length === 0) continue;
    node.inputs.forEach((name, slot) => {
      const x = values[name];
      if (!x || !varying.has(name) || !isFloat(x.type)) return;
      const sum = arrived.get(name) ?? { gradient: new Float64Array(x.size), curvature: new Float64Array(x.size) };
      arrived.set(name, sum);
      for (let j = 0; j < x.size; j++) {
        const [low, middle, high] = [-STEP, 0, STEP].map((step) => run(model, node, values, slot, j, step)) as [
          Values,
          Values,
          Values,
        ];
        for (const output of outputs) {
          const { gradient, curvature } = arrived.get(output) as Arrived;
          const [l, m, u] = [low, middle, high].map((result) => (result[output] as Tensor).numbers) as [
            ArrayLike<number>,
            ArrayLike<number>,
            ArrayLike<number>,
          ];
          for (let i = 0; i < m.length; i++) {
            const [li, mi, ui] = [l[i] as number, m[i] as number, u[i] as number];
            const first = (ui - li) / (2 * STEP);
            const second = (ui - 2 * mi + li) / STEP ** 2;
            const [g, h] = [gradient[i] as number, curvature[i] as number];
            sum.gradient[j] = (sum.gradient[j] as number) + g * first;
            sum.curvature[j] = (sum.curvature[j] as number) + h * first ** 2 + g * second;
          }
        }
      }
    });
  }
  return arrived;
}

/** The node's outputs with element `j` of input `slot` moved by `step`. */
function run(model: Model, node: Node, values: Values, slot: number, j: number, step: number): Values {
  const inputs = node.inputs.map((name, at) => (name === "" ? "" : `input ${at}`));
  const given = node.inputs.flatMap((name, at) =>
    name === "" ? [] : [[`input ${at}`, values[name] as Tensor] as const],
  );
  const feeds = Object.fromEntries(given);
  const moved = Float64Array.from((feeds[`input ${slot}`] as Tensor).numbers);
  moved[j] = (moved[j] as number) + step;
  feeds[`input ${slot}`] = tensorOf("float64", moved, (feeds[`input ${slot}`] as Tensor).dims);
  const graph = model.graph.with({ nodes: [{ ...node, inputs }], initializers: new Map() });
  return evaluate({ ...model, graph }, feeds, namesOf([node]));
}

function namesOf(nodes: readonly Node[]): string[] {
  return nodes.flatMap((node) => node.outputs.filter((name) => name !== ""));
}
