/**
 * Least squares behind a rectifier: what was off in the original network needs only to stay off, so a row whose wanted output
 * is off and whose fitted output is off too asks for nothing. Fitted outputs decide which rows these are, so it takes a few
 * rounds; each solves with the same factorised moments of the input.
 */
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { Tensor } from "../graph/tensor.ts";
import type { Evaluator } from "../measure/evaluator.ts";
import type { State } from "../measure/state.ts";
import { writeModel } from "../onnx/index.ts";
import type { Session } from "../runner.ts";
import { accumulate } from "./moments.ts";
import { copyOutput, type Fit, type Moments, type RidgeSolver } from "./ridge.ts";
import { eachPart, featureRows, type Layer, type RowSource } from "./rows.ts";

const ROUNDS = 2;

const RESULTS = ["products", "sum", "errors"] as const;

/** One of the layers that share the weights. */
export interface RectifiedLayer {
  readonly layer: Layer;
  readonly source: RowSource;
  /** 1 where u rises with z, -1 where it falls, by output. */
  readonly signs: Float64Array;
  /** Number of its bias. */
  readonly bias: number;
}

export interface RectifyRequest {
  readonly parts: readonly RectifiedLayer[];
  readonly evaluator: Evaluator;
  readonly state: State;
  /** Number of samples to fit on; the others judge. */
  readonly fit: number;
  /** Moments of the samples to fit on, by bias, and their solver. */
  readonly moments: readonly Moments[];
  readonly solver: RidgeSolver;
  readonly start: Float64Array;
}

/** The given fit, with the outputs that come closer to what is wanted behind the rectifier, on the samples that judge. */
export async function rectified(request: RectifyRequest, given: Fit): Promise<Fit> {
  const { moments, solver, start, parts } = request;
  const sessions: Session[] = [];
  try {
    for (const part of parts) sessions.push(await rectifiedGraph(request, part));
    const first = await passes(request, sessions, given);
    let last = first;
    let fit = given;
    for (let round = 0; round < ROUNDS; round++) {
      const { asked } = last;
      fit = await solver.fit(
        moments.map((one, k) => ({ ...one, ...asked[k] })),
        start,
      );
      last = await passes(request, sessions, fit);
    }
    const result: Fit = { weights: given.weights.slice(), biases: given.biases.map((bias) => bias.slice()) };
    for (let o = 0; o < first.errors.length; o++) {
      if ((last.errors[o] as number) < (first.errors[o] as number)) copyOutput(fit, result, o);
    }
    return result;
  } finally {
    for (const session of sessions) await session.release();
  }
}

/** What a fit asks for and misses, over all layers. */
interface Passed {
  /** By bias: sums of x z' and z for the outputs that are asked for, over the samples to fit on. */
  readonly asked: readonly Pick<Moments, "xz" | "z">[];
  /** By output: squared errors behind the rectifier, over the samples that judge. */
  readonly errors: Float64Array;
}

async function passes(request: RectifyRequest, sessions: readonly Session[], fit: Fit): Promise<Passed> {
  const asked = request.moments.map(({ xz, z }) => ({
    xz: new Float64Array(xz.length),
    z: new Float64Array(z.length),
  }));
  const errors = new Float64Array(request.moments[0]?.outputs ?? 0);
  for (const [at, part] of request.parts.entries()) {
    const sums = { ...(asked[part.bias] as Pick<Moments, "xz" | "z">), errors };
    await pass(request, part, sessions[at] as Session, fit, sums);
  }
  return { asked, errors };
}

/** Adds what the samples to fit on ask of a layer, given what a fit makes of them, and the errors of those that judge. */
async function pass(
  { evaluator, fit: border }: RectifyRequest,
  { layer, signs, source, bias }: RectifiedLayer,
  session: Session,
  fit: Fit,
  sums: Pick<Moments, "xz" | "z"> & { readonly errors: Float64Array },
): Promise<void> {
  const { features, outputs } = layer;
  const weights = {
    weights: new Tensor("float64", [features, outputs], fit.weights),
    bias: new Tensor("float64", [outputs], fit.biases[bias] as Float64Array),
    signs: new Tensor("float64", [outputs], signs),
  };
  await eachPart(source, evaluator, border, async ({ input, rows: wanted, thresholds }, isFit) => {
    const feeds = { input, wanted, thresholds, ...weights };
    const result = await session.run(feeds, isFit ? RESULTS.slice(0, 2) : RESULTS.slice(2));
    const numbers = (name: string): Float64Array => (result[name] as Tensor).data as Float64Array;
    if (isFit) {
      accumulate(sums.xz, numbers("products"));
      accumulate(sums.z, numbers("sum"));
    } else accumulate(sums.errors, numbers("errors"));
  });
}

async function rectifiedGraph({ evaluator, state }: RectifyRequest, { layer }: RectifiedLayer): Promise<Session> {
  const { runner, samples, type } = evaluator;
  const b = new GraphBuilder({ opset: opsetOf(state.model), real: type, base: emptyGraph("rectified") });
  const input = b.input("input", type);
  const weights = b.input("weights", "float64");
  const bias = b.input("bias", "float64");
  const signs = b.input("signs", "float64");
  const signed = (value: string): string => b.mul(signs, value);
  const x = b.cast(featureRows(b, input, layer, samples.size), "float64");
  const wanted = signed(b.cast(b.input("wanted", type), "float64"));
  const edge = signed(b.cast(b.input("thresholds", type), "float64"));
  const fitted = signed(b.add(b.op("MatMul", [x, weights]), bias));
  const isOff = b.not(b.greater(wanted, edge));
  const asked = signed(b.where(isOff, b.smaller(fitted, edge, "float64"), wanted, "float64"));
  const miss = b.sub(b.larger(wanted, edge, "float64"), b.larger(fitted, edge, "float64"));
  const results = [
    b.op("MatMul", [b.op("Transpose", [x], { perm: [1, 0] }), asked]),
    b.sum(asked, [0]),
    b.sum(b.square(miss), [0]),
  ];
  const named = results.map((name, i) => b.op("Identity", [name], {}, RESULTS[i] as string));
  return runner.load(writeModel({ ...state.model, graph: b.graph(named) }));
}
