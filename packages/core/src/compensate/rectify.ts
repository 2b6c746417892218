/**
 * Least squares behind a rectifier: what was off in the original network needs only to stay off, so a row whose wanted output
 * is off and whose fitted output is off too asks for nothing. Fitted outputs decide which rows these are, so it takes a few
 * rounds; each solves with the same factorised moments of the input.
 */
import { emptyGraph, GraphBuilder, opsetOf } from "../graph/builder.ts";
import { Tensor } from "../graph/tensor.ts";
import type { State } from "../measure/state.ts";
import type { Subject } from "../measure/subject.ts";
import { writeModel } from "../onnx/index.ts";
import type { Session } from "../runner.ts";
import { accumulate } from "./moments.ts";
import { copyOutput, type Fit, type Moments, type RidgeSolver } from "./ridge.ts";
import { eachPart, type Layer, type RowSource, rowsOf } from "./rows.ts";

const ROUNDS = 2;

const RESULTS = ["products", "sum", "errors"] as const;

export interface RectifyRequest {
  readonly layer: Layer;
  readonly subject: Subject;
  readonly state: State;
  /** Number of samples to fit on; the others judge. */
  readonly fit: number;
  readonly source: RowSource;
  /** 1 where u rises with z, -1 where it falls, by output. */
  readonly signs: Float64Array;
  /** Moments of the samples to fit on, and their solver. */
  readonly moments: Moments;
  readonly solver: RidgeSolver;
  readonly start: Float64Array;
}

/** The given fit, with the outputs that come closer to what is wanted behind the rectifier, on the samples that judge. */
export async function rectified(request: RectifyRequest, given: Fit): Promise<Fit> {
  const { moments, solver, start, layer } = request;
  const session = await rectifiedGraph(request);
  try {
    const first = await pass(request, session, given);
    let last = first;
    let fit = given;
    for (let round = 0; round < ROUNDS; round++) {
      fit = solver.fit({ ...moments, xz: last.xz, z: last.z }, start);
      last = await pass(request, session, fit);
    }
    const result: Fit = { weights: given.weights.slice(), bias: given.bias.slice() };
    for (let o = 0; o < layer.outputs; o++) {
      if ((last.errors[o] as number) < (first.errors[o] as number)) copyOutput(fit, result, o);
    }
    return result;
  } finally {
    await session.release();
  }
}

/** What the samples to fit on ask for, given what a fit makes of them; errors behind the rectifier of those that judge. */
async function pass(request: RectifyRequest, session: Session, fit: Fit) {
  const { layer, subject, signs, source } = request;
  const { features, outputs } = layer;
  const sums = {
    xz: new Float64Array(features * outputs),
    z: new Float64Array(outputs),
    errors: new Float64Array(outputs),
  };
  const weights = {
    weights: new Tensor("float64", [features, outputs], fit.weights),
    bias: new Tensor("float64", [outputs], fit.bias),
    signs: new Tensor("float64", [outputs], signs),
  };
  await eachPart(source, subject, request.fit, async ({ input, rows: wanted, thresholds }, isFit) => {
    const feeds = { input, wanted, thresholds, ...weights };
    const result = await session.run(feeds, isFit ? RESULTS.slice(0, 2) : RESULTS.slice(2));
    const numbers = (name: string): Float64Array => (result[name] as Tensor).data as Float64Array;
    if (isFit) {
      accumulate(sums.xz, numbers("products"));
      accumulate(sums.z, numbers("sum"));
    } else accumulate(sums.errors, numbers("errors"));
  });
  return sums;
}

async function rectifiedGraph({ layer, subject, state }: RectifyRequest): Promise<Session> {
  const { runner, data, targets } = subject;
  const b = new GraphBuilder({ opset: opsetOf(state.model), real: targets.type, base: emptyGraph("rectified") });
  const input = b.input("input", targets.type);
  const weights = b.input("weights", "float64");
  const bias = b.input("bias", "float64");
  const signs = b.input("signs", "float64");
  const signed = (value: string): string => b.mul(signs, value);
  const x = b.cast(rowsOf(b, layer.regression.features(b, input), layer, layer.features, data.size), "float64");
  const wanted = signed(b.cast(b.input("wanted", targets.type), "float64"));
  const edge = signed(b.cast(b.input("thresholds", targets.type), "float64"));
  const fitted = signed(b.add(b.op("MatMul", [x, weights]), bias));
  const isOff = b.op("Not", [b.op("Greater", [wanted, edge])]);
  const asked = signed(b.where(isOff, b.op("Min", [fitted, edge]), wanted));
  const miss = b.sub(b.op("Max", [wanted, edge]), b.op("Max", [fitted, edge]));
  const results = [
    b.op("MatMul", [b.op("Transpose", [x], { perm: [1, 0] }), asked]),
    b.sum(asked, [0]),
    b.sum(b.square(miss), [0]),
  ];
  const named = results.map((name, i) => b.op("Identity", [name], {}, RESULTS[i] as string));
  return runner.load(writeModel({ ...state.model, graph: b.graph(named) }));
}
