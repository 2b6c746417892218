/**
 * The Taylor terms of channels, in float64 by the reference evaluator. The gradient is the derivative of the error in the
 * channel's gain on every network. The curvature is the second derivative where every output reads one position of the channel
 * and nothing bends behind it; everywhere else it is the diagonal recursion, and is held to that, written down naively.
 */
import { describe, expect, test } from "vitest";
import { GAINS, gainsTensor, gateModel } from "../../src/derive/gate.ts";
import type { Model, Node } from "../../src/graph/graph.ts";
import { sizeOf, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { createEvaluator, type Evaluator } from "../../src/measure/evaluator.ts";
import { stateOf } from "../../src/measure/state.ts";
import { type TaylorTerms, taylorTerms } from "../../src/measure/taylor.ts";
import { prepare } from "../../src/units/prepare.ts";
import { allFeeds, dataset, onlyTerm, removal } from "../helpers.ts";
import { model, node, random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";
import { referenceRunner } from "../support/reference-runner.ts";
import { type Arrived, diagonalRecursion } from "./diagonal-recursion.ts";

const exact = referenceRunner();
const [SAMPLES, SIDE, CHANNELS] = [2, 4, 3];

/** Writes a network down: every method appends a node and names its output. */
class Sketch {
  readonly nodes: Node[] = [];
  readonly weights: Record<string, Tensor> = {};
  readonly #random: ReturnType<typeof random>;

  constructor(seed: number) {
    this.#random = random(seed);
  }

  op(opType: string, inputs: readonly string[], attributes: Parameters<typeof node>[3] = {}): string {
    const name = `${opType}${this.nodes.length}`;
    this.nodes.push(node(opType, inputs, [name], attributes));
    return name;
  }

  weight(dims: readonly number[], scale = 1.2 / Math.sqrt(sizeOf(dims.slice(1)))): string {
    const name = `w${Object.keys(this.weights).length}`;
    this.weights[name] = this.#random.tensor(dims, scale, "float64");
    return name;
  }

  conv(x: string, outs: number, kernel: number, { ins = CHANNELS, group = 1, stride = 1 } = {}): string {
    const pad = (kernel - 1) / 2;
    return this.op("Conv", [x, this.weight([outs, ins / group, kernel, kernel]), this.weight([outs], 0.3)], {
      pads: [pad, pad, pad, pad],
      strides: [stride, stride],
      group,
    });
  }

  norm(x: string): string {
    const variance = this.weight([CHANNELS]);
    this.weights[variance] = tensorOf("float64", [0.7, 1.3, 0.9]);
    const rest = [1, 0.3, 0.3].map((scale) => this.weight([CHANNELS], scale));
    return this.op("BatchNormalization", [x, ...rest, variance], { epsilon: 1e-3 });
  }

  /** An average over all positions and a dense layer. */
  pooled(x: string): string {
    return this.dense(this.op("Flatten", [this.op("GlobalAveragePool", [x])]), CHANNELS);
  }

  dense(x: string, ins: number): string {
    return this.op("Gemm", [x, this.weight([ins, 2], 1 / Math.sqrt(ins)), this.weight([2], 0.3)]);
  }

  /** Two outputs at every position. */
  map(x: string): string {
    return this.op("Flatten", [this.conv(x, 2, 1)]);
  }
}

/** From the activated channels of the first convolution to the output. */
type Rest = (s: Sketch, x: string) => string;

const pools = { kernel_shape: [2, 2], strides: [2, 2] };

/** One layer reads each channel at each position, and the error is a sum over what it gives. */
const diagonal: Readonly<Record<string, Rest>> = {
  convolution: (s, x) => s.map(x),
  "batch normalisation": (s, x) => s.map(s.op("Relu", [s.norm(x)])),
  "depthwise convolution": (s, x) => s.map(s.op("Tanh", [s.conv(x, CHANNELS, 3, { group: CHANNELS })])),
  "average pooling": (s, x) => s.map(s.op("AveragePool", [x], pools)),
  "max pooling": (s, x) => s.map(s.op("MaxPool", [x], pools)),
  "global pooling": (s, x) => s.pooled(x),
  "global max pooling": (s, x) => s.dense(s.op("Flatten", [s.op("GlobalMaxPool", [x])]), CHANNELS),
  "residual addition": (s, x) => s.map(s.op("Add", [x, s.op("Sigmoid", [s.conv("x", CHANNELS, 3, { ins: 1 })])])),
  concatenation: (s, x) => {
    const both = s.op("Concat", [x, s.op("Sigmoid", [s.conv("x", 2, 1, { ins: 1 })])], { axis: 1 });
    return s.op("Flatten", [s.conv(both, 2, 1, { ins: CHANNELS + 2 })]);
  },
};

/** Channels whose positions, or whose readers' outputs, meet again. */
const recursive: Readonly<Record<string, Rest>> = {
  "convolution 3x3": (s, x) => s.pooled(s.op("Tanh", [s.conv(x, CHANNELS, 3)])),
  "convolution with stride and Relu": (s, x) => s.pooled(s.op("Relu", [s.conv(x, CHANNELS, 3, { stride: 2 })])),
  "batch normalisation": (s, x) => s.pooled(s.op("Sigmoid", [s.norm(s.conv(x, CHANNELS, 3))])),
  "depthwise between": (s, x) => {
    const wide = s.op("Tanh", [s.conv(x, CHANNELS, 1)]);
    return s.pooled(s.op("Relu", [s.conv(s.conv(wide, CHANNELS, 3, { group: CHANNELS }), CHANNELS, 1)]));
  },
  "grouped convolution": (s, x) => {
    const four = s.op("Tanh", [s.conv(x, 4, 1)]);
    const two = s.op("Sigmoid", [s.conv(four, 6, 3, { ins: 4, group: 2 })]);
    return s.pooled(s.conv(two, CHANNELS, 1, { ins: 6 }));
  },
  "max pooling": (s, x) => {
    const small = s.op("MaxPool", [s.op("Tanh", [s.conv(x, CHANNELS, 3)])], pools);
    return s.dense(s.op("Flatten", [s.op("Sigmoid", [s.conv(small, 2, 1)])]), 8);
  },
  "average pooling": (s, x) => {
    const small = s.op("AveragePool", [s.op("Sigmoid", [s.conv(x, CHANNELS, 3)])], pools);
    return s.dense(s.op("Flatten", [s.op("Tanh", [s.conv(small, 2, 1)])]), 8);
  },
  "residual addition": (s, x) => {
    const inner = s.conv(s.op("Relu", [s.conv(x, CHANNELS, 3)]), CHANNELS, 3);
    return s.pooled(s.op("Tanh", [s.conv(s.op("Add", [x, inner]), CHANNELS, 1)]));
  },
  "squeeze and excitation": (s, x) => {
    const gate = s.op("Sigmoid", [s.conv(s.op("GlobalAveragePool", [x]), CHANNELS, 1)]);
    return s.pooled(s.op("Tanh", [s.conv(s.op("Mul", [x, gate]), CHANNELS, 1)]));
  },
};

const activations = ["Tanh", "Relu"] as const;
const named = (all: Readonly<Record<string, Rest>>) =>
  Object.entries(all).flatMap(([name, rest]) => activations.map((activation) => [name, activation, rest] as const));

/** x[N, 1, 4, 4] -> convolution of three channels, activation, the rest. */
function network(activation: string, rest: Rest): Model {
  const s = new Sketch(11);
  const first = s.op(activation, [s.conv("x", CHANNELS, 3, { ins: 1 })]);
  const y = rest(s, first);
  const x = { x: ["N", 1, SIDE, SIDE] };
  return model({ opset: 17, type: "float64", inputs: x, outputs: [y], initializers: s.weights, nodes: s.nodes });
}

async function subjectFor(net: Model): Promise<Evaluator> {
  const r = random(7);
  const x = r.tensor([SAMPLES, 1, SIDE, SIDE], 1, "float64");
  const [output] = Object.values(evaluate(net, { x })) as [Tensor];
  const targets = r.tensor(output.dims, 1, "float64");
  return createEvaluator(await prepare(net, exact), exact, dataset({ x }, { targets }), { objective: "sse" });
}

/** The gated model, and the sum of its squared errors over the samples. */
function gated(evaluator: Evaluator) {
  const { prunable } = evaluator;
  const { bound, value } = onlyTerm(evaluator);
  const targets = bound.targets.numbers;
  const { model: net, gates } = gateModel(prunable.model, prunable.shapes, prunable.units);
  const count = prunable.units.count;
  const feedsAt = (unit: number, gain: number): Record<string, Tensor> => {
    const gains = new Float64Array(count).fill(1);
    gains[unit] = gain;
    return { ...allFeeds(evaluator), [GAINS]: gainsTensor(gains, count, "float64") };
  };
  const outputAt = (unit: number, gain: number): ArrayLike<number> =>
    (evaluate(net, feedsAt(unit, gain), [value])[value] as Tensor).numbers;
  const errorAt = (unit: number, gain: number): number =>
    Array.from(outputAt(unit, gain)).reduce((sum, y, i) => sum + 0.5 * (y - (targets[i] as number)) ** 2, 0);
  return { net, gates, feedsAt, outputAt, errorAt };
}

/** Sums over the samples of the Taylor terms. */
async function terms(evaluator: Evaluator): Promise<Pick<TaylorTerms, "gradient" | "curvature">> {
  const intact = stateOf(evaluator.prunable, removal(evaluator.prunable, []));
  const { gradient, curvature } = await taylorTerms(evaluator, intact, { second: true });
  return { gradient: gradient.map((mean) => mean * SAMPLES), curvature: curvature.map((mean) => mean * SAMPLES) };
}

describe.each(named({ ...recursive, ...prefixed("exact: ", diagonal) }))("%s behind %s", (_name, activation, rest) => {
  test("the gradient of every channel is the derivative of the error in its gain", async () => {
    const evaluator = await subjectFor(network(activation, rest));
    const { gradient } = await terms(evaluator);
    const { errorAt } = gated(evaluator);
    const h = 1e-6; // moves nothing over a kink with these weights
    expect(gradient.length).toBeGreaterThanOrEqual(CHANNELS);
    gradient.forEach((value, unit) => {
      const numeric = (errorAt(unit, 1 + h) - errorAt(unit, 1 - h)) / (2 * h);
      expect(Math.abs(value - numeric) / (1 + Math.abs(numeric)), `unit ${unit}`).toBeLessThan(1e-7);
    });
  });
});

describe.each(named(diagonal))("%s behind %s", (_name, activation, rest) => {
  test("the curvature of every channel is the second derivative of the error in its gain", async () => {
    const evaluator = await subjectFor(network(activation, rest));
    const { curvature } = await terms(evaluator);
    const { errorAt } = gated(evaluator);
    const h = 1e-3; // the error is a parabola in the gain
    expect(Math.max(...curvature)).toBeGreaterThan(0);
    curvature.forEach((value, unit) => {
      const [low, middle, high] = [1 - h, 1, 1 + h].map((gain) => errorAt(unit, gain)) as [number, number, number];
      const numeric = (low - 2 * middle + high) / (h * h);
      expect(Math.abs(value - numeric) / (1 + Math.abs(numeric)), `unit ${unit}`).toBeLessThan(1e-7);
    });
  });
});

describe.each(named(recursive))("%s behind %s", (_name, activation, rest) => {
  test("gradient and curvature of every channel are the diagonal recursion", async () => {
    const evaluator = await subjectFor(network(activation, rest));
    const { gradient, curvature } = await terms(evaluator);
    const { net, gates, feedsAt, outputAt } = gated(evaluator);
    const { bound, value } = onlyTerm(evaluator);
    const wrong = Float64Array.from(outputAt(0, 1), (y, i) => y - (bound.targets.numbers[i] as number));
    const seeds = new Map<string, Arrived>([
      [value, { gradient: wrong, curvature: new Float64Array(wrong.length).fill(1) }],
    ]);
    const arrived = diagonalRecursion(net, feedsAt(0, 1), ["x"], seeds);
    const expected = { gradient: new Float64Array(gradient.length), curvature: new Float64Array(curvature.length) };
    for (const { gated: name, sink } of gates) {
      const o = evaluate(net, feedsAt(0, 1), [name])[name] as Tensor;
      const { gradient, curvature } = arrived.get(name) as Arrived;
      const inner = sizeOf(o.dims.slice(sink.axis + 1));
      Array.from(o.numbers).forEach((output, j) => {
        const unit = sink.owners[Math.floor(j / inner) % sink.owners.length] as number;
        if (unit < 0) return;
        expected.gradient[unit] = (expected.gradient[unit] as number) + output * (gradient[j] as number);
        expected.curvature[unit] = (expected.curvature[unit] as number) + output ** 2 * (curvature[j] as number);
      });
    }
    expect(curvature.some((value) => value !== 0)).toBe(true);
    curvature.forEach((value, unit) => {
      const [s, h] = [expected.gradient[unit] as number, expected.curvature[unit] as number];
      expect(Math.abs((gradient[unit] as number) - s) / (1 + Math.abs(s)), `gradient of unit ${unit}`).toBeLessThan(
        1e-6,
      );
      expect(Math.abs(value - h) / (1 + Math.abs(h)), `curvature of unit ${unit}`).toBeLessThan(1e-6);
    });
  });
});

function prefixed(prefix: string, all: Readonly<Record<string, Rest>>): Record<string, Rest> {
  return Object.fromEntries(Object.entries(all).map(([name, rest]) => [`${prefix}${name}`, rest]));
}
