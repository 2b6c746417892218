import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bindSamples, float32, int64, type Samples, type Tensor, tensorOf } from "@shrinknet/core";
import { gzipSync } from "fflate";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arranged } from "../src/arranged.ts";
import { type LoadOptions, loadData } from "../src/node.ts";
import { writeNpy } from "../src/npy.ts";
import { writeNpz } from "../src/npz.ts";
import { bytesOf, idxFile, messageOf } from "./helpers.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shrinknet-data-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function save(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

const numbersOf = (tensor: Tensor | undefined) => Array.from(tensor?.numbers ?? []);
const x = float32([1, 2, 3, 4, 5, 6], [3, 2]);
const forms =
  "Supported: .npz, .npy, .csv, IDX files as IMAGES or IMAGES,LABELS (each may be gzipped), or a folder of images.";

describe(".npz", () => {
  const load = async (arrays: Record<string, Tensor>, options: LoadOptions = {}) =>
    loadData(await save("a.npz", writeNpz(arrays)), options);

  /** What the file holds for a model of one input of two numbers. */
  const bound = async (arrays: Record<string, Tensor>, options: LoadOptions = {}): Promise<Samples> =>
    bindSamples(await load(arrays, options), [{ name: "input", type: "float32", shape: ["N", 2] }]);
  const answersTo = async (y: Tensor): Promise<Tensor | undefined> => (await bound({ x, y })).answers[""];

  test("x and integer y", async () => {
    const data = await load({ x, y: int64([0, 1, 2]) });
    expect(data.source).toBe("a.npz");
    expect(Object.keys(data.inputs)).toEqual(["x", "y"]);
    expect(data.targets).toBeUndefined();
    const samples = await bound({ x, y: int64([0, 1, 2]) });
    expect(samples.size).toBe(3);
    expect(Object.keys(samples.inputs)).toEqual(["input"]);
    expect(Object.keys(samples.answers)).toEqual([""]);
    expect(samples.answers[""]?.data).toEqual(Int32Array.of(0, 1, 2));
  });

  test("inputs by name, without y", async () => {
    const data = await load({
      ids: int64([1, 2], [2, 1]),
      mask: float32([0, 1], [2, 1]),
    });
    expect(Object.keys(data)).toEqual(["source", "inputs"]);
    expect(Object.keys(data.inputs)).toEqual(["ids", "mask"]);
    expect(data.inputs.ids?.dims).toEqual([2, 1]);
  });

  test("integer y [N, 1] and bool y are labels", async () => {
    const column = await answersTo(tensorOf("uint8", [2, 1, 0], [3, 1]));
    expect(column?.type).toBe("int32");
    expect(column?.data).toEqual(Int32Array.of(2, 1, 0));
    expect((await answersTo(tensorOf("bool", [1, 0, 1])))?.data).toEqual(Int32Array.of(1, 0, 1));
  });

  test("float y are targets", async () => {
    const flat = await answersTo(float32([0, 0.5, 1]));
    expect(flat?.type).toBe("float32");
    expect(flat?.dims).toEqual([3, 1]);
    const half = await answersTo(tensorOf("float16", [0, 0.5, 1, 1, 1, 1], [3, 2]));
    expect(half?.type).toBe("float32");
    expect(half?.dims).toEqual([3, 2]);
    expect(numbersOf(half)).toEqual([0, 0.5, 1, 1, 1, 1]);
    expect((await answersTo(tensorOf("float64", [0, 1, 2], [3, 1])))?.type).toBe("float64");
  });

  test("other y", async () => {
    expect((await answersTo(int64([0, 1, 1, 0, 0, 1], [3, 2])))?.dims).toEqual([3, 2]); // perhaps one for each position
    expect(await messageOf(() => answersTo(float32([1], [])))).toBe(
      'a.npz: array "y" is a single number, expected classes [N] or targets [N, ...]. Save one answer for each sample.',
    );
    expect(await messageOf(() => answersTo(int64([0, 2 ** 40, 0])))).toBe(
      'a.npz: array "y" holds the label 1099511627776 for sample 1, expected a class number. Number classes from 0.',
    );
  });

  test("labels of several outputs, by their names or by the names that are told", async () => {
    const arrays = { x, y_mask: int64([0, 1, 1]), y_size: float32([1, 2, 3]), classes: int64([2, 1, 0]) };
    const named = await bound(arrays);
    expect(Object.keys(named.answers)).toEqual(["mask", "size"]);
    const told = await bound(arrays, { labels: { "": "classes", size: "y_size" } });
    expect(Object.keys(told.answers).sort()).toEqual(["", "mask", "size"]);
    expect(told.answers[""]?.data).toEqual(Int32Array.of(2, 1, 0));
    expect(await messageOf(() => bound(arrays, { labels: { "": "class" } }))).toBe(
      'a.npz: no array "class" for labels, found "x", "y_mask", "y_size", "classes".',
    );
  });

  test("only y", async () => {
    expect(await messageOf(() => load({ y: int64([0]) }))).toBe(
      'a.npz: found only the array "y", expected "x" or one array for each model input. Save both.',
    );
  });

  test("no zip", async () => {
    expect(await messageOf(async () => loadData(await save("b.npz", bytesOf("hello"))))).toBe(
      "b.npz is not a zip file, expected the output of numpy.savez. Save it again.",
    );
  });

  test("binds to a model", async () => {
    const data = bindSamples(await load({ x: tensorOf("uint8", [1, 2, 3, 4], [1, 4]), y: int64([0]) }), [
      { name: "input", type: "float32", shape: ["N", 1, 2, 2] },
    ]);
    expect(data.inputs.input?.tensor.type).toBe("float32");
    expect(data.inputs.input?.tensor.dims).toEqual([1, 1, 1, 2, 2]);
    expect(data.answers[""]?.data).toEqual(Int32Array.of(0));
  });
});

