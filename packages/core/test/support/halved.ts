/** Models of half precision, made of models of float32. */
import type { Model } from "../../src/graph/graph.ts";
import { asStored, STORED_AS_IT_IS } from "../../src/graph/stored-types.ts";
import { isFloat, tensorOf } from "../../src/graph/tensor.ts";
import { node } from "./build.ts";

/** Throughout; inside of borders of float32; or weights alone, behind Cast. */
export type HalfForm = "throughout" | "inside" | "weights";

/** The model in half precision. What it computes inside differs from the float32 one by rounding. */
export function halved(model: Model, form: HalfForm): Model {
  const { graph } = model;
  const weights = [...graph.initializers].filter(([, { type }]) => isFloat(type)).map(([name]) => name);
  if (form === "weights") {
    const initializers = new Map(graph.initializers);
    const casts = weights.map((name) => {
      const tensor = graph.initializers.get(name) as NonNullable<ReturnType<typeof graph.initializers.get>>;
      initializers.delete(name);
      initializers.set(`${name}.half`, tensorOf("float16", tensor.numbers, tensor.dims));
      return node("Cast", [`${name}.half`], [name], { to: 1 });
    });
    return { ...model, graph: graph.with({ initializers, nodes: [...casts, ...graph.nodes] }) };
  }
  const values = [...weights, ...graph.nodes.flatMap(({ outputs }) => outputs)];
  const borders = [...graph.feeds, ...graph.outputs].map(({ name }) => name);
  const types = new Map([...values, ...borders].map((name) => [name, "float16" as const]));
  const whole = asStored(model, { ...STORED_AS_IT_IS, types }, () => undefined);
  if (form === "throughout") return whole;
  const inner = (name: string): string => (borders.includes(name) ? `${name}.half` : name);
  const nodes = whole.graph.nodes.map((one) => ({
    ...one,
    inputs: one.inputs.map(inner),
    outputs: one.outputs.map(inner),
  }));
  const into = graph.feeds.map(({ name }) => node("Cast", [name], [inner(name)], { to: 10 }, { name: `${name}.cast` }));
  const out = graph.outputs.map(({ name }) => node("Cast", [inner(name)], [name], { to: 1 }, { name: `${name}.cast` }));
  const { inputs, outputs } = graph;
  return { ...model, graph: whole.graph.with({ inputs, outputs, nodes: [...into, ...nodes, ...out] }) };
}
