/** `evaluate --against`: a model is held to another one, output by output. */

import { int64, type Model, type Tensor, writeModel } from "@shrinknet/core";
import { readNpz, writeNpz } from "@shrinknet/data";
import { nodeRunner } from "@shrinknet/runtime/node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { model, node, random } from "../../core/test/support/build.ts";
import { crossEntropyError, matchErrors, rowsOf } from "../../core/test/support/objectives.ts";
import { evaluateJson } from "../src/json/schemas.ts";
import { Workplace } from "./support.ts";

const place = new Workplace();
const SAMPLES = 40;

/** Two outputs, a class and a box, of a network with hidden units. */
function heads(outputs: readonly string[] = ["class", "box"]): Model {
  const r = random(4);
  return model({
    inputs: { x: ["N", 5] },
    outputs,
    initializers: { w: r.tensor([5, 7]), c: r.tensor([7, 3]), b: r.tensor([7, 2], 50) },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["h"]),
      node("MatMul", ["h", "c"], ["class"]),
      node("MatMul", ["h", "b"], ["box"]),
    ].filter((one) => one.outputs.some((name) => ["a", "h", ...outputs].includes(name))),
  });
}

/** Takes one sample at a time. */
function single(): Model {
  const r = random(6);
  return model({
    inputs: { x: [1, 4, 3] },
    outputs: { y: [4, 2] },
    initializers: { w: r.tensor([3, 6]), v: r.tensor([6, 2]), axes: int64([0]) },
    nodes: [
      node("MatMul", ["x", "w"], ["a"]),
      node("Tanh", ["a"], ["h"]),
      node("MatMul", ["h", "v"], ["c"]),
      node("Squeeze", ["c", "axes"], ["y"]),
    ],
  });
}

beforeAll(async () => {
  await place.fill();
  await place.run("prune digits.onnx --data calib.npz --remove 5 --out small.onnx");
  const r = random(8);
  place.write("heads.onnx", writeModel(heads()));
  place.write("class.onnx", writeModel(heads(["class"])));
  const x = r.tensor([SAMPLES, 5]);
  const labels = int64(Array.from({ length: SAMPLES }, () => r.int(3)));
  place.write("plain.npz", writeNpz({ x }));
  place.write("labelled.npz", writeNpz({ x, y_class: labels }));
  await place.run("prune heads.onnx --data plain.npz --remove 3 --out fewer.onnx");
  place.write("single.onnx", writeModel(single()));
  place.write("singles.npz", writeNpz({ x: r.tensor([SAMPLES, 4, 3]) }));
  await place.run("prune single.onnx --data singles.npz --remove 2 --out single-small.onnx");
});
afterAll(() => place.remove());