describe(".npy", () => {
  test("is x, also gzipped or by content alone", async () => {
    for (const name of ["a.npy", "noname"]) {
      const data = await loadData(await save(name, writeNpy(x)));
      expect(data.inputs.x?.dims).toEqual([3, 2]);
      expect(numbersOf(data.inputs.x)).toEqual([1, 2, 3, 4, 5, 6]);
    }
    expect((await loadData(await save("a.npy.gz", gzipSync(writeNpy(x))))).inputs.x?.dims).toEqual([3, 2]);
  });

  test("wrong magic and truncation", async () => {
    expect(await messageOf(async () => loadData(await save("b.npy", bytesOf("hello"))))).toContain(
      "b.npy: the array begins with the bytes 68 65 6c 6c 6f, expected 93 4e",
    );
    expect(await messageOf(async () => loadData(await save("c.npy", writeNpy(x).subarray(0, 140))))).toContain(
      "c.npy: the array is cut short: it holds 12 bytes of data, expected 24 for float32 [3, 2]",
    );
  });
});

describe("IDX", () => {
  const images = idxFile([2, 2, 1], [0, 51, 102, 255]);
  const labels = idxFile([2], [7, 3]);

  test.each([false, true])("a pair, gzipped: %s", async (zipped) => {
    const pack = (bytes: Uint8Array) => (zipped ? gzipSync(bytes) : bytes);
    const end = zipped ? "ubyte.gz" : "ubyte";
    const first = await save(`images-idx3-${end}`, pack(images));
    const data = await loadData(`${first},${await save(`labels-idx1-${end}`, pack(labels))}`);
    expect(data.source).toBe(`images-idx3-${end}`);
    expect(data.inputs.x?.type).toBe("uint8");
    expect(data.inputs.x?.dims).toEqual([2, 2, 1]);
    expect(data.labels).toEqual(Int32Array.of(7, 3));
  });

  test("images alone", async () => {
    const data = await loadData(await save("images", images));
    expect(data.inputs.x?.dims).toEqual([2, 2, 1]);
    expect(data.labels).toBeUndefined();
  });

  test("pairs that do not fit", async () => {
    const [a, b] = [await save("i", images), await save("l", labels)];
    const long = await save("l3", idxFile([3], [1, 2, 3]));
    expect(await messageOf(() => loadData(`${a},${long}`))).toBe(
      "i has 2 images but l3 3 labels, expected as many. Pair the right files.",
    );
    expect(await messageOf(() => loadData(`${b},${a}`))).toContain("l has 1 axis as labels have, expected images");
    expect(await messageOf(() => loadData(b))).toContain("l has 1 axis as labels have");
    expect(await messageOf(() => loadData(`${a},${a}`))).toContain("i has 3 axes, expected 1 as for labels");
    expect(await messageOf(() => loadData(`${a},`))).toContain("expected two files around one comma, IMAGES,LABELS");
    expect(await messageOf(() => loadData(`${a},${b},${b}`))).toContain("expected two files around one comma");
    expect(await messageOf(() => loadData(`${a},${join(folder, "none")}`))).toContain("none: no such file");
  });

  test("wrong magic and a damaged gzip", async () => {
    expect(await messageOf(async () => loadData(await save("train-images-idx3-ubyte", bytesOf("hello"))))).toContain(
      "train-images-idx3-ubyte begins with the bytes 68 65 6c 6c, expected 00 00 08 03",
    );
    const cut = await save("cut.gz", gzipSync(images).subarray(0, 15));
    expect(await messageOf(() => loadData(cut))).toBe(
      "cut.gz: the gzip data are damaged or cut short. Download or copy the file again.",
    );
  });

  test("a file whose name has a comma is a file", async () => {
    expect((await loadData(await save("a,b.npy", writeNpy(x)))).inputs.x?.dims).toEqual([3, 2]);
  });
});

