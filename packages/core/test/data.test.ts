import { describe, expect, test } from "vitest";
import { bindInputs, checkLabels, type Dataset, slice } from "../src/data.ts";
import { ShrinkError } from "../src/errors.ts";
import type { ValueInfo } from "../src/graph/graph.ts";
import { type ElementType, float32, int64, type Tensor, tensorOf } from "../src/graph/tensor.ts";

const zeros = (...dims: number[]) => float32(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
const dataset = (inputs: Record<string, Tensor>, rest: Partial<Dataset> = {}): Dataset => ({
  source: "d.npz",
  size: 0,
  inputs,
  ...rest,
});
const feed = (shape: ValueInfo["shape"], type: ElementType = "float32", name = "input"): ValueInfo => ({
  name,
  type,
  shape,
});
const bound = (tensor: Tensor, info: ValueInfo) => bindInputs(dataset({ x: tensor }), [info]).inputs[info.name];

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(ShrinkError);
    expect((error as ShrinkError).code).toBe("data");
    return (error as ShrinkError).message;
  }
  throw new Error("nothing thrown");
}

describe("slice", () => {
  const whole = dataset(
    { x: float32([0, 1, 2, 3, 4, 5], [3, 2]) },
    {
      size: 3,
      labels: Int32Array.of(7, 8, 9),
      targets: float32([10, 11, 12], [3, 1]),
    },
  );

  test("cuts inputs, labels and targets without copying", () => {
    const part = slice(whole, 1, 3);
    expect(part.size).toBe(2);
    expect(part.inputs.x?.dims).toEqual([2, 2]);
    expect(Array.from(part.inputs.x?.numbers ?? [])).toEqual([2, 3, 4, 5]);
    expect(part.inputs.x?.data.buffer).toBe(whole.inputs.x?.data.buffer);
    expect([...(part.labels as Int32Array)]).toEqual([8, 9]);
    expect(Array.from(part.targets?.numbers ?? [])).toEqual([11, 12]);
    expect(part.source).toBe("d.npz");
  });

  test("clamps to the dataset and goes to its end by default", () => {
    expect(slice(whole, 2).size).toBe(1);
    expect(slice(whole, 2, 99).size).toBe(1);
    expect(slice(whole, 5, 9).size).toBe(0);
    expect(slice(whole, 2, 1).inputs.x?.dims).toEqual([0, 2]);
  });

  test("leaves out what is not there", () => {
    expect(Object.keys(slice(dataset({ x: zeros(2, 1) }, { size: 2 }), 0, 1))).toEqual(["source", "size", "inputs"]);
  });
});

describe("bindInputs: which array", () => {
  test("the only array feeds the only input, whatever the names", () => {
    const result = bindInputs(dataset({ images: zeros(2, 3) }), [feed(["N", 3])]);
    expect(Object.keys(result.inputs)).toEqual(["input"]);
    expect(result.size).toBe(2);
  });

  test("the input's name goes before x, x before others; the rest is left out", () => {
    const [a, b] = [zeros(2, 3), zeros(4, 3)];
    expect(bindInputs(dataset({ x: a, input: b }), [feed(["N", 3])]).inputs.input).toBe(b);
    expect(bindInputs(dataset({ other: a, x: b }), [feed(["N", 3])]).inputs).toEqual({ input: b });
  });

  test("several inputs bind by name", () => {
    const feeds = [feed(["N", 2], "int64", "ids"), feed(["N", 1], "float32", "mask")];
    const result = bindInputs(dataset({ mask: zeros(2, 1), ids: int64([1, 2, 3, 4], [2, 2]) }), feeds);
    expect(Object.keys(result.inputs)).toEqual(["ids", "mask"]);
    expect(messageOf(() => bindInputs(dataset({ x: zeros(2, 2), "": zeros(2, 2) }), feeds))).toBe(
      'd.npz: no array for the model input "ids", found "x", "", expected "ids", "mask". ' +
        "Save one array for each model input, under its name.",
    );
  });

  test("a name that every object has is not an array", () => {
    const feeds = [feed(["N"], "float32", "toString"), feed(["N"], "float32", "x")];
    expect(messageOf(() => bindInputs(dataset({ x: zeros(1) }), feeds))).toContain(
      'no array for the model input "toStr',
    );
  });

  test("missing arrays list the ones found", () => {
    expect(messageOf(() => bindInputs(dataset({ a: zeros(1), b: zeros(1) }), [feed(["N"])]))).toBe(
      'd.npz: no array for the model input "input", found "a", "b", expected "input" or "x". ' +
        "Save one array for each model input, under its name.",
    );
    expect(messageOf(() => bindInputs(dataset({}), [feed(["N"])]))).toContain("found none");
    expect(messageOf(() => bindInputs(dataset({ x: zeros(1) }), []))).toContain("the model has no inputs to feed");
  });
});

