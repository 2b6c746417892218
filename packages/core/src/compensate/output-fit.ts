/**
 * The last step of a repair: all weights of small consumers, scale and bias of every output of the others, fitted together to
 * the outputs that the original network gave. Layer by layer each fit knows its own rows only; here all answer for what comes out in the end.
 * Least squares on the linearised network (Gauss and Newton), damped (Levenberg 1944; Marquardt 1963).
 */
import { differentiate } from "../derive/backward.ts";
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { splitOff } from "../graph/fixed-part.ts";
import { slice, Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import { fromSamplesFirst } from "../measure/objectives/layout.ts";
import type { OutputTerm } from "../measure/objectives/model-objective.ts";
import type { State } from "../measure/state.ts";
import { writeModel } from "../onnx/index.ts";
import { Algebra } from "./algebra.ts";
import { directionsOf, distanceFactor, outputDistance } from "./output-distance.ts";
import type { Outputs } from "./outputs.ts";
import type { Layer } from "./rows.ts";

/** What is done to the outputs of a consumer that are left. */
export interface Adjustment {
  readonly layer: Layer;
  /** By output: new weights and bias are the old ones times this. */
  readonly scale: Float64Array;
  /** Added to the weights [features, outputs] behind that; only of small consumers. */
  readonly weights: Float64Array | undefined;
  /** Added to the bias. */
  readonly bias: Float64Array;
}

/** Consumers with no more weights than this, and than an eighth of the rows to fit on, are fitted as a whole. */
const FEW_WEIGHTS = 1536;
const ROWS_PER_WEIGHT = 8;

/** The linearised network takes no more numbers than this: fewer samples are looked at where they would be more. */
const MOST_NUMBERS = 2 ** 27;

/** Multiply-accumulates of its normal equations. */
const MOST_PRODUCTS = 1e11;

const DAMPINGS = [1e-2, 1e-1, 1] as const;

/** More unknowns than this are not fitted: their normal equations would take too long. Consumers nearest the output come first. */
const MOST_UNKNOWNS = 2560;

/** More output elements of one sample than this are not fitted to: each takes a pass backward. */
const MOST_OUTPUTS = 1024;

/** Name of the graph input that takes the directions of a term. */
const directionAt = (term: number): string => `shrinknet/direction/${term}`;

/** A consumer, and how many of its outputs are left. */
interface Adjusted {
  readonly layer: Layer;
  readonly width: number;
}

/** Some of the unknowns: where the first one stands, and how many there are. */
interface Block {
  readonly at: number;
  readonly count: number;
}

/** The unknowns of a consumer. Those that share an initializer share its unknowns. */
interface Unknowns {
  /** Whether every weight is one, or the scale of every output. */
  readonly whole: boolean;
  /** None where the weights stay as they are. */
  readonly weights: Block | undefined;
  readonly bias: Block;
}

/** The unknowns of all consumers, in their order, and how many there are in all. */
function unknownsOf(layers: readonly Adjusted[], rows: number): { all: Unknowns[]; count: number } {
  const blocks = new Map<string, Block>(); // by initializer
  let total = 0;
  const blockOf = (name: string, count: number): Block => {
    const block = blocks.get(name) ?? { at: total, count };
    if (!blocks.has(name)) total += count;
    blocks.set(name, block);
    return block;
  };
  const all = layers.map(({ layer, width }): Unknowns => {
    const { weights, bias, fixed } = layer.consumer;
    const whole = layer.features * width <= Math.min(FEW_WEIGHTS, rows / ROWS_PER_WEIGHT);
    const count = whole ? layer.features * width : width;
    return {
      whole,
      weights: fixed === undefined ? blockOf(weights, count) : undefined,
      bias: blockOf(bias, width),
    };
  });
  return { all, count: total };
}

/**
 * The consumers nearest the output, back to where there would be too many unknowns. One whose initializer is read before that
 * as well stays as it is: it would answer for a part of its readers only.
 */
function nearestOutput(layers: readonly Adjusted[], rows: number): readonly Adjusted[] {
  const most = Math.min(MOST_UNKNOWNS, rows);
  let from = layers.length;
  while (from > 0 && unknownsOf(layers.slice(from - 1), rows).count <= most) from--;
  const others = new Set(layers.slice(0, from).flatMap(({ layer: { consumer } }) => [consumer.weights, consumer.bias]));
  return layers
    .slice(from)
    .filter(({ layer: { consumer } }) => !(others.has(consumer.weights) || others.has(consumer.bias)));
}

export interface OutputFitRequest {
  readonly evaluator: Evaluator;
  readonly state: State;
  /** Consumers that are adjusted, with the number of their outputs that are left. */
  readonly layers: readonly Adjusted[];
  /** Outputs of the original network, by chunk. */
  readonly original: readonly Outputs[];
  /** Outputs at this state, by chunk. */
  readonly outputs: readonly Outputs[];
  /** Number of samples to fit on. */
  readonly fit: number;
  /** Of these so large a share is looked at, as far as there are enough rows for the unknowns. */
  readonly share: number;
}

/** Multiply-accumulates of one step with all samples, about: a pass backward, twice a pass forward, for every output element. */
export function stepMacs({ evaluator, fit }: Pick<OutputFitRequest, "evaluator" | "fit">, macs: number): number {
  return 3 * macs * fit * outputsOf({ evaluator });
}

/** Passes over the data that take about as long as one step with all samples: backward alone, as the way forward is run once. */
export function stepPasses(
  { evaluator, fit }: Pick<OutputFitRequest, "evaluator" | "fit">,
  layers: readonly Adjusted[],
): number {
  const outputs = outputsOf({ evaluator });
  if (outputs > MOST_OUTPUTS || nearestOutput(layers, fit * outputs).length === 0) return 0;
  return (2.5 * outputs * fit) / evaluator.samples.size;
}

/** Rows for each unknown that are enough. */
const ROWS_PER_UNKNOWN = 4;

/** Candidates for one step, by damping, from weak to strong; none where a sample has too many outputs. */
export async function outputSteps(requested: OutputFitRequest): Promise<Adjustment[][]> {
  if (outputsOf(requested) > MOST_OUTPUTS) return [];
  const rows = rowsOf(requested);
  const layers = nearestOutput(requested.layers, rows);
  const { all, count: unknowns } = unknownsOf(layers, rows);
  if (unknowns === 0) return [];
  const request = { ...requested, layers };
  const { jacobian, residuals } = await linearised(request, unknowns);
  const { gram, slope } = await normalEquations(request, jacobian, residuals, unknowns);
  let trace = 0;
  for (let i = 0; i < unknowns; i++) trace += gram[i * unknowns + i] as number;
  const floor = (1e-3 * trace) / unknowns;
  const algebra = await Algebra.of(request.evaluator.runner);
  const steps: Adjustment[][] = [];
  for (const damping of DAMPINGS) {
    const damped = gram.slice();
    for (let i = 0; i < unknowns; i++) {
      const at = i * unknowns + i;
      damped[at] = (damped[at] as number) + damping * Math.max(damped[at] as number, floor);
    }
    const factor = await algebra.factorise(damped, unknowns);
    if (!factor) continue;
    const step = await algebra.solve(
      factor,
      slope.map((value) => -value),
      1,
    );
    const stepOf = ({ at, count }: Block): Float64Array => step.slice(at, at + count);
    steps.push(
      layers.map(({ layer, width }, i) => {
        const { whole, weights, bias } = all[i] as Unknowns;
        const own = weights && stepOf(weights);
        const scale = own && !whole ? own.map((value) => 1 + value) : new Float64Array(width).fill(1);
        return { layer, scale, weights: whole ? own : undefined, bias: stepOf(bias) };
      }),
    );
  }
  return steps;
}

/** Output elements of one sample. */
function outputsOf({ evaluator }: Pick<OutputFitRequest, "evaluator">): number {
  return evaluator.terms.reduce((sum, term) => sum + directionsOf(term), 0);
}

/** Rows to fit on: samples times outputs. */
function rowsOf(request: OutputFitRequest): number {
  return request.fit * outputsOf(request);
}

/** How far outputs are from the original network's, over the samples that nothing was fitted on. */
export function heldOutChange(
  { evaluator, original, fit }: Pick<OutputFitRequest, "evaluator" | "original" | "fit">,
  outputs: readonly Outputs[],
): number {
  let distance = 0;
  for (const [index, { from, to }] of evaluator.chunks.entries()) {
    const first = Math.min(Math.max(fit - from, 0), to - from);
    const rest = (all: Outputs): Outputs => all.map((tensor) => slice(tensor, 0, first, to - from));
    distance += outputDistance(evaluator.terms, rest(original[index] as Outputs), rest(outputs[index] as Outputs));
  }
  return distance;
}

/** Rows of the Jacobian times the square root of the distance's second derivative, and the same of what is wrong. */
async function linearised(
  request: OutputFitRequest,
  unknowns: number,
): Promise<{ jacobian: Float32Array; residuals: Float32Array }> {
  const { evaluator, state, layers, original, outputs, fit } = request;
  const { all } = unknownsOf(layers, rowsOf(request));
  const { terms, chunks, runner, type } = evaluator;
  const { model, shapes } = state;
  const b = new GraphBuilder({ opset: opsetOf(model), real: type, base: model.graph });
  const seeds = new Map<string, { gradient: string }>();
  for (const [at, { value, layout, info }] of terms.entries()) {
    const own = fromSamplesFirst(b, b.input(directionAt(at), type, ["N", ...info.dims]), layout);
    const known = seeds.get(value);
    seeds.set(value, { gradient: known ? b.add(known.gradient, own) : own });
  }
  const { gradient } = differentiate({
    builder: b,
    graph: model.graph,
    shapes,
    opset: b.opset,
    seeds,
    wanted: layers.map(({ layer }) => layer.consumer.output),
  });
  const parts = layers.flatMap((one, i): { readonly name: string; readonly block: Block }[] => {
    const { layer, width: own } = one;
    const { whole, weights, bias } = all[i] as Unknowns;
    const slope = gradient.get(layer.consumer.output);
    if (slope === undefined) return [];
    const { regression, positions, features, consumer } = layer;
    const rows = (value: string, of: number): string => b.reshape(value, [-1, positions, of]);
    const sums = (value: string): string =>
      regression.sums?.(b, value) ?? b.sum(rows(regression.outputs(b, value), own), [1]);
    const x = (): string =>
      b.op("Transpose", [rows(regression.features(b, consumer.input), features)], { perm: [0, 2, 1] });
    const byWeights = (): string =>
      whole ? b.op("MatMul", [x(), rows(regression.outputs(b, slope), own)]) : sums(b.mul(slope, consumer.output));
    return [...(weights ? [{ name: byWeights(), block: weights }] : []), { name: sums(slope), block: bias }];
  });
  const names = parts.map(({ name }) => name);
  if (names.length === 0) return { jacobian: new Float32Array(0), residuals: new Float32Array(0) };
  const width = outputsOf(request);
  const wanted = Math.max(request.share * fit, (ROWS_PER_UNKNOWN * unknowns) / width);
  const held = Math.min(MOST_NUMBERS / unknowns, MOST_PRODUCTS / unknowns ** 2);
  const most = Math.min(fit, Math.ceil(wanted), Math.max(1, Math.floor(held / width)));
  const rows = most * width;
  const jacobian = new Float32Array(rows * unknowns);
  const residuals = new Float32Array(rows);
  const directions = terms.map((_, at) => directionAt(at));
  const session = await splitOff({ ...model, graph: b.graph(names) }, directions, runner);
  let row = 0;
  try {
    for (const [index, { from, to, feeds }] of chunks.entries()) {
      const samples = Math.min(to, most) - from;
      if (samples <= 0) break;
      const [wanted, now] = [original[index] as Outputs, outputs[index] as Outputs];
      const run = await session.fix(feeds);
      const zeros = terms.map((_, at) => zerosLike(wanted[at] as Tensor));
      for (const { term, at, k } of allDirections(terms)) {
        const direction = distanceFactor(term, wanted[at] as Tensor, k);
        const given = zeros.map((zero, other) => [directionAt(other), other === at ? direction : zero] as const);
        const result = await run(Object.fromEntries(given));
        const [then, is, along] = [wanted[at] as Tensor, now[at] as Tensor, direction.numbers];
        const [before, after] = [then.numbers, is.numbers];
        for (let n = 0; n < samples; n++) {
          const first = (row + n) * unknowns;
          for (const { name, block } of parts) {
            const values = (result[name] as Tensor).numbers;
            for (let i = 0; i < block.count; i++) {
              const place = first + block.at + i;
              jacobian[place] = (jacobian[place] as number) + (values[n * block.count + i] as number);
            }
          }
          const perSample = then.size / (to - from);
          for (let i = n * perSample; i < (n + 1) * perSample; i++) {
            const wrong = (after[i] as number) - (before[i] as number);
            residuals[row + n] = (residuals[row + n] as number) + (along[i] as number) * wrong;
          }
        }
        row += samples;
      }
    }
  } finally {
    await session.release();
  }
  return { jacobian: jacobian.subarray(0, row * unknowns), residuals: residuals.subarray(0, row) };
}

/** Every output element of a sample. */
function allDirections(terms: readonly OutputTerm[]): { term: OutputTerm; at: number; k: number }[] {
  return terms.flatMap((term, at) => Array.from({ length: directionsOf(term) }, (_, k) => ({ term, at, k })));
}

function zerosLike({ type, dims, size }: Tensor): Tensor {
  return new Tensor(type, dims, type === "float64" ? new Float64Array(size) : new Float32Array(size));
}

/** J' J and J' r, in float64. */
async function normalEquations(
  { evaluator, state }: OutputFitRequest,
  jacobian: Float32Array,
  residuals: Float32Array,
  unknowns: number,
): Promise<{ gram: Float64Array; slope: Float64Array }> {
  const b = new GraphBuilder({ opset: opsetOf(state.model), base: emptyGraph("normal equations") });
  const j = b.cast(b.input("jacobian", "float32"), "float64");
  const r = b.cast(b.input("residuals", "float32"), "float64");
  const transposed = b.op("Transpose", [j], { perm: [1, 0] });
  const names = [b.op("MatMul", [transposed, j]), b.op("MatMul", [transposed, r])] as const;
  const session = await evaluator.runner.load(writeModel({ ...state.model, graph: b.graph(names) }));
  const gram = new Float64Array(unknowns * unknowns);
  const slope = new Float64Array(unknowns);
  const STEP = 1024;
  try {
    for (let from = 0; from < residuals.length; from += STEP) {
      const count = Math.min(STEP, residuals.length - from);
      const result = await session.run({
        jacobian: new Tensor("float32", [count, unknowns], jacobian.slice(from * unknowns, (from + count) * unknowns)),
        residuals: new Tensor("float32", [count, 1], residuals.slice(from, from + count)),
      });
      const [products, sums] = names.map((name) => (result[name] as Tensor).numbers) as [Float64Array, Float64Array];
      for (let i = 0; i < gram.length; i++) gram[i] = (gram[i] as number) + (products[i] as number);
      for (let i = 0; i < unknowns; i++) slope[i] = (slope[i] as number) + (sums[i] as number);
    }
  } finally {
    await session.release();
  }
  return { gram, slope };
}