async function json(line: string): Promise<z.infer<typeof evaluateJson>> {
  const { code, stdout, stderr } = await place.run(`${line} --json`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return evaluateJson.parse(JSON.parse(stdout));
}

/** Outputs of a file for the samples of another, as rows. */
async function rowsFrom(file: string, data: string, output: string): Promise<number[][]> {
  const session = await nodeRunner().load(place.read(file));
  const { x } = readNpz(place.read(data), data) as { x: Tensor };
  const result = await session.run({ x });
  await session.release();
  return rowsOf((result[output] as Tensor).numbers, x.dims[0] as number);
}
const labelsIn = (data: string, name: string): number[] =>
  Array.from((readNpz(place.read(data), data) as Record<string, Tensor>)[name]?.numbers ?? []);

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const best = (row: readonly number[]): number => row.indexOf(Math.max(...row));
const shareOf = (rows: readonly number[][], expected: readonly number[]): number =>
  mean(rows.map((row, n) => (best(row) === expected[n] ? 1 : 0)));
const close = (found: number | undefined, expected: number): void => {
  expect(Math.abs((found as number) - expected)).toBeLessThan(1e-5 * Math.max(expected, 1e-3));
};

describe("a model with one output and labels", () => {
  test("error relative to the other's outputs, agreement, and both accuracies", async () => {
    const result = await json("evaluate small.onnx --against digits.onnx --data test.npz");
    const [own, other] = [
      await rowsFrom("small.onnx", "test.npz", "y"),
      await rowsFrom("digits.onnx", "test.npz", "y"),
    ];
    const labels = labelsIn("test.npz", "y");
    expect(result).toMatchObject({ model: "small.onnx", against: "digits.onnx" });
    expect(result).toMatchObject({ samples: 48, objective: "match", isOneByOne: false });
    close(result.error, mean(matchErrors(own, other, (column) => column)));
    expect(result.accuracy).toBeCloseTo(shareOf(own, labels), 12);
    expect(result.accuracyOfOther).toBeCloseTo(shareOf(other, labels), 12);
    expect(result.accuracyOfOther).toBe(0.875);
    expect(result.outputs).toEqual([
      {
        name: "y",
        objective: "match",
        error: result.error,
        accuracy: result.accuracy,
        agreement: expect.closeTo(shareOf(own, other.map(best)), 12),
      },
    ]);
    expect(result.outputs[0]?.agreement).toBeLessThan(1);
    // size and file are those of the model, not of the other
    const alone = await json("evaluate small.onnx --data test.npz");
    for (const name of ["parameters", "macs", "bytes", "accuracy"] as const) expect(result[name]).toBe(alone[name]);
    expect(alone).not.toHaveProperty("against");
    expect(alone).not.toHaveProperty("accuracyOfOther");
  });

  test("in words", async () => {
    const { code, stdout, stderr } = await place.run("evaluate small.onnx --against digits.onnx --data test.npz");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(
      /^small\.onnx on 48 samples of test\.npz\nerror +[\d.]+ a sample \(match; match: distance from the outputs of digits\.onnx, 1 = their variance\)\naccuracy +[\d.]+ % \(digits\.onnx: 87\.50 %\)\nagreement +[\d.]+ % with the same argmax as digits\.onnx\nparameters +\d+\nMACs +\d+ per sample\nfile size +\d+ bytes\n$/,
    );
  });

  test("itself is no different", async () => {
    const result = await json("evaluate digits.onnx --against digits.onnx --data test.npz");
    expect(result).toMatchObject({ error: 0, accuracy: 0.875, accuracyOfOther: 0.875 });
    expect(result.outputs[0]?.agreement).toBe(1);
  });

  test("the objective may be another", async () => {
    const line = "evaluate small.onnx --against digits.onnx --data test.npz --objective cross-entropy";
    const result = await json(line);
    const [own, labels] = [await rowsFrom("small.onnx", "test.npz", "y"), labelsIn("test.npz", "y")];
    expect(result.objective).toBe("cross-entropy");
    close(
      result.error,
      mean(
        own.map((row, n) =>
          crossEntropyError(
            row,
            row.map((_, k) => (k === labels[n] ? 1 : 0)),
          ),
        ),
      ),
    );
    expect(result.accuracyOfOther).toBe(0.875);
  });
});

describe("a model with several outputs", () => {
  test("errors are told by output, relative to the other's", async () => {
    const result = await json("evaluate fewer.onnx --against heads.onnx --data labelled.npz");
    const errors = await Promise.all(
      ["class", "box"].map(async (name) => {
        const [own, other] = [
          await rowsFrom("fewer.onnx", "labelled.npz", name),
          await rowsFrom("heads.onnx", "labelled.npz", name),
        ];
        return { own, other, error: mean(matchErrors(own, other, (column) => column)) };
      }),
    );
    const [classes, box] = errors as [(typeof errors)[number], (typeof errors)[number]];
    close(result.error, classes.error + box.error);
    expect(result.outputs.map(({ name, objective }) => [name, objective])).toEqual([
      ["class", "match"],
      ["box", "match"],
    ]);
    close(result.outputs[0]?.error, classes.error);
    close(result.outputs[1]?.error, box.error);
    const labels = labelsIn("labelled.npz", "y_class");
    expect(result.outputs[0]?.accuracy).toBeCloseTo(shareOf(classes.own, labels), 12);
    expect(result.outputs[0]?.agreement).toBeCloseTo(shareOf(classes.own, classes.other.map(best)), 12);
    expect(result.accuracy).toBeCloseTo(shareOf(classes.own, labels), 12);
    expect(result.accuracyOfOther).toBeCloseTo(shareOf(classes.other, labels), 12);
    const { stdout } = await place.run("evaluate fewer.onnx --against heads.onnx --data labelled.npz");
    expect(stdout).toMatch(
      /\n\noutput +objective +error +accuracy +same argmax\nclass +match +[\d.e-]+ +[\d.]+ % +[\d.]+ %\nbox +match +[\d.e-]+/,
    );
  });

  test("one of them alone, and an objective for one", async () => {
    const result = await json("evaluate fewer.onnx --against heads.onnx --data labelled.npz --output box");
    expect(result.outputs.map(({ name }) => name)).toEqual(["box"]);
    expect(result.error).toBe(result.outputs[0]?.error);
    expect(result).not.toHaveProperty("accuracy");
    const line = "evaluate fewer.onnx --against heads.onnx --data labelled.npz --objective class=cross-entropy";
    const mixed = await json(line);
    expect(mixed.objective).toBe("cross-entropy+match");
    expect(mixed.outputs[1]?.error).toBe(result.error);
  });

  test("prune takes them, an objective for each, and labels by their name; the plan says so and is replayed", async () => {
    const { x, y_class } = readNpz(place.read("labelled.npz"), "labelled.npz") as { x: Tensor; y_class: Tensor };
    place.write("named.npz", writeNpz({ x, kinds: y_class }));
    const line =
      "prune heads.onnx --data named.npz --labels class=kinds --objective class=cross-entropy --objective box=match";
    await place.run(`${line} --remove 3 --out named.onnx --plan named.json`);
    expect(JSON.parse(place.text("named.json"))).toMatchObject({
      objective: "cross-entropy+match",
      outputs: { class: "cross-entropy", box: "match" },
    });
    const replay = "apply heads.onnx named.json --data named.npz --labels class=kinds --out again.onnx";
    expect((await place.run(replay)).code).toBe(0);
    expect(place.read("again.onnx")).toEqual(place.read("named.onnx"));
    await place.run("prune heads.onnx --data plain.npz --output box --remove 3 --out box.onnx --plan box.json");
    expect(JSON.parse(place.text("box.json"))).toMatchObject({ objective: "match", outputs: { box: "match" } });
  });

  test("only the model's own outputs are asked of the other", async () => {
    const result = await json("evaluate class.onnx --against heads.onnx --data plain.npz");
    expect(result).toMatchObject({ error: 0, outputs: [{ name: "class", agreement: 1 }] });
    await place.fails(
      "evaluate heads.onnx --against class.onnx --data plain.npz",
      1,
      /class\.onnx: has no output "box", expected the outputs of .*heads\.onnx/,
    );
  });
});

test("models that take one sample at a time, and it is said", async () => {
  const result = await json("evaluate single-small.onnx --against single.onnx --data singles.npz");
  expect(result).toMatchObject({ samples: SAMPLES, isOneByOne: true, objective: "match" });
  expect(result.error).toBeGreaterThan(0);
  const { stdout } = await place.run("evaluate single-small.onnx --against single.onnx --data singles.npz");
  expect(stdout).toContain("Each sample is a run of its own: the model takes no several together.\n");
  expect(await json("evaluate single.onnx --against single.onnx --data singles.npz")).toMatchObject({ error: 0 });
});

test("without another model, outputs without labels are held to the model's own", async () => {
  const { stdout } = await place.run("evaluate fewer.onnx --data labelled.npz");
  expect(stdout).toMatch(
    /\nerror +[\d.]+ a sample \(cross-entropy\+match; match: distance from its own outputs, 1 = their variance\)\naccuracy /,
  );
  const result = await json("evaluate fewer.onnx --data labelled.npz");
  expect(result.outputs.map(({ objective, error }) => [objective, error > 0])).toEqual([
    ["cross-entropy", true],
    ["match", false],
  ]);
});

test.each<[string, 1 | 2, RegExp]>([
  ["evaluate small.onnx --against none.onnx --data test.npz", 1, /none\.onnx: no such file, expected an ONNX file/],
  ["evaluate small.onnx --against test.npz --data test.npz", 1, /test\.npz: is a zip archive/],
  [
    "evaluate heads.onnx --data plain.npz --output boxes",
    2,
    /output "boxes": the model has none of that name, expected one of class, box/,
  ],
  [
    "evaluate heads.onnx --data plain.npz --objective boxes=match",
    2,
    /output "boxes": the model has none of that name, expected one of class, box/,
  ],
  ["evaluate heads.onnx --data plain.npz --objective box=mse", 2, /expected one of sse, cross-entropy, match/],
  ["evaluate heads.onnx --data plain.npz --labels class=y", 1, /plain\.npz: no array "y" for labels, found "x"/],
  [
    "evaluate digits.onnx --against heads.onnx --data test.npz",
    1,
    /test\.npz: array "x" has shape \[48, 8\], expected \[N, 5\] for the model input "x"/,
  ],
])("%s", async (line, code, message) => {
  await place.fails(line, code, message);
});
