import { describe, expect, test } from "vitest";
import { bindSamples } from "../../src/data/bind.ts";
import { type Dataset, range } from "../../src/data/dataset.ts";
import type { SampleInput } from "../../src/data/samples.ts";
import { ShrinkError } from "../../src/errors.ts";
import type { ValueInfo } from "../../src/graph/graph.ts";
import { type ElementType, float32, int64, sizeOf, type Tensor, tensorOf } from "../../src/graph/tensor.ts";

/** 0, 1, 2, ...: no two samples are the same. */
const counting = (...dims: number[]): Tensor =>
  float32(
    Array.from({ length: sizeOf(dims) }, (_, i) => i),
    dims,
  );
const dataset = (inputs: Record<string, Tensor>, rest: Partial<Dataset> = {}): Dataset => ({
  source: "d.npz",
  inputs,
  ...rest,
});
const feed = (shape: ValueInfo["shape"], type: ElementType = "float32", name = "input"): ValueInfo => ({
  name,
  type,
  shape,
});
/** What the input of that shape is fed from the array "x". */
const bound = (tensor: Tensor, info: ValueInfo): SampleInput =>
  bindSamples(dataset({ x: tensor }), [info]).inputs[info.name] as SampleInput;

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

describe("range", () => {
  const whole = dataset(
    { x: float32([0, 1, 2, 3, 4, 5], [3, 2]) },
    {
      labels: Int32Array.of(7, 8, 9),
      targets: float32([10, 11, 12], [3, 1]),
      labelArrays: { y: "z" },
    },
  );

  test("cuts inputs, labels and targets without copying", () => {
    const part = range(whole, 1, 3);
    expect(part.inputs.x?.dims).toEqual([2, 2]);
    expect(Array.from(part.inputs.x?.numbers ?? [])).toEqual([2, 3, 4, 5]);
    expect(part.inputs.x?.data.buffer).toBe(whole.inputs.x?.data.buffer);
    expect([...(part.labels as Int32Array)]).toEqual([8, 9]);
    expect(Array.from(part.targets?.numbers ?? [])).toEqual([11, 12]);
    expect(part.source).toBe("d.npz");
    expect(part.labelArrays).toEqual({ y: "z" });
  });

  test("clamps to the dataset", () => {
    const rows = (from: number, to: number) => {
      const { inputs, labels, targets } = range(whole, from, to);
      expect(labels).toHaveLength(inputs.x?.dims[0] as number);
      expect(targets?.dims[0]).toBe(inputs.x?.dims[0]);
      return inputs.x?.dims;
    };
    expect(rows(2, 99)).toEqual([1, 2]);
    expect(rows(0, 0)).toEqual([0, 2]);
    expect(rows(3, 3)).toEqual([0, 2]);
    expect(rows(5, 9)).toEqual([0, 2]);
    expect(rows(2, 1)).toEqual([0, 2]);
  });

  test("leaves out what is not there", () => {
    expect(Object.keys(range(dataset({ x: counting(2, 1) }), 0, 1))).toEqual(["source", "inputs"]);
  });
});

describe("bindSamples: which array", () => {
  test("the only array feeds the only input, whatever the names", () => {
    const result = bindSamples(dataset({ images: counting(2, 3) }), [feed(["N", 3])]);
    expect(Object.keys(result.inputs)).toEqual(["input"]);
    expect(result.size).toBe(2);
    expect(result.source).toBe("d.npz");
    expect(result.answers).toEqual({});
  });

  test("the input's name goes before x, x before others; the rest is left out", () => {
    const [a, b] = [counting(2, 3), counting(4, 3)];
    expect(bindSamples(dataset({ x: a, input: b }), [feed(["N", 3])]).inputs.input?.tensor.data).toBe(b.data);
    const { inputs } = bindSamples(dataset({ other: a, x: b }), [feed(["N", 3])]);
    expect(Object.keys(inputs)).toEqual(["input"]);
    expect(inputs.input?.tensor.data).toBe(b.data);
  });

  test("several inputs bind by name", () => {
    const feeds = [feed(["N", 2], "int64", "ids"), feed(["N", 1], "float32", "mask")];
    const result = bindSamples(dataset({ mask: counting(2, 1), ids: int64([1, 2, 3, 4], [2, 2]) }), feeds);
    expect(Object.keys(result.inputs)).toEqual(["ids", "mask"]);
    expect(messageOf(() => bindSamples(dataset({ x: counting(2, 2), "": counting(2, 2) }), feeds))).toBe(
      'd.npz: no array for the model input "ids", found "x", "", expected "ids", "mask". ' +
        "Save one array for each model input, under its name.",
    );
  });

  test("a name that every object has is not an array", () => {
    const feeds = [feed(["N"], "float32", "toString"), feed(["N"], "float32", "x")];
    expect(messageOf(() => bindSamples(dataset({ x: counting(1) }), feeds))).toContain(
      'no array for the model input "toStr',
    );
  });

  test("missing arrays list the ones found", () => {
    expect(messageOf(() => bindSamples(dataset({ a: counting(1), b: counting(1) }), [feed(["N"])]))).toBe(
      'd.npz: no array for the model input "input", found "a", "b", expected "input" or "x". ' +
        "Save one array for each model input, under its name.",
    );
    expect(messageOf(() => bindSamples(dataset({}), [feed(["N"])]))).toContain("found none");
    expect(messageOf(() => bindSamples(dataset({ x: counting(1) }), []))).toContain("the model has no inputs to feed");
  });
});

