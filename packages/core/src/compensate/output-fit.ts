/**
 * The last step of a repair: all weights of small consumers, scale and bias of every output of the others, fitted together to
 * the outputs that the original network gave. Layer by layer each fit knows its own rows only; here all answer for what comes out in the end.
 * Least squares on the linearised network (Gauss and Newton), damped (Levenberg 1944; Marquardt 1963).
 */
import { differentiate } from "../derive/backward.ts";
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { Tensor, tensorOf } from "../graph/tensor.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";
import { distanceFactor, outputChange } from "./output-change.ts";
import { factorise, solveFactored } from "./ridge.ts";
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

const DAMPINGS = [1e-2, 1e-1, 1] as const;

/** More unknowns than this are not fitted: their normal equations would take too long. */
const MOST_UNKNOWNS = 2560;

const DIRECTION = "shrinknet/direction";

/** A consumer, and how many of its outputs are left. */
interface Adjusted {
  readonly layer: Layer;
  readonly width: number;
}

/** Unknowns of a consumer: those of its weights (or scales), then those of its bias. */
function unknownsOf({ layer, width }: Adjusted, rows: number): { whole: boolean; weights: number } {
  const whole = layer.features * width <= Math.min(FEW_WEIGHTS, rows / ROWS_PER_WEIGHT);
  return { whole, weights: whole ? layer.features * width : width };
}

export interface OutputFitRequest {
  readonly subject: Subject;
  readonly state: State;
  /** Consumers that are adjusted, with the number of their outputs that are left. */
  readonly layers: readonly Adjusted[];
  /** Outputs of the original network, by chunk. */
  readonly original: readonly Tensor[];
  /** Outputs at this state, by chunk. */
  readonly outputs: readonly Tensor[];
  /** Number of samples to fit on. */
  readonly fit: number;
}

/**
 * Candidates for one step, by damping, from weak to strong; none where there is too much to adjust, or where an output is
 * more than a row of numbers.
 */
export async function outputSteps(request: OutputFitRequest): Promise<Adjustment[][]> {
  const { layers } = request;
  const rows = rowsOf(request);
  const unknowns = layers.reduce((sum, one) => sum + unknownsOf(one, rows).weights + one.width, 0);
  if (unknowns === 0 || unknowns > Math.min(MOST_UNKNOWNS, rows) || request.original[0]?.dims.length !== 2) return [];
  const { jacobian, residuals } = await linearised(request, unknowns);
  const { gram, slope } = await normalEquations(request, jacobian, residuals, unknowns);
  let trace = 0;
  for (let i = 0; i < unknowns; i++) trace += gram[i * unknowns + i] as number;
  const floor = (1e-3 * trace) / unknowns;
  return DAMPINGS.flatMap((damping) => {
    const damped = gram.slice();
    for (let i = 0; i < unknowns; i++) {
      const at = i * unknowns + i;
      damped[at] = (damped[at] as number) + damping * Math.max(damped[at] as number, floor);
    }
    const step = slope.map((value) => -value);
    if (!factorise(damped, unknowns)) return [];
    solveFactored(damped, unknowns, step, 1);
    let at = 0;
    return [
      layers.map((one) => {
        const { whole, weights: count } = unknownsOf(one, rows);
        const own = step.slice(at, at + count);
        const bias = step.slice(at + count, at + count + one.width);
        at += count + one.width;
        const scale = whole ? new Float64Array(one.width).fill(1) : own.map((value) => 1 + value);
        return { layer: one.layer, scale, weights: whole ? own : undefined, bias };
      }),
    ];
  });
}

/** Rows to fit on: samples times outputs. */
function rowsOf({ original, fit }: OutputFitRequest): number {
  return fit * (original[0]?.dims.at(-1) ?? 0);
}

/** How far outputs are from the original network's, over the samples that nothing was fitted on. */
export function heldOutChange(
  { subject, original, fit }: Pick<OutputFitRequest, "subject" | "original" | "fit">,
  outputs: readonly Tensor[],
): number {
  let change = 0;
  for (const [index, { from, to }] of subject.chunks.entries()) {
    const first = Math.min(Math.max(fit - from, 0), to - from);
    const [before, after] = [original[index] as Tensor, outputs[index] as Tensor];
    const perSample = before.size / (to - from);
    const rest = (tensor: Tensor): ArrayLike<number> =>
      (tensor.numbers as Float32Array).subarray(first * perSample, (to - from) * perSample);
    change += outputChange(subject.objective, rest(before), rest(after), before.dims.at(-1) as number);
  }
  return change;
}