describe("bindInputs: samples", () => {
  test("no samples", () => {
    expect(messageOf(() => bound(zeros(0, 3), feed(["N", 3])))).toBe(
      'd.npz: array "x" has shape [0, 3] and so no samples, expected at least 1. Save it with samples.',
    );
  });

  test("a scalar", () => {
    expect(messageOf(() => bound(float32([1], []), feed([null, 3])))).toContain(
      'array "x" is a single number, expected one axis of samples first, as in [N, 3].',
    );
    expect(messageOf(() => bound(zeros(2), feed([])))).toContain('the model input "input" takes a single number');
  });

  test.each([
    ["labels", { labels: Int32Array.of(1) }],
    ["targets", { targets: zeros(1, 2) }],
  ])("differing counts: %s", (_, rest) => {
    expect(messageOf(() => bindInputs(dataset({ x: zeros(2, 3) }, rest), [feed(["N", 3])]))).toBe(
      'd.npz: array "x" has 2 samples but "y" has 1, expected the same number. Save arrays whose first axes agree.',
    );
  });

  test("differing counts: two inputs", () => {
    const feeds = [feed(["N", 1], "float32", "a"), feed(["N", 1], "float32", "b")];
    expect(messageOf(() => bindInputs(dataset({ a: zeros(2, 1), b: zeros(3, 1) }), feeds))).toContain(
      'array "a" has 2 samples but "b" has 3',
    );
  });
});

describe("bindInputs: shape", () => {
  test.each([
    [
      [5, 3, 4],
      [1, 3, 4],
    ],
    [
      [5, 3, 4],
      ["N", "C", null],
    ],
    [
      [5, 3, 4],
      [null, -1, 4],
    ],
    [[5], ["N"]],
    [[5, 2], undefined],
  ])("%j fits %j as it is", (dims, shape) => {
    const tensor = zeros(...dims);
    expect(bound(tensor, feed(shape))).toBe(tensor);
  });

  test.each([
    [
      [5, 12],
      ["N", 1, 3, 4],
      [5, 1, 3, 4],
    ],
    [
      [5, 12],
      ["N", 2, 3, 2],
      [5, 2, 3, 2],
    ],
    [
      [5, 3, 4],
      ["N", 12],
      [5, 12],
    ],
    [
      [5, 3, 4],
      ["N", 1, 3, 4],
      [5, 1, 3, 4],
    ],
    [
      [5, 3, 4, 1],
      ["N", 1, 3, 4],
      [5, 1, 3, 4],
    ],
    [[5], ["N", 1], [5, 1]],
    [[5, 1], ["N"], [5]],
  ])("%j is reshaped for %j", (dims, shape, expected) => {
    expect(bound(zeros(...dims), feed(shape))?.dims).toEqual(expected);
  });

  test.each([
    [[5, 13], ["N", 1, 3, 4], "[5, 13], expected [N, 1, 3, 4]"],
    [[5, 12], ["N", 1, "H", 4], "[5, 12], expected [N, 1, H, 4]"],
    [[5, 3, 4], ["N", 3, 5], "[5, 3, 4], expected [N, 3, 5]"],
    [[5, 2, 6], ["N", 3, 4], "[5, 2, 6], expected [N, 3, 4]"],
    [[5, 2], ["N", null, 2], "[5, 2], expected [N, ?, 2]"],
  ])("%j does not fit %j", (dims, shape, text) => {
    expect(messageOf(() => bound(zeros(...dims), feed(shape)))).toBe(
      `d.npz: array "x" has shape ${text} for the model input "input". Save samples of the shape that the model takes.`,
    );
  });

  test("channels last is pointed out, never reshaped", () => {
    expect(messageOf(() => bound(zeros(2, 4, 4, 3), feed(["N", 3, 4, 4])))).toMatch(
      /same axes in another order: transpose/,
    );
  });
});

