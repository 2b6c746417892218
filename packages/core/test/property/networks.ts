/** Random small dense networks for property tests: a recipe that fast-check makes and shrinks, and the model it stands for. */
import fc from "fast-check";
import type { Model, Node } from "../../src/graph/graph.ts";
import { type ElementType, int64, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { model, node, random } from "../support/build.ts";

/** Activations by name: since which opset, and where they have a kink. */
export const activations = {
  Sigmoid: { since: 7, kinks: [] },
  Tanh: { since: 7, kinks: [] },
  Softplus: { since: 7, kinks: [] },
  Elu: { since: 7, kinks: [0] },
  Relu: { since: 7, kinks: [0] },
  LeakyRelu: { since: 7, kinks: [0] },
  Selu: { since: 7, kinks: [0] },
  HardSigmoid: { since: 7, kinks: [-2.5, 2.5] },
  Clip: { since: 7, kinks: [-1, 1] },
  Erf: { since: 9, kinks: [] },
  Gelu: { since: 20, kinks: [] },
} as const satisfies Record<string, { since: number; kinks: readonly number[] }>;

export type ActivationName = keyof typeof activations;

/** How a dense layer is written. */
const forms = ["Gemm", "Gemm transposed", "MatMul + Add", "Add + MatMul", "MatMul"] as const;
/** What stands after a layer without computing anything. */
const moves = ["nothing", "Flatten", "Reshape", "Transpose", "Identity"] as const;

interface LayerRecipe {
  readonly width: number;
  readonly form: (typeof forms)[number];
  readonly activation: ActivationName;
  readonly normalize: boolean;
  /** A further layer of the same width whose output is added. */
  readonly skip: boolean;
  /** Further layers beside it; all are put side by side by Concat. */
  readonly branches: readonly number[];
  readonly move: (typeof moves)[number];
}

export interface Recipe {
  readonly seed: number;
  readonly opset: number;
  readonly inputs: number;
  readonly layers: readonly LayerRecipe[];
  readonly outputs: number;
  readonly end: "linear" | "logistic" | "softmax" | "log-softmax";
  /** A second output "z" of two numbers, by a layer of its own behind so many layers; default: none. */
  readonly second?: number | undefined;
}

const layer: fc.Arbitrary<LayerRecipe> = fc.record({
  width: fc.integer({ min: 1, max: 8 }),
  form: fc.constantFrom(...forms),
  activation: fc.constantFrom(...(Object.keys(activations) as ActivationName[])),
  normalize: fc.boolean(),
  skip: fc.boolean(),
  branches: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 2 }),
  ),
  move: fc.constantFrom(...moves),
});

/** Any network. */
export const network: fc.Arbitrary<Recipe> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 30 }),
  opset: fc.constantFrom(7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 20, 21, 22),
  inputs: fc.integer({ min: 1, max: 6 }),
  layers: fc.array(layer, { minLength: 1, maxLength: 4 }),
  outputs: fc.integer({ min: 2, max: 4 }),
  end: fc.constantFrom("linear", "logistic", "softmax", "log-softmax"),
});

/** Any network, perhaps with a second output from somewhere in the middle. */
export const forked: fc.Arbitrary<Recipe> = fc
  .tuple(network, fc.option(fc.nat({ max: 4 }), { nil: undefined }))
  .map(([recipe, second]) => ({
    ...recipe,
    ...(second !== undefined && { second: second % (recipe.layers.length + 1) }),
  }));

/** A plain chain of dense layers with smooth activations. Its units are all removable: a layer of one unit may be frozen. */
export const chain = (depth: { min: number; max: number }): fc.Arbitrary<Recipe> =>
  fc.record({
    seed: fc.integer({ min: 1, max: 2 ** 30 }),
    opset: fc.constantFrom(7, 13, 22),
    inputs: fc.integer({ min: 1, max: 6 }),
    layers: fc.array(
      fc.record({
        width: fc.integer({ min: 2, max: 8 }),
        form: fc.constantFrom(...forms),
        activation: fc.constantFrom<ActivationName>("Sigmoid", "Tanh"),
        normalize: fc.constant(false),
        skip: fc.constant(false),
        branches: fc.constant([]),
        move: fc.constantFrom(...moves),
      }),
      { minLength: depth.min, maxLength: depth.max },
    ),
    outputs: fc.integer({ min: 2, max: 4 }),
    end: fc.constantFrom("linear", "logistic"),
  });

export interface Network {
  readonly model: Model;
  /** Inputs of piecewise activations, with the places of their kinks. */
  readonly kinked: readonly { readonly value: string; readonly at: readonly number[] }[];
  /** Weights[from, to] and bias of every dense layer of a plain chain, in order, with what follows it. */
  readonly dense: readonly { readonly weights: Tensor; readonly bias: Tensor; readonly activation: string }[];
}

