/** Quantised models, made of models of float32: QuantizeLinear and DequantizeLinear around every layer. */
import type { Model, Node } from "../../src/graph/graph.ts";
import type { Values } from "../../src/graph/pieces.ts";
import { type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { writeModel } from "../../src/onnx/index.ts";
import type { Runner } from "../../src/runner.ts";
import { node } from "./build.ts";

const LAYERS = new Set(["Conv", "Gemm", "MatMul"]);

/**
 * The model with int8 weights (a scale for each output of a Conv where `perChannel`, else one in all), int32 biases and uint8
 * activations, whose ranges are those on the feeds.
 */
export async function quantised(
  { graph, ...rest }: Model,
  runner: Runner,
  feeds: Values,
  perChannel: boolean,
): Promise<Model> {
  const layers = graph.nodes.filter(
    ({ opType, inputs }) => LAYERS.has(opType) && graph.initializers.has(inputs[1] ?? ""),
  );
  const read = [...new Set(layers.map(({ inputs }) => inputs[0] as string))];
  const made = read.filter((name) => !(name in feeds));
  const session = await runner.load(
    writeModel({ ...rest, graph: graph.with({ outputs: made.map((name) => ({ name })) }) }),
  );
  const values = { ...feeds, ...(await session.run(feeds)) };
  await session.release();
  const initializers = new Map(graph.initializers);
  const before = new Map<string, Node[]>();
  const scales = new Map<string, number>();
  for (const name of read) {
    const numbers = Array.from((values[name] as Tensor).numbers);
    const [low, high] = [0, 0].map((_, at) =>
      numbers.reduce((a, b) => (at === 0 ? Math.min(a, b) : Math.max(a, b)), 0),
    );
    const scale = ((high as number) - (low as number)) / 255;
    scales.set(name, scale);
    initializers.set(`${name}/scale`, tensorOf("float32", [scale], []));
    initializers.set(`${name}/zero`, tensorOf("uint8", [Math.round(-(low as number) / scale)], []));
    const of = [`${name}/scale`, `${name}/zero`];
    before.set(name, [
      node("QuantizeLinear", [name, ...of], [`${name}/q`]),
      node("DequantizeLinear", [`${name}/q`, ...of], [`${name}/dq`]),
    ]);
  }
  const nodes = graph.nodes.flatMap((one) => {
    if (!layers.includes(one)) return [one];
    const [input = "", weight = "", bias] = one.inputs;
    const tensor = graph.initializers.get(weight) as Tensor;
    const isRows = one.opType === "Conv" && perChannel;
    const count = isRows ? (tensor.dims[0] as number) : 1;
    const size = tensor.size / count;
    const numbers = Array.from(tensor.numbers);
    const own = Array.from({ length: count }, (_, row) => {
      return Math.max(1e-6, ...numbers.slice(row * size, (row + 1) * size).map(Math.abs)) / 127;
    });
    const integers = numbers.map((value, at) => Math.round(value / (own[Math.floor(at / size)] as number)));
    initializers.delete(weight);
    initializers.set(`${weight}/q`, tensorOf("int8", integers, tensor.dims));
    initializers.set(`${weight}/scale`, tensorOf("float32", own, isRows ? [count] : []));
    const added = [node("DequantizeLinear", [`${weight}/q`, `${weight}/scale`], [weight], isRows ? { axis: 0 } : {})];
    if (bias !== undefined) {
      const shift = graph.initializers.get(bias) as Tensor;
      const steps = own.map((scale) => scale * (scales.get(input) as number));
      const rounded = Array.from(shift.numbers, (value, at) =>
        Math.round(value / (steps[count === 1 ? 0 : at] as number)),
      );
      initializers.delete(bias);
      initializers.set(`${bias}/q`, tensorOf("int32", rounded, shift.dims));
      initializers.set(`${bias}/scale`, tensorOf("float32", steps, isRows ? [count] : []));
      added.push(node("DequantizeLinear", [`${bias}/q`, `${bias}/scale`], [bias], isRows ? { axis: 0 } : {}));
    }
    const quantising = before.get(input) ?? [];
    before.delete(input); // once
    return [...quantising, ...added, { ...one, inputs: [`${input}/dq`, ...one.inputs.slice(1)] }];
  });
  return { ...rest, graph: graph.with({ nodes, initializers }) };
}
