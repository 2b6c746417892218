/** The work behind the page, over onnxruntime in Node: what it says is what the library says. */
import { type Dataset, emptyGraph, float32, GraphBuilder, prune, Tensor, writeModel } from "@shrinknet/core";
import { writeNpz } from "@shrinknet/data";
import { nodeRunner } from "@shrinknet/runtime/node";
import { describe, expect, test } from "vitest";
import type { Step } from "../src/backend/backend.ts";
import { backendOf, functionsOf } from "../src/backend/functions.ts";
import { fromBytes, toBytes } from "../src/backend/wire.ts";
import { compareAnswers } from "../src/engine/answers.ts";
import { datasetOf } from "../src/engine/data.ts";
import { Engine } from "../src/engine/engine.ts";
import { pictureOf } from "../src/engine/picture.ts";

const runner = nodeRunner({ threads: 1 });
const numbers = (size: number, seed: number): number[] =>
  Array.from({ length: size }, (_, at) => Math.sin(at * 12.9 + seed));

/** A picture of 8 x 8, four channels, eight neurons, three classes. */
const model = ((): Uint8Array => {
  const b = new GraphBuilder({ opset: 17, base: emptyGraph() });
  const weights = (dims: readonly number[], seed: number) =>
    b.tensor(
      float32(
        numbers(
          dims.reduce((a, c) => a * c, 1),
          seed,
        ),
        dims,
      ),
    );
  b.input("x", "float32", ["N", 1, 8, 8]);
  const c = b.op("Relu", [b.op("Conv", ["x", weights([4, 1, 3, 3], 1)])]);
  const h = b.op("Tanh", [b.op("MatMul", [b.op("Flatten", [c]), weights([144, 8], 2)])]);
  b.op("MatMul", [h, weights([8, 3], 3)], {}, "y");
  const graph = b.graph([{ name: "y", type: "float32", shape: ["N", 3] }]);
  return writeModel({ graph, irVersion: 8, opsets: new Map([["", 17]]), metadata: new Map() });
})();
const x = float32(numbers(60 * 64, 4), [60, 1, 8, 8]);
const y = new Tensor(
  "int32",
  [60],
  Int32Array.from({ length: 60 }, (_, n) => n % 3),
);
const npz = writeNpz({ x, y });
const data: Dataset = { source: "data.npz", inputs: { x, y } };

async function opened(steps: Step[] = []) {
  const engine = new Engine({
    runner,
    threads: 1,
    clock: () => performance.now(),
    watching: { step: (step) => void steps.push(step) },
  });
  // as it is reached from the page: through functions, and bytes
  const backend = await backendOf(functionsOf(engine), "a test");
  const network = await backend.openModel({ name: "small.onnx", bytes: model });
  const samples = await backend.openData([{ name: "data.npz", bytes: npz }]);
  return { engine, backend, network, samples };
}