test(".csv", async () => {
  const data = await loadData(await save("a.CSV", bytesOf("a,b\n1,0\n2,1\n")));
  expect(data.source).toBe("a.CSV");
  expect(data.labels).toEqual(Int32Array.of(0, 1));
});

describe("scale", () => {
  test("multiplies inputs only, as float32", async () => {
    const path = await save("s.npz", writeNpz({ x: tensorOf("uint8", [0, 255], [2, 1]), y: float32([3, 4]) }));
    const data = await loadData(path, { scale: 1 / 255 });
    expect(data.inputs.x?.type).toBe("float32");
    expect(data.inputs.x?.dims).toEqual([2, 1]);
    expect(numbersOf(data.inputs.x)).toEqual([0, 1]);
    expect(numbersOf(data.inputs.y)).toEqual([3, 4]);
  });

  test("leaves labels and targets of any name as they are", async () => {
    const numbers = tensorOf("uint8", [0, 255], [2, 1]);
    const names = ["x", "y_mask", "labels", "labels_size", "classes", "yaw"];
    const path = await save("n.npz", writeNpz(Object.fromEntries(names.map((name) => [name, numbers]))));
    const { inputs } = await loadData(path, { scale: 1 / 255, labels: { "": "classes" } });
    const scaled = names.filter((name) => inputs[name]?.type === "float32");
    expect(scaled).toEqual(["x", "yaw"]);
    expect(numbersOf(inputs.yaw)).toEqual([0, 1]);
    for (const name of names.filter((one) => !scaled.includes(one))) expect(numbersOf(inputs[name])).toEqual([0, 255]);
  });

  test.each([0, Number.NaN, Infinity])("%d is an error", async (scale) => {
    expect(await messageOf(() => loadData("any", { scale }), "option")).toBe(
      `scale: got ${scale}, expected a finite number other than 0, such as 0.00392157.`,
    );
  });
});

describe("files that are no data", () => {
  test("missing", async () => {
    const path = join(folder, "missing.npz");
    expect(await messageOf(() => loadData(path))).toBe(`${path}: no such file, expected a data file. Check the path.`);
  });

  test("a folder", async () => {
    const path = join(folder, "images-folder");
    await mkdir(path);
    expect(await messageOf(() => loadData(path))).toBe(
      `${path}: has no images (PNG, JPEG, WebP), expected some, or one folder of them for each class`,
    );
  });

  test("below a file", async () => {
    const path = join(await save("plain.npy", writeNpy(x)), "inner.npy");
    expect(await messageOf(() => loadData(path))).toBe(
      `${path} cannot be read (ENOTDIR), expected a readable data file. Check its permissions.`,
    );
  });

  test("empty", async () => {
    expect(await messageOf(async () => loadData(await save("e.npz", new Uint8Array())))).toBe(
      `e.npz is empty (0 bytes), expected a data file. ${forms}`,
    );
  });

  test("unknown endings", async () => {
    expect(await messageOf(async () => loadData(await save("a.png", bytesOf("hello"))))).toBe(
      `a.png ends in .png, expected the suffix of a data file. ${forms}`,
    );
    expect(await messageOf(async () => loadData(await save("plain", bytesOf("hello"))))).toBe(
      `plain ends in no known suffix, expected the suffix of a data file. ${forms}`,
    );
  });
});

describe("a part of a large file is read without the rest", () => {
  const [count, width] = [3000, 6000]; // 72 MB
  const large = new Float32Array(count * width).map((_, at) => at % 977);
  const y = int64(Array.from({ length: count }, (_, at) => at % 3));

  test.each([
    ["large.npz", () => writeNpz({ x: float32(large, [count, width]), y, rate: int64([16000]) }, { level: 0 })],
    ["large.npy", () => writeNpy(float32(large, [count, width]))],
  ])("%s", async (name, bytes) => {
    const path = await save(name, bytes());
    const part = await loadData(path, { samples: 30, seed: 5 });
    const whole = arranged(await loadData(path), { samples: 30, seed: 5 });
    expect(part.inputs.x?.dims).toEqual([30, width]);
    expect(part.inputs.x?.bytes).toEqual(whole.inputs.x?.bytes);
    expect(numbersOf(part.inputs.y)).toEqual(numbersOf(whole.inputs.y));
    expect(part.inputs.rate?.dims).toEqual(whole.inputs.rate?.dims);
  });

  test("a packed one is read whole, a damaged one refused", async () => {
    const packed = await save("packed.npz", writeNpz({ x: float32(large, [count, width]), y }, { level: 1 }));
    expect((await loadData(packed, { samples: 30 })).inputs.x?.dims).toEqual([30, width]);
    const cut = await save("cut.npy", writeNpy(float32(large, [count, width])).subarray(0, 70_000_000));
    expect(await messageOf(() => loadData(cut, { samples: 30 }))).toContain("is cut short: it holds");
  });
});