/** The network of a recipe; the same for the same recipe. */
export function build(
  { seed, opset, inputs, layers, outputs, end, second }: Recipe,
  type: ElementType = "float32",
): Network {
  const r = random(seed);
  const nodes: Node[] = [];
  const initializers: Record<string, Tensor> = {};
  const kinked: { value: string; at: readonly number[] }[] = [];
  const plain: { weights: Tensor; bias: Tensor; activation: string }[] = [];
  let count = 0;
  const add = (opType: string, from: readonly string[], attributes: Parameters<typeof node>[3] = {}): string => {
    const name = `${opType.toLowerCase()}${++count}`;
    nodes.push(node(opType, from, [name], attributes));
    return name;
  };
  const constant = (tensor: Tensor): string => {
    const name = `c${++count}`;
    initializers[name] = tensor;
    return name;
  };
  const dense = (x: string, from: number, to: number, form: LayerRecipe["form"], activation: string): string => {
    const weights = r.tensor([from, to], 1.5 / Math.sqrt(from), type);
    const bias = r.tensor([to], form === "MatMul" ? 0 : 0.5, type);
    plain.push({ weights, bias, activation });
    if (form === "Gemm") return add("Gemm", [x, constant(weights), constant(bias)]);
    if (form === "Gemm transposed") {
      return add("Gemm", [x, constant(transposed(weights)), constant(bias)], { transB: 1 });
    }
    const product = add("MatMul", [x, constant(weights)]);
    if (form === "MatMul") return product;
    return add("Add", form === "MatMul + Add" ? [product, constant(bias)] : [constant(bias), product]);
  };
  const activate = (x: string, name: ActivationName): string => {
    const known = activations[name].since <= opset ? name : "Tanh";
    if (activations[known].kinks.length > 0) kinked.push({ value: x, at: activations[known].kinks });
    if (known !== "Clip") return add(known, [x]);
    if (opset < 11) return add("Clip", [x], { min: { float: -1 }, max: { float: 1 } });
    return add("Clip", [x, constant(tensorOf(type, [-1], [])), constant(tensorOf(type, [1], []))]);
  };
  const normalized = (x: string, width: number): string => {
    const variance = tensorOf(
      type,
      Array.from({ length: width }, () => r.uniform(0.2, 2)),
    );
    const [scale, bias, mean] = [0.8, 0.3, 0.3].map((size) => constant(r.tensor([width], size, type))) as [
      string,
      string,
      string,
    ];
    return add("BatchNormalization", [x, scale, bias, mean, constant(variance)]);
  };
  const moved = (x: string, width: number, move: LayerRecipe["move"]): string => {
    if (move === "Flatten") return add("Flatten", [x], { axis: 1 });
    if (move === "Identity") return add("Identity", [x]);
    if (move === "Reshape") {
      return add("Reshape", [add("Reshape", [x, constant(int64([-1, 1, width]))]), constant(int64([0, -1]))]);
    }
    if (move === "Transpose") {
      const there = add("Transpose", [add("Reshape", [x, constant(int64([0, width, 1]))])], { perm: [0, 2, 1] });
      return add("Flatten", [add("Transpose", [there], { perm: [0, 2, 1] })]);
    }
    return x;
  };

  let [x, width] = ["x", inputs];
  const fork = (after: number): void => {
    if (after !== second) return;
    const other = random(seed + 9); // the rest of the network is the same without it
    const weights = constant(other.tensor([width, 2], 1 / Math.sqrt(width), type));
    nodes.push(node("MatMul", [x, weights], ["z"]));
  };
  for (const [at, recipe] of layers.entries()) {
    fork(at);
    const one = (to: number, from = x, fromWidth = width): string => {
      const sums = dense(from, fromWidth, to, recipe.form, recipe.activation);
      return activate(recipe.normalize ? normalized(sums, to) : sums, recipe.activation);
    };
    const widths = [recipe.width, ...recipe.branches];
    const outs = widths.map((to) => one(to));
    x = outs.length > 1 ? add("Concat", outs, { axis: 1 }) : (outs[0] as string);
    width = widths.reduce((a, b) => a + b, 0);
    if (recipe.skip) x = add("Add", [x, one(width, x, width)]);
    x = moved(x, width, recipe.move);
  }
  fork(layers.length);
  const logits = dense(x, width, outputs, "Gemm", end);
  const last = { linear: "Identity", logistic: "Sigmoid", softmax: "Softmax", "log-softmax": "LogSoftmax" }[end];
  nodes.push(node(last, [logits], ["y"], last.endsWith("max") ? { axis: 1 } : {}));
  return {
    model: model({
      opset,
      type,
      inputs: { x: ["N", inputs] },
      outputs: second === undefined ? ["y"] : ["y", "z"],
      initializers,
      nodes,
    }),
    kinked,
    dense: plain,
  };
}

function transposed(weights: Tensor): Tensor {
  const [rows, columns] = weights.dims as [number, number];
  const values = Array.from(
    { length: rows * columns },
    (_, i) => weights.numbers[(i % rows) * columns + Math.floor(i / rows)] as number,
  );
  return tensorOf(weights.type, values, [columns, rows]);
}
