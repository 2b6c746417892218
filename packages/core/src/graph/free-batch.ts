/**
 * A free batch axis for models whose file fixes it to 1. The first axis of inputs and outputs becomes symbolic and
 * target shapes that spell out the 1 follow the batch; then the change is proved by running: three samples at once must
 * give what they give one by one.
 */
import type { Runner } from "../runner.ts";
import type { Graph, Model, ValueInfo } from "./graph.ts";
import { madeUpSamples, oneOf, type ProbeOptions, sampleShape } from "./made-up.ts";
import { type Look, look } from "./probe.ts";
import { type Shapes, shapesOf } from "./shapes.ts";
import { int64, type Tensor } from "./tensor.ts";

const SAMPLES = 3;

/** Whether the file fixes the first axis of some input to 1. */
export function hasFixedBatch(graph: Graph): boolean {
  return graph.feeds.some((input) => input.shape?.[0] === 1);
}

/**
 * The model with a free batch axis, or as it is where that would change what it computes, and its shapes: the runs that
 * prove the one show the other.
 */
export async function freeBatch(
  model: Model,
  runner: Runner,
  options: ProbeOptions = {},
): Promise<{ readonly model: Model; readonly shapes: Shapes }> {
  const { graph } = model;
  const all = madeUpSamples(
    graph.feeds.map((input) => sampleShape(input, options)),
    SAMPLES,
  );
  const samples = Array.from({ length: SAMPLES }, (_, n) => oneOf(all, n));
  const alone = await look(model, runner, samples);
  const [one, other] = alone;
  if (!one || one instanceof Error) throw one;
  const freed = { ...model, graph: withFreeAxis(graph, one) };
  const [together = new Error()] = await look(freed, runner, [all]).catch((refusal: Error) => [refusal]);
  if (!(together instanceof Error) && agree(graph, alone, together)) {
    return { model: freed, shapes: shapesOf(freed.graph, options, one, { look: together, samples: SAMPLES }) };
  }
  const second = other && !(other instanceof Error) ? { look: other, samples: 1 } : undefined;
  return { model, shapes: shapesOf(graph, options, one, second) };
}

function withFreeAxis(graph: Graph, one: Look): Graph {
  const free = (info: ValueInfo): ValueInfo =>
    info.shape?.[0] === 1 && !graph.initializers.has(info.name)
      ? { ...info, shape: ["N", ...info.shape.slice(1)] }
      : info;
  const inputs = new Set(graph.feeds.map(({ name }) => name));
  const isOneSample = (name = ""): boolean => inputs.has(name) || one.values.get(name)?.dims[0] === 1;
  const initializers = new Map(graph.initializers);
  const nodes = graph.nodes.map((node) => {
    const target = node.opType === "Reshape" ? graph.initializers.get(node.inputs[1] as string) : undefined;
    const dims = target && Array.from(target.numbers);
    if (!target || dims?.[0] !== 1 || !isOneSample(node.inputs[0])) return node;
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

function agree({ outputs }: Graph, alone: readonly (Look | Error)[], together: Look): boolean {
  return alone.every((one, n) => {
    if (one instanceof Error) return false;
    return outputs.every(({ name }) => sameRow(one.outputs[name] as Tensor, together.outputs[name] as Tensor, n));
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