describe("bindInputs: type", () => {
  test.each<[ElementType, ElementType]>([
    ["float64", "float32"],
    ["float32", "float64"],
    ["float16", "float32"],
    ["uint8", "float32"],
    ["int64", "float32"],
    ["bool", "float32"],
    ["float32", "float16"],
    ["uint8", "int64"],
    ["int64", "int32"],
    ["uint8", "bool"],
  ])("%s becomes %s", (from, to) => {
    const result = bound(tensorOf(from, [0, 1, 1, 0], [2, 2]), feed(["N", 2], to));
    expect(result?.type).toBe(to);
    expect(result?.dims).toEqual([2, 2]);
    expect(Array.from(result?.numbers ?? [])).toEqual([0, 1, 1, 0]);
  });

  test("stays as it is where the model does not say", () => {
    const tensor = tensorOf("uint8", [1, 2]);
    expect(bindInputs(dataset({ x: tensor }), [{ name: "input" }]).inputs.input).toBe(tensor);
  });

  test("float to integer", () => {
    expect(messageOf(() => bound(zeros(2, 2), feed(["N", 2], "int64")))).toBe(
      'd.npz: array "x" is float32, expected integers, as the model input "input" is int64. Save it as int64.',
    );
  });

  test("integers that do not fit", () => {
    expect(messageOf(() => bound(int64([0, 1, 2, 300], [2, 2]), feed(["N", 2], "uint8")))).toBe(
      'd.npz: array "x" holds 300 in sample 1, expected 0 to 255, as the model takes uint8. ' +
        "Check that the file belongs to this model.",
    );
    expect(messageOf(() => bound(int64([-1]), feed(["N"], "bool")))).toContain("expected 0 to 1");
  });
});

describe("bindInputs: finite numbers", () => {
  test.each([Number.NaN, Infinity, -Infinity])("%d in an input", (value) => {
    expect(messageOf(() => bound(float32([0, 0, 0, value, 0, 0], [3, 2]), feed(["N", 2])))).toBe(
      `d.npz: array "x" holds ${value} in sample 1, expected finite numbers. Remove or repair that sample.`,
    );
  });

  test("too large for the model's type", () => {
    expect(messageOf(() => bound(tensorOf("float64", [0, 1e300]), feed(["N"])))).toContain(
      "holds 1e+300 (too large for float32) in sample 1",
    );
  });

  test("in targets", () => {
    const targets = float32([0, 1, Number.NaN, 1], [2, 2]);
    expect(messageOf(() => bindInputs(dataset({ x: zeros(2, 1) }, { targets }), [feed(["N", 1])]))).toContain(
      'array "y" holds NaN in sample 1',
    );
  });
});

describe("checkLabels", () => {
  test("accepts labels in range, and none", () => {
    expect(checkLabels(dataset({}, { labels: Int32Array.of(0, 9) }), 10)).toBeUndefined();
    expect(checkLabels(dataset({}), 10)).toBeUndefined();
  });

  test.each([10, -1])("names the sample of label %d", (label) => {
    expect(messageOf(() => checkLabels(dataset({}, { labels: Int32Array.of(0, label) }), 10))).toBe(
      `d.npz: the label of sample 1 is ${label}, expected 0 to 9 as the model has 10 classes. ` +
        "Number the classes from 0, or check that the file belongs to this model.",
    );
  });
});