describe("bindSamples: samples", () => {
  test("no samples", () => {
    expect(messageOf(() => bound(counting(0, 3), feed(["N", 3])))).toBe(
      'd.npz: array "x" has shape [0, 3] and so no samples, expected at least 1. Save it with samples.',
    );
  });

  test("a scalar", () => {
    expect(messageOf(() => bound(float32([1], []), feed([null, 3])))).toContain(
      'array "x" is a single number, expected one axis of samples first, as in [N, 3].',
    );
  });

  test.each([
    ["labels", { labels: Int32Array.of(1) }],
    ["targets", { targets: counting(1, 2) }],
  ])("differing counts: %s", (_, rest) => {
    expect(messageOf(() => bindSamples(dataset({ x: counting(2, 3) }, rest), [feed(["N", 3])]))).toBe(
      'd.npz: array "x" has 2 samples but "y" has 1, expected the same number. Save arrays whose first axes agree.',
    );
  });

  test("differing counts: two inputs", () => {
    const feeds = [feed(["N", 1], "float32", "a"), feed(["N", 1], "float32", "b")];
    expect(messageOf(() => bindSamples(dataset({ a: counting(2, 1), b: counting(3, 1) }), feeds))).toContain(
      'array "a" has 2 samples but "b" has 3',
    );
  });
});

describe("bindSamples: shape", () => {
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
    const tensor = counting(...dims);
    const { tensor: fed, isShared } = bound(tensor, feed(shape));
    expect(isShared).toBe(false);
    expect(fed.dims).toEqual([5, 1, ...dims.slice(1)]);
    expect(fed.data).toBe(tensor.data);
  });

  test.each([
    [
      [5, 12],
      ["N", 1, 3, 4],
      [5, 1, 1, 3, 4],
    ],
    [
      [5, 12],
      ["N", 2, 3, 2],
      [5, 1, 2, 3, 2],
    ],
    [
      [5, 3, 4],
      ["N", 12],
      [5, 1, 12],
    ],
    [
      [5, 3, 4],
      ["N", 1, 3, 4],
      [5, 1, 1, 3, 4],
    ],
    [
      [5, 3, 4, 1],
      ["N", 1, 3, 4],
      [5, 1, 1, 3, 4],
    ],
    [[5], ["N", 1], [5, 1, 1]],
    [[5, 1], ["N"], [5, 1]],
  ])("%j is reshaped for %j", (dims, shape, expected) => {
    const tensor = counting(...dims);
    const { tensor: fed, isShared } = bound(tensor, feed(shape));
    expect(isShared).toBe(false);
    expect(fed.dims).toEqual(expected);
    expect(fed.data).toBe(tensor.data);
  });

  test.each([
    [[5, 13], ["N", 1, 3, 4], "[5, 13], expected [N, 1, 3, 4]"],
    [[5, 12], ["N", 1, "H", 4], "[5, 12], expected [N, 1, H, 4]"],
    [[5, 3, 4], ["N", 3, 5], "[5, 3, 4], expected [N, 3, 5]"],
    [[5, 2, 6], ["N", 3, 4], "[5, 2, 6], expected [N, 3, 4]"],
    [[5, 2], ["N", null, 2], "[5, 2], expected [N, ?, 2]"],
  ])("%j does not fit %j", (dims, shape, text) => {
    expect(messageOf(() => bound(counting(...dims), feed(shape)))).toBe(
      `d.npz: array "x" has shape ${text} for the model input "input". Save samples of the shape that the model takes.`,
    );
  });

  test("channels last is pointed out, never reshaped", () => {
    expect(messageOf(() => bound(counting(2, 4, 4, 3), feed(["N", 3, 4, 4])))).toMatch(
      /same axes in another order: read images as NHWC \(--layout NHWC\), or transpose/,
    );
  });
});

