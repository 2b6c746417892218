/** Folders of images, and what is done to arrays of images. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Tensor, tensorOf } from "@shrinknet/core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { arranged } from "../src/arranged.ts";
import { loadData } from "../src/node.ts";
import { stratified } from "../src/stratified.ts";
import { messageOf } from "./helpers.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "shrinknet-images-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A PNG of one colour, but for a white pixel at the upper left corner. */
async function png(path: string, [red, green, blue]: number[], [height, width] = [4, 6]): Promise<void> {
  const pixels = Buffer.alloc(height * width * 3);
  for (let at = 0; at < pixels.length; at++) pixels[at] = [red, green, blue][at % 3] as number;
  pixels.fill(255, 0, 3);
  await mkdir(join(folder, path, ".."), { recursive: true });
  await sharp(pixels, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(join(folder, path));
}

const numbersOf = (tensor: Tensor | undefined): number[] => Array.from(tensor?.numbers ?? []);

describe("a folder", () => {
  beforeAll(async () => {
    for (let at = 0; at < 4; at++) await png(`pets/dog/${at}.png`, [51, 102, 153]);
    for (let at = 0; at < 8; at++) await png(`pets/cat/deep/${at}.png`, [0, 0, 255]);
    await png("plain/b.png", [255, 0, 0]);
    await png("plain/a.png", [0, 255, 0]);
    await png("mixed/inside/a.png", [0, 255, 0]);
    await png("mixed/beside.png", [0, 255, 0]);
    await mkdir(join(folder, "empty"));
    await png("broken/fine.png", [0, 255, 0]);
    await writeFile(join(folder, "broken/zz.png"), "no image");
  });

  test("sub-folders are classes in the order of their names; channels first by default, 0..1", async () => {
    const { inputs, labels } = await loadData(join(folder, "pets"));
    expect(inputs.x?.dims).toEqual([12, 3, 4, 6]);
    expect(Array.from(labels ?? [])).toEqual([...Array(8).fill(0), ...Array(4).fill(1)]);
    const dog = numbersOf(inputs.x).slice(8 * 72, 9 * 72);
    expect([dog[0], dog[24], dog[48]]).toEqual([1, 1, 1]);
    expect([dog[1], dog[25], dog[49]]).toEqual([0.2, 0.4, 0.6].map(Math.fround));
  });

  test("as the model takes them: its size, channels last, one channel", async () => {
    const last = await loadData(join(folder, "plain"), { shape: ["N", 2, 2, 3] });
    expect(last.inputs.x?.dims).toEqual([2, 2, 2, 3]);
    expect(last.labels).toBeUndefined();
    const grey = await loadData(join(folder, "plain"), { shape: [1, 1, 8, 8] });
    expect(grey.inputs.x?.dims).toEqual([2, 1, 8, 8]);
    const own = await loadData(join(folder, "plain"), { images: { size: [5, 3] } });
    expect(own.inputs.x?.dims).toEqual([2, 3, 5, 3]);
  });

  test("mean and deviation, a scale of 0..255, and those of ImageNet", async () => {
    const path = join(folder, "pets/dog");
    const moved = await loadData(path, { mean: [0.2, 0.4, 0.6], std: [0.5] });
    expect(Math.abs(numbersOf(moved.inputs.x)[1] as number)).toBeLessThan(1e-6);
    const bytes = await loadData(path, { scale: 1 });
    expect(numbersOf(bytes.inputs.x)[1]).toBeCloseTo(51, 4);
    const usual = await loadData(path, { images: { preset: "imagenet" }, shape: ["N", 3, 8, 8] });
    expect(numbersOf(usual.inputs.x)[63]).toBeCloseTo((0.2 - 0.485) / 0.229, 2);
  });

  test("a part has as many of each class as its share, the same for the same seed", async () => {
    const part = await loadData(join(folder, "pets"), { samples: 6 });
    expect(Array.from(part.labels ?? [])).toEqual([0, 0, 0, 0, 1, 1]);
    expect(part.inputs.x?.dims[0]).toBe(6);
  });

  test("options of images beside a file are refused", async () => {
    const file = () => loadData(join(folder, "plain/a.png"), { images: { preset: "imagenet" } });
    expect(await messageOf(file, "option")).toContain("preset: is for folders of images");
  });

  test.each([
    ["empty", "has no images (PNG, JPEG, WebP), expected some, or one folder of them for each class"],
    ["mixed", "has images beside the folders of classes (beside.png), expected all in folders of classes, or none"],
    ["broken", "zz.png: cannot be read as an image"],
  ])("%s is refused", async (name, message) => {
    expect(await messageOf(() => loadData(join(folder, name)))).toContain(message);
  });
});

describe("arrays", () => {
  const source = "a.npz";
  const pixels = (dims: number[], factor = 1): Tensor =>
    tensorOf(
      "uint8",
      Array.from({ length: dims.reduce((a, b) => a * b) }, (_, at) => (at * factor) % 256),
      dims,
    );

  test("channels last are turned for a model that has them first, and the other way", () => {
    const x = pixels([2, 4, 5, 3]);
    const turned = arranged({ source, inputs: { x } }, { layout: "NHWC", shape: ["N", 3, 4, 5], scale: 1 });
    expect(turned.inputs.x?.dims).toEqual([2, 3, 4, 5]);
    expect(numbersOf(turned.inputs.x).slice(0, 3)).toEqual([0, 3, 6]);
    const back = arranged({ source, inputs: turned.inputs }, { layout: "NCHW", shape: ["N", 4, 5, 3] });
    expect(numbersOf(back.inputs.x)).toEqual(numbersOf(x));
    expect(arranged({ source, inputs: { x } }, { layout: "NHWC", shape: ["N", 4, 5, 3] }).inputs.x).toBe(x);
  });

  test("mean and deviation by channel; wrong numbers of them are refused", async () => {
    const x = pixels([1, 3, 1, 2]);
    const { inputs } = arranged({ source, inputs: { x } }, { mean: [0, 2, 4], std: [1, 2, 4] });
    expect(numbersOf(inputs.x)).toEqual([0, 1, 0, 0.5, 0, 0.25]);
    const wrong = () => arranged({ source, inputs: { x } }, { mean: [1, 2] });
    expect(await messageOf(wrong, "option")).toBe("mean: 2 numbers, expected 1 or 3, as the data have 3 channels");
  });

  test("bytes of pixels and one-hot labels are told of", () => {
    const y = tensorOf("int64", [0n, 0n, 1n, 1n, 0n, 0n] as never, [2, 3]);
    const { inputs, notes } = arranged({ source, inputs: { x: pixels([2, 1, 8, 8], 5), y } }, {});
    expect(numbersOf(inputs.y)).toEqual([2, 0]);
    expect(notes).toEqual([
      'a.npz: array "y" is one-hot [2, 3]; taken as classes 0 to 2',
      'a.npz: array "x" holds pixels 0..255 as they are; a model that was trained on 0..1 needs --scale 0.00392157',
    ]);
  });

  test("real targets and rows with several ones stay what they are", () => {
    const targets = tensorOf("float32", [0, 1, 0, 1, 0, 0], [2, 3]);
    const many = tensorOf("uint8", [1, 1, 0, 1, 0, 0], [2, 3]);
    const { inputs, notes } = arranged({ source, inputs: { x: pixels([2, 4]), y: targets, y_b: many } }, {});
    expect([inputs.y, inputs.y_b, notes]).toEqual([targets, many, undefined]);
  });

  test("a part is drawn from all arrays with an entry for each sample", () => {
    const y = tensorOf("int32", [0, 0, 0, 0, 1, 1], [6]);
    const rate = tensorOf("int64", [16000], [1]);
    const { inputs } = arranged({ source, inputs: { x: pixels([6, 2]), y, rate } }, { samples: 3, seed: 4 });
    expect(numbersOf(inputs.y)).toEqual([0, 0, 1]);
    expect(inputs.x?.dims).toEqual([3, 2]);
    expect(inputs.rate).toBe(rate);
  });
});

test("shares of a part: within one of each class's share, every sample once", () => {
  const labels = Array.from({ length: 1000 }, (_, at) => (at % 10 === 0 ? 1 : at % 3 === 0 ? 2 : 0));
  const rows = stratified(labels, 1000, 100, 3);
  expect(new Set(rows).size).toBe(100);
  for (const label of [0, 1, 2]) {
    const share = labels.filter((one) => one === label).length / 10;
    expect(Math.abs(rows.filter((row) => labels[row] === label).length - share)).toBeLessThan(1.5);
  }
});
