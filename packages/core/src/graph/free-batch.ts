/**
 * A free batch axis for models whose file fixes it to 1. The first axis of inputs and outputs becomes symbolic and
 * target shapes that spell out the 1 follow the batch; then the change is proved by running: three samples at once must
 * give what they give one by one.
 */
import type { Runner } from "../runner.ts";
import { randomSource } from "../util/random.ts";
import type { Graph, Model, ValueInfo } from "./graph.ts";
import { runInPieces, type Values } from "./pieces.ts";
import type { Shapes } from "./shapes.ts";
import { allocate, int64, sizeOf, Tensor } from "./tensor.ts";

const SAMPLES = 3;

/** Whether the file fixes the first axis of some input to 1. */
export function hasFixedBatch(graph: Graph): boolean {
  return graph.feeds.some((input) => input.shape?.[0] === 1);
}

/** The model with a free batch axis, or undefined where that would change what it computes. */
export async function freeBatch(model: Model, runner: Runner, shapes: Shapes): Promise<Model | undefined> {
  const freed = { ...model, graph: withFreeAxis(model.graph, shapes) };
  return (await agree(model, freed, runner, shapes)) ? freed : undefined;
}

function withFreeAxis(graph: Graph, shapes: Shapes): Graph {
  const free = (info: ValueInfo): ValueInfo =>
    info.shape?.[0] === 1 && !graph.initializers.has(info.name)
      ? { ...info, shape: ["N", ...info.shape.slice(1)] }
      : info;
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.map((node) => {
    const target = node.opType === "Reshape" ? graph.initializers.get(node.inputs[1] as string) : undefined;
    const dims = target && Array.from(target.numbers);
    if (!target || dims?.[0] !== 1 || shapes.get(node.inputs[0] as string)?.dims[0] !== 1) return node;
    const name = `${node.outputs[0]}/batch`;
    initializers.set(name, int64([dims.includes(-1) ? 0 : -1, ...dims.slice(1)], target.dims));
    return { ...node, inputs: [node.inputs[0] as string, name] };
  });
  return graph.with({
    nodes,
    initializers,
    inputs: graph.inputs.map(free),
    outputs: graph.outputs.map(free),
    valueInfo: new Map([...graph.valueInfo].map(([name, info]) => [name, free(info)])),
  });
}

async function agree(one: Model, many: Model, runner: Runner, shapes: Shapes): Promise<boolean> {
  const random = randomSource(1);
  const feeds = one.graph.feeds.map(({ name }) => {
    const { type = "float32", dims = [1] } = shapes.get(name) ?? {};
    const data = allocate(type, SAMPLES * sizeOf(dims));
    if (type === "float32" || type === "float64") for (let i = 0; i < data.length; i++) data[i] = random() * 2 - 1;
    return { name, type, dims, data };
  });
  const all = feeds.map(({ name, type, dims, data }) => [name, new Tensor(type, [SAMPLES, ...dims.slice(1)], data)]);
  const [together] = await runInPieces(many, runner, [Object.fromEntries(all)]);
  if (!together || together instanceof Error) return false; // the runtime refuses more than one sample
  const samples = Array.from({ length: SAMPLES }, (_, n): Values => {
    const own = feeds.map(({ name, type, dims, data }) => {
      const width = sizeOf(dims);
      return [name, new Tensor(type, dims, data.slice(n * width, (n + 1) * width))] as const;
    });
    return Object.fromEntries(own);
  });
  const alone = await runInPieces(one, runner, samples);
  return alone.every((outputs, n) => {
    if (outputs instanceof Error) return false;
    return one.graph.outputs.every(({ name }) => sameRow(outputs[name] as Tensor, together[name] as Tensor, n));
  });
}

/** Whether row `n` of `all` is `one`, up to rounding. */
function sameRow(one: Tensor, all: Tensor, n: number): boolean {
  if (all.dims[0] !== SAMPLES || all.size !== SAMPLES * one.size) return false;
  const [a, b] = [one.numbers, all.numbers];
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < a.length; i++) {
    largest = Math.max(largest, Math.abs(a[i] as number));
    difference = Math.max(difference, Math.abs((a[i] as number) - (b[n * a.length + i] as number)));
  }
  return difference <= 1e-5 * Math.max(largest, 1e-30);
}