describe("bindSamples: type", () => {
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
    const { tensor } = bound(tensorOf(from, [0, 1, 1, 0], [2, 2]), feed(["N", 2], to));
    expect(tensor.type).toBe(to);
    expect(tensor.dims).toEqual([2, 1, 2]);
    expect(Array.from(tensor.numbers)).toEqual([0, 1, 1, 0]);
  });

  test("stays as it is where the model does not say", () => {
    const tensor = tensorOf("uint8", [1, 2]);
    const { input } = bindSamples(dataset({ x: tensor }), [{ name: "input" }]).inputs;
    expect(input?.tensor.type).toBe("uint8");
    expect(input?.tensor.data).toBe(tensor.data);
  });

  test("float to integer", () => {
    expect(messageOf(() => bound(counting(2, 2), feed(["N", 2], "int64")))).toBe(
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

describe("bindSamples: finite numbers", () => {
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
    expect(messageOf(() => bindSamples(dataset({ x: counting(2, 1) }, { targets }), [feed(["N", 1])]))).toContain(
      'array "y" holds NaN in sample 1',
    );
  });
});

describe("bindSamples: what one sample is", () => {
  const labels = (count: number): Int32Array => Int32Array.from({ length: count }, (_, n) => n);
  const one = (tensor: Tensor, shape: ValueInfo["shape"], rest: Partial<Dataset> = {}) => {
    const samples = bindSamples(dataset({ x: tensor }, rest), [feed(shape)]);
    return { ...samples, input: samples.inputs.input as SampleInput };
  };

  test.each<[string, number[], ValueInfo["shape"], number[]]>([
    ["rows, where the first axis is free", [6, 3], ["N", 3], [6, 1, 3]],
    ["rows, where it is fixed to 1", [6, 3], [1, 3], [6, 1, 3]],
    ["feeds of one row", [6, 1, 3], ["N", 3], [6, 1, 3]],
    ["feeds of one row, where it is fixed to 1", [6, 1, 3], [1, 3], [6, 1, 3]],
    ["feeds of several rows", [6, 5, 3], ["N", 3], [6, 5, 3]],
    ["feeds of the fixed number of rows", [6, 4, 3], [4, 3], [6, 4, 3]],
    ["feeds of sequences of any length", [6, 1, 7, 3], ["N", "T", 3], [6, 1, 7, 3]],
    ["rows of sequences of any length", [6, 7, 3], ["N", "T", 3], [6, 1, 7, 3]],
    ["feeds whose samples stand in the middle", [6, 2, 1, 8], [2, "N", 8], [6, 2, 1, 8]],
    ["feeds with time first", [6, 7, 1, 3], ["T", "N", 3], [6, 7, 1, 3]],
    ["single numbers", [6], [], [6]],
    ["single numbers in rows", [6, 1], [], [6]],
    ["numbers", [6], ["N"], [6, 1]],
    ["flat rows for images of a fixed size", [6, 12], [1, 3, 2, 2], [6, 1, 3, 2, 2]],
    ["rows of the fixed shape", [5, 4], [4], [5, 4]],
  ])("%s: %j for %j", (_, dims, shape, expected) => {
    const tensor = counting(...dims);
    const { size, input } = one(tensor, shape);
    expect(size).toBe(dims[0]);
    expect(input.isShared).toBe(false);
    expect(input.tensor.dims).toEqual(expected);
    expect(input.tensor.data).toBe(tensor.data);
  });

  test.each([
    [5, 2, 8],
    [6, 2, 8],
    [2, 2, 8],
  ])("feeds whose samples stand in the middle, without that axis: [%i, %i, %i]", (...dims) => {
    const { size, input } = one(counting(...dims), [2, "N", 8]);
    expect(size).toBe(dims[0]);
    expect(input.tensor.dims).toEqual([dims[0], 2, 1, 8]);
  });

  test("of an input that is fixed to several rows, each so many rows are a sample, with their labels", () => {
    const { size, input, answers } = one(counting(12, 3), [4, 3], { labels: labels(12) });
    expect(size).toBe(3);
    expect(input.tensor.dims).toEqual([3, 4, 3]);
    expect(answers[""]?.dims).toEqual([3, 4]);
    expect(answers[""]?.data).toEqual(labels(12));
    expect(one(counting(12, 3), [4, 3], { targets: counting(12, 2) }).answers[""]?.dims).toEqual([3, 4, 2]);
    expect(one(counting(12, 3), [4, 3], { labels: labels(3) }).answers[""]?.dims).toEqual([3]); // one for each sample
    expect(one(counting(3, 4, 3), [4, 3], { labels: labels(3) }).answers[""]?.dims).toEqual([3]);
  });

  test("rows that are no multiple of the fixed number", () => {
    expect(messageOf(() => one(counting(10, 3), [4, 3]))).toBe(
      'd.npz: array "x" has 10 rows, but the model input "input" takes 4 at a time. Save a multiple of 4.',
    );
    expect(messageOf(() => one(counting(12, 3), [4, 3], { labels: labels(10) }))).toBe(
      'd.npz: array "x" has 3 samples but "y" has 10, expected the same number. Save arrays whose first axes agree.',
    );
  });

  test("exactly as many rows as the input is fixed to are one sample", () => {
    const { size, input } = one(counting(4, 3), [4, 3]);
    expect(size).toBe(1);
    expect(input.isShared ? input.tensor.dims : input.tensor.dims.slice(1)).toEqual([4, 3]);
  });

  test("exactly as many rows as the input is fixed to are one sample, with labels too", () => {
    expect(one(counting(4, 3), [4, 3], { labels: labels(4) }).answers[""]?.dims).toEqual([1, 4]);
  });

  describe("beside other inputs", () => {
    const feeds = [feed(["N", 3], "float32", "x"), feed([4, 4], "float32", "matrix"), feed([], "int64", "rate")];
    const both = (matrix: Tensor, rate: Tensor) => bindSamples(dataset({ x: counting(6, 3), matrix, rate }), feeds);
    const rate = int64([16000], []);

    test("an array of exactly the input's shape is the same for all samples", () => {
      const { size, inputs } = both(counting(4, 4), rate);
      expect(size).toBe(6);
      expect(inputs.matrix).toMatchObject({ isShared: true, tensor: { dims: [4, 4] } });
      expect(inputs.rate).toMatchObject({ isShared: true, tensor: { dims: [] } });
    });

    test("one entry for each sample is not", () => {
      const { inputs } = both(counting(6, 4, 4), int64([1, 2, 3, 4, 5, 6]));
      expect(inputs.matrix).toMatchObject({ isShared: false, tensor: { dims: [6, 4, 4] } });
      expect(inputs.rate).toMatchObject({ isShared: false, tensor: { dims: [6] } });
      const single = both(counting(4, 4), int64([1, 2, 3, 4, 5, 6], [6, 1])).inputs.rate;
      expect(single).toMatchObject({ isShared: false, tensor: { dims: [6] } });
    });

    test("a single entry is", () => {
      const { size, inputs } = both(counting(1, 4, 4), int64([16000]));
      expect(size).toBe(6);
      expect(inputs.matrix).toMatchObject({ isShared: true, tensor: { dims: [4, 4] } });
      expect(Array.from(inputs.matrix?.tensor.numbers ?? [])).toEqual(Array.from(counting(4, 4).numbers));
      expect(inputs.rate).toMatchObject({ isShared: true, tensor: { dims: [] } });
    });

    test("a single row is, where the input takes rows", () => {
      const pair = [feed(["N", 3], "float32", "x"), feed([1, 2], "float32", "size")];
      const { size, inputs } = bindSamples(dataset({ x: counting(6, 3), size: counting(1, 2) }), pair);
      expect(size).toBe(6);
      expect(inputs.size).toMatchObject({ isShared: true, tensor: { dims: [1, 2] } });
    });

    test("settings that are the same for all samples are", () => {
      const { size, inputs } = both(counting(4, 4), int64(Array(6).fill(16000)));
      expect(size).toBe(6);
      expect(inputs.rate).toMatchObject({ isShared: true, tensor: { dims: [] } });
      expect(Array.from(inputs.rate?.tensor.numbers ?? [])).toEqual([16000]);
    });

    test("the same setting for another number of samples is a mistake", () => {
      expect(messageOf(() => both(counting(4, 4), int64(Array(5).fill(16000))))).toBe(
        'd.npz: array "x" has 6 samples but "rate" has 5, expected the same number. Save arrays whose first axes agree.',
      );
    });

    test("entries for another number of samples are a mistake", () => {
      expect(messageOf(() => both(counting(5, 4, 4), rate))).toBe(
        'd.npz: array "x" has 6 samples but "matrix" has 5, expected the same number. Save arrays whose first axes agree.',
      );
    });
  });

  test("samples that are all the same are still so many", () => {
    const { size, input, answers } = one(tensorOf("float32", Array(6).fill(1), [3, 2]), ["N", 2], {
      labels: labels(3),
    });
    expect(size).toBe(3);
    expect(input.isShared ? input.tensor.dims : input.tensor.dims.slice(1)).toEqual([1, 2]);
    expect(answers[""]?.dims).toEqual([3]);
  });

  test.each<[string, Tensor, ValueInfo["shape"], string]>([
    [
      "a single number",
      tensorOf("float32", [1], []),
      ["N", 3],
      'array "x" is a single number, expected one axis of samples first, as in [N, 3].',
    ],
    [
      "no elements",
      counting(3, 0),
      ["N", null],
      'array "x" has shape [3, 0] and so no elements, expected some. Save it whole.',
    ],
    [
      "too few axes",
      counting(6, 8),
      [2, "N", 8],
      'array "x" has shape [6, 8], expected [N, 2, N, 8] for the model input "input". Save samples of the shape that the model takes.',
    ],
    [
      "too many axes",
      counting(6, 2, 1, 3),
      ["N", 3],
      'array "x" has shape [6, 2, 1, 3], expected [N, 3] for the model input "input". Save samples of the shape that the model takes.',
    ],
    [
      "other rows of a fixed batch",
      counting(6, 3, 3),
      [4, 3],
      'array "x" has shape [6, 3, 3], expected [N, 4, 3] for the model input "input". Save samples of the shape that the model takes.',
    ],
    [
      "channels last",
      counting(2, 4, 4, 3),
      [1, 3, 4, 4],
      'array "x" has shape [2, 4, 4, 3], expected [N, 3, 4, 4] for the model input "input". These are the same axes in another order: read images as NHWC (--layout NHWC), or transpose the array before saving it.',
    ],
  ])("a mistake: %s", (_, tensor, shape, message) => {
    expect(messageOf(() => one(tensor, shape))).toBe(`d.npz: ${message}`);
  });

  test("an input that is no tensor of numbers", () => {
    expect(messageOf(() => bindSamples(dataset({ x: counting(2, 3) }), [{ name: "words", isOther: true }]))).toBe(
      'd.npz: the model input "words" is no tensor of numbers and cannot be fed.',
    );
  });
});

describe("bindSamples: labels and targets", () => {
  const x = counting(4, 2);
  const info = [feed(["N", 2], "float32", "x")];
  const answers = (inputs: Record<string, Tensor>, rest: Partial<Dataset> = {}, feeds = info) => {
    const found = bindSamples(dataset({ x, ...inputs }, rest), feeds).answers;
    return Object.fromEntries(
      Object.entries(found).map(([name, { type, dims, data }]) => [name, { type, dims, data }]),
    );
  };
  const classes = Int32Array.of(3, 1, 0, 2);
  const expected = { type: "int32", dims: [4], data: classes };

  test("y, labels, or those that a caller gives apart", () => {
    expect(answers({ y: int64([3, 1, 0, 2]) })).toEqual({ "": expected });
    expect(answers({ labels: tensorOf("uint8", [3, 1, 0, 2]) })).toEqual({ "": expected });
    expect(answers({}, { labels: classes })).toEqual({ "": expected });
    expect(answers({ y: int64([9, 9, 9, 9]) }, { labels: classes })).toEqual({ "": expected });
    expect(answers({ other: int64([9, 9, 9, 9]) })).toEqual({});
  });

  test("floats are targets, single ones as columns", () => {
    const column = { type: "float32", dims: [4, 1], data: Float32Array.of(0, 1, 2, 3) };
    expect(answers({ y: counting(4) })).toEqual({ "": column });
    expect(answers({}, { targets: counting(4) })).toEqual({ "": column });
    const half = answers({ y: tensorOf("float16", [0, 0.5, 1, 1], [4, 1]) })[""];
    expect(half).toEqual({ type: "float32", dims: [4, 1], data: Float32Array.of(0, 0.5, 1, 1) });
    expect(answers({ y: tensorOf("float64", [0, 1, 2, 3], [4, 1]) })[""]?.type).toBe("float64");
  });

  test("one for each position", () => {
    expect(answers({ y: int64([...Array(12).keys()], [4, 3]) })[""]?.dims).toEqual([4, 3]);
    expect(answers({ y: counting(4, 3, 2) })[""]?.dims).toEqual([4, 3, 2]);
  });

  test("by output, by name", () => {
    const found = answers({ y_mask: int64([3, 1, 0, 2]), labels_size: counting(4, 2), y: int64([3, 1, 0, 2]) });
    expect(Object.keys(found).sort()).toEqual(["", "mask", "size"]);
    expect(found.mask).toEqual(expected);
    expect(found.size?.type).toBe("float32");
    // y goes before labels of the same output
    const both = answers({ labels_mask: int64([9, 9, 9, 9]), y_mask: int64([3, 1, 0, 2]) });
    expect(Object.keys(both)).toEqual(["mask"]);
  });

  test("by output, as they are told", () => {
    const arrays = { a: int64([3, 1, 0, 2]), b: counting(4, 2), y: int64([9, 9, 9, 9]) };
    expect(answers(arrays, { labelArrays: { "": "a", box: "b" } })).toMatchObject({
      "": expected,
      box: { dims: [4, 2] },
    });
    // what is told goes before what a name says
    expect(answers({ ...arrays, y_box: counting(4, 3) }, { labelArrays: { box: "b" } }).box?.dims).toEqual([4, 2]);
  });

  test("an input named y is fed, and its labels are called otherwise", () => {
    const feeds = [...info, feed(["N", 1], "float32", "y")];
    const y = counting(4, 1);
    expect(answers({ y }, {}, feeds)).toEqual({});
    expect(answers({ y, labels: int64([3, 1, 0, 2]) }, {}, feeds)).toEqual({ "": expected });
    expect(answers({ y, classes: int64([3, 1, 0, 2]) }, { labelArrays: { "": "classes" } }, feeds)).toEqual({
      "": expected,
    });
    expect(answers({ y }, { labels: classes }, feeds)).toEqual({ "": expected });
    expect(bindSamples(dataset({ x, y, labels: int64([3, 1, 0, 2]) }), feeds).inputs.y?.tensor.dims).toEqual([4, 1, 1]);
    // and one named labels likewise
    const other = [...info, feed(["N", 1], "float32", "labels")];
    expect(answers({ labels: counting(4, 1), y: int64([3, 1, 0, 2]) }, {}, other)).toEqual({ "": expected });
  });

  test.each<[string, Record<string, Tensor>, Partial<Dataset>, string]>([
    [
      "an array that is not there",
      {},
      { labelArrays: { mask: "classes" } },
      'd.npz: no array "classes" for labels, found "x".',
    ],
    [
      "a single number",
      { y_mask: tensorOf("int64", [1], []) },
      {},
      'd.npz: array "y_mask" is a single number, expected classes [N] or targets [N, ...]. Save one answer for each sample.',
    ],
    [
      "another number of samples",
      { y_mask: int64([1, 2, 3]) },
      {},
      'd.npz: array "x" has 4 samples but "y_mask" has 3, expected the same number. Save arrays whose first axes agree.',
    ],
    [
      "a label that no class has, in a later position",
      { y: int64([0, 1, 2, 3, 4, 2 ** 31, 0, 0], [4, 2]) },
      {},
      'd.npz: array "y" holds the label 2147483648 for sample 2, expected a class number. Number classes from 0.',
    ],
    [
      "infinite targets",
      { y_box: float32([0, 1, 2, 3, Infinity, 0, 0, 0], [4, 2]) },
      {},
      'd.npz: array "y_box" holds Infinity in sample 2, expected finite numbers. Remove or repair that sample.',
    ],
  ])("a mistake: %s", (_, inputs, rest, message) => {
    expect(messageOf(() => answers(inputs, rest))).toBe(message);
  });
});
