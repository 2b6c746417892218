/**
 * Slopes through whole model files, beside difference quotients of the error: for the unit with the largest gradient of each
 * of five groups, on a made-up sample and made-up targets. In float64 by the tests' reference evaluator, on images of 64
 * pixels, where the model takes them; else in float32 as it is.
 *
 *     npx tsx --conditions=source bench/slopes.ts MODEL.onnx ...
 */
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import {
  type Attribute,
  createEvaluator,
  type Group,
  gainCurves,
  type Model,
  prepare,
  type Runner,
  randomSource,
  readModel,
  stateOf,
  Tensor,
  taylorTerms,
} from "@shrinknet/core";
import { nodeRunner } from "@shrinknet/runtime/node";
import { referenceRunner } from "../packages/core/test/support/reference-runner.ts";

const GROUPS = 5;
const SIDE = 64;

/** How a model is run; `step` is half the distance of the two gains of a difference quotient. */
interface Way {
  readonly name: string;
  readonly runner: Runner;
  readonly step: number;
  of(model: Model): Model;
}

const ways: readonly Way[] = [
  { name: `float64, ${SIDE} pixels`, runner: referenceRunner(), step: 1e-6, of: small64 },
  { name: "float32", runner: nodeRunner({ threads: 2 }), step: 1e-2, of: (model) => model },
];

for (const file of process.argv.slice(2)) console.log(`${basename(file, ".onnx")}\t${await slopes(file)}`);

async function slopes(file: string): Promise<string> {
  const model = readModel(readFileSync(file));
  const refusals: string[] = [];
  for (const way of ways) {
    try {
      return `${way.name}: ${await difference(way.of(model), way)}`;
    } catch (error) {
      refusals.push((error as Error).message);
    }
  }
  return refusals.join("; ");
}

async function difference(model: Model, { runner, step }: Way): Promise<string> {
  const prunable = await prepare(model, runner);
  const { groups, count } = prunable.units;
  const random = randomSource(1);
  const madeUp = (name: string): Tensor => {
    const { type = "float32", dims = [] } = prunable.shapes.get(name) ?? {};
    const values = Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, () => 2 * random() - 1);
    return new Tensor(type, dims, type === "float64" ? Float64Array.from(values) : Float32Array.from(values));
  };
  const inputs = Object.fromEntries(model.graph.feeds.map(({ name }) => [name, madeUp(name)]));
  const targets = madeUp(model.graph.outputs[0]?.name as string);
  const evaluator = await createEvaluator(
    prunable,
    runner,
    { source: "made up", inputs, targets },
    { objective: "sse" },
  );
  const { gradient, curvature } = await taylorTerms(evaluator, stateOf(prunable, new Uint8Array(count)), {
    second: true,
  });
  if (![...gradient, ...curvature].every(Number.isFinite)) throw new Error("some terms are no numbers");
  const steepest = ({ first, size }: Group): number => {
    const own = Array.from({ length: size }, (_, index) => first + index);
    return own.reduce((best, unit) => (Math.abs(gradient[unit] ?? 0) > Math.abs(gradient[best] ?? 0) ? unit : best));
  };
  const some = Array.from({ length: GROUPS }, (_, k) => Math.floor(((k + 0.5) * groups.length) / GROUPS));
  const units = [...new Set(some)].map((at) => steepest(groups[at] as Group));
  const curves = await gainCurves(evaluator, { units, gains: [1 - step, 1 + step] });
  const differences = curves.map(({ points: [low, high] }, at) => {
    const quotient = ((high?.error ?? Number.NaN) - (low?.error ?? Number.NaN)) / (2 * step);
    return Math.abs(quotient - (gradient[units[at] as number] as number)) / Math.abs(quotient);
  });
  return `${count} units, ${Math.max(...differences).toExponential(0)}`;
}

/** The model in float64, its images {@link SIDE} pixels wide and high. */
function small64(model: Model): Model {
  const { graph } = model;
  const wide = (tensor: Tensor): Tensor =>
    tensor.type === "float32" ? new Tensor("float64", tensor.dims, Float64Array.from(tensor.numbers)) : tensor;
  const attribute = (one: Attribute): Attribute =>
    one.kind === "tensor" ? { kind: "tensor", value: wide(one.value) } : one;
  return {
    ...model,
    graph: graph.with({
      inputs: graph.inputs.map((input) => ({ ...input, type: "float64", shape: ["N", 3, SIDE, SIDE] })),
      outputs: graph.outputs.map(({ name }) => ({ name, type: "float64" })),
      valueInfo: new Map(),
      initializers: new Map([...graph.initializers].map(([name, tensor]) => [name, wide(tensor)])),
      nodes: graph.nodes.map((node) => ({
        ...node,
        attributes: Object.fromEntries(Object.entries(node.attributes).map(([name, one]) => [name, attribute(one)])),
      })),
    }),
  };
}
