import { readFile } from "node:fs/promises";
import { nodeRunner } from "@shrinknet/runtime/node";
import { describe, expect, test } from "vitest";
import { generate } from "../../../../scripts/kernel.mjs";
import { Activations } from "../../src/measure/activations.ts";
import { loadKernel } from "../../src/measure/dense/kernel.ts";
import { denseTail } from "../../src/measure/dense/pattern.ts";
import { createEvaluator } from "../../src/measure/evaluator.ts";
import { Oracle } from "../../src/measure/oracle.ts";
import { QualityMeter } from "../../src/measure/quality.ts";
import { stateOf, unitsLeft } from "../../src/measure/state.ts";
import { prepare } from "../../src/units/prepare.ts";
import { partsByGroup } from "../../src/units/units.ts";
import { model, node, random } from "../support/build.ts";

const runner = nodeRunner();

test("the generated kernel is what kernel/dense.ts compiles to", async () => {
  const file = new URL("../../src/measure/dense/kernel-wasm.ts", import.meta.url);
  expect(await readFile(file, "utf8")).toBe(await generate());
});

test("the kernel's sigmoid, tanh and softmax are right to float32", () => {
  const kernel = loadKernel();
  if (!kernel) throw new Error("WebAssembly SIMD is missing");
  const x = Float32Array.from({ length: 512 }, (_, i) => (i - 256) / 8);
  const at = 4096;
  const run = (apply: () => void): Float32Array => {
    new Float32Array(kernel.memory.buffer, at, 512).set(x);
    apply();
    return new Float32Array(kernel.memory.buffer, at, 512).slice();
  };
  const sigmoid = run(() => kernel.sigmoid(at, 512));
  const tanh = run(() => kernel.tanh(at, 512));
  const softmax = run(() => kernel.softmax(at, 4, 128));
  x.forEach((value, i) => {
    const exact = 1 / (1 + Math.exp(-value));
    expect(Math.abs((sigmoid[i] as number) - exact)).toBeLessThan(2e-7 * Math.max(exact, 1e-3));
    expect(Math.abs((tanh[i] as number) - Math.tanh(value))).toBeLessThan(4e-7);
    const column = [0, 1, 2, 3].map((row) => Math.exp(x[row * 128 + (i % 128)] as number));
    const share = (column[Math.floor(i / 128)] as number) / column.reduce((sum, term) => sum + term, 0);
    expect(Math.abs((softmax[i] as number) - share)).toBeLessThan(3e-7);
  });
});