/** Rows of the Jacobian times the square root of the distance's second derivative, and the same of what is wrong. */
async function linearised(
  request: OutputFitRequest,
  unknowns: number,
): Promise<{ jacobian: Float32Array; residuals: Float32Array }> {
  const { subject, state, layers, original, outputs, fit } = request;
  const allRows = rowsOf(request);
  const { objective, chunks, runner, targets } = subject;
  const { model, shapes } = state;
  const b = new GraphBuilder({ opset: opsetOf(model), real: targets.type, base: model.graph });
  const seed = b.input(DIRECTION, targets.type);
  const { gradient } = differentiate({
    builder: b,
    graph: model.graph,
    shapes,
    opset: b.opset,
    seeds: new Map([[objective.value, { gradient: seed }]]),
    wanted: layers.map(({ layer }) => layer.consumer.output),
  });
  const parts = layers.flatMap((one): { readonly name: string | undefined; readonly count: number }[] => {
    const { layer, width: own } = one;
    const { whole, weights: count } = unknownsOf(one, allRows);
    const slope = gradient.get(layer.consumer.output);
    if (slope === undefined) return [{ name: undefined, count: count + own }];
    const rows = (value: string, of: number): string => b.reshape(value, [-1, layer.positions, of]);
    const g = rows(layer.regression.outputs(b, slope), own);
    const z = (): string => rows(layer.regression.outputs(b, layer.consumer.output), own);
    const x = (): string => rows(layer.regression.features(b, layer.consumer.input), layer.features);
    const weights = whole
      ? b.op("MatMul", [b.op("Transpose", [x()], { perm: [0, 2, 1] }), g])
      : b.sum(b.mul(g, z()), [1]);
    return [
      { name: weights, count },
      { name: b.sum(g, [1]), count: own },
    ];
  });
  const names = parts.flatMap(({ name }) => name ?? []);
  const width = original[0]?.dims.at(-1) as number;
  const most = Math.min(fit, Math.max(1, Math.floor(MOST_NUMBERS / (unknowns * width))));
  const rows = most * width;
  const jacobian = new Float32Array(rows * unknowns);
  const residuals = new Float32Array(rows);
  const session = await runner.load(writeModel({ ...model, graph: b.graph(names) }));
  let row = 0;
  try {
    for (const [index, { from, to, feeds }] of chunks.entries()) {
      const samples = Math.min(to, most) - from;
      if (samples <= 0) break;
      const [wanted, now] = [original[index] as Tensor, outputs[index] as Tensor];
      for (let k = 0; k < width; k++) {
        const directions = distanceFactor(objective, wanted.numbers, width, k);
        const result = await session.run({ ...feeds, [DIRECTION]: tensorOf(targets.type, directions, wanted.dims) });
        for (let n = 0; n < samples; n++) {
          let at = (row + n) * unknowns;
          for (const { name, count } of parts) {
            const values = name === undefined ? undefined : (result[name] as Tensor).numbers;
            if (values) for (let i = 0; i < count; i++) jacobian[at + i] = values[n * count + i] as number;
            at += count;
          }
          const perSample = wanted.size / (to - from);
          for (let i = n * perSample; i < (n + 1) * perSample; i++) {
            const wrong = (now.numbers[i] as number) - (wanted.numbers[i] as number);
            residuals[row + n] = (residuals[row + n] as number) + (directions[i] as number) * wrong;
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

/** J' J and J' r, in float64. */
async function normalEquations(
  { subject, state }: OutputFitRequest,
  jacobian: Float32Array,
  residuals: Float32Array,
  unknowns: number,
): Promise<{ gram: Float64Array; slope: Float64Array }> {
  const b = new GraphBuilder({ opset: opsetOf(state.model), base: emptyGraph("normal equations") });
  const j = b.cast(b.input("jacobian", "float32"), "float64");
  const r = b.cast(b.input("residuals", "float32"), "float64");
  const transposed = b.op("Transpose", [j], { perm: [1, 0] });
  const names = [b.op("MatMul", [transposed, j]), b.op("MatMul", [transposed, r])] as const;
  const session = await subject.runner.load(writeModel({ ...state.model, graph: b.graph(names) }));
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