describe("a network and its samples", () => {
  test("are opened, seen and measured", async () => {
    const { backend, network, samples } = await opened();
    expect(backend.name).toBe(`a test, ${runner.name}`);
    expect(network).toMatchObject({ name: "small.onnx", picture: { width: 8, height: 8, channels: 1 } });
    expect(network.summary.groups.map(({ size }) => size)).toEqual([4, 8]);
    expect(samples).toMatchObject({ name: "data.npz", samples: 60, classes: 3 });
    const times = await backend.layerTimes();
    expect(Object.keys(times).length).toBeGreaterThan(3);
    expect(Object.values(times).every((time) => time >= 0)).toBe(true);
    const pixels = await backend.sample(3);
    expect(pixels).toHaveLength(64);
    expect([Math.min(...pixels), Math.max(...pixels)]).toEqual([0, 1]); // values below 0 are brought there
  });

  test("each unit has its cost, its curve, its weights, its samples and its partner", async () => {
    const { backend, network } = await opened();
    const [channels, neurons] = network.summary.groups;
    const estimates = await backend.estimates();
    for (const [group, kernel] of [
      [channels, 9],
      [neurons, undefined],
    ] as const) {
      const id = group?.id ?? "";
      const view = await backend.unit({ group: id, unit: 1 });
      expect(view.cost).toBe(estimates[id]?.measured[1]);
      expect(view.taylor2).toBe(estimates[id]?.taylor2[1]);
      expect(Math.abs(view.curve.removed - view.curve.baseline - view.cost)).toBeLessThan(1e-5);
      expect(view.chart).toMatch(/^<svg/);
      expect(view.weights?.values.length).toBe(kernel);
      expect(view.exciting).toHaveLength(8);
      const activations = view.exciting.map(({ activation }) => activation);
      expect(activations).toEqual(activations.toSorted((a, b) => b - a));
      expect(view.partner?.together).not.toBeNaN();
    }
  });

  test("a picture is a plane, three planes, or a square in a row", () => {
    expect(pictureOf([1, 28, 28])).toEqual({ channels: 1, height: 28, width: 28 });
    expect(pictureOf([3, 32, 48])).toEqual({ channels: 3, height: 32, width: 48 });
    expect(pictureOf([400])).toEqual({ channels: 1, height: 20, width: 20 });
    expect([pictureOf([401]), pictureOf([5]), pictureOf([64, 3]), pictureOf([])]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("what is no data file is refused by name", () => {
    expect(() => datasetOf([{ name: "a.bin", bytes: new Uint8Array(9) }])).toThrow("a.bin: is no data file, expected");
    expect(() => datasetOf([])).toThrow("no file, expected samples");
  });

  test("measuring without samples is refused", async () => {
    const { engine } = await opened();
    await engine.openModel({ name: "again.onnx", bytes: model });
    await expect(engine.estimates()).rejects.toThrow("no samples: measuring needs them");
  });
});

describe("a run", () => {
  test("ends with the file that prune writes; every place on its way is verified", async () => {
    const steps: Step[] = [];
    const { backend } = await opened(steps);
    const request = { id: "one", criterion: "oracle", repair: false, goal: { kind: "units", value: 6 } } as const;
    const { summary } = await backend.shrink(request);
    expect(steps.map(({ removed }) => removed)).toEqual([1, 2, 3, 4, 5, 6]);
    const expected = await prune(model, { runner, data, criterion: "oracle", budget: { remove: { count: 6 } } });
    const end = await backend.files({ run: "one", removed: 6 });
    expect(end.model).toEqual(expected.bytes);
    expect(JSON.parse(end.plan)).toEqual(expected.plan);
    expect(end.report).toContain("<svg");
    for (const removed of [0, 2, 6]) {
      const state = await backend.at({ run: "one", removed });
      const gone = state.widths.reduce((sum, { before, after }) => sum + before - after, 0);
      expect(gone).toBe(removed);
      expect(state.verified).toBeLessThan(1e-5);
      expect(state.error).toBe(
        removed === 0 ? summary.before.error : removed === 6 ? summary.after.error : summary.removed[1]?.error,
      );
    }
    const half = await backend.files({ run: "one", removed: 2 });
    expect(Object.values(JSON.parse(half.plan).removed).flat()).toHaveLength(2);
    expect(half.model.length).toBeGreaterThan(end.model.length);
    const answers = await backend.answers({ run: "one", removed: 6 });
    expect(answers.confusion.flat().reduce((sum, one) => sum + one, 0)).toBe(60);
    expect(answers.accuracy).toBeCloseTo(summary.after.accuracy ?? Number.NaN, 9);
    const shares = await backend.classify(await backend.sample(0), { run: "one", removed: 6 });
    for (const own of [shares.before, shares.after]) expect(own.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1, 6);
    const { before, after } = await backend.latency({ run: "one", removed: 6 });
    expect(before > 0 && after > 0).toBe(true);
    await expect(backend.at({ run: "one", removed: 7 })).rejects.toThrow("has no step 7");
  });

  test("waits when it is paused, takes single steps, can be looked at backwards, and is ended", async () => {
    const steps: Step[] = [];
    const { backend } = await opened(steps);
    const ended = backend.shrink({ id: "two", criterion: "oracle", repair: false, goal: { kind: "units", value: 9 } });
    await backend.allow("two", 2);
    const waited = async (count: number): Promise<void> => {
      await expect.poll(() => steps.length).toBe(count);
      await new Promise((resolve) => setTimeout(resolve, 30));
      expect(steps).toHaveLength(count);
    };
    await waited(3); // behind the first removal two more were allowed
    await backend.allow("two", 1);
    await waited(4);
    const back = await backend.at({ run: "two", removed: 2 });
    expect(back.widths.reduce((sum, { before, after }) => sum + before - after, 0)).toBe(2);
    expect(back.error).toBe(steps[1]?.error);
    await expect(backend.files({ run: "two", removed: 2 })).rejects.toThrow("the run is not at its end");
    await backend.stop("two");
    const { summary } = await ended;
    expect(summary.stopped).toBe("interrupted");
    expect(summary.removed).toHaveLength(4);
  });

  test("with repair a place on the way is repaired too", async () => {
    const { backend } = await opened();
    await backend.shrink({ id: "three", criterion: "obs", repair: true, goal: { kind: "units", value: 6 } });
    const { widths, verified } = await backend.at({ run: "three", removed: 3 });
    expect(widths.reduce((sum, { before, after }) => sum + before - after, 0)).toBe(3);
    expect(verified).toBeLessThan(1e-4);
  });

  test("charts of runs and estimates are the report's", async () => {
    const { backend } = await opened();
    const curves = [{ name: "run <1>", points: [[0, 1] as const, [1, 0.5] as const] }];
    const svg = await backend.curves("accuracy", curves, 400);
    expect(svg).toContain("run &lt;1&gt;");
    expect(await backend.scatter(curves, 400)).toMatch(/^<svg/);
  });
});

test("answers are compared class by class", () => {
  const found = compareAnswers([0, 1, 2], [0, 2, 2], Int32Array.from([0, 1, 1]));
  expect(found.confusion).toEqual([
    [1, 0, 0],
    [0, 0, 2],
    [0, 0, 0],
  ]);
  expect(found.changed).toEqual([{ sample: 1, before: 1, after: 2, label: 1 }]);
  expect(found.accuracy).toBeCloseTo(1 / 3, 9);
  expect(compareAnswers([1], [1], undefined)).toEqual({ confusion: [], changed: [] });
});

test("errors keep their sentence on the wire", () => {
  const sent = fromBytes(
    toBytes({ t: "s", e: new Error("model: is damaged"), bytes: Uint8Array.of(1, 2), missing: undefined }),
  );
  expect(sent).toMatchObject({ t: "s", bytes: Uint8Array.of(1, 2) });
  expect((sent as { e: Error }).e).toBeInstanceOf(Error);
  expect((sent as { e: Error }).e.message).toBe("model: is damaged");
});