describe("the loop over candidates equals its graph twin", () => {
  const cases: {
    name: string;
    widths: number[];
    hidden: string;
    last?: string;
    objective: string;
    matmul?: boolean;
  }[] = [
    { name: "logistic, squared error", widths: [7, 9, 5], hidden: "Sigmoid", last: "Sigmoid", objective: "sse" },
    { name: "two hidden layers", widths: [7, 9, 6, 5], hidden: "Tanh", last: "Sigmoid", objective: "sse" },
    {
      name: "three hidden layers, rectified, logits",
      widths: [6, 8, 7, 9, 4],
      hidden: "Relu",
      objective: "cross-entropy",
    },
    {
      name: "softmax, cross-entropy",
      widths: [5, 6, 4],
      hidden: "Sigmoid",
      last: "Softmax",
      objective: "cross-entropy",
    },
    {
      name: "two hidden layers, softmax, cross-entropy",
      widths: [5, 6, 7, 4],
      hidden: "Sigmoid",
      last: "Softmax",
      objective: "cross-entropy",
    },
    { name: "softmax, squared error", widths: [5, 6, 4], hidden: "Sigmoid", last: "Softmax", objective: "sse" },
    { name: "linear output, match", widths: [5, 12, 3], hidden: "Sigmoid", objective: "match" },
    { name: "two hidden layers, linear, squared error", widths: [5, 9, 8, 3], hidden: "Tanh", objective: "sse" },
    { name: "MatMul and Add", widths: [5, 6, 7, 3], hidden: "Relu", last: "Sigmoid", objective: "sse", matmul: true },
  ];
  test.each(cases)("$name", async ({ widths, hidden, last, objective, matmul }) => {
    const r = random(widths.length);
    const initializers: Record<string, ReturnType<typeof r.tensor>> = {};
    const nodes = widths.slice(1).flatMap((width, layer) => {
      const [w, b, sum, product] = [`w${layer}`, `b${layer}`, `sum${layer}`, `product${layer}`];
      initializers[w] = r.tensor([widths[layer] as number, width], 0.8);
      initializers[b] = r.tensor([width], 0.5);
      const input = layer === 0 ? "x" : `out${layer - 1}`;
      const isLast = layer === widths.length - 2;
      const activation = isLast ? (last ?? "Identity") : hidden;
      const layerNodes = matmul
        ? [node("MatMul", [input, w], [product]), node("Add", [product, b], [sum])]
        : [node("Gemm", [input, w, b], [sum])];
      return [...layerNodes, node(activation, [sum], [isLast ? "y" : `out${layer}`])];
    });
    const built = model({ inputs: { x: ["N", widths[0] as number] }, outputs: ["y"], initializers, nodes });
    const prunable = await prepare(built, runner);
    const size = 301; // no multiple of any block
    const classes = widths.at(-1) as number;
    const evaluator = await createEvaluator(
      prunable,
      runner,
      {
        source: "test",
        inputs: { x: r.tensor([size, widths[0] as number], 1) },
        labels: Int32Array.from({ length: size }, (_, i) => i % classes),
      },
      { objective },
    );
    const removed = new Uint8Array(prunable.units.count);
    const intact = stateOf(prunable, removed);
    const loops = new Oracle(evaluator, new Activations(evaluator, intact));
    const graphs = new Oracle(evaluator, new Activations(evaluator, intact), { loops: false });
    for (const group of prunable.units.groups) expect(denseTail(evaluator, intact, group)).toBeDefined();
    const meter = await QualityMeter.of(evaluator, intact);
    expect([...(meter.suffix?.groups ?? [])]).toEqual(prunable.units.groups);
    for (const gone of [undefined, 1, prunable.units.count - 3, prunable.units.count - 1, 0]) {
      if (gone !== undefined) removed[gone] = 1;
      const state = stateOf(prunable, removed);
      for (const activations of [loops.activations, graphs.activations, meter.activations]) activations.advance(state);
      const [{ quality, correctness }, whole] = [await meter.measure(), await evaluator.evaluate(state.model)];
      // both as sums over the samples
      const sum = size * whole.quality.error;
      expect(Math.abs(size * quality.error - sum)).toBeLessThan(1e-6 * Math.max(sum, 1));
      expect(quality.accuracy).toBe(whole.quality.accuracy);
      expect(correctness).toEqual(whole.correctness);
      const left = unitsLeft(prunable.units, removed);
      const [best, everyone] = [await loops.errorsWithout(left, { onlyBest: true }), await loops.errorsWithout(left)];
      const pick = (errors: ReadonlyMap<number, number>): number =>
        left.reduce((a, b) => ((errors.get(b) as number) < (errors.get(a) as number) ? b : a));
      expect(pick(best)).toBe(pick(everyone));
      expect(best.get(pick(best))).toBe(everyone.get(pick(everyone)));
      const [fast, plain] = [await loops.errorsWithout(left), await graphs.errorsWithout(left)];
      for (const unit of left) {
        const expected = size * (plain.get(unit) as number);
        expect(Math.abs(size * (fast.get(unit) as number) - expected)).toBeLessThan(1e-6 * Math.max(expected, 1));
      }
      for (const { units } of partsByGroup(prunable.units.groups, left)) {
        const [one = 0, another = 0, ...rest] = units;
        const beside = [one, another];
        const byLoops = await loops.errorsWithout(rest, { beside });
        for (const [unit, error] of await graphs.errorsWithout(rest, { beside })) {
          const [expected, got] = [size * error, size * (byLoops.get(unit) as number)];
          expect(Math.abs(got - expected)).toBeLessThan(1e-6 * Math.max(expected, 1));
        }
      }
    }
    await meter.release();
  });
});
