/** Limits on the accuracy, judged with samples that chose nothing. */
import { describe, expect, test } from "vitest";
import { bindSamples } from "../../src/data/bind.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import type { Samples } from "../../src/data/samples.ts";
import { reshape, type Tensor, tensorOf } from "../../src/graph/tensor.ts";
import { holdOut } from "../../src/measure/hold-out.ts";
import { readModel, writeModel } from "../../src/onnx/index.ts";
import { type PruneOptions, prune } from "../../src/prune.ts";
import { dataset, runner } from "../helpers.ts";
import { build } from "../property/networks.ts";
import { random } from "../support/build.ts";
import { evaluate } from "../support/reference.ts";

const layer = { form: "Gemm", normalize: false, skip: false, branches: [], move: "nothing" } as const;
const { model } = build({
  seed: 5,
  opset: 17,
  inputs: 4,
  layers: [{ ...layer, width: 12, activation: "Tanh" }],
  outputs: 3,
  end: "softmax",
});
const file = writeModel(model);
const r = random(2);

/** The largest of three outputs, by sample. */
function answers(of: typeof model, x: Tensor): number[] {
  const y = (evaluate(of, { x }).y as Tensor).numbers;
  const at = (n: number, c: number): number => y[3 * n + c] as number;
  return Array.from({ length: x.dims[0] as number }, (_, n) =>
    [0, 1, 2].reduce((a, b) => (at(n, b) > at(n, a) ? b : a)),
  );
}

/** Samples of the network's own classes, a tenth of them wrong. */
function samples(size: number): Dataset {
  const x = r.tensor([size, 4]);
  const labels = answers(model, x).map((own, n) => (n % 10 === 0 ? (own + 1) % 3 : own));
  return dataset({ x }, { labels: Int32Array.from(labels) });
}

const data = samples(600);
const run = (options: Partial<PruneOptions>) => prune(file, { runner, data, criterion: "taylor1", ...options });
const bound = (of: Dataset): Samples => bindSamples(of, model.graph.feeds);
const right = (of: typeof model, { size, inputs, answers: { "": labels } }: Samples): number =>
  answers(of, reshape(inputs.x?.tensor as Tensor, [size, 4])).filter((own, n) => own === labels?.numbers[n]).length;

describe("a limit on the accuracy", () => {
  test("holds on all calibration samples, of which a fifth has scored no unit", async () => {
    const { bytes, summary } = await run({ budget: { maxAccuracyDrop: 0.05 }, seed: 3 });
    const { fit, heldOut } = holdOut(bound(data), 0.2, 3);
    const small = readModel(bytes);
    expect(summary.heldOut).toMatchObject({ samples: 120, share: 0.2 });
    expect(summary.removed.length).toBeGreaterThan(0);
    for (const [state, of] of [
      [summary.before, model],
      [summary.after, small],
    ] as const) {
      expect(state.accuracy).toBeCloseTo(right(of, fit) / 480, 12);
      expect(state.heldOut?.accuracy).toBeCloseTo(right(of, heldOut) / 120, 12);
    }
    const drop = (right(model, bound(data)) - right(small, bound(data))) / 600;
    expect(drop).toBeLessThanOrEqual(0.05);
    expect(summary.answers?.calibration.drop.drop).toBeCloseTo(drop, 12);
    expect(summary.answers?.heldOut?.drop.drop).toBeCloseTo((right(model, heldOut) - right(small, heldOut)) / 120, 12);
    expect(summary.stopped).toContain("one more removal would lower the accuracy");
    expect(summary.removed.at(-1)?.heldOut?.accuracy).toBe(summary.after.heldOut?.accuracy);
  });

  test("with a confidence, the upper end of the interval on held-out samples stays within it", async () => {
    const budget = { maxAccuracyDrop: 0.12, confidence: 0.95 };
    const { summary } = await run({ budget, holdOut: 0.5 });
    const held = summary.answers?.heldOut?.drop;
    expect(summary.removed.length).toBeGreaterThan(0);
    expect(held?.high).toBeLessThanOrEqual(0.12);
    expect(held?.confidence).toBe(0.95);
    expect(summary.stopped).toMatch(/may have fallen by .* % \(upper end of the 95 % interval on held-out samples\)/);
    const loose = (await run({ budget: { maxAccuracyDrop: 0.12 }, holdOut: 0.5 })).summary;
    expect(loose.removed.length).toBeGreaterThanOrEqual(summary.removed.length);
  });

  test("samples that are too few for the confidence are refused at the start", async () => {
    const budget = { maxAccuracyDrop: 0.01, confidence: 0.95 };
    await expect(run({ budget })).rejects.toThrow(
      "120 held-out samples are too few to show a drop of at most 1 % with 95 % confidence",
    );
    await expect(run({ budget, holdOut: 0 })).rejects.toThrow("expected a --hold-out above 0%");
    await expect(run({ budget: { confidence: 0.9 } })).rejects.toThrow("add --max-accuracy-drop");
  });
});

test("nothing is held out for other budgets, for few samples, without classes, and where 0 is asked", async () => {
  const few = samples(400);
  const numbers = tensorOf(
    "float32",
    Array.from({ length: 1800 }, () => r.uniform()),
    [600, 3],
  );
  const regression = dataset({ x: data.inputs.x as Tensor }, { targets: numbers });
  for (const options of [
    { budget: { remove: { count: 2 } } },
    { data: few, budget: { maxAccuracyDrop: 0.05 } },
    { data: regression, budget: { maxErrorRise: 0.1 } },
    { holdOut: 0, budget: { maxAccuracyDrop: 0.05 } },
  ]) {
    const { summary } = await run(options);
    expect(summary.heldOut).toBeUndefined();
    expect(summary.before.heldOut).toBeUndefined();
  }
});

test("what is held out scores no unit: other inputs there change no choice", async () => {
  const { heldOut } = holdOut(bound(data), 0.2, 0);
  const first = (tensor: Tensor, n: number): number => tensor.numbers[4 * n] as number;
  const heldRows = new Set(
    Array.from({ length: 600 }, (_, n) => n).filter((n) =>
      Array.from({ length: 120 }, (_, k) => first(heldOut.inputs.x?.tensor as Tensor, k)).includes(
        first(data.inputs.x as Tensor, n),
      ),
    ),
  );
  expect(heldRows.size).toBe(120);
  const x = data.inputs.x as Tensor;
  const moved = tensorOf(
    "float32",
    Array.from(x.numbers, (v, i) => (heldRows.has(Math.floor(i / 4)) ? -v : v)),
    [600, 4],
  );
  const options = { holdOut: 0.2, criterion: "oracle", budget: { remove: { count: 6 } } };
  const [own, other] = [await run(options), await run({ ...options, data: { ...data, inputs: { x: moved } } })];
  expect(other.bytes).toEqual(own.bytes);
  expect(other.summary.heldOut?.usedFor).toBe("nothing but the report");
  expect(other.summary.after.heldOut?.error).not.toBe(own.summary.after.heldOut?.error);
});
